"""Compositions as values: what is equal, what is refused and why, and identities that hold for random ones."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.composition.average import Average
from adapterkit.composition.base import placed
from adapterkit.composition.fuse import Fuse
from adapterkit.composition.rows import Rows
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig, FusionConfig, HeadConfig, preset
from adapterkit.errors import AdapterMismatch, ConfigError
from adapterkit.methods import low_rank
from adapterkit.model import AdaptedModel
from adapterkit.nn.fusion import FusionLayers
from tests.tiny import make_backbone

IDS = torch.tensor([[0, 11, 12, 30, 44, 2], [0, 14, 40, 2, 1, 1]])
MASK = (IDS != 1).long()


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    folder: Path = make_backbone(tmp_path_factory.mktemp("v") / "backbone", "xlm-roberta")
    return load_backbone(folder, dtype="float64")


def make(
    backbone: Backbone, seed: int, config: Any = None, *, labels: tuple[str, ...] = ()
) -> Adapter:
    head = HeadConfig("tagging", labels) if labels else None
    shape = config or BottleneckConfig(4, invertible=True)
    adapter = new_adapter(
        f"a{seed}", shape, backbone=backbone.facts, kind="language", head=head, seed=seed
    )
    with torch.no_grad():
        for parameter in adapter.parameters():
            parameter.add_(
                torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed)) * 0.1
            )
    return adapter


@torch.no_grad()
def hidden(backbone: Backbone, composition: Any) -> torch.Tensor:
    return AdaptedModel(backbone, composition).encode(IDS, MASK)


def test_compositions_are_equal_by_content(backbone: Backbone) -> None:
    a, same, b = make(backbone, 1), make(backbone, 1), make(backbone, 2)
    assert Average(a, b) == Average(same, b)
    assert hash(Average(a, b)) == hash(Average(same, b))
    assert Average(a, b) != Average(a, b, weights=(0.4, 0.6))
    assert Stack(a, b) != Average(a, b)
    assert Rows([Stack(a), Stack(b)]) == Rows([Stack(same), Stack(b)])
    assert Fuse(a, b) == Fuse(same, b)
    assert Fuse(a, b) != Fuse(a, b, seed=1)
    assert Stack(a) == Stack(Stack(a))


def test_compositions_pickle(backbone: Backbone) -> None:
    a, b = make(backbone, 1), make(backbone, 2)
    for one in (
        Stack(a, b),
        Average(a, b, weights=(0.3, 0.7)),
        Fuse(a, b),
        Rows([Stack(a), Stack(b)]),
    ):
        assert pickle.loads(pickle.dumps(one)) == one


def test_what_has_no_meaning_is_refused_with_a_reason(backbone: Backbone) -> None:
    a, b = make(backbone, 1), make(backbone, 2)
    rows: Any = Rows([Stack(a), Stack(b)])
    cases: list[tuple[Any, str]] = [
        (lambda: Stack(rows, a), r"write Rows\(\[Stack"),
        (lambda: Average(a, rows), "Rows stand outermost"),
        (lambda: Rows([rows]), "Rows stand outermost"),
        (lambda: Fuse(a, Stack(a, b)), "fuse or average its adapters"),  # type: ignore[arg-type]
        (lambda: Fuse(a, Average(a, b)), "fuse its adapters themselves"),  # type: ignore[arg-type]
        (lambda: Average(a, Fuse(a, b)), "put it into a Stack"),
        (lambda: Fuse(a), "at least two"),
        (lambda: Fuse(a, make(backbone, 3, low_rank(backbone))), "no sequential bottleneck"),
        (lambda: Fuse(a, make(backbone, 3, preset("parallel"))), "no sequential bottleneck"),
        (lambda: Average(a, b, weights=(0.5, 0.6)), "must sum to one"),
        (lambda: Average(a, b, weights=(1.0,)), "as many weights"),
        (lambda: Average(a, b, weights=(float("nan"), 1.0)), "are finite numbers, one a part"),
        (lambda: Average(a, b, weights="01"), "are finite numbers, one a part"),  # type: ignore[arg-type]
        (lambda: Average(a, b, weights=("0.5", "0.5")), "are finite numbers"),  # type: ignore[arg-type]
        (lambda: Average(a, b, weights=0.5), "are finite numbers, one a part, got 0.5"),  # type: ignore[arg-type]
        (lambda: Average(a, b, weights=(None, 1)), "are finite numbers"),  # type: ignore[arg-type]
        (lambda: Average("a"), "an Average holds adapters"),  # type: ignore[arg-type]
        (lambda: Average(), "at least one"),
        (lambda: Rows([]), "at least one"),
        (lambda: Rows(Stack(a)), "take a list"),  # type: ignore[arg-type]
        (lambda: Stack("cym"), "load one with"),  # type: ignore[arg-type]
    ]
    for build, says in cases:
        with pytest.raises(ConfigError, match=says):
            build()


def test_adapters_of_different_backbones_cannot_be_fused(
    backbone: Backbone, tmp_path: Path
) -> None:
    wide = load_backbone(make_backbone(tmp_path / "w", "xlm-roberta", width=64))
    with pytest.raises(AdapterMismatch, match="different backbones"):
        Fuse(make(backbone, 1), make(wide, 2))


def test_an_average_of_heads_needs_one_and_the_same(backbone: Backbone) -> None:
    one, two = make(backbone, 1, labels=("x", "y")), make(backbone, 2, labels=("x", "y"))
    assert Average(one, two).head is None
    assert Average(one, one).head is one.head
    with pytest.raises(ConfigError, match="without a prediction head"):
        AdaptedModel(backbone, Average(one, two)).logits(IDS, MASK)


SHAPES = st.builds(
    BottleneckConfig,
    reduction_factor=st.sampled_from([2, 4, 8]),
    invertible=st.booleans(),
    leave_out=st.sampled_from([(), (0,), (1, 2)]),
    non_linearity=st.sampled_from(["relu", "gelu", "swish"]),
    mh_adapter=st.booleans(),
    original_ln_before=st.booleans(),
    is_parallel=st.booleans(),
    scaling=st.sampled_from([1.0, 4.0, "learned", "channel"]),
    ln_before=st.booleans(),
    ln_after=st.booleans(),
    use_gating=st.booleans(),
    residual_before_ln=st.sampled_from([True, False]),
)


@pytest.mark.long
@settings(max_examples=25, deadline=None)
@given(st.lists(SHAPES, min_size=1, max_size=3), st.integers(0, 100))
def test_identities_hold_for_random_compositions(
    backbone: Backbone, shapes: list[BottleneckConfig], seed: int
) -> None:
    parts = [make(backbone, seed + number, shape) for number, shape in enumerate(shapes)]
    stack = Stack(*parts)
    expected = hidden(backbone, stack)
    # An average of a thing with itself is the thing, whatever the weights.
    assert (
        hidden(backbone, Average(stack, stack, weights=(0.3, 0.7))) - expected
    ).abs().max() < 1e-10
    # A stack of stacks is the stack of their parts.
    assert (hidden(backbone, Stack(Stack(*parts[:1]), *parts[1:])) - expected).abs().max() == 0
    # An average with all the weight on one part is that part.
    other = make(backbone, seed + 50)
    assert (
        hidden(backbone, Average(stack, other, weights=(1.0, 0.0))) - expected
    ).abs().max() < 1e-10
    # Rows that all have the same composition are that composition.
    model = AdaptedModel(backbone, Rows([stack, Stack(other)]))
    with torch.no_grad():
        assert (model.encode(IDS, MASK, rows=[0, 0]) - expected).abs().max() < 1e-12
    # The coupling and its inverse undo each other.
    if stack.invertible is not None:
        x = torch.randn(2, 3, backbone.width, dtype=torch.float64)
        coupling = placed(stack, torch.device("cpu"), torch.float64).invertible
        assert coupling is not None
        assert (coupling.inverse(coupling(x)) - x).abs().max() < 1e-12


def test_fusion_layers_of_other_adapters_are_refused(backbone: Backbone) -> None:
    low = [make(backbone, seed) for seed in (1, 2)]
    high = [make(backbone, seed, preset("houlsby")) for seed in (3, 4)]
    layers = Fuse(*low).layers
    with pytest.raises(AdapterMismatch, match=r"stand at 6 places; .* attention of layer 0, "):
        Fuse(*high, layers=layers)
    assert Fuse(*low, layers=layers).layers is layers
    short = [make(backbone, seed, BottleneckConfig(4, leave_out=(2,))) for seed in (5, 6)]
    two = FusionLayers(FusionConfig(), 32, [("output", 0), ("output", 1)])
    assert Fuse(*short, layers=two).layers is two
    narrow = FusionLayers(FusionConfig(), 16, [("output", layer) for layer in range(3)])
    with pytest.raises(AdapterMismatch, match=r"of width 16, the adapters' backbone of 32"):
        Fuse(*low, layers=narrow)


def test_an_average_of_couplings_is_exactly_invertible(backbone: Backbone) -> None:
    three = [make(backbone, seed).double() for seed in (1, 2, 3)]
    coupling = Average(*three, weights=(0.5, 0.8, -0.3)).invertible
    assert coupling is not None
    x = torch.randn(2, 3, backbone.width, dtype=torch.float64)
    assert (coupling.inverse(coupling(x)) - x).abs().max() < 1e-12
    outputs = sum(
        w * a.invertible(x) for w, a in zip((0.5, 0.8, -0.3), three, strict=True) if a.invertible
    )
    assert (coupling(x) - outputs).abs().max() > 1e-4  # averaging outputs would not be invertible


def test_adapters_and_backbones_are_shown_in_one_line(backbone: Backbone) -> None:
    made = make(backbone, 1)
    assert repr(made) == f"Adapter('a1': language, for {backbone.name})"
    assert repr(backbone).startswith(f"Backbone({backbone.name!r}: xlm-roberta, 3 layers of ")
    assert "\n" not in repr([made, backbone])
