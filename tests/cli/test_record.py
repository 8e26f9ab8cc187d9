"""`evaluate --record`: what was measured reaches the card of the adapter that was measured, and of no other."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.cards.scores import read_scores
from adapterkit.cli.app import main
from adapterkit.composition.adapter import new_adapter
from adapterkit.config import BottleneckConfig, HeadConfig
from adapterkit.formats.adapterhub import load_adapter, save_adapter

Call = Callable[..., tuple[int, str]]


@pytest.fixture
def evaluate(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    def call(*words: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["adapterkit", "evaluate", *map(str, words)])
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        return code, capfd.readouterr().err

    return call


@pytest.fixture
def place(tiny_folder: Path, tmp_path: Path) -> Path:
    backbone = load_backbone(tiny_folder)
    for name, language in (("cym", "cym"), ("eng", "eng")):
        save_adapter(made(backbone, name, language), tmp_path / name)
    head = HeadConfig("tagging", ("NOUN", "VERB"))
    pos = new_adapter("pos", BottleneckConfig(4), backbone=backbone.facts, kind="task", head=head)
    pos.provenance = {"task": "upos"}
    save_adapter(pos, tmp_path / "pos")
    lines = [f"{n}\tword{n}\t_\t{t}\t_\t_\t0\troot\t_\t_" for n, t in ((1, "NOUN"), (2, "VERB"))]
    (tmp_path / "cym.conllu").write_text("\n\n".join(["\n".join(lines)] * 6) + "\n\n")
    return tmp_path


def made(backbone: Backbone, name: str, language: str):  # type: ignore[no-untyped-def] # noqa: ANN201
    shape = BottleneckConfig(2)
    facts = backbone.facts
    return new_adapter(
        name, shape, backbone=facts, kind="language", language=language, seed=ord(name[0])
    )


def words(place: Path, tiny_folder: Path, own: str, record: str) -> list[object]:
    stack = f"{place / own},{place / 'pos'}"
    base = ["--backbone", tiny_folder, "--stack", stack, "--test", place / "cym.conllu"]
    return [*base, "--baselines", "--source", place / "eng", "--record", place / record]


def test_scores_reach_the_folder_with_their_baselines(
    evaluate: Call, place: Path, tiny_folder: Path
) -> None:
    assert evaluate(*words(place, tiny_folder, "cym", "cym"), "--language", "cy")[0] == 0
    (one,) = read_scores(place / "cym")
    assert (one.task, one.language, one.dataset) == ("upos", "cym", "cym.conllu")
    assert (one.main, one.examples, one.split) == ("accuracy", 6, "test")
    assert set(one.conditions) == {"own", "source", "none"}
    assert {name: gain.value for name, gain in one.gains.items()} == pytest.approx(
        {
            name: one.conditions["own"].value - one.conditions[name].value
            for name in ("source", "none")
        }
    )
    assert one.digests == {load_adapter(place / name).digest() for name in ("cym", "pos")}
    assert str(place) not in (place / "cym" / "scores.json").read_text()


def said_in(place: Path, *languages: str) -> Path:
    """A file of JSON lines, a sentence a language; empty: that line says none."""
    rows = [{"tokens": ["a", "b"], "tags": ["NOUN", "VERB"]} for _ in languages]
    file = place / "x.jsonl"
    file.write_text(
        "".join(
            json.dumps(row | ({"lang": said} if said else {})) + "\n"
            for row, said in zip(rows, languages, strict=True)
        )
    )
    return file


@pytest.mark.parametrize(
    ("languages", "option", "recorded"),
    [
        (None, "", ""),  # CoNLL-U, which tells none
        (None, "Welsh", "cym"),
        (["", ""], "", ""),
        (["", ""], "cy", "cym"),
        (["cy", "cym"], "", "cym"),
        (["cy", ""], "", ""),
        (["pt-br", "pt-br"], "", "por"),
        (["cy", "en"], "cym", "cym"),
    ],
)
def test_the_language_of_a_score_is_what_the_examples_or_the_user_say_and_else_unknown(
    evaluate: Call,
    place: Path,
    tiny_folder: Path,
    languages: list[str] | None,
    option: str,
    recorded: str,
) -> None:
    base = ["--backbone", tiny_folder, "--stack", f"{place / 'eng'},{place / 'pos'}"]
    file = said_in(place, *languages) if languages else place / "cym.conllu"
    asked = ["--language", option] if option else []
    code, error = evaluate(*base, "--test", file, *asked, "--record", place / "pos")
    assert code == 0, error
    (one,) = read_scores(place / "pos")
    assert one.language == recorded
    assert ("do not tell their language" in error) == (not recorded)


def test_a_score_whose_language_is_said_later_is_not_shown_twice(
    evaluate: Call, place: Path, tiny_folder: Path
) -> None:
    base = ["--backbone", tiny_folder, "--stack", f"{place / 'eng'},{place / 'pos'}"]
    record = ["--record", place / "pos"]
    assert evaluate(*base, "--test", place / "cym.conllu", *record)[0] == 0
    assert evaluate(*base, "--test", place / "cym.conllu", *record, "--language", "cy")[0] == 0
    (one,) = read_scores(place / "pos")
    assert one.language == "cym"


@pytest.mark.parametrize(
    ("languages", "said"),
    [
        (("cy", "en", "pt-br"), "in 3 languages (cym, eng, por)"),
        (("x1",), "'x1' is no language's code"),
    ],
)
def test_no_score_is_recorded_of_several_languages_or_of_what_is_none(
    evaluate: Call, place: Path, tiny_folder: Path, languages: tuple[str, ...], said: str
) -> None:
    file = said_in(place, *languages)
    base = ["--backbone", "./nowhere", "--test", file]  # nothing is loaded first
    code, error = evaluate(*base, "--record", place / "pos")
    assert (code, error.count("\n")) == (1, 1)
    assert said in error
    assert not (place / "pos" / "scores.json").exists()


def test_in_the_source_language_the_source_is_no_rival(
    evaluate: Call, place: Path, tiny_folder: Path
) -> None:
    assert evaluate(*words(place, tiny_folder, "eng", "pos"))[0] == 0
    (one,) = read_scores(place / "pos")
    assert set(one.conditions) == {"own", "none"}


def test_the_source_may_be_a_language_adapter_and_a_domain_adapter_on_it(
    evaluate: Call, place: Path, tiny_folder: Path
) -> None:
    *base, _, record = words(place, tiny_folder, "cym", "pos")
    both = f"{place / 'eng'},{place / 'cym'}"
    code, error = evaluate(*base[:-2], "--source", both, "--record", record)
    assert code == 0, error
    (one,) = read_scores(place / "pos")
    assert set(one.conditions) == {"own", "source", "none"}
    code, error = evaluate(*base[:-2], "--source", f"{place / 'eng'},{place / 'pos'}")
    assert (code, error.count("\n")) == (1, 1)
    assert "'pos' is a task adapter; --source" in error


def test_scores_of_another_adapter_are_not_recorded(
    evaluate: Call, place: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapterkit.evaluation.compare", None)  # nothing is measured first
    code, error = evaluate(*words(place, tiny_folder, "cym", "eng"))
    assert code == 1
    assert "is not what is measured" in error
    assert not (place / "eng" / "scores.json").exists()
