"""What an adapter folder is, without loading it: no torch, no tensor read but to hash its bytes."""

from math import prod
from pathlib import Path
from typing import Any

from adapterkit.errors import FolderError
from adapterkit.files import read_json, sha256_of
from adapterkit.formats.description import Description, describe, digest
from adapterkit.formats.guard import CONFIG, READ, SETUP, check_folder
from adapterkit.formats.own import read_own, recorded_backbone
from adapterkit.formats.peft_config import read_config
from adapterkit.header import TensorFacts, read_header

_SHOWN = (*READ, "README.md")


def inspect(folder: Path) -> dict[str, Any]:
    """Describe an adapter folder as plain values. It is read as strictly as for loading.

    Old pickles are not opened: of them there are only the name, the size and the sha256.

    Returns:
        kind, method, language, labels, backbone, reduction factor, layers, parameters, files with
        sha256, digest (of the weights; equal to the loaded adapter's), provenance, and under
        ``provenance: envelope`` what the configuration file says besides.

    Raises:
        FolderError: If there is no adapter in it, or it could not be loaded.
    """
    if (folder / SETUP).is_file():
        return _composition(folder)
    if not (folder / CONFIG).is_file():
        raise FolderError(f"{folder}: is no adapter folder, it has no {CONFIG}")
    if "peft_type" in read_json(folder / CONFIG):
        return _peft(folder)
    told = describe(folder, _facts)
    config, backbone, head = told.envelope.config, told.backbone, told.head
    return {
        "name": told.envelope.name,
        "kind": told.own.get("kind")
        or ("task" if head else "language" if config.invertible else "unknown"),
        "method": "bottleneck" + (" + invertible" if config.invertible else ""),
        "language": told.own.get("language", ""),
        "labels": list(head.config.labels) if head else [],
        "head": head.config.head_type if head else None,
        "backbone": {
            "name": backbone.name,
            "type": backbone.model_type,
            "width": backbone.width,
            "layers": backbone.layers or None,
            "digest": backbone.digest or None,
        },
        "reduction_factor": config.reduction_factor,
        "non_linearity": config.non_linearity,
        "leave_out": list(config.leave_out),
        "parameters": _parameters(told),
        "files": _files(folder),
        "digest": digest(told),
        "provenance": told.provenance,
    }


def _peft(folder: Path) -> dict[str, Any]:
    """A LoRA or IA3 folder; its tensors are compared with a backbone when it is put on one."""
    check_folder(folder)
    record, own = read_config(folder / CONFIG), read_own(folder)
    facts = recorded_backbone(folder, own)
    path = folder / "adapter_model.safetensors"
    shapes = [fact.shape for fact in read_header(path).values()] if path.is_file() else []
    return {
        "name": own.get("name") or folder.name,
        "kind": own.get("kind") or "unknown",
        "method": str(record["peft_type"]).lower(),
        "language": own.get("language", ""),
        "labels": own.get("labels", []),
        "backbone": {
            "name": facts.name if facts else record.get("base_model_name_or_path"),
            "type": facts.model_type if facts else None,
            "width": facts.width if facts else None,
            "layers": facts.layers if facts else None,
            "digest": facts.digest if facts else None,
        },
        "reduction_factor": None,
        "rank": record.get("r"),
        "alpha": record.get("lora_alpha"),
        "targets": record["target_modules"],
        "parameters": sum(prod(shape) for shape in shapes) if shapes else None,
        "files": _files(folder, (*_SHOWN, "adapter_model.safetensors", "adapter_model.bin")),
        "digest": own.get("digest"),
        "provenance": own.get("provenance", {}),
    }


def _composition(folder: Path) -> dict[str, Any]:
    """A composition folder: its tree, and each adapter in it."""
    tree = read_json(folder / SETUP).get("adapter_setup")
    inside = [place for place in sorted(folder.iterdir()) if (place / CONFIG).is_file()]
    return {
        "kind": "composition",
        "setup": tree,
        "adapters": {place.name: inspect(place) for place in inside},
        "files": _files(folder, (SETUP,)),
    }


def _facts(path: Path) -> dict[str, TensorFacts] | None:
    return read_header(path) if path.suffix == ".safetensors" else None


def _parameters(told: Description) -> int | None:
    """Numbers in its tensors; None where a file stayed closed."""
    count = 0
    for weights in (told.weights, told.head_weights):
        facts = _facts(weights.path) if weights else {}
        if facts is None:
            return None
        first = {weights.names[key]: key for key in facts} if weights else {}
        count += sum(prod(facts[key].shape) for key in first.values())
    return count


def _files(folder: Path, names: tuple[str, ...] = _SHOWN) -> dict[str, dict[str, Any]]:
    there = [folder / name for name in names if (folder / name).is_file()]
    return {path.name: {"bytes": path.stat().st_size, "sha256": sha256_of(path)} for path in there}
