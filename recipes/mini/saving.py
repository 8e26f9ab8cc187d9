"""A finished model as a folder that plain transformers loads, in half precision."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

DIGITS = 3
"""Of the pieces' scores: what the segmentation needs, in half the space."""


def save(model: Any, tokenizer: Tokenizer, folder: Path) -> None:
    """Write ``config.json``, the weights and the tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        name: tensor.to(torch.float16).contiguous()
        for name, tensor in model.state_dict().items()
        if name != "cls.predictions.decoder.weight" and not name.endswith("position_ids")
    }
    tensors.pop("cls.predictions.decoder.bias", None)  # tied to cls.predictions.bias
    weights = folder / "model.safetensors"
    save_file(tensors, weights, metadata={"format": "pt"})
    weights.chmod(0o644)
    config = model.config.to_dict() | {"dtype": "float16", "architectures": [type(model).__name__]}
    config = {key: value for key, value in config.items() if not key.startswith("_")}
    write(folder / "config.json", config, indent=2)
    whole = json.loads(tokenizer.to_str())
    whole["model"]["vocab"] = [
        [piece, round(score, DIGITS)] for piece, score in whole["model"]["vocab"]
    ]
    write(folder / "tokenizer.json", whole, indent=None)
    write(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",  # what 5.x writes, 4.57 cannot load
            "bos_token": "<s>",
            "cls_token": "<s>",
            "eos_token": "</s>",
            "sep_token": "</s>",
            "pad_token": "<pad>",
            "unk_token": "<unk>",
            "mask_token": "<mask>",
            "model_max_length": 128,
        },
        indent=2,
    )


def write(file: Path, value: Any, indent: int | None) -> None:
    """JSON, sorted, with a line end."""
    separators = (",", ":") if indent is None else None
    text = json.dumps(
        value, ensure_ascii=False, indent=indent, sort_keys=True, separators=separators
    )
    file.write_text(text + "\n", encoding="utf-8")
