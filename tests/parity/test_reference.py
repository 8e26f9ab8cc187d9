"""Golden outputs of `adapters` 1.3.0 that are too large to ship; they stand in the folder ../shared."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.stack import Stack
from adapterkit.formats.adapterhub import load_adapter, read_separate_head
from adapterkit.model import AdaptedModel
from adapterkit.tensorfile import read_tensors

REFERENCE = Path(__file__).parent.parent.parent.parent / "shared" / "reference" / "adapterhub"
TYPES = ("bert", "roberta", "xlm-roberta", "distilbert", "deberta-v2")
pytestmark = pytest.mark.shared


def worst(found: Tensor, expected: Tensor) -> float:
    return (found - expected).abs().max().item()


def outputs(backbone: Backbone, place: Path) -> dict[str, Tensor]:
    golden = read_tensors(place / "outputs.safetensors")
    ids, mask = golden["input_ids"], golden["attention_mask"]
    found = {}
    for case, names in json.loads((place / "cases.json").read_text()).items():
        stack = Stack(*(load_adapter(place / name) for name in names))
        found[case] = AdaptedModel(backbone, stack).encode(ids, mask)
    for head in ("tag", "cls"):
        lang, task = load_adapter(place / "lang"), load_adapter(place / "task")
        task.head = read_separate_head(place / f"head_{head}", backbone.width)
        found[f"lang|task>{head}"] = AdaptedModel(backbone, Stack(lang, task)).logits(ids, mask)
    lang = load_adapter(place / "lang")
    lang.head = read_separate_head(place / "head_mlm", backbone.width)
    found["lang>mlm"] = AdaptedModel(backbone, Stack(lang)).logits(ids, mask)
    return found


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
@pytest.mark.parametrize("model_type", TYPES)
def test_every_case_equals_the_adapters_library(
    model_type: str, dtype: str, tolerance: float
) -> None:
    place = REFERENCE / model_type
    backbone = load_backbone(place / "backbone", dtype=dtype, device="cpu")
    golden = read_tensors(place / "outputs.safetensors")
    with torch.no_grad():
        found = outputs(backbone, place)
    assert len(found) == 14
    assert {case: d for case in found if (d := worst(found[case], golden[case])) >= tolerance} == {}


@pytest.mark.parametrize("model_type", TYPES)
def test_the_old_pickle_is_the_same_adapter(model_type: str) -> None:
    place = REFERENCE / model_type
    assert load_adapter(place / "task_pickle").digest() == load_adapter(place / "task").digest()
