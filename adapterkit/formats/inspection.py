"""What an adapter folder is, without loading it: no torch, no tensor read but to hash its bytes."""

from collections.abc import Iterable
from dataclasses import asdict
from math import prod
from pathlib import Path
from typing import Any

from adapterkit.config import BackboneFacts, LowRankConfig
from adapterkit.errors import FolderError
from adapterkit.files import read_json, sha256_of
from adapterkit.formats import peft_description
from adapterkit.formats.description import Weights, describe, digest
from adapterkit.formats.fusions import Member, describe_fusion
from adapterkit.formats.guard import CONFIG, OWNED, SETUP, check_folder
from adapterkit.formats.hub_lora_config import is_hub_lora
from adapterkit.formats.peft_description import describe_peft
from adapterkit.formats.pins import is_stack, read_pins
from adapterkit.formats.setup import SINGLE, Part, read_setup, sub_folder
from adapterkit.header import FLOATS, TensorFacts, read_header

_SHOWN = (*OWNED, "README.md")


def inspect(folder: Path) -> dict[str, Any]:
    """Describe an adapter folder, or a composition folder, as plain values. It is read as strictly as for loading.

    Old pickles are not opened: of them there are only the name, the size and the sha256. (A LoRA in AdapterHub's
    layout is loaded, its pickle as carefully as ever: only so are its weights known by our names.)

    Returns:
        kind, method, language, labels, backbone, reduction factor, layers, parameters, files with
        sha256, digest (of the weights; equal to the loaded adapter's), provenance, and under
        ``provenance: envelope`` what the configuration file says besides.

    Raises:
        FolderError: If there is no adapter in it, or it could not be loaded.
    """
    check_folder(folder)
    if is_stack(folder):
        return _stack(folder)
    return _composition(folder) if (folder / SETUP).is_file() else _adapter(folder)


def _stack(folder: Path) -> dict[str, Any]:
    pins = asdict(read_pins(folder))
    return {"kind": "stack", **pins, "parts": [dict(part) for part in pins["parts"]]}


def _adapter(folder: Path) -> dict[str, Any]:
    check_folder(folder)
    if (folder / SETUP).is_file():
        raise FolderError(f"{folder}: a composition folder cannot stand inside another one")
    if not (folder / CONFIG).is_file():
        raise FolderError(f"{folder}: is no adapter folder, it has no {CONFIG}")
    if "peft_type" in read_json(folder / CONFIG):
        return _peft(folder)
    if is_hub_lora(folder):
        return _hub_lora(folder)
    told = describe(folder, _facts)
    config, head = told.envelope.config, told.head
    return {
        "name": told.envelope.name,
        "kind": told.own.get("kind")
        or ("task" if head else "language" if config.invertible else "unknown"),
        "method": "bottleneck" + (" + invertible" if config.invertible else ""),
        "language": told.own.get("language", ""),
        "labels": list(head.config.labels) if head else [],
        "head": head.config.head_type if head else None,
        "backbone": _backbone(told.backbone),
        "reduction_factor": config.reduction_factor,
        "non_linearity": config.non_linearity,
        "leave_out": list(config.leave_out),
        "embedding_rows": told.own.get("embedding_rows", 0),
        "parameters": _parameters((told.weights, told.head_weights, told.rows)),
        "files": _files(folder),
        "digest": digest(told),
        "provenance": told.provenance,
    }


def _peft(folder: Path) -> dict[str, Any]:
    told = describe_peft(folder, _facts)
    head = told.head.config if told.head else None
    return {
        "name": told.name,
        "kind": told.own.get("kind") or ("task" if head else "unknown"),
        "method": str(told.record["peft_type"]).lower(),
        "language": told.own.get("language", ""),
        "labels": list(head.labels) if head else [],
        "head": head.head_type if head else None,
        "backbone": _backbone(told.backbone),
        "reduction_factor": None,
        "rank": told.record.get("r"),
        "alpha": told.record.get("lora_alpha"),
        "targets": told.record["target_modules"],
        "parameters": _parameters((told.weights,)),
        "files": _files(folder),
        "digest": peft_description.digest(told),
        "provenance": told.provenance,
    }


def _hub_lora(folder: Path) -> dict[str, Any]:
    """A LoRA in AdapterHub's layout: it is loaded, for only so are its weights known by our names."""
    from adapterkit.formats.hub_lora import read_hub_lora

    adapter = read_hub_lora(folder)
    config = adapter.config
    assert isinstance(config, LowRankConfig)
    head = adapter.head.config if adapter.head is not None else None
    return {
        "name": adapter.name,
        "kind": adapter.kind or "unknown",
        "method": config.method,
        "language": adapter.language,
        "labels": list(adapter.labels),
        "head": head.head_type if head else None,
        "backbone": _backbone(adapter.backbone),
        "reduction_factor": None,
        "rank": config.rank or None,
        "alpha": config.alpha or None,
        "targets": list(config.targets),
        "parameters": adapter.parameter_count(),
        "files": _files(folder),
        "digest": adapter.digest(),
        "provenance": adapter.provenance,
    }


def _backbone(facts: BackboneFacts) -> dict[str, Any]:
    decoder = {"decoder_layers": facts.decoder_layers} if facts.decoder_layers else {}
    return {
        "name": facts.name or None,
        "type": facts.model_type or None,
        "width": facts.width or None,
        "layers": facts.layers or None,
        **decoder,
        "digest": facts.digest or None,
    }


def _composition(folder: Path) -> dict[str, Any]:
    """A composition folder: how it is put together, and each adapter and fusion that it names."""
    setup = read_setup(folder)
    adapters = {part.name: sub_folder(folder, part.name) for part in setup.root.all(SINGLE)}
    told = {name: _adapter(place) for name, place in adapters.items()}
    fusions = {fuse.name: _fusion(folder, fuse) for fuse in setup.root.all("Fuse")}
    if setup.head is not None:
        carrier = {**told, **fusions}[setup.head]
        if carrier["head"] is None and carrier["parameters"] is not None:
            raise FolderError(
                f"{folder / SETUP}: head_setup = {setup.head!r}: there is no such head"
            )
    return {
        "kind": "composition",
        "setup": read_json(folder / SETUP)["adapter_setup"],
        "head": setup.head,
        "adapters": told,
        "fusions": fusions,
        "files": _files(folder),
    }


def _fusion(folder: Path, fuse: Part) -> dict[str, Any]:
    place = sub_folder(folder, fuse.name)
    members = [_member(folder / part.name, part.name) for part in fuse.parts]
    told = describe_fusion(place, members, _facts)
    return {
        "labels": list(told.head.config.labels) if told.head else [],
        "head": told.head.config.head_type if told.head else None,
        "parameters": _parameters((told.weights, told.head_weights)),
        "files": _files(place),
    }


def _member(folder: Path, name: str) -> Member:
    if "peft_type" in read_json(folder / CONFIG):
        raise FolderError(f"{folder}: is no bottleneck adapter: only such can be fused")
    told = describe(folder, _facts)
    return Member(name, told.envelope.config, told.backbone)


def _facts(path: Path) -> dict[str, TensorFacts] | None:
    return read_header(path) if path.suffix == ".safetensors" else None


def _parameters(files: Iterable[Weights | None]) -> int | None:
    """Numbers in the tensors that are read; None where a file stayed closed."""
    count = 0
    for weights in files:
        if weights is None:
            continue
        facts = _facts(weights.path)
        if facts is None:
            return None
        # Token ids are no parameters.
        first = {name: key for key, name in weights.names.items() if facts[key].dtype in FLOATS}
        count += sum(prod(facts[key].shape) for key in first.values())
    return count


def _files(folder: Path) -> dict[str, dict[str, Any]]:
    there = [folder / name for name in _SHOWN if (folder / name).is_file()]
    return {path.name: {"bytes": path.stat().st_size, "sha256": sha256_of(path)} for path in there}
