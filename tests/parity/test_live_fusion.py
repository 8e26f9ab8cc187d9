"""AdapterFusion's options against a live `adapters` model, across composition folders. Needs the adapters library."""

from pathlib import Path
from typing import Any

import pytest
import torch

from adapterkit.backbone.load import load_backbone
from adapterkit.formats.compositions import load_composition, save_composition
from adapterkit.model import AdaptedModel
from tests.parity.test_live import IDS, MASK, live
from tests.tiny import make_backbone

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("default")]

FUSIONS: dict[str, dict[str, Any]] = {
    "dynamic": {},
    "values after the softmax": {"value_before_softmax": False},
    "values after it, residual before": {"value_before_softmax": False, "residual_before": True},
    "no values": {"value": False},
    "keys alone": {"query": False, "value": False},
    "read before the norm": {"query_before_ln": True},
}
SHAPES: dict[str, dict[str, Any]] = {
    "plain": {"reduction_factor": 4},
    "no norm before": {"reduction_factor": 8, "original_ln_before": False},
    "residual after the norm": {"reduction_factor": 8, "residual_before_ln": False},
    "added up first": {"reduction_factor": 4, "residual_before_ln": "post_add"},
    "Houlsby": {"reduction_factor": 8, "mh_adapter": True, "original_ln_before": False},
}


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("model_type", ["bert", "distilbert"])
def test_every_option_of_a_fusion_equals_the_librarys(
    model_type: str, fusion: str, tmp_path: Path
) -> None:
    equal(model_type, FUSIONS[fusion], (SHAPES["plain"], SHAPES["plain"]), tmp_path)


# The library fuses only adapters that stand at the same places.
PAIRS = [
    (first, last)
    for first in SHAPES
    for last in SHAPES
    if (first == "Houlsby") == (last == "Houlsby")
]


@pytest.mark.parametrize(("first", "last"), PAIRS)
def test_how_a_fusion_reads_its_input_is_the_last_adapters_affair(
    first: str, last: str, tmp_path: Path
) -> None:
    equal("bert", {}, (SHAPES[first], SHAPES[last]), tmp_path)


def equal(
    model_type: str,
    fusion: dict[str, Any],
    shapes: tuple[dict[str, Any], dict[str, Any]],
    place: Path,
) -> None:
    """The library's fusion of two adapters of these shapes, its folder read here, and ours read there."""
    import adapters
    from adapters.composition import Fuse

    folder = make_backbone(place / "b", model_type)
    model = live(folder)
    for name, shape in zip(("one", "two"), shapes, strict=True):
        model.add_adapter(name, config=adapters.SeqBnConfig(**shape))
    config = adapters.DynamicAdapterFusionConfig(**fusion)
    model.add_adapter_fusion(["one", "two"], config=config)
    stir(model)
    model.save_adapter_setup(str(place / "setup"), Fuse("one", "two"), use_safetensors=True)
    composition = load_composition(place / "setup")
    found = AdaptedModel(load_backbone(folder, dtype="float64"), composition).encode(IDS, MASK)
    assert (found - hidden(model, Fuse("one", "two"))).abs().max() < 1e-6
    again = live(folder)
    save_composition(composition, place / "again")
    setup, _ = again.load_adapter_setup(str(place / "again"), use_safetensors=True)
    assert (found - hidden(again, setup)).abs().max() < 1e-12


def stir(model: Any) -> None:
    torch.manual_seed(1)
    for name, parameter in model.named_parameters():
        if "adapter" in name:
            parameter.data.add_(torch.randn_like(parameter) * 0.2)


@torch.no_grad()
def hidden(model: Any, setup: Any) -> torch.Tensor:
    model.double().eval()
    model.set_active_adapters(setup)
    out: torch.Tensor = model.base_model(input_ids=IDS, attention_mask=MASK).last_hidden_state
    return out
