"""A backbone's folder: what is asked of it before transformers opens it, and of what transformers found in it.

Nothing that a folder brings is ever run: transformers is only shown folders whose architecture is its own.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adapterkit.backbone.architectures import architecture
from adapterkit.backbone.identity import weight_files
from adapterkit.backbone.layout import Architecture
from adapterkit.errors import FolderError
from adapterkit.files import read_json
from adapterkit.tensorfile import read_cast

_TIED = ("decoder.weight", "decoder.bias", "vocab_projector.weight", "lm_head.weight")
_TAKEN_OVER = {
    # transformers 4.57 runs it from a local folder without asking, trust_remote_code=False or not.
    "custom_generate/generate.py": "is code that transformers would run",
    # Both versions would read the weights of whatever model it names.
    "adapter_config.json": "makes it an adapter, for transformers",
}


def row_of(folder: Path) -> Architecture:
    """The row of the table of architectures for the checkpoint in ``folder``.

    Read from `config.json` itself: of an unknown type transformers would run the folder's own code.

    Raises:
        ConfigError: If the table has none.
        FolderError: If it is no backbone, or holds a file that would load something else.
    """
    if not (folder / "config.json").is_file():
        raise FolderError(f"{folder}: is no backbone, it has no config.json")
    row = architecture(str(read_json(folder / "config.json").get("model_type")))
    for name, why in _TAKEN_OVER.items():
        if (folder / name).exists():
            raise FolderError(f"{folder}: its {name} {why}; load a copy of the folder without it")
    return row


def narrowed(folder: Path, dtype: torch.dtype) -> dict[str, Tensor] | None:
    """The checkpoint in a narrower dtype than it is stored in, cast while it is read; else None."""
    files = weight_files(folder)
    if dtype != torch.bfloat16 or any(file.suffix != ".safetensors" for file in files):
        return None
    return {key: tensor for file in files for key, tensor in read_cast(file, dtype).items()}


def check_keys(folder: Path, row: Architecture, info: dict[str, Any]) -> None:
    """The encoder itself must be complete; only a masked-LM head or a pooler may be missing.

    Raises:
        FolderError: If it is not.
    """
    lost = sorted(
        key for key in info["missing_keys"] if not row.is_head(key) and ".pooler." not in key
    )
    lost += sorted(str(key) for key in info["mismatched_keys"])
    if lost:
        raise FolderError(
            f"{folder}: the checkpoint lacks {len(lost)} of the encoder's own tensors, e.g. {', '.join(lost[:3])}; "
            "is it complete, and of this architecture?"
        )


def untrained(row: Architecture, config: Any, info: dict[str, Any]) -> tuple[str, ...]:
    """Keys of the language-model head that the checkpoint did not bring."""
    # Tied output matrices are missing from many good checkpoints: they are the embeddings.
    tied = config.tie_word_embeddings
    return tuple(
        sorted(
            key
            for key in info["missing_keys"]
            if row.is_head(key) and not (key.endswith(_TIED) and tied)
        )
    )
