"""LoRA and IA3 of the adapters library: read here, and converted to what plain peft loads, with the same output."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import new_adapter
from adapterkit.formats.adapterhub import load_adapter, save_adapter
from adapterkit.formats.conversion import convert
from adapterkit.methods import low_rank
from tests.parity.test_live import IDS, MASK, assert_same_states, live
from tests.tiny import make_backbone

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("default")]
TYPES = ("bert", "roberta", "xlm-roberta", "distilbert")


def configs() -> dict[str, Any]:
    import adapters

    full = {"attn_matrices": ["q", "k", "v"], "intermediate_lora": True, "output_lora": True}
    return {
        "lora": adapters.LoRAConfig(r=4, alpha=16),
        "everywhere": adapters.LoRAConfig(r=2, alpha=3, leave_out=[1], **full),
        "ia3": adapters.IA3Config(),
    }


def stirred(model: Any) -> Any:
    generator = torch.manual_seed(3)
    for name, parameter in model.named_parameters():
        if ".loras." in name:
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return model


@pytest.mark.parametrize("use_safetensors", [True, False])
@pytest.mark.parametrize("name", ["lora", "everywhere", "ia3"])
@pytest.mark.parametrize("model_type", TYPES)
def test_their_folder_gives_the_same_output_here_and_in_peft(
    model_type: str, name: str, use_safetensors: bool, tmp_path: Path
) -> None:
    from peft import PeftModel
    from transformers import AutoModel

    folder = make_backbone(tmp_path / "b", model_type)
    model = live(folder)
    model.add_adapter("sw", config=configs()[name])
    stirred(model)
    model.save_adapter(str(tmp_path / "sw"), "sw", use_safetensors=use_safetensors)
    backbone = load_backbone(folder, dtype="float64")
    states = assert_same_states(model, backbone, load_adapter(tmp_path / "sw"))
    with torch.no_grad():
        convert(tmp_path / "sw", tmp_path / "peft", layout="peft")
        wrapper = torch.nn.Module()
        bare = AutoModel.from_pretrained(folder).double()
        attribute = model.base_model_prefix
        setattr(wrapper, attribute, bare)
        wrapper.config = bare.config
        PeftModel.from_pretrained(wrapper, str(tmp_path / "peft")).double().eval()
        plain = bare.eval()(input_ids=IDS, attention_mask=MASK).last_hidden_state
    assert (states - plain).abs().max() < 1e-12


@pytest.mark.parametrize(
    "version", ["3.2.1", "adapters.1.0.1", "adapters.1.1.0.dev0", "adapters.1.1.0"]
)
def test_a_folder_of_an_older_version_gives_the_same_output_as_there(
    version: str, tmp_path: Path
) -> None:
    folder = make_backbone(tmp_path / "b", "bert")
    model = live(folder)
    model.add_adapter("sw", config=configs()["lora"])
    stirred(model).save_adapter(str(tmp_path / "sw"), "sw", use_safetensors=True)
    config = tmp_path / "sw" / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"version": version}))
    model = live(folder)
    model.load_adapter(str(tmp_path / "sw"), use_safetensors=True)
    backbone = load_backbone(folder, dtype="float64")
    assert_same_states(model, backbone, load_adapter(tmp_path / "sw"))


@pytest.mark.parametrize("method", ["lora", "ia3"])
@pytest.mark.parametrize("model_type", TYPES)
def test_ours_converted_gives_the_same_output_there(
    model_type: str, method: str, tmp_path: Path
) -> None:
    folder = make_backbone(tmp_path / "b", model_type)
    backbone = load_backbone(folder, dtype="float64")
    ends = ("q_lin", "v_lin") if model_type == "distilbert" else ("query", "value")
    made = new_adapter(
        "sw",
        low_rank(backbone, method, rank=4, targets=ends),
        backbone=backbone.facts,
        kind="language",
    )
    for parameter in made.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=torch.manual_seed(4))
    save_adapter(made, tmp_path / "peft")
    convert(tmp_path / "peft", tmp_path / "hub", layout="adapterhub")
    model = live(folder)
    model.load_adapter(str(tmp_path / "hub"), use_safetensors=True)
    assert_same_states(model, backbone, made)
