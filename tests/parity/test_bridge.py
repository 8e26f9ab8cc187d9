"""The bridge to live models of the adapters library, both ways."""

from pathlib import Path

import pytest
import torch

from adapterkit.backbone.load import load_backbone
from adapterkit.bridge import from_adapters, to_adapters
from adapterkit.composition.adapter import new_adapter
from adapterkit.composition.average import Average
from adapterkit.composition.fuse import Fuse
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig, HeadConfig, preset
from adapterkit.errors import AdapterMismatch, ConfigError
from adapterkit.formats.compositions import load_composition, save_composition
from adapterkit.model import AdaptedModel
from tests.parity.test_live import IDS, MASK, TYPES, live
from tests.tiny import make_backbone

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("default")]


@pytest.mark.parametrize("model_type", TYPES)
def test_an_adapter_comes_out_of_a_live_model(model_type: str, tmp_path: Path) -> None:
    import adapters
    from adapters.composition import Stack as TheirStack

    folder = make_backbone(tmp_path / "b", model_type)
    model = live(folder)
    model.add_adapter("sw", config=adapters.DoubleSeqBnInvConfig(reduction_factor=4))
    model.add_adapter("ner", config=adapters.SeqBnConfig(reduction_factor=4, ln_before=True))
    model.add_tagging_head("ner", num_labels=2, id2label={0: "O", 1: "B-PER"})
    ours = Stack(from_adapters(model, "sw"), from_adapters(model, "ner"))
    model.double().eval()
    model.active_adapters, model.active_head = TheirStack("sw", "ner"), "ner"
    with torch.no_grad():
        theirs = model(input_ids=IDS, attention_mask=MASK).logits
        found = AdaptedModel(load_backbone(folder, dtype="float64"), ours).logits(IDS, MASK)
    assert (theirs - found).abs().max() < 1e-12
    assert ours.adapters[1].labels == ("O", "B-PER")
    with pytest.raises(ConfigError, match="it has: sw, ner"):
        from_adapters(model, "qu")


@pytest.mark.parametrize("name", ["houlsby", "parallel", "scaled_parallel", "pfeiffer"])
@pytest.mark.parametrize("model_type", TYPES)
def test_an_adapter_goes_into_a_live_model(model_type: str, name: str, tmp_path: Path) -> None:
    folder = make_backbone(tmp_path / "b", model_type)
    backbone = load_backbone(folder, dtype="float64")
    config = preset(name, 4, invertible=True)
    head = HeadConfig("classification", ("x", "y"), layers=2)
    task = new_adapter("topic", config, backbone=backbone.facts, kind="task", head=head, seed=2)
    model = live(folder)
    assert to_adapters(model, task) == "topic"
    model.double().eval()
    model.active_adapters, model.active_head = "topic", "topic"
    with torch.no_grad():
        theirs = model(input_ids=IDS, attention_mask=MASK).logits
        found = AdaptedModel(backbone, task).logits(IDS, MASK)
    assert (theirs - found).abs().max() < 1e-12
    with pytest.raises(ConfigError, match="already has"):
        to_adapters(model, task)


def test_an_adapter_of_another_model_is_not_let_over(tmp_path: Path) -> None:
    bert = load_backbone(make_backbone(tmp_path / "bert", "bert"))
    task = new_adapter("pos", BottleneckConfig(4), backbone=bert.facts, kind="task")
    with pytest.raises(AdapterMismatch, match="type"):
        to_adapters(live(make_backbone(tmp_path / "x", "xlm-roberta")), task)
    with pytest.raises(ConfigError, match="no model of the adapters library"):
        to_adapters(bert.model, task)


def test_a_head_never_gets_lost_on_the_way(tmp_path: Path) -> None:
    import adapters
    from transformers import AutoModelForTokenClassification

    folder = make_backbone(tmp_path / "b", "xlm-roberta")
    head = HeadConfig("tagging", ("A", "B"))
    task = new_adapter(
        "pos",
        BottleneckConfig(4),
        backbone=load_backbone(folder).facts,
        kind="task",
        head=head,
    )
    static = AutoModelForTokenClassification.from_pretrained(folder)
    adapters.init(static)
    with pytest.raises(ConfigError, match="no flexible heads"):
        to_adapters(static, task)
    assert to_adapters(static, task, with_head=False) == "pos"
    flexible = live(folder)
    to_adapters(flexible, task, with_head=False)
    assert "pos" not in flexible.heads


def test_composition_folders_cross_both_ways(tmp_path: Path) -> None:
    folder = make_backbone(tmp_path / "b", "xlm-roberta")
    backbone = load_backbone(folder, dtype="float64")
    made = [
        new_adapter(
            name,
            BottleneckConfig(4, invertible=name == "one"),
            backbone=backbone.facts,
            kind="language",
            seed=i,
        )
        for i, name in enumerate(("one", "two", "top"))
    ]
    stack = Stack(Fuse(made[0], made[1], seed=3), made[2])
    save_composition(stack, tmp_path / "setup")
    model = live(folder)
    setup, _ = model.load_adapter_setup(str(tmp_path / "setup"), use_safetensors=True)
    model.double().eval()
    model.active_adapters = setup
    with torch.no_grad():
        theirs = model.base_model(input_ids=IDS, attention_mask=MASK).last_hidden_state
        found = AdaptedModel(backbone, stack).encode(IDS, MASK)
    assert (theirs - found).abs().max() < 1e-12
    model.float().save_adapter_setup(str(tmp_path / "theirs"), setup, use_safetensors=True)
    again = load_composition(tmp_path / "theirs")
    with torch.no_grad():
        assert (AdaptedModel(backbone, again).encode(IDS, MASK) - found).abs().max() < 1e-6
    save_composition(Average(made[0], made[1], weights=(0.25, 0.75)), tmp_path / "mean")
    loaded, _ = live(folder).load_adapter_setup(str(tmp_path / "mean"), use_safetensors=True)
    assert loaded.weights == [0.25, 0.75]
    assert load_composition(tmp_path / "mean") == Average(made[0], made[1], weights=(0.25, 0.75))
