"""`--text-field`: a table of labelled texts is read by the names its own columns have."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

TABLE = "sentence,feeling\n" + "".join(
    f'"word{n}, good",{"up" if n % 2 else "down"}\n' for n in range(8)
)


@pytest.mark.long
def test_a_table_is_trained_on_scored_and_labelled_by_the_name_of_its_texts_column(
    run: Run, tiny_folder: Path, tmp_path: Path
) -> None:
    table = tmp_path / "x.csv"
    table.write_text(TABLE)
    base = ("--backbone", tiny_folder)
    task = ("--task", "classification", "--text-field", "sentence", "--column", "feeling")
    out = tmp_path / "feeling"
    code, _, err = run(
        "train-task", *base, *task, "--train", table, "--over", "", "--steps", 1, "--out", out
    )
    assert code == 0, err
    code, said, err = run("evaluate", *base, *task, "--test", table, "--stack", out, "--json")
    assert code == 0, err
    assert json.loads(said)["examples"] == 8
    ask = ("predict", *base, "--stack", out, "--input", table, "--json")
    code, said, err = run(*ask, "--text-field", "sentence")
    assert code == 0, err
    assert json.loads(said.splitlines()[1])["text"] == "word1, good"
    code, said, err = run(*ask)
    assert (code, said) == (1, "")
    assert "there are: sentence, feeling; use --text-field for another one" in err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (
            ("evaluate", "--test", "x.conllu"),
            "is of texts with a label each, for --task classification",
        ),
        (
            ("train-task", "--train", "x.conllu", "--over", "", "--out", "o"),
            "is of texts with a label each",
        ),
        (("predict", "a"), "is of --input FILE with columns or keys"),
        (("predict", "--input", "x.txt"), "is of --input FILE with columns or keys"),
    ],
)
def test_it_is_refused_where_there_is_no_such_column(
    run: Run, words: tuple[str, ...], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.conllu").write_text("1\ta\t_\tX" + "\t_" * 6 + "\n\n")
    (tmp_path / "x.txt").write_text("a\n")
    code, out, err = run(*words, "--text-field", "body")
    assert (code, out) == (1, "")
    assert f"--text-field: {why}" in err


@pytest.mark.parametrize("name", ["p.csv", "p.txt", "p.conll.gz"])
def test_a_file_whose_name_says_no_format_needs_one(run: Run, tmp_path: Path, name: str) -> None:
    code, out, err = run("predict", "The cat .", "--out", tmp_path / name)
    assert (code, out) == (1, "")
    assert "name it .conllu, .tsv or .jsonl" in err
    assert not (tmp_path / name).exists()
