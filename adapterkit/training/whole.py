"""A backbone that is trained whole: a real copy of the one that was given, its file, and loading it again."""

import copy
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adapterkit.backbone.frozen import Backbone
from adapterkit.composition.adapter import NO_BOTTLENECKS, Adapter, new_adapter
from adapterkit.composition.base import placed
from adapterkit.composition.stack import Stack
from adapterkit.config import HeadConfig
from adapterkit.errors import AdapterMismatch, ConfigError, FolderError
from adapterkit.header import read_metadata
from adapterkit.model import AdaptedModel
from adapterkit.seeds import derive
from adapterkit.tensorfile import read_tensors, write_tensors

WHOLE = "backbone.safetensors"


@dataclass(frozen=True)
class Whole:
    """A trained copy of a backbone.

    Attributes:
        backbone: The copy, frozen again; its digest is its own.
        adapter: The head on it, as an adapter without bottlenecks; None after more pre-training.
        provenance: How it was made (plain JSON values).
        parameters: Numbers trained.
    """

    backbone: Backbone
    adapter: Adapter | None
    provenance: dict[str, Any]
    parameters: int

    def model(self) -> AdaptedModel:
        """The copy with its head, as any model is scored."""
        return AdaptedModel(self.backbone, Stack(*([self.adapter] if self.adapter else [])))


def load_whole(folder: str | Path, backbone: Backbone) -> Whole:
    """Load a trained copy.

    Args:
        folder: Where `fine_tune` or `continue_pretraining` wrote it.
        backbone: The backbone whose copy it is.

    Raises:
        FolderError: If there is none, or it cannot be read.
        AdapterMismatch: If it is a copy of another backbone.
    """
    path = Path(folder) / WHOLE
    if not path.is_file():
        raise FolderError(f"{folder}: holds no backbone that was trained whole, it has no {WHOLE}")
    try:
        record = json.loads(read_metadata(path)["adapterkit"])
        labels = record["head"]
        architecture = record["backbone"]
    except (KeyError, ValueError, OSError) as error:
        raise FolderError(f"{path}: holds no backbone that was trained whole ({error!r})") from None
    if architecture != _shape(backbone):
        raise AdapterMismatch(
            f"{path} is a copy of {architecture}, the backbone is {_shape(backbone)}"
        )
    whole = real_copy(backbone)
    adapter = None
    if labels is not None:
        adapter = head_on(whole, HeadConfig(**{**labels, "labels": tuple(labels["labels"])}), 0)
    with torch.no_grad():
        stored = read_tensors(path)
        for name, tensor in _named(whole, adapter).items():
            tensor.copy_(stored[name])
    whole.model.requires_grad_(False)
    facts = replace(
        whole.facts, name=f"{backbone.name} (trained whole)", digest=whole.digest_in_memory()
    )
    whole = replace(whole, facts=facts)
    if adapter is not None:
        adapter.backbone = facts
        adapter.eval()
    count = sum(tensor.numel() for tensor in stored.values())
    return Whole(whole, adapter, record["provenance"], count)


def real_copy(backbone: Backbone) -> Backbone:
    """The same backbone over tensors of its own, in float32, all of which learn."""
    if backbone.dtype not in (torch.float32, torch.float64):
        raise ConfigError("a backbone is trained whole in float32: load it with dtype='float32'")
    model = copy.deepcopy(backbone.model)
    for parameter in model.parameters():
        parameter.requires_grad_(parameter.is_floating_point())
    return replace(backbone, model=model)


def head_on(whole: Backbone, head: HeadConfig, seed: int) -> Adapter:
    """A fresh head for a copy, as an adapter without bottlenecks."""
    adapter = new_adapter(
        "head",
        NO_BOTTLENECKS,
        backbone=whole.facts,
        kind="task",
        head=head,
        seed=derive(seed, "init"),
    )
    return placed(adapter, whole.device, whole.adapter_dtype)


def _named(whole: Backbone, adapter: Adapter | None) -> dict[str, Tensor]:
    """Every trained tensor once, by name; tied ones have one."""
    named: dict[str, Tensor] = {f"backbone.{name}": p for name, p in whole.model.named_parameters()}
    if adapter is not None:
        named |= {f"head.{name}": p for name, p in adapter.named_parameters()}
    return named


def _shape(backbone: Backbone) -> dict[str, Any]:
    facts = backbone.facts
    return {"model_type": facts.model_type, "width": facts.width, "layers": facts.layers}


def save_whole(
    folder: Path, whole: Backbone, adapter: Adapter | None, provenance: dict[str, Any]
) -> None:
    """Write every tensor of a copy and its head once, with how it was made, for `load_whole`."""
    head = None
    if adapter is not None and adapter.head is not None:
        head = {**asdict(adapter.head.config), "labels": list(adapter.labels)}
    record = {"head": head, "backbone": _shape(whole), "provenance": provenance}
    write_tensors(
        folder / WHOLE,
        _named(whole, adapter),
        {"adapterkit": json.dumps(record, sort_keys=True)},
    )
