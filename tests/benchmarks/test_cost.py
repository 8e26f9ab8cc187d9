from pathlib import Path

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import new_adapter
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig
from adapterkit.data.batches import Batch
from adapterkit.model import AdaptedModel
from benchmarks import cost
from benchmarks.shapes import Shape, make

SMALL = Shape("xlm-roberta", 2, 4, 8, 2, 10, 16)


def test_a_step_counted_by_hand() -> None:
    step = cost.Step(tokens=6, length=3, masked=2, bottleneck=2, coupling=1)
    # A token of a layer: 4 matrices of 4 x 4, two of 4 x 8; and 3 keys x 4, scores and values.
    assert cost.layer_forward(SMALL, step) == 6 * (4 * 16 + 2 * 32)
    assert cost.attention_forward(SMALL, step) == 6 * 2 * 3 * 4
    assert cost.bottleneck(SMALL, step) == 3 * 6 * (4 * 2 + 2 * 4)
    # A product of the coupling is 2 x 1; four of them, each three times but for one gradient.
    assert cost.coupling(SMALL, step) == 6 * 11 * 2 + 2 * 12 * 2
    assert cost.head(SMALL, step) == 2 * 2 * (16 + 40)
    # Of the last layer's, only three matrices see all tokens.
    assert cost.layer_forward(SMALL, step, last=True) == 6 * 48 + 2 * (16 + 64)
    assert cost.bottleneck(SMALL, step, last=True) == 3 * 2 * (4 * 2 + 2 * 4)
    layers, bottlenecks = 2 * (768 + 448), 288 + 96
    assert cost.multiply_adds(SMALL, step) == layers + 2 * 3 * 144 + bottlenecks + 180 + 224


def test_a_gate_is_one_more_matrix() -> None:
    gated = Shape("modernbert", 1, 4, 8, 2, 10, 16, gated=True)
    step = cost.Step(tokens=6, length=3, masked=2, bottleneck=2, coupling=1)
    assert cost.layer_forward(gated, step) - cost.layer_forward(SMALL, step) == 6 * 4 * 8
    assert cost.layer_forward(gated, step, last=True) == cost.layer_forward(gated, step)


def test_the_share_of_the_rate_counts_a_multiply_add_as_two_operations() -> None:
    step = cost.Step(tokens=6, length=3, masked=2, bottleneck=2, coupling=1)
    rate = 2.0 * cost.multiply_adds(SMALL, step)  # the machine does one step a second
    assert cost.share_of_rate(SMALL, step, tokens_per_second=3.0, rate=rate) == pytest.approx(0.5)


def test_a_step_of_a_real_model_has_just_these_multiply_adds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = Shape("xlm-roberta", 3, 32, 48, 4, 120, 42)
    monkeypatch.setitem(make.__globals__["SHAPES"], "here", shape)
    make("here", tmp_path / "here")
    step = cost.step_of(shape, batch=4, length=10, masking=0.15, factor=2)
    backbone = load_backbone(tmp_path / "here")
    adapter = new_adapter(
        "a", BottleneckConfig(2, invertible=True), backbone=backbone.facts, kind="language"
    )
    model = AdaptedModel(backbone, Stack(adapter))
    ids = torch.randint(5, 119, (4, 10))
    targets = torch.full_like(ids, -100)
    targets.view(-1)[: step.masked] = ids.view(-1)[: step.masked]
    # The plain products of attention: fused kernels are not counted on every device.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model(Batch(ids, torch.ones_like(ids), targets)).backward()
    assert counter.get_total_flops() == 2 * cost.multiply_adds(shape, step)
