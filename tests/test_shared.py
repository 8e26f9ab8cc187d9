"""On real text and treebanks, which stand in the folder ../shared: one language, one seed, short."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import adapterkit as ak

DATA = Path(__file__).parent.parent.parent / "shared" / "data"
pytestmark = pytest.mark.shared


def test_a_welsh_adapter_learns_from_real_text_and_is_scored_on_its_treebank(
    tmp_path: Path,
) -> None:
    command = [
        sys.executable,
        "recipes/results.py",
        "--data",
        str(DATA),
        "--out",
        str(tmp_path),
        "--languages",
        "cym",
    ]
    subprocess.run(
        [*command, "--seeds", "0", "--steps", "40", "--sentences", "150"],
        check=True,
        cwd=Path(__file__).parent.parent,
    )
    found = json.loads((tmp_path / "cym-0.json").read_text())
    assert found["loss"]["adapter"] < found["loss"]["backbone"]
    assert found["scores"]["own"]["accuracy"] > 0.4
    assert found["scores"]["own"]["examples"] == 150


def test_the_starters_tag_english_and_are_what_their_recipe_says() -> None:
    task = ak.Tagging.from_files(test=DATA / "ud" / "eng_ewt.dev.conllu.gz")
    task = ak.Tagging({"test": task.examples("test")[:150]})
    stack = ak.Stack(ak.load_adapter("mini:eng"), ak.load_adapter("mini:pos"))
    assert ak.evaluate(ak.AdaptedModel(ak.load_backbone("mini"), stack), task).value > 0.85


@pytest.mark.parametrize("code", ["cym", "hat", "tha", "hye"])
def test_real_corpora_read_without_a_warning_of_unreadable_characters(code: str) -> None:
    backbone = ak.load_backbone("mini")
    corpus = ak.Corpus.from_files(DATA / "text" / f"{code}.txt.gz", language=code)
    coverage = corpus.profile(backbone.pieces, unk_id=backbone.unk_id).coverage
    assert coverage is not None
    assert coverage.unreadable_characters < 0.01
    assert corpus.counts().kept > 100


def test_what_mini_cannot_read_is_warned_of_in_plain_words() -> None:
    # Its vocabulary was trimmed: some Han characters are unknown to it.
    backbone = ak.load_backbone("mini")
    corpus = ak.Corpus.from_files(DATA / "text" / "cmn.txt.gz", language="cmn")
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
