"""Rows: a batch of different compositions equals its rows run apart."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.composition.average import Average
from adapterkit.composition.base import Composition
from adapterkit.composition.fuse import Fuse
from adapterkit.composition.rows import Rows
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig, HeadConfig, preset
from adapterkit.errors import ConfigError
from adapterkit.methods import low_rank
from adapterkit.model import AdaptedModel
from adapterkit.nn.bottleneck import Bottleneck
from adapterkit.nn.groups import Groups, by_row
from adapterkit.nn.mixing import by_composition
from adapterkit.prediction import predict
from tests.tiny import TYPES, make_backbone

IDS = torch.tensor(
    [[0, 11, 12, 30, 44, 2], [0, 14, 40, 2, 1, 1], [0, 9, 2, 1, 1, 1], [0, 21, 22, 23, 24, 2]] * 2
)
MASK = (IDS != 1).long()
ROWS = [0, 1, 2, 3, 4, 5, 1, 0]


@pytest.fixture(scope="module", params=TYPES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_backbone(tmp_path_factory.mktemp("b") / "backbone", request.param)


@pytest.fixture(scope="module")
def xlmr(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    return load_backbone(
        make_backbone(tmp_path_factory.mktemp("x") / "backbone", "xlm-roberta"), dtype="float64"
    )


def make(
    backbone: Backbone, name: str, config: Any, seed: int, head: HeadConfig | None = None
) -> Adapter:
    adapter = new_adapter(
        name,
        config,
        backbone=backbone.facts,
        kind="task" if head else "language",
        head=head,
        seed=seed,
    )
    with torch.no_grad():
        for parameter in adapter.parameters():  # large enough that every part shows
            parameter.add_(
                torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed)) * 0.2
            )
    return adapter


def compositions(backbone: Backbone) -> list[Composition]:
    """Different languages, tasks, reduction factors; without invertible part, with leave_out, with LoRA, ..."""
    tags, classes = (
        HeadConfig("tagging", ("A", "B", "C")),
        HeadConfig("classification", ("x", "y"), layers=2),
    )
    inv = make(backbone, "inv", BottleneckConfig(2, invertible=True), 1)
    plain = make(backbone, "plain", BottleneckConfig(4, non_linearity="gelu"), 2)
    dropped = make(backbone, "dropped", BottleneckConfig(8, invertible=True, leave_out=(1,)), 3)
    pos = make(backbone, "pos", BottleneckConfig(4), 4, tags)
    topic = make(backbone, "topic", replace(preset("houlsby"), reduction_factor=8), 5, classes)
    lora = make(backbone, "lora", low_rank(backbone, rank=3), 6, tags)
    parallel = make(backbone, "parallel", preset("parallel", 4), 7, tags)
    return [
        Stack(inv, pos),
        Stack(plain, topic),
        Stack(dropped, pos),
        Stack(inv, lora),
        Stack(Average(inv, dropped, weights=(0.7, 0.3)), parallel),
        Stack(Fuse(plain, dropped), pos),
    ]


def apart(backbone: Backbone, parts: list[Composition], what: str) -> list[Tensor]:
    models = [AdaptedModel(backbone, part) for part in parts]
    return [
        getattr(models[number], what)(IDS[row : row + 1], MASK[row : row + 1])[0]
        for row, number in enumerate(ROWS)
    ]


def worst(found: Any, expected: list[Tensor]) -> float:
    return float(max((a - b).abs().max() for a, b in zip(found, expected, strict=True)))


@pytest.mark.long
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-5)])
@torch.no_grad()
def test_a_mixed_batch_equals_its_rows_run_apart(
    folder: Path, dtype: str, tolerance: float
) -> None:
    backbone = load_backbone(folder, dtype=dtype)
    parts = compositions(backbone)
    mixed = AdaptedModel(backbone, Rows(parts))
    hidden = mixed.encode(IDS, MASK, rows=ROWS)
    assert worst(hidden, apart(backbone, parts, "encode")) < tolerance
    assert worst(mixed.logits(IDS, MASK, rows=ROWS), apart(backbone, parts, "logits")) < tolerance
    logits = mixed.mlm_logits(IDS, MASK, rows=ROWS)
    assert worst(logits, apart(backbone, parts, "mlm_logits")) < tolerance * 10
    wanted = torch.zeros_like(IDS, dtype=torch.bool)
    wanted[:, 1] = wanted[3, 2] = True
    sparse = mixed.mlm_logits(IDS, MASK, rows=ROWS, positions=wanted)
    assert (sparse - logits[wanted]).abs().max() < tolerance * 10
    # The rows really differ: no two compositions give the same.
    assert (hidden[0] - hidden[7])[:3].abs().max() > 1e-3


@pytest.mark.long
def test_logits_wanted_nowhere_are_none(folder: Path) -> None:
    backbone = load_backbone(folder)
    nowhere = torch.zeros_like(IDS, dtype=torch.bool)
    mixed = AdaptedModel(backbone, Rows(compositions(backbone)))
    found = mixed.mlm_logits(IDS, MASK, rows=ROWS, positions=nowhere)
    assert found.shape == (0, backbone.vocabulary)


def test_of_no_rows_every_composition_gives_what_it_got() -> None:
    groups, x = Groups([], torch.device("cpu")), torch.ones(0, 3)
    assert by_row(x, groups, lambda number, rows: x[rows]) is x
    assert by_composition([Bottleneck(4, 2, BottleneckConfig(2)), None], groups) is None


@torch.no_grad()
def test_rows_leave_the_backbone_as_it_was(xlmr: Backbone) -> None:
    before = xlmr.digest_in_memory()
    AdaptedModel(xlmr, Rows(compositions(xlmr))).encode(IDS, MASK, rows=ROWS)
    assert xlmr.digest_in_memory() == before


@pytest.mark.long
@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (None, "got none"),
        ([0, 1], "got 2"),
        ([0] * 7 + [9], r"\[9\]"),
        ([0] * 7 + [-1], r"\[-1\]"),
        ("01234501", "got '01234501'"),
        ("abcdefgh", "got 'abcdefgh'"),
        ([0.0] * 8, r"got \[0.0"),
        ([0] * 7 + [1.5], "1.5"),
        ([True] * 8, "got .True"),
        (3, "got 3"),
        (torch.zeros(8), "got tensor"),
        ([None] * 8, "got .None"),
    ],
)
def test_wrong_row_numbers_are_refused(xlmr: Backbone, rows: Any, says: str) -> None:
    mixed = AdaptedModel(xlmr, Rows(compositions(xlmr)))
    with pytest.raises(ConfigError, match=f"rows= needs 8 numbers from 0 to 5, one a row.*{says}"):
        mixed.encode(IDS, MASK, rows=rows)
    with pytest.raises(ConfigError, match=f"rows= needs 8 numbers from 0 to 5, one a text.*{says}"):
        predict(mixed, ["a b"] * 8, rows=rows)


@torch.no_grad()
def test_row_numbers_may_be_a_tensor_or_an_array(xlmr: Backbone) -> None:
    mixed = AdaptedModel(xlmr, Rows(compositions(xlmr)))
    expected = mixed.encode(IDS, MASK, rows=ROWS)
    for rows in (tuple(ROWS), torch.tensor(ROWS), np.array(ROWS)):
        assert torch.equal(mixed.encode(IDS, MASK, rows=rows), expected)  # type: ignore[arg-type]


def test_rows_of_a_single_composition_are_refused(xlmr: Backbone) -> None:
    with pytest.raises(ConfigError, match="built from Rows"):
        AdaptedModel(xlmr).encode(IDS, MASK, rows=[0] * 8)


def test_gradients_of_mixed_rows_equal_those_of_the_rows_apart(xlmr: Backbone) -> None:
    parts = compositions(xlmr)
    mixed = AdaptedModel(xlmr, Rows(parts))
    mixed.encode(IDS, MASK, rows=ROWS).square().sum().backward()  # type: ignore[no-untyped-call]
    together = {id(p): p.grad.clone() for p in mixed.parameters() if p.grad is not None}
    mixed.zero_grad()
    for row, number in enumerate(ROWS):
        model = AdaptedModel(xlmr, parts[number])
        model.encode(IDS[row : row + 1], MASK[row : row + 1]).square().sum().backward()  # type: ignore[no-untyped-call]
    for parameter in mixed.parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(
                together[id(parameter)], parameter.grad, rtol=1e-9, atol=1e-11
            )


@pytest.mark.long
def test_threads_do_not_mix_their_rows_up(xlmr: Backbone) -> None:
    mixed = AdaptedModel(xlmr, Rows(compositions(xlmr)))
    orders = [[(shift + row) % 6 for row in range(8)] for shift in range(6)]
    with torch.no_grad():
        expected = [mixed.encode(IDS, MASK, rows=order) for order in orders]
    found: dict[int, Tensor] = {}

    def run(number: int) -> None:
        with torch.no_grad():
            for _ in range(5):
                found[number] = mixed.encode(IDS, MASK, rows=orders[number])

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((found[i] - expected[i]).abs().max() < 1e-12 for i in range(6))


RELATIVE = {
    "deberta": ("in_proj", "pos_proj", "pos_q_proj", "output.dense"),
    "deberta-v2": ("query_proj", "key_proj", "value_proj", "output.dense"),
}


@pytest.mark.parametrize("model_type", RELATIVE)
def test_loras_on_what_also_reads_relative_positions_stay_their_rows_own(
    model_type: str, tmp_path: Path
) -> None:
    backbone = load_backbone(make_backbone(tmp_path / "b", model_type), dtype="float64")
    assert backbone.config.relative_attention
    shape = low_rank(backbone, rank=3, targets=RELATIVE[model_type])
    one, two, plain = (
        make(backbone, "one", shape, 1),
        make(backbone, "two", shape, 2),
        make(backbone, "plain", BottleneckConfig(4), 3),
    )
    rows = [2, 0, 1, 1, 0, 2, 0, 1]
    mixed = AdaptedModel(backbone, Rows([Stack(one), Stack(plain, two), Stack(plain)]))
    models = [AdaptedModel(backbone, part) for part in mixed.stack.parts]  # type: ignore[attr-defined]
    together = mixed.encode(IDS, MASK, rows=rows)
    gradients = torch.autograd.grad(together.square().sum(), list(mixed.parameters()))
    alone = torch.cat(
        [models[n].encode(IDS[i : i + 1], MASK[i : i + 1]) for i, n in enumerate(rows)]
    )
    expected = torch.autograd.grad(alone.square().sum(), list(mixed.parameters()))
    assert (together - alone).abs().max() < 1e-10
    for found, wanted in zip(gradients, expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("graded", [False, True])
def test_many_languages_of_one_shape_equal_the_rows_apart(xlmr: Backbone, graded: bool) -> None:
    shape = BottleneckConfig(2, invertible=True)
    languages = [make(xlmr, f"l{i}", shape, 10 + i) for i in range(5)]
    pos = make(xlmr, "pos", BottleneckConfig(4), 4, HeadConfig("tagging", ("A", "B", "C")))
    parts: list[Composition] = [Stack(language, pos) for language in languages]
    rows = [3, 0, 4, 4, 1, 3, 0, 2]
    with torch.set_grad_enabled(graded):
        mixed = AdaptedModel(xlmr, Rows(parts))
        # What they share is one adapter in the model, too.
        assert len(list(mixed.adapters)) == 6
        logits = mixed.logits(IDS, MASK, rows=rows)
        few = mixed.logits(IDS[:2], MASK[:2], rows=[2, 2])
        for row, number in enumerate(rows):
            alone = AdaptedModel(xlmr, parts[number])
            expected = alone.logits(IDS[row : row + 1], MASK[row : row + 1])[0]
            assert (logits[row] - expected).abs().max() < 1e-10
        alone = AdaptedModel(xlmr, parts[2]).logits(IDS[:2], MASK[:2])
        assert (few - alone).abs().max() < 1e-10
    if graded:
        logits.square().sum().backward()
        assert all(p.grad is not None for p in mixed.parameters())


@pytest.mark.long
@torch.no_grad()
def test_a_frozen_model_keeps_adapters_in_the_backbones_precision(folder: Path) -> None:
    backbone = load_backbone(folder, dtype="bfloat16")
    parts = compositions(backbone)
    mixed = AdaptedModel(backbone, Rows(parts), frozen=True)
    assert {parameter.dtype for parameter in mixed.parameters()} == {torch.bfloat16}
    near = AdaptedModel(backbone, Rows(parts)).encode(IDS, MASK, rows=ROWS).float()
    assert (mixed.encode(IDS, MASK, rows=ROWS).float() - near).abs().max() < 0.25
