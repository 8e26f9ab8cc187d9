"""A text that the backbone cannot read is refused before training; what else is wrong with it is said."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.data.corpus import Corpus
from adapterkit.errors import CorpusError
from adapterkit.training.full import continue_pretraining
from adapterkit.training.language import train_language
from adapterkit.training.readable import readable
from tests.tiny import lines
from tests.training.test_training import LANGUAGE, corpus

THAANA = [f"ދިވެހި ބަހުގެ {word}" for word in ("ރާއްޖެ", "މާލެ", "އައްޑޫ", "ބަސް", "ކަނޑު", "އިރު")] * 20


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder, device="cpu")


@pytest.mark.parametrize("training", [train_language, continue_pretraining])
def test_a_text_that_is_mostly_unreadable_is_refused_and_leaves_nothing(
    backbone: Backbone, tmp_path: Path, training: Callable[..., object]
) -> None:
    text = Corpus.from_lines(THAANA, language="div")
    with pytest.raises(CorpusError, match=r"cannot read 100 % .*choose a backbone"):
        training(backbone, text, out=tmp_path / "div", config=LANGUAGE)
    assert list(tmp_path.iterdir()) == []


def test_a_text_of_which_less_than_half_is_unreadable_is_warned_of(
    backbone: Backbone, caplog: pytest.LogCaptureFixture
) -> None:
    text = Corpus.from_lines(lines(150) + THAANA, language="div")
    with caplog.at_level(logging.WARNING, logger="adapterkit"):
        profile = readable(text, backbone)
    assert profile.coverage is not None
    assert 0.01 < profile.coverage.unreadable_characters < 0.5
    assert [r.getMessage() for r in caplog.records] == [f"warning: {w}" for w in profile.warnings()]
    assert "cannot read" in caplog.text


def test_a_training_logs_what_is_wrong_with_its_text_before_it_begins(
    backbone: Backbone, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="adapterkit"):
        made = train_language(backbone, corpus(), out=tmp_path / "a", config=LANGUAGE)
    assert all(m.startswith("warning: ") for m in caplog.messages[:3])
    assert "probably too little" in caplog.messages[2]
    assert made.provenance["corpus"]["coverage"]["unk_rate"] == 0
