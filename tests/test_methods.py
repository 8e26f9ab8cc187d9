"""Fresh adapters: LoRA and IA3 begin as no change, with PEFT's usual numbers."""

from pathlib import Path

import pytest
import torch

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import new_adapter
from adapterkit.config import LowRankConfig
from adapterkit.methods import low_rank, shape_of_method
from adapterkit.model import AdaptedModel

IDS = torch.tensor([[0, 11, 12, 4, 30, 2], [0, 4, 40, 2, 1, 1]])
MASK = (IDS != 1).long()


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder, dtype="float64", device="cpu")


@torch.no_grad()
@pytest.mark.parametrize("method", ["lora", "ia3"])
def test_a_fresh_low_rank_adapter_changes_nothing(backbone: Backbone, method: str) -> None:
    shape = low_rank(backbone, method, rank=3)
    fresh = new_adapter("a", shape, backbone=backbone.facts, kind="language", seed=4)
    model = AdaptedModel(backbone, fresh)
    assert torch.equal(model.encode(IDS, MASK), AdaptedModel(backbone).encode(IDS, MASK))
    assert fresh.patched
    if method == "lora":  # or nothing could ever be learned
        assert all(part.down.weight.abs().max() > 0 for part in fresh.patches.values())  # type: ignore[operator,union-attr]


def test_the_alpha_of_a_lora_is_twice_its_rank_unless_said(backbone: Backbone) -> None:
    usual = shape_of_method(backbone, "lora", reduction_factor=16, rank=3)
    assert isinstance(usual, LowRankConfig)
    assert (usual.rank, usual.alpha) == (3, 6.0)
    assert {linear.scaling for linear in usual.modules} == {2.0}
    said = low_rank(backbone, rank=4, alpha=4)
    assert (said.alpha, {linear.scaling for linear in said.modules}) == (4.0, {1.0})
