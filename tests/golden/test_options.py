"""Every option of AdapterHub's bottleneck family, its heads, fusions and composition folders, against its library."""

from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.base import Composition
from adapterkit.composition.stack import Stack
from adapterkit.formats.adapterhub import load_adapter, save_adapter
from adapterkit.formats.compositions import is_composition, load_composition, save_composition
from adapterkit.model import AdaptedModel
from adapterkit.nn.activations import activation, activation_names
from adapterkit.tensorfile import read_tensors
from tests.golden.make import FOLDER, IDS
from tests.golden.make_options import MASK, TYPES

OPTIONS = FOLDER / "options"
CASES = [
    (model_type, name)
    for model_type in TYPES
    for name in sorted(read_tensors(OPTIONS / model_type / "outputs.safetensors"))
]
HEADS = ("tagging", "classification", "one_layer", "multilabel", "masked_lm")


@cache
def backbone_of(model_type: str, dtype: str) -> Backbone:
    return load_backbone(FOLDER / model_type / "backbone", dtype=dtype, device="cpu")


@cache
def outputs_of(model_type: str) -> dict[str, Tensor]:
    return dict(read_tensors(OPTIONS / model_type / "outputs.safetensors"))


def load(place: Path) -> Composition:
    return load_composition(place) if is_composition(place) else Stack(load_adapter(place))


def output(backbone: Backbone, composition: Composition, name: str) -> Tensor:
    model = AdaptedModel(backbone, composition)
    with torch.no_grad():
        run = model.logits if name in HEADS else model.encode
        out: Tensor = run(IDS, MASK)
    return out


@pytest.mark.long
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
@pytest.mark.parametrize(("model_type", "name"), CASES)
def test_every_option_equals_the_adapters_library(
    model_type: str, name: str, dtype: str, tolerance: float
) -> None:
    backbone = backbone_of(model_type, dtype)
    expected = outputs_of(model_type)[name]
    found = output(backbone, load(OPTIONS / model_type / name), name)
    scale = max(1.0, float(expected.abs().max()))
    assert (found - expected).abs().max() < tolerance * scale
    plain = output(backbone, Stack(), "none")
    assert found.shape != plain.shape or (found - plain).abs().max() > 1e-3


@pytest.mark.long
@pytest.mark.parametrize(("model_type", "name"), CASES)
def test_every_option_is_written_and_read_again_byte_for_byte(
    model_type: str, name: str, tmp_path: Path
) -> None:
    composition = load(OPTIONS / model_type / name)
    for folder in ("once", "twice"):
        if is_composition(OPTIONS / model_type / name):
            save_composition(composition, tmp_path / folder)
        else:
            (adapter,) = composition.adapters
            save_adapter(adapter, tmp_path / folder)
        assert load(tmp_path / folder) == composition
        composition = load(tmp_path / folder)
    files = {
        p.relative_to(tmp_path / "once"): p for p in (tmp_path / "once").rglob("*") if p.is_file()
    }
    assert files
    for relative, path in files.items():
        assert path.read_bytes() == (tmp_path / "twice" / relative).read_bytes()


def test_every_activation_equals_the_librarys() -> None:
    values = read_tensors(OPTIONS / "activations.safetensors")
    x = values.pop("x")
    assert len(values) >= 18
    assert set(values) <= set(activation_names())
    for name, expected in values.items():
        torch.testing.assert_close(activation(name)(x), expected, rtol=1e-12, atol=1e-12)
