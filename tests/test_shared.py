"""On real text and treebanks, which stand in the folder ../shared: one language, one seed, short."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import adapterkit as ak
from adapterkit.formats.places import starters
from recipes.starters import TASKS

RECIPES = Path(__file__).parent.parent / "recipes"
DATA = Path(__file__).parent.parent.parent / "shared" / "data"
pytestmark = pytest.mark.shared


def test_a_welsh_adapter_learns_from_real_text_and_is_scored_on_its_treebank(
    tmp_path: Path,
) -> None:
    task = ak.Tagging.from_files(test=DATA / "ud" / "cym_ccg.test.conllu.gz")
    task = ak.Tagging({"test": task.examples("test")[:150]})
    backbone, english = ak.load_backbone("mini"), ak.load_adapter("mini:eng")
    own = ak.train_language(
        backbone,
        ak.Corpus.from_files(DATA / "text" / "cym.txt.gz", language="cym"),
        out=tmp_path / "cym",
        config=ak.LanguageConfig(steps=40, evaluate_every=20),
        init=english,
    )
    loss = own.provenance["heldout_loss"]
    assert loss["adapter"] < loss["backbone"]
    table = ak.compare(backbone, ak.Stack(own, ak.load_adapter("mini:pos")), task, source=english)
    scores = {name: found.scores.metrics["accuracy"].value for name, found in table.items()}
    assert scores["own"] > max(scores["source"], scores["none"])
    assert len(table["own"].answers) == 150


STARTERS = {"pos": 0.85, "topic": 0.65, "ner": 0.35}
"""Task adapters of the collection, and what they must reach on English dev sets."""


def dev(name: str, examples: int = 150) -> Any:
    task: Any = TASKS[name].task(DATA)
    return type(task)({"test": tuple(task.examples("dev"))[:examples]}, task.column)


@pytest.mark.parametrize("name", STARTERS)
def test_the_starters_do_their_task_in_english(name: str) -> None:
    stack = ak.Stack(ak.load_adapter("mini:eng"), ak.load_adapter(f"mini:{name}"))
    found = ak.evaluate(ak.AdaptedModel(ak.load_backbone("mini"), stack), dev(name))
    assert found.value > STARTERS[name]


def test_a_starter_made_again_from_its_seed_gives_the_same_answers(tmp_path: Path) -> None:
    shutil.copytree(starters()["eng"], tmp_path / "eng")
    command = [sys.executable, "recipes/starters.py", "--data", str(DATA), "--out", str(tmp_path)]
    subprocess.run([*command, "--only", "topic"], check=True, cwd=RECIPES.parent)
    backbone, task = ak.load_backbone("mini"), dev("topic")
    answers = [
        ak.predict(
            ak.AdaptedModel(backbone, ak.Stack(ak.load_adapter("mini:eng"), ak.load_adapter(one))),
            [example.text for example in task.examples("test")],
        )
        for one in ("mini:topic", tmp_path / "topic")
    ]
    # Other processors add in another order: a few answers on the edge may differ.
    same = sum(one.labels == other.labels for one, other in zip(*answers, strict=True))
    assert same >= 0.9 * len(answers[0])


@pytest.mark.parametrize("code", ["cym", "hat", "tha", "hye"])
def test_real_corpora_read_without_a_warning_of_unreadable_characters(code: str) -> None:
    backbone = ak.load_backbone("mini")
    corpus = ak.Corpus.from_files(DATA / "text" / f"{code}.txt.gz", language=code)
    coverage = corpus.profile(backbone.pieces, unk_id=backbone.unk_id).coverage
    assert coverage is not None
    assert coverage.unreadable_characters < 0.01
    assert corpus.counts().kept > 100


def test_what_mini_cannot_read_is_warned_of_in_plain_words() -> None:
    # XLM-R has no piece with a letter of Thaana, so neither has `mini`.
    backbone = ak.load_backbone("mini")
    corpus = ak.Corpus.from_files(DATA / "text" / "div.txt.gz", language="div")
    warnings = corpus.profile(backbone.pieces, unk_id=backbone.unk_id).warnings()
    assert any("cannot read" in warning for warning in warnings), warnings


def test_readers_read_every_kind_of_real_file() -> None:
    ner = ak.Tagging.from_files(
        test=DATA / "ner" / "uner.test.jsonl.gz", column="tags", language="ceb"
    )
    assert len(ner.examples("test")) == 188
    assert ner.main_metric == "span_f1"
    topic = ak.Classification.from_files(test=DATA / "topic" / "sib200.test.tsv.gz", language="cym")
    assert len(topic.examples("test")) > 100
