"""Folders of ours in a live `adapters` model, and its folders here. Needs the adapters library."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig, HeadConfig
from adapterkit.formats.adapterhub import load_adapter, save_adapter
from adapterkit.model import AdaptedModel
from tests.tiny import make_backbone

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("default")]
IDS = torch.tensor([[0, 11, 12, 30, 44, 2], [0, 14, 40, 2, 1, 1]])
MASK = (IDS != 1).long()
TYPES = ("bert", "roberta", "xlm-roberta", "distilbert", "deberta-v2")


def live(folder: Path) -> Any:
    from adapters import AutoAdapterModel

    return AutoAdapterModel.from_pretrained(folder).double().eval()


def assert_same_states(model: Any, backbone: Backbone, adapter: Adapter) -> Tensor:
    """The live model with its adapter ``sw`` gives the last hidden states that ``backbone`` gives with ``adapter``."""
    model.double().eval()
    model.active_adapters = "sw"
    with torch.no_grad():
        theirs = model.base_model(input_ids=IDS, attention_mask=MASK).last_hidden_state
        ours = AdaptedModel(backbone, Stack(adapter)).encode(IDS, MASK)
    assert (theirs - ours).abs().max() < 1e-12
    return ours


@pytest.mark.parametrize("model_type", TYPES)
def test_our_folders_give_the_same_output_in_adapters(model_type: str, tmp_path: Path) -> None:
    from adapters.composition import Stack as TheirStack

    folder = make_backbone(tmp_path / "backbone", model_type)
    backbone = load_backbone(folder, dtype="float64")
    config = BottleneckConfig(2, invertible=True, leave_out=(2,))
    lang = new_adapter("cym", config, backbone=backbone.facts, kind="language", seed=1)
    head = HeadConfig("tagging", ("ADJ", "NOUN", "VERB"))
    task = new_adapter(
        "pos", BottleneckConfig(4), backbone=backbone.facts, kind="task", head=head, seed=2
    )
    for adapter in (lang, task):
        save_adapter(adapter, tmp_path / adapter.name)
    model = live(folder)
    for name in ("cym", "pos"):
        model.load_adapter(str(tmp_path / name), use_safetensors=True)
    model.double().eval()
    model.active_adapters = TheirStack("cym", "pos")
    model.active_head = "pos"
    with torch.no_grad():
        theirs = model(input_ids=IDS, attention_mask=MASK).logits
        ours = AdaptedModel(backbone, Stack(lang, task)).logits(IDS, MASK)
    assert (theirs - ours).abs().max() < 1e-12
    assert model.heads["pos"].config["label2id"] == {"ADJ": 0, "NOUN": 1, "VERB": 2}


@pytest.mark.parametrize("use_safetensors", [True, False])
@pytest.mark.parametrize("model_type", TYPES)
def test_their_folders_give_the_same_output_here(
    model_type: str, use_safetensors: bool, tmp_path: Path
) -> None:
    import adapters
    from adapters.composition import Stack as TheirStack

    folder = make_backbone(tmp_path / "backbone", model_type)
    model = live(folder)
    model.add_adapter("sw", config=adapters.SeqBnInvConfig(reduction_factor=2))
    model.add_adapter("ner", config=adapters.SeqBnConfig(reduction_factor=4, leave_out=[2]))
    model.add_tagging_head("ner", num_labels=2, id2label={0: "O", 1: "B-PER"})
    for name in ("sw", "ner"):
        model.save_adapter(str(tmp_path / name), name, use_safetensors=use_safetensors)
    model.double().eval()
    model.active_adapters = TheirStack("sw", "ner")
    model.active_head = "ner"
    stack = Stack(load_adapter(tmp_path / "sw"), load_adapter(tmp_path / "ner"))
    with torch.no_grad():
        theirs = model(input_ids=IDS, attention_mask=MASK).logits
        ours = AdaptedModel(load_backbone(folder, dtype="float64"), stack).logits(IDS, MASK)
    assert (theirs - ours).abs().max() < 1e-12
    assert stack.adapters[1].labels == ("O", "B-PER")


@pytest.mark.parametrize("preset", ["SeqBnConfig", "ParBnConfig", "DoubleSeqBnConfig"])
def test_what_their_folder_does_not_say_is_what_they_take_by_default(
    preset: str, tmp_path: Path
) -> None:
    import adapters

    folder = make_backbone(tmp_path / "backbone", "bert")
    model = live(folder)
    model.add_adapter("sw", config=getattr(adapters, preset)(reduction_factor=2))
    for name, parameter in model.named_parameters():
        if ".adapters." in name:
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=torch.manual_seed(3))
    model.save_adapter(str(tmp_path / "sw"), "sw", use_safetensors=True)
    path = tmp_path / "sw" / "adapter_config.json"
    record = json.loads(path.read_text())
    needed = ("mh_adapter", "output_adapter", "reduction_factor", "non_linearity")
    record["config"] = {key: record["config"][key] for key in needed}
    path.write_text(json.dumps(record))
    model = live(folder)
    model.load_adapter(str(tmp_path / "sw"), use_safetensors=True)
    backbone = load_backbone(folder, dtype="float64")
    assert_same_states(model, backbone, load_adapter(tmp_path / "sw"))
