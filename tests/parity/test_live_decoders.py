"""Decoders against a live `adapters` model, where that library knows them."""

from pathlib import Path
from typing import Any

import pytest
import torch

from adapterkit.backbone.load import load_backbone
from adapterkit.composition.stack import Stack
from adapterkit.formats.adapterhub import load_adapter
from adapterkit.model import AdaptedModel
from tests.backbone.test_decoders import IDS, TYPES, make_decoder

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("default")]


def shapes() -> dict[str, Any]:
    import adapters

    return {
        "seq": adapters.SeqBnConfig(reduction_factor=4),
        "inv": adapters.SeqBnInvConfig(reduction_factor=4),
        "houlsby": adapters.DoubleSeqBnConfig(reduction_factor=4),
        "par": adapters.ParBnConfig(reduction_factor=4),
    }


@pytest.mark.parametrize("name", ["seq", "inv", "houlsby", "par"])
@pytest.mark.parametrize("model_type", TYPES)
def test_their_decoder_adapters_give_the_same_output_here(
    model_type: str, name: str, tmp_path: Path
) -> None:
    import adapters
    from transformers import AutoModelForCausalLM

    folder = make_decoder(tmp_path / "b", model_type)
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    adapters.init(model)
    model.add_adapter(name, config=shapes()[name])
    for key, parameter in model.named_parameters():
        if "adapters" in key:
            parameter.data.add_(torch.randn_like(parameter) * 0.1)
    model.save_adapter(str(tmp_path / name), name, with_head=False, use_safetensors=True)
    model.double().eval()
    model.set_active_adapters(name)
    ours = AdaptedModel(
        load_backbone(folder, dtype="float64"), Stack(load_adapter(tmp_path / name))
    )
    with torch.no_grad():
        theirs = model(input_ids=IDS, output_hidden_states=True).hidden_states[-1]
        found = ours.encode(IDS)
    # Gemma's own norms compute in float32 whatever the dtype: a rounding there is no difference of ours.
    tolerance = 1e-5 if model_type == "gemma3_text" else 1e-12
    assert (theirs - found).abs().max() < tolerance
    assert (found - AdaptedModel(ours.backbone).encode(IDS)).abs().max() > 1e-3


@pytest.mark.parametrize("layers", [1, 2])
def test_their_classification_head_reads_the_same_token_of_a_padded_batch(
    layers: int, tmp_path: Path
) -> None:
    import adapters
    from adapters import AutoAdapterModel

    folder = make_decoder(tmp_path / "b", "llama")
    model: Any = AutoAdapterModel.from_pretrained(folder)
    model.add_adapter("topic", config=adapters.SeqBnConfig(reduction_factor=4))
    model.add_classification_head("topic", num_labels=2, layers=layers, id2label={0: "x", 1: "y"})
    for key, parameter in model.named_parameters():
        if "adapters" in key or "heads" in key:
            parameter.data.add_(torch.randn_like(parameter) * 0.1)
    model.save_adapter(str(tmp_path / "topic"), "topic", use_safetensors=True)
    model.double().eval()
    model.active_adapters, model.active_head = "topic", "topic"
    ours = AdaptedModel(load_backbone(folder, dtype="float64"), load_adapter(tmp_path / "topic"))
    ids = torch.cat((IDS, IDS[:1]))
    ids[0, 4:] = ids[1, 5:] = 1  # that library counts the tokens that are not padding, on the right
    mask = (ids != 1).long()
    with torch.no_grad():
        theirs = model(input_ids=ids, attention_mask=mask).logits
        found = ours.logits(ids, mask)
    assert (theirs - found).abs().max() < 1e-12
    assert (found[0] - found[2]).abs().max() > 1e-4
