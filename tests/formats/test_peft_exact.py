"""What PEFT's options mean, told by the peft library itself: patterns, scales, pooler, several at once."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from adapterkit.backbone.load import load_backbone
from adapterkit.composition.stack import Stack
from adapterkit.formats.adapterhub import load_adapter, save_adapter
from adapterkit.formats.inspection import inspect
from adapterkit.methods import low_rank
from adapterkit.model import AdaptedModel
from tests.formats.test_peft import IDS, MASK, theirs
from tests.tiny import make_backbone

pytestmark = pytest.mark.filterwarnings("ignore")  # peft's own
FORWARD: dict[str, Any] = {
    "target_modules": ["key", "value", "output.dense"],
    "feedforward_modules": ["output.dense"],
}


@torch.no_grad()
def hidden(model: Any) -> Tensor:
    out: Tensor = model(input_ids=IDS, attention_mask=MASK).last_hidden_state
    return out


@torch.no_grad()
def ours(backbone: Path, *folders: Path) -> Tensor:
    stack = Stack(*map(load_adapter, folders))
    return AdaptedModel(load_backbone(backbone, dtype="float64"), stack).encode(IDS, MASK)


def plain_peft(backbone: Path, folder: Path) -> Tensor:
    import peft
    from transformers import AutoModel

    model = peft.PeftModel.from_pretrained(AutoModel.from_pretrained(backbone), str(folder))
    return hidden(model.double().eval())


VALUE = "encoder.layer.0.attention.self.value"


@pytest.mark.long
@pytest.mark.parametrize(
    "options",
    [
        {"alpha_pattern": {f"^{VALUE}": 3}},
        {"alpha_pattern": {VALUE.replace(".", r"\."): 3, "query": 5.5}},
        {"alpha_pattern": {"query": 5, "layer.1.attention.self.query": 99}},
        {"alpha_pattern": {"layer.1.attention.self.query": 99, "query": 5}},
        {"rank_pattern": {f"^{VALUE}": 2, "value": 3}, "alpha_pattern": {"self.value": 7}},
        {"rank_pattern": {r"layer\.2\.attention\.self\.query": 6}, "use_rslora": True},
        {"lora_alpha": 0},
        {"lora_alpha": 0, "alpha_pattern": {"query": 4}},
        {"lora_alpha": -6.5},
    ],
    ids=str,
)
def test_patterns_and_scales_are_those_of_peft(options: dict[str, Any], tmp_path: Path) -> None:
    import peft

    backbone = make_backbone(tmp_path / "b", "bert")
    settings = {"r": 4, "lora_alpha": 12, "target_modules": ["query", "value"], **options}
    model = theirs(backbone, peft.LoraConfig(**settings))
    model.save_pretrained(tmp_path / "lora")
    # As peft reads it back: its file sorts the patterns, of which the first that matches counts.
    expected = plain_peft(backbone, tmp_path / "lora")
    assert (ours(backbone, tmp_path / "lora") - expected).abs().max() < 1e-5
    changed = options != {"lora_alpha": 0}
    assert ((ours(backbone) - expected).abs().max() > 1e-3) == changed
    save_adapter(load_adapter(tmp_path / "lora"), tmp_path / "again")
    assert (plain_peft(backbone, tmp_path / "again") - expected).abs().max() < 1e-5


@pytest.mark.long
@pytest.mark.parametrize("model_type", ["bert", "xlm-roberta"])
def test_an_ia3_on_both_sides_loads_in_plain_peft(model_type: str, tmp_path: Path) -> None:
    import peft

    backbone = make_backbone(tmp_path / "b", model_type)
    model = theirs(backbone, peft.IA3Config(**FORWARD))
    model.save_pretrained(tmp_path / "ia3")
    save_adapter(load_adapter(tmp_path / "ia3"), tmp_path / "again")
    found = plain_peft(backbone, tmp_path / "again")
    assert (found - hidden(model)).abs().max() < 1e-5
    assert (ours(backbone, tmp_path / "again") - found).abs().max() < 1e-5
    assert load_adapter(tmp_path / "again").digest() == inspect(tmp_path / "again")["digest"]


@pytest.mark.long
@pytest.mark.parametrize("kind", ["ia3", "lora"])
def test_several_of_a_kind_in_a_stack_are_several_active_ones_in_peft(
    kind: str, tmp_path: Path
) -> None:
    import peft

    backbone = make_backbone(tmp_path / "b", "bert")
    configs = [
        peft.IA3Config(**FORWARD)
        if kind == "ia3"
        else peft.LoraConfig(r=rank, target_modules=["query", "output.dense"])
        for rank in (2, 3)
    ]
    model = theirs(backbone, configs[0])
    model.add_adapter("second", configs[1])
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "second" in name:
                parameter.add_(torch.randn_like(parameter) * 0.2)
    model = model.double().eval()
    model.save_pretrained(tmp_path / "all")
    model.base_model.set_adapter(["default", "second"])
    found = ours(backbone, tmp_path / "all", tmp_path / "all" / "second")
    assert (found - hidden(model)).abs().max() < 1e-6
    alone = ours(backbone, tmp_path / "all")
    assert (found - alone).abs().max() > 1e-3


@pytest.mark.long
@pytest.mark.parametrize("targets", ["all-linear", ["dense", "query"]], ids=str)
def test_the_part_of_a_pooler_is_left_out_and_said(targets: Any, tmp_path: Path) -> None:
    import peft

    backbone = make_backbone(tmp_path / "b", "bert")
    model = theirs(backbone, peft.LoraConfig(r=2, target_modules=targets))
    model.save_pretrained(tmp_path / "lora")
    adapter = load_adapter(tmp_path / "lora")
    assert adapter.provenance["left_out"] == ["pooler.dense"]
    assert inspect(tmp_path / "lora")["provenance"]["left_out"] == ["pooler.dense"]
    assert inspect(tmp_path / "lora")["parameters"] == adapter.parameter_count()
    assert not any("pooler" in key for key in adapter.tensors())
    assert (ours(backbone, tmp_path / "lora") - hidden(model)).abs().max() < 1e-6
    save_adapter(adapter, tmp_path / "again")
    assert (plain_peft(backbone, tmp_path / "again") - hidden(model)).abs().max() < 1e-5
    assert load_adapter(tmp_path / "again").provenance == adapter.provenance


def test_a_fresh_lora_has_no_part_for_a_pooler(tmp_path: Path) -> None:
    backbone = load_backbone(make_backbone(tmp_path / "b", "bert", head=False))
    made = low_rank(backbone, targets=("dense",))
    assert made.modules
    assert not any("pooler" in linear.path for linear in made.modules)
