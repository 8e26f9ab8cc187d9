"""Encoder-decoders against a live `adapters` model (which does not know M2M100), both ways."""

from pathlib import Path
from typing import Any

import pytest
import torch

from adapterkit.backbone.load import load_backbone
from adapterkit.bridge import from_adapters, to_adapters
from adapterkit.composition.adapter import Adapter
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig
from adapterkit.formats.adapterhub import load_adapter
from adapterkit.model import AdaptedModel
from tests.backbone.test_decoders import made
from tests.backbone.test_encoder_decoders import IDS, MASK, TARGETS
from tests.tiny import make_encoder_decoder

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("default")]
TYPES = ("mt5", "mbart")


def shapes() -> dict[str, Any]:
    import adapters

    return {
        "seq": adapters.SeqBnConfig(reduction_factor=4),
        "out": adapters.SeqBnConfig(reduction_factor=4, leave_out=[2, 3]),
        "inv": adapters.SeqBnInvConfig(reduction_factor=4),
        "houlsby": adapters.DoubleSeqBnConfig(reduction_factor=4),
        "par": adapters.ParBnConfig(reduction_factor=4),
    }


def live(folder: Path) -> Any:
    from adapters import AutoAdapterModel
    from transformers import AutoConfig, AutoModelForSeq2SeqLM

    # With a flexible head: only through such a one does the inverse run there.
    plain = AutoModelForSeq2SeqLM.from_pretrained(folder)
    config = AutoConfig.from_pretrained(folder)
    if config.model_type != "mt5":
        return AutoAdapterModel.from_pretrained(folder)
    # Its loader takes an untied vocabulary matrix for a broken checkpoint.
    model = AutoAdapterModel.from_config(config)
    model.transformer.load_state_dict(plain.state_dict(), strict=False)
    model.add_seq2seq_lm_head("default")
    model.heads["default"][0].weight.data.copy_(plain.lm_head.weight)
    return model


def outputs(model: Any, active: Any) -> tuple[torch.Tensor, torch.Tensor]:
    model.double().eval()
    model.set_active_adapters(active)
    with torch.no_grad():
        out = model(input_ids=IDS, attention_mask=MASK, decoder_input_ids=TARGETS, head="default")
    return out.encoder_last_hidden_state, out.logits


def differences(folder: Path, stack: Any, theirs: tuple[torch.Tensor, torch.Tensor]) -> list[float]:
    ours = AdaptedModel(load_backbone(folder, dtype="float64"), stack)
    with torch.no_grad():
        found = ours.encode(IDS, MASK), ours.mlm_logits(IDS, MASK, decoder_input_ids=TARGETS)
    return [float((a - b).abs().max()) for a, b in zip(theirs, found, strict=True)]


@pytest.mark.parametrize("name", ["seq", "out", "inv", "houlsby", "par"])
@pytest.mark.parametrize("model_type", TYPES)
def test_their_adapters_give_the_same_output_here(
    model_type: str, name: str, tmp_path: Path
) -> None:
    from adapters.composition import Stack as TheirStack

    folder = make_encoder_decoder(tmp_path / "b", model_type)
    model = live(folder)
    for one in (name, "top"):
        model.add_adapter(one, config=shapes()["seq" if one == "top" else name])
    for key, parameter in model.named_parameters():
        if "adapters" in key:
            parameter.data.add_(torch.randn_like(parameter) * 0.1)
    for one in (name, "top"):
        model.save_adapter(str(tmp_path / one), one, with_head=False, use_safetensors=True)
    loaded = load_adapter(tmp_path / name)
    assert (loaded.backbone.layers, loaded.backbone.decoder_layers) == (5, 2)
    assert from_adapters(model, name).digest() == loaded.digest()
    bare = outputs(model, None)
    assert max(differences(folder, Stack(), bare)) < 1e-12
    alone = outputs(model, name)
    assert max(differences(folder, Stack(loaded), alone)) < 1e-12
    assert (alone[0] - bare[0]).abs().max() > 1e-3
    if (
        name == "par"
    ):  # in a stack that library drops the sublayer's own output under the next adapter
        return
    both = Stack(loaded, load_adapter(tmp_path / "top"))
    assert max(differences(folder, both, outputs(model, TheirStack(name, "top")))) < 1e-12


@pytest.mark.parametrize("model_type", TYPES)
def test_our_adapters_give_the_same_output_there(model_type: str, tmp_path: Path) -> None:
    folder = make_encoder_decoder(tmp_path / "b", model_type)
    backbone = load_backbone(folder, dtype="float64")
    config = BottleneckConfig(4, invertible=True, leave_out=(0, 4))
    adapter: Adapter = made(backbone, config=config)
    model = live(folder)
    assert to_adapters(model, adapter) == "a1"
    assert max(differences(folder, Stack(adapter), outputs(model, "a1"))) < 1e-12
