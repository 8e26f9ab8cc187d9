"""A recipe that publishes: all that is wrong is said before anything starts, and a text that is not fit stops it."""

import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from adapterkit.cards.answers import read_answers
from adapterkit.cli.app import main
from adapterkit.errors import ConfigError, CorpusError
from adapterkit.experiments import publish_language as publishing
from adapterkit.experiments.data import DataFolder
from adapterkit.experiments.publish_check import Plan, checked_plan, fit_text
from adapterkit.experiments.publish_recipe import read_publish_recipe
from adapterkit.experiments.reading import read_recipe
from adapterkit.text import profile
from tests.experiments.small import conllu, write
from tests.tiny import lines

RECIPE = """
[publish_language]
text = ["cym.txt"]
language = "cy"
licence = "CC BY 4.0"
backbone = "BACKBONE"
base_model = "alice/tiny"

[language_adapter]
steps = 6

[answers]
agreed = "Everybody."
"""
TEST = '[test]\ntask = "mini:pos"\nfiles = ["pos.conllu"]\n\n[language_adapter]'
Written = Callable[..., Path]
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def written(tmp_path: Path, tiny_folder: Path) -> Written:
    write(tmp_path / "data" / "cym.txt", "\n".join(lines(150)) + "\n")
    write(tmp_path / "data" / "pos.conllu", conllu(lines(5)))

    def make(*changes: tuple[str, str], backbone: str | Path = tiny_folder) -> Path:
        text = RECIPE
        for old, new in (("BACKBONE", str(backbone)), *changes):
            assert old in text, old
            text = text.replace(old, new)
        return write(tmp_path / "publish.toml", text)

    return make


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    def call(*words: object) -> tuple[int, str, str]:
        told = ["adapterkit", "run", *words, "--data", tmp_path / "data", "--out", tmp_path / "out"]
        monkeypatch.setattr(sys, "argv", list(map(str, told)))
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        return code, *capfd.readouterr()

    return call


def plan(path: Path, push: str | None = None, *, dry_run: bool = False) -> Plan:
    return checked_plan(path, DataFolder(path.parent / "data"), push=push, dry_run=dry_run)


def no_warnings(monkeypatch: pytest.MonkeyPatch, **others: float) -> None:
    """The limits of the corpus report so that made-up text passes, but for ``others``."""
    limits = {"LITTLE_TEXT": 0, "TOO_LITTLE_TEXT": 0, "HIGH_FERTILITY": 99, "MANY_SPLIT": 2}
    for name, value in {**limits, **others}.items():
        monkeypatch.setattr(profile, name, value)


def test_a_good_recipe_is_read_whole(written: Written) -> None:
    recipe, problems = read_publish_recipe(written())
    assert problems == []
    assert recipe.wanted.text == ("cym.txt",)
    assert recipe.answers == {"agreed": "Everybody."}
    assert (recipe.config.steps, recipe.config.seed) == (6, 0)
    found = plan(written(), push="me/x")
    assert (found.corpus.language, found.repository, found.scoring) == ("cym", "me/x", None)


@pytest.mark.long
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("licence", "license"), "[publish_language] license: is not known; is 'licence' meant?"),
        (("[answers]", "[answer]"), "answer: is not known; is 'answers' meant?"),
        (("[answers]", "[grid]\n[answers]"), "grid: is not known"),
        (('text = ["cym.txt"]', ""), "[publish_language] text: say which files"),
        (('text = ["cym.txt"]', "text = 3"), "text: must be a list of texts"),
        (('language = "cy"', ""), "language: say which language"),
        (('language = "cy"', 'language = "c1"'), "[publish_language] language: 'c1' is not a lang"),
        (('licence = "CC BY 4.0"', ""), "licence: say under which it is published"),
        (("CC BY 4.0", "cc-by-9.0"), "'cc-by-9.0' is no licence that the Hub knows"),
        (("CC BY 4.0", "other"), "needs license_name and license_link in [answers]"),
        (("agreed", "agree"), "[answers] agree: no such question"),
        (("steps", "step"), "[language_adapter] step: is not known; is 'steps' meant?"),
        (("steps = 6", "steps = 0"), "[language_adapter] steps = 0: must be above 0"),
        (("language =", "push = 'me'\nlanguage ="), "push: 'me' is no Hub repository id"),
        (("language =", "private = 'yes'\nlanguage ="), "private = 'yes': is of the wrong type"),
        (("cym.txt", "bre.txt"), "[publish_language] text: "),
        (('backbone = "', 'backbone = "/no/such'), "[publish_language] backbone: "),
        (("alice/tiny", "tiny"), "base_model: 'tiny' is no Hub id"),
        (("language =", "init = 'mini:pos'\nlanguage ="), "init: mini:pos is a task adapter"),
        (("language =", "init = 'mini:eng'\nlanguage ="), "init = mini:eng: adapter 'eng' does not fit"),
        (("steps = 6", "steps = 6\nblock_length = 'x'"), "block_length = 'x': is of the wrong type"),
        (("[language_adapter]", TEST), "[test] task = mini:pos: adapter 'pos' does not fit"),
        (("[language_adapter]", TEST.replace("pos.con", "bre.con")), "[test]: files: there is no"),
        (("[language_adapter]", TEST.replace("mini:pos", "mini:eng")), "not a task adapter"),
        (("[language_adapter]", "[test]\nkind = 'pso'\n[language_adapter]"), "is 'pos' meant?"),
        (("[language_adapter]", "[test]\n[language_adapter]"), "[test] task: say which task adapter"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(written: Written, change: tuple[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan(written(change))
    assert said in str(caught.value)


def test_everything_that_is_wrong_is_said_at_once_and_nothing_starts(
    written: Written, run: Call, tmp_path: Path
) -> None:
    path = written(("CC BY 4.0", "mine"), ("steps", "step"), ("cym.txt", "bre.txt"))
    for words in (("--check",), ()):
        code, out, error = run(path, *words, "--push", "me")
        assert (code, out) == (1, "")
        assert "cannot be run, 4 problems:" in error
        for said in ("'mine' is no licence", "step: is not known", "bre.txt", "--push: 'me' is no"):
            assert said in error
    assert not (tmp_path / "out").exists()


@pytest.mark.long
def test_labels_that_the_task_adapter_does_not_know_are_seen_before_anything_starts(
    written: Written,
) -> None:
    path = written(("[language_adapter]", TEST), backbone="mini")
    assert plan(path).scoring is not None
    write(path.parent / "data" / "pos.conllu", conllu(lines(5), ("N1", "N2")))
    with pytest.raises(ConfigError, match=r"knows none of the labels of pos\.conllu"):
        plan(path)


def test_a_fit_text_goes_on(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    no_warnings(monkeypatch)
    assert fit_text(plan(written())).warnings() == []


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ({"TOO_LITTLE_TEXT": 100_000}, "kB of text is probably too little"),
        ({"LITTLE_TEXT": 1_000_000}, "MB of text is little"),
        ({"HIGH_FERTILITY": 3.0}, "cuts a word into"),
        ({"MANY_SPLIT": 0.2}, "character by character"),
    ],
)
def test_each_warning_of_the_corpus_report_stops_it(
    written: Written, monkeypatch: pytest.MonkeyPatch, limit: dict[str, float], said: str
) -> None:
    no_warnings(monkeypatch, **limit)
    with pytest.raises(CorpusError) as caught:
        fit_text(plan(written()))
    text = str(caught.value)
    assert "its text is not fit as it is, 1 warning:" in text
    assert said in text


def test_a_text_that_is_not_fit_stops_with_the_report_and_how_to_go_on(
    written: Written, run: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(publishing, "train_language", None)
    for words in (("--check",), ("--push", "me/x", "--json")):
        code, out, error = run(written(), *words)
        assert (code, out) == (1, "")
        for said in (
            *("probably too little", "cuts a word into", "character by character"),
            *("150 lines kept of 150", "Latin 100 %", "a word; unreadable: 0.00 %"),
            *(
                "accept_warnings = true",
                f"adapterkit corpus {tmp_path}/data/cym.txt --language cym",
            ),
        ):
            assert said in error
    assert not (tmp_path / "out").exists()


def test_warnings_that_the_recipe_accepts_are_shown(written: Written, run: Call) -> None:
    path = written(("language =", "accept_warnings = true\nlanguage ="))
    code, out, error = run(path, "--check")
    assert code == 0
    assert "publish: nothing is wrong with it" in out
    assert error.count("accepted: ") == len(fit_text(plan(path)).warnings()) == 3


def test_options_of_the_other_kind_of_recipe_are_refused(
    written: Written, run: Call, tmp_path: Path
) -> None:
    _, _, error = run(written(), "--only", "seed=0", "--progress", "--max-minutes", "0")
    assert "ConfigError: --progress, --only, --max-minutes: " in error
    assert "publish.toml is no grid" in error
    grid = write(tmp_path / "grid.toml", "[grid]\n")
    _, _, error = run(grid, "--push", "me/x", "--dry-run")
    assert "ConfigError: --push, --dry-run: " in error
    assert "has no [publish_language]" in error
    with pytest.raises(ConfigError, match="it is no grid; `adapterkit run"):
        read_recipe(written())


def test_a_dry_run_needs_a_name(written: Written) -> None:
    with pytest.raises(ConfigError, match="say --push owner/name"):
        plan(written(), dry_run=True)
    assert plan(written(), "me/x", dry_run=True).repository == "me/x"


def test_what_is_published_where_on_the_command_line_wins(written: Written) -> None:
    path = written(("language =", 'push = "me/theirs"\nlanguage ='))
    assert plan(path).repository == "me/theirs"
    assert plan(path, "me/mine").repository == "me/mine"


def test_the_folder_is_called_after_text_and_settings(written: Written, tmp_path: Path) -> None:
    def place(*changes: tuple[str, str]) -> str:
        return publishing.place_of_adapter(plan(written(*changes)), tmp_path).name

    first = place()
    assert first.startswith("cym-")
    assert place(("CC BY 4.0", "mit"), ("Everybody", "Nobody")) == first, "not of the training"
    others = [
        place(("steps = 6", "steps = 7")),
        place(("language =", "seed = 1\nlanguage =")),
        place(("language =", "text_licence = 'CC0'\nlanguage =")),
    ]
    write(tmp_path / "data" / "cym.txt", "\n".join(lines(151)) + "\n")
    others.append(place())
    assert len({first, *others}) == 5


def test_answers_read_back_as_they_were_written(tmp_path: Path) -> None:
    answers = {"agreed": 'All, "in writing":\n\\o/ \x7f\x01 ŵ', "asks": "Nothing."}
    publishing.write_answers(tmp_path / "card.toml", answers)
    assert read_answers(tmp_path / "card.toml") == answers
    assert tomllib.loads((tmp_path / "card.toml").read_text(encoding="utf-8")) == answers
