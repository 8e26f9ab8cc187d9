"""A backbone trained whole is a copy; the one it was made from never changes."""

from pathlib import Path

import pytest
import torch

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.stack import Stack
from adapterkit.data.corpus import Corpus
from adapterkit.data.examples import TaggedSentence
from adapterkit.errors import AdapterMismatch, FolderError
from adapterkit.evaluation import evaluate
from adapterkit.model import AdaptedModel
from adapterkit.settings import LanguageConfig, TaskConfig
from adapterkit.tasks.tagging import Tagging
from adapterkit.training.full import continue_pretraining, fine_tune
from adapterkit.training.whole import Whole, load_whole
from tests.tiny import lines, make_backbone

LANGUAGE = LanguageConfig(
    steps=12, batch_size=4, block_length=24, learning_rate=1e-2, heldout_blocks=4
)
TASK = TaskConfig(epochs=4, batch_size=8, learning_rate=1e-2)


def task() -> Tagging:
    """A tag that the first letter decides."""
    found = tuple(
        TaggedSentence(words, tuple("V" if word[0] in "aeiou" else "C" for word in words))
        for words in (tuple(line.split()) for line in lines(40, seed=2))
    )
    return Tagging({"train": found[:30], "dev": found[30:], "test": found[30:]})


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder)


@pytest.fixture(scope="module")
def tuned(backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Whole, str]:
    before = backbone.digest_in_memory()
    out = tmp_path_factory.mktemp("full")
    return out, fine_tune(backbone, task(), out=out, config=TASK, progress=False), before


def test_the_backbone_that_was_given_has_the_same_digest_afterwards(
    backbone: Backbone, tuned: tuple[Path, Whole, str]
) -> None:
    _, whole, before = tuned
    assert backbone.digest_in_memory() == before
    assert not any(p.requires_grad for p in backbone.model.parameters())
    assert whole.backbone.digest_in_memory() != before


def test_all_of_the_copy_is_trained_and_it_learns(
    backbone: Backbone, tuned: tuple[Path, Whole, str]
) -> None:
    _, whole, _ = tuned
    old, new = (
        dict(backbone.model.named_parameters()),
        dict(whole.backbone.model.named_parameters()),
    )
    same = [name for name in old if torch.equal(old[name], new[name])]
    # A tagger does not run through the masked-LM head.
    assert all(name.startswith("lm_head") for name in same), same
    assert evaluate(whole.model(), task()).value > 0.9


def test_it_is_loaded_as_it_was_trained(backbone: Backbone, tuned: tuple[Path, Whole, str]) -> None:
    out, whole, _ = tuned
    again = load_whole(out, backbone)
    assert again.backbone.facts.digest == whole.backbone.facts.digest
    assert whole.adapter is not None
    assert again.adapter is not None
    assert again.adapter.digest() == whole.adapter.digest()
    assert again.provenance["run"]["steps"] == 18  # 36 windows of 30 sentences
    assert again.parameters > sum(p.numel() for p in backbone.model.parameters())


def test_its_head_does_not_fit_the_backbone_it_came_from(
    backbone: Backbone, tuned: tuple[Path, Whole, str]
) -> None:
    with pytest.raises(AdapterMismatch, match="weights"):
        AdaptedModel(backbone, Stack(*[tuned[1].adapter] if tuned[1].adapter else []))


@pytest.mark.long
def test_more_pre_training_lowers_the_loss_moves_the_tied_matrix_and_can_be_fine_tuned(
    backbone: Backbone, tmp_path: Path
) -> None:
    before = backbone.digest_in_memory()
    corpus = Corpus.from_lines(lines(150), language="cym")
    whole = continue_pretraining(
        backbone, corpus, out=tmp_path / "cym", config=LANGUAGE, progress=False
    )
    loss = whole.provenance["heldout_loss"]
    assert loss["adapter"] < loss["backbone"]
    moved = (whole.backbone.embedding_matrix() - backbone.embedding_matrix()).abs().sum(-1) > 0
    assert moved.all(), "through the softmax every row of the tied matrix moves"
    then = fine_tune(whole.backbone, task(), out=tmp_path / "pos", config=TASK, progress=False)
    assert then.provenance["config"]["steps"] == 18  # 36 windows of 30 sentences
    assert backbone.digest_in_memory() == before


def test_a_folder_without_one_and_another_backbone_are_refused(
    backbone: Backbone, tuned: tuple[Path, Whole, str], tmp_path: Path
) -> None:
    with pytest.raises(FolderError, match="no backbone that was trained whole"):
        load_whole(tmp_path, backbone)
    other = load_backbone(make_backbone(tmp_path / "bert", "bert"))
    with pytest.raises(AdapterMismatch, match="copy of"):
        load_whole(tuned[0], other)
