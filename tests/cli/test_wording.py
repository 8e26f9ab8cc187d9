"""Errors on the command line: options are spelt as options, and say what to give."""

import sys
from pathlib import Path

import pytest

from adapterkit.cli.app import main
from adapterkit.cli.wording import for_recipe, for_shell

FILES = {
    "four.tsv": "a\tb\tc\tX\nd\te\tf\tY\n",
    "class.tsv": "text\tclass\nbore da\tA\n",
    "label.tsv": "text\tlabel\nbore da\tA\n",
    "label.jsonl": '{"text": "bore da", "label": "A"}\n',
    "body.jsonl": '{"body": "bore da"}\n',
    "old.txt": "caf\xe9 du monde\n",
}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("corpus old.txt --language fra", "such as --encoding cp1252"),
        ("corpus body.jsonl --language fra", "name the key of the text with --text-field"),
        ("evaluate --test four.tsv", "for example --column 4."),
        (
            "evaluate --task classification --test class.tsv",
            "there is no 'label'; there are: text, class; use --column for another one",
        ),
        ("evaluate --test label.tsv", "label.tsv: has texts with a label each; use --task classif"),
        ("evaluate --test label.jsonl", "label.jsonl: has texts with a label each; use --task cl"),
        ("evaluate --test class.tsv --column class", "class.tsv: has texts with a label each"),
        (
            "train-task --train four.tsv --over mini:eng --out o --cache-mib -3",
            "--cache-mib -3: must be 0 or more",
        ),
    ],
)
def test_an_error_names_the_option_to_use(
    words: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        Path(name).write_text(text, encoding="latin-1")
    monkeypatch.setattr(sys, "argv", ["adapterkit", *words.split()])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 1
    assert said in capfd.readouterr().err


@pytest.mark.parametrize(
    "message",
    [
        'my_column="4".tsv: there is no such file',
        "a/x-encoding=/b: there is no such folder",
        "there is no 'text'; there are: words",
        "allow_backbone='x' accepts a derived one",
    ],
)
def test_what_is_no_option_stays_as_it_is(message: str) -> None:
    assert for_shell(message) == message


RECIPE = """
[grid]
split = "test"
backbones = ["mini"]
tasks = ["topic"]
seeds = [0]
methods = ["source-kept"]
[groups]
all = ["cym"]
[text]
files = "{language}.txt"
[tasks.topic]
kind = "classification"
files = "{language}.{split}.tsv"
source = "eng"
[adapters.mini]
eng = "mini:eng"
"""


@pytest.mark.parametrize("before", [[], ["--verbose"]])
def test_an_error_of_a_recipe_names_the_key_to_use(
    before: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("eng.train.tsv", "eng.dev.tsv", "cym.test.tsv"):
        Path(name).write_text(FILES["class.tsv"], encoding="utf-8")
    Path("r.toml").write_text(RECIPE, encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["adapterkit", *before, "run", "r.toml", "--data", "."])
    with pytest.raises(SystemExit):
        main()
    said = capfd.readouterr().err
    hint = 'there are: text, class; name another one with column = "..." in the recipe\n'
    assert (
        said.count(hint) == said.count("there are: text, class") == 2
    )  # the train and the dev set
    assert "--column" not in said


def test_a_recipe_spells_columns_as_keys() -> None:
    said = 'Say which column holds the tag, for example column="4".'
    assert for_recipe(said) == 'Say which column holds the tag, for example column = "4".'
    assert for_recipe('my_column="4".tsv: it is empty') == 'my_column="4".tsv: it is empty'


def test_what_a_stranger_wrote_does_not_steer_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text('[grid]\n"\\u001b]0;x\\u0007" = 1\n"\\u009b2J" = 1\n')
    for words in (
        ["run", str(recipe), "--check"],
        ["fill", "--stack", "a\x1b[2J", "<mask>"],
        ["report", "a\x9b.csv", "--json"],
    ):
        monkeypatch.setattr(sys, "argv", ["adapterkit", *words])
        with pytest.raises(SystemExit):
            main()
        said = capfd.readouterr().err
        assert "\\x1b" in said or "\\x9b" in said
        assert not {"\x1b", "\x07", "\x9b"} & set(said)
