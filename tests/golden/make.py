"""Make the golden files of this folder, in an environment with adapters 1.3.0 and transformers 4.57.

    python -m tests.golden.make

For each architecture a tiny random backbone, adapters saved by `adapters` itself, and its float64 outputs. The tests
that read them need neither that library nor that line of transformers.
"""

from pathlib import Path
from typing import Any

import torch

from adapterkit.tensorfile import write_tensors
from tests.tiny import make_backbone

FOLDER = Path(__file__).parent
TYPES = ("bert", "xlm-roberta", "distilbert", "deberta-v2")
IDS = torch.tensor([[0, 11, 12, 30, 44, 2], [0, 14, 40, 2, 1, 1]])
CASES = {"none": [], "lang": ["lang"], "task": ["task"], "lang|task": ["lang", "task"]}


def make(model_type: str) -> None:
    """Write ``FOLDER/model_type``: backbone, adapters, outputs."""
    import adapters
    from adapters.composition import Stack

    place = FOLDER / model_type
    make_backbone(place / "backbone", model_type, seed=11)
    torch.manual_seed(12)
    model = load(adapters, place / "backbone", model_type)
    model.add_adapter("lang", config=adapters.SeqBnInvConfig(reduction_factor=2, leave_out=[2]))
    model.add_adapter("task", config=adapters.SeqBnConfig(reduction_factor=4, non_linearity="gelu"))
    for name, parameter in model.named_parameters():
        if "adapters." in name:  # large enough that every part of them shows
            parameter.data.add_(torch.randn_like(parameter) * 0.2)
    for name in ("lang", "task"):
        model.save_adapter(str(place / name), name, with_head=False, use_safetensors=True)
    model.double().eval()
    outputs = {case: run(model, Stack(*names) if names else None) for case, names in CASES.items()}
    write_tensors(place / "outputs.safetensors", outputs)


def load(adapters: Any, folder: Path, model_type: str) -> Any:
    """The backbone as `adapters` loads it."""
    from transformers import AutoModel

    model = AutoModel.from_pretrained(folder)
    model.config._name_or_path = f"tiny-{model_type}"  # else the folder's path is written
    model.name_or_path = model.config._name_or_path
    adapters.init(model)
    return model


@torch.no_grad()
def run(model: Any, stack: Any) -> torch.Tensor:
    """Last hidden state under a stack."""
    model.set_active_adapters(stack)
    out: torch.Tensor = model(input_ids=IDS, attention_mask=(IDS != 1).long()).last_hidden_state
    return out


if __name__ == "__main__":
    for kind in TYPES:
        make(kind)
