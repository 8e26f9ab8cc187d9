"""Decoders against a live `adapters` model, where that library knows them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from adapterkit.backbone.load import load_backbone
from adapterkit.bridge import to_adapters
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig, preset
from adapterkit.errors import ConfigError
from adapterkit.formats.adapterhub import load_adapter
from adapterkit.model import AdaptedModel
from tests.backbone.test_decoders import IDS, TYPES, made, make_decoder
from tests.tiny import LAYERS, make_backbone

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


def live(folder: Path) -> Any:
    import adapters
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    adapters.init(model)
    return model


def test_a_gemma_folder_of_ours_passes_the_last_layers_norm_there(tmp_path: Path) -> None:
    folder = make_decoder(tmp_path / "b", "gemma3_text")
    backbone = load_backbone(folder, dtype="float64")
    ours = made(backbone, config=BottleneckConfig(4))
    model = live(folder)
    with pytest.raises(ConfigError, match="last layer's norm in every layer of a gemma3_text"):
        to_adapters(model, ours)
    assert isinstance(ours.config, BottleneckConfig)
    incumbent = made(backbone, config=replace(ours.config, own_norms=False))
    assert to_adapters(model, incumbent) == "a1"
    model.double().eval()
    model.set_active_adapters("a1")
    with torch.no_grad():
        theirs = model(input_ids=IDS, output_hidden_states=True).hidden_states[-1]
        assert (theirs - AdaptedModel(backbone, incumbent).encode(IDS)).abs().max() < 1e-5
        assert (theirs - AdaptedModel(backbone, ours).encode(IDS)).abs().max() > 1e-4


def test_where_own_norms_change_nothing_adapters_cross(tmp_path: Path) -> None:
    gemma = load_backbone(make_decoder(tmp_path / "g", "gemma3_text"))
    qwen = load_backbone(make_decoder(tmp_path / "q", "qwen3"))
    last = BottleneckConfig(4, leave_out=tuple(range(LAYERS - 1)))
    for backbone, folder, config in (
        (gemma, "g", last),
        (gemma, "g", preset("houlsby", 4)),
        (gemma, "g", preset("parallel", 4)),
        (qwen, "q", BottleneckConfig(4)),
    ):
        assert to_adapters(live(tmp_path / folder), made(backbone, config=config)) == "a1"


def test_of_modernberts_adapters_only_those_after_attention_are_refused(tmp_path: Path) -> None:
    import adapters
    from transformers import AutoModelForMaskedLM

    backbone = load_backbone(make_backbone(tmp_path / "m", "modernbert"))
    model: Any = AutoModelForMaskedLM.from_pretrained(tmp_path / "m")
    adapters.init(model)
    assert to_adapters(model, made(backbone, 1, BottleneckConfig(4))) == "a1"
    with pytest.raises(ConfigError, match="last layer's norm"):
        to_adapters(model, made(backbone, 2, BottleneckConfig(4, mh_adapter=True)))
