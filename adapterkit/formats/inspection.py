"""What an adapter folder is, without loading it: no torch, no tensor read but to hash its bytes."""

from math import prod
from pathlib import Path
from typing import Any

from adapterkit.backbone.architectures import ARCHITECTURES
from adapterkit.errors import FolderError
from adapterkit.files import read_json, sha256_of
from adapterkit.formats import envelope, keys
from adapterkit.header import read_header
from adapterkit.tensorfile import digest_of_files

_FILES: tuple[str, ...] = (
    "adapter_config.json",
    "adapter.safetensors",
    "pytorch_adapter.bin",
    "head_config.json",
)
_FILES += ("model_head.safetensors", "pytorch_model_head.bin", "adapterkit.json", "README.md")
OWN_FILE = "adapterkit.json"


def inspect(folder: Path) -> dict[str, Any]:
    """Describe an adapter folder as plain values.

    Returns:
        kind, method, language, labels, backbone, reduction factor, layers, parameters, files with
        sha256, digest (of the weights; equal to the loaded adapter's), provenance.

    Raises:
        FolderError: If there is no adapter in it, or its configuration cannot be reproduced.
    """
    if not (folder / "adapter_config.json").is_file():
        raise FolderError(f"{folder}: is no adapter folder, it has no adapter_config.json")
    said = envelope.read_envelope(folder / "adapter_config.json")
    own = read_json(folder / OWN_FILE) if (folder / OWN_FILE).is_file() else {}
    head = (
        envelope.read_head(folder / "head_config.json")
        if (folder / "head_config.json").is_file()
        else None
    )
    weights = [
        folder / name
        for name in ("adapter.safetensors", "model_head.safetensors")
        if (folder / name).is_file()
    ]
    shapes = [fact.shape for path in weights for fact in read_header(path).values()]
    backbone = {
        "name": said.backbone.name,
        "type": said.backbone.model_type,
        "width": said.backbone.width,
    }
    recorded = own.get("backbone", {})
    return {
        "name": said.name,
        "kind": own.get("kind")
        or ("task" if head else "language" if said.config.invertible else "unknown"),
        "method": "bottleneck" + (" + invertible" if said.config.invertible else ""),
        "language": own.get("language", ""),
        "labels": list(head[1].labels) if head else [],
        "head": head[1].head_type if head else None,
        "backbone": {
            **backbone,
            "layers": recorded.get("layers"),
            "digest": recorded.get("digest"),
        },
        "reduction_factor": said.config.reduction_factor,
        "non_linearity": said.config.non_linearity,
        "leave_out": list(said.config.leave_out),
        "parameters": sum(prod(shape) for shape in shapes),
        "files": _files(folder),
        "digest": _digest(folder, said, head, weights),
        "provenance": own.get("provenance", {}),
    }


def _files(folder: Path) -> dict[str, dict[str, Any]]:
    there = [folder / name for name in _FILES if (folder / name).is_file()]
    return {path.name: {"bytes": path.stat().st_size, "sha256": sha256_of(path)} for path in there}


def _digest(folder: Path, said: envelope.Envelope, head: Any, weights: list[Path]) -> str | None:
    """The digest that the loaded adapter would have; None for pickles, which are not opened here."""
    row = ARCHITECTURES.get(said.backbone.model_type)
    if row is None or not (folder / "adapter.safetensors").is_file():
        return None
    there = list(read_header(folder / "adapter.safetensors"))
    layers = keys.layer_numbers(row, said.name, [keys.modern(key) for key in there])
    names = keys.adapter_keys(row, said.name, layers, said.config)
    rename = {key: names.get(keys.with_prefix(keys.modern(key), row), key) for key in there}
    if head is not None:
        rename |= keys.head_keys(head[1], head[0])
    return digest_of_files(weights, rename)
