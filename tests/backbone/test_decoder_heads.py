"""Prediction heads over decoders: what they read, and how texts come in."""

import random
from pathlib import Path

import pytest
import torch

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.rows import Rows
from adapterkit.composition.stack import Stack
from adapterkit.config import HeadConfig
from adapterkit.data.examples import LabelledText
from adapterkit.errors import ConfigError
from adapterkit.evaluation import evaluate
from adapterkit.model import AdaptedModel
from adapterkit.settings import TaskConfig
from adapterkit.tasks.base import special_of
from adapterkit.tasks.classification import Classification
from adapterkit.training.task import train_task
from tests.backbone.test_decoders import IDS, TYPES, made, make_decoder
from tests.tiny import make_encoder_decoder

TOPIC = HeadConfig("classification", ("x", "y"), layers=2)


@pytest.fixture(scope="module", params=TYPES)
def backbone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    folder = make_decoder(tmp_path_factory.mktemp("d") / "backbone", request.param)
    return load_backbone(folder, dtype="float64", device="cpu")


@pytest.mark.long
@torch.no_grad()
def test_a_classification_head_reads_the_last_token_on_whichever_side_padding_stands(
    backbone: Backbone,
) -> None:
    model = AdaptedModel(backbone, Stack(made(backbone), made(backbone, 2, head=TOPIC)))
    alone = model.logits(IDS[:1, :4])
    head = model.stack.head
    assert head is not None
    assert (alone - head(model.encode(IDS[:1, :4])[:, -1:])).abs().max() < 1e-12
    pad = torch.ones(2, 2, dtype=torch.long)
    right, left = torch.cat((IDS[:, :4], pad), 1), torch.cat((pad, IDS[:, :4]), 1)
    # Rotary angles are float32 whatever the dtype: a shift to the right rounds them otherwise.
    for ids, tolerance in ((right, 1e-12), (left, 1e-6)):
        assert (model.logits(ids, (ids != 1).long())[:1] - alone).abs().max() < tolerance


@torch.no_grad()
def test_mixed_rows_of_different_heads_read_each_rows_last_token(backbone: Backbone) -> None:
    tags = HeadConfig("tagging", ("A", "B", "C"))
    parts = [made(backbone, 2, head=TOPIC), made(backbone, 3, head=tags)]
    ids = IDS.clone()
    ids[0, 4:] = 1
    found = AdaptedModel(backbone, Rows(parts)).logits(ids, (ids != 1).long(), rows=[0, 1])
    for row, length in ((0, 4), (1, 6)):
        alone = AdaptedModel(backbone, parts[row]).logits(ids[row : row + 1, :length])[0]
        assert (found[row] - alone).abs().max() < 1e-10


@pytest.mark.long
def test_a_classification_over_a_decoder_learns(tmp_path: Path) -> None:
    backbone = load_backbone(make_decoder(tmp_path / "b", "llama"), device="cpu")
    texts = [
        LabelledText(" ".join(random.Random(i).choices(words, k=5)), label)
        for i in range(24)
        for words, label in ((("abc", "bad", "cab"), "x"), (("xyz", "zyx", "wuz"), "y"))
    ]
    task = Classification({"train": tuple(texts[16:]), "dev": tuple(texts[:16])})
    config = TaskConfig(steps=40, batch_size=8, learning_rate=1e-2, precision="float32")
    topic = train_task(backbone, task, over=None, out=tmp_path / "topic", config=config)
    assert evaluate(AdaptedModel(backbone, topic), task, split="dev").value == 1.0


def test_texts_stand_between_the_tokens_that_a_tokenizer_has(tmp_path: Path) -> None:
    def special(kind: str, folder: Path, **names: None) -> tuple[int | None, int, int]:
        backbone = load_backbone(folder, device="cpu")
        for name, nothing in {"cls_token": None, "sep_token": None, **names}.items():
            setattr(backbone.tokenizer, name, nothing)
        assert backbone.facts.model_type == kind
        found = special_of(backbone)
        (window,) = Classification({}).windows([LabelledText("ab", "")], backbone, limit=40)
        assert window.tokens[-1] == found.end
        return found.start, found.end, found.padding

    llama = make_decoder(tmp_path / "llama", "llama")
    assert special("llama", llama) == (0, 2, 1)
    assert special("llama", llama, bos_token=None) == (2, 2, 1)  # Qwen has no token of begin
    assert special("llama", llama, pad_token=None) == (0, 2, 0)
    mt5 = make_encoder_decoder(tmp_path / "mt5", "mt5")
    assert special("mt5", mt5, bos_token=None) == (None, 2, 1)
    with pytest.raises(ConfigError, match="no token that ends a text"):
        special("llama", llama, eos_token=None)
