from pathlib import Path

import pytest
import torch

from adapterkit.backbone.load import load_backbone
from adapterkit.composition.stack import Stack
from adapterkit.formats.adapterhub import load_adapter
from adapterkit.model import AdaptedModel
from adapterkit.tensorfile import read_tensors
from tests.golden.make import CASES, FOLDER, IDS, TYPES


@pytest.mark.long
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
@pytest.mark.parametrize("model_type", TYPES)
def test_every_stack_equals_the_adapters_library(
    model_type: str, dtype: str, tolerance: float
) -> None:
    place: Path = FOLDER / model_type
    backbone = load_backbone(place / "backbone", dtype=dtype, device="cpu")
    expected = read_tensors(place / "outputs.safetensors")
    for case, names in CASES.items():
        stack = Stack(*(load_adapter(place / name) for name in names))
        with torch.no_grad():
            hidden = AdaptedModel(backbone, stack).encode(IDS, (IDS != 1).long())
        worst = (hidden - expected[case]).abs().max().item()
        assert worst < tolerance, f"{case}: {worst}"
