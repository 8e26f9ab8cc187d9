"""Changing adapter folders: small edits that the tests of broken and of odd folders are made from."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from adapterkit.backbone.frozen import Backbone
from adapterkit.composition.adapter import new_adapter
from adapterkit.config import BottleneckConfig, HeadConfig
from adapterkit.formats.adapterhub import save_adapter
from adapterkit.tensorfile import read_tensors, write_tensors

WEIGHTS, HEAD = "adapter.safetensors", "model_head.safetensors"
UP = "roberta.encoder.layer.0.output.adapters.pos.adapter_up.weight"
F0 = "roberta.invertible_adapters.pos.F.0.weight"
Edit = Callable[[Path], None]


def make_folder(backbone: Backbone, place: Path) -> Path:
    """A tagger with a coupling: every file, and every part of an adapter."""
    made = new_adapter(
        "pos",
        BottleneckConfig(4, invertible=True, leave_out=(2,)),
        backbone=backbone.facts,
        kind="task",
        head=HeadConfig("tagging", ("ADJ", "NOUN", "VERB")),
        seed=4,
    )
    made.provenance = {"seed": 4}
    return save_adapter(made, place)


def bare(folder: Path) -> None:
    """Take away `adapterkit.json`, so that it is not the checksums that notice an edit."""
    (folder / "adapterkit.json").unlink(missing_ok=True)


def edit_json(name: str, change: Callable[[dict[str, Any]], object]) -> Edit:
    """An edit of one JSON file."""

    def edit(folder: Path) -> None:
        record = json.loads((folder / name).read_text())
        change(record)
        (folder / name).write_text(json.dumps(record))
        if name != "adapterkit.json":
            bare(folder)

    return edit


def config(**values: object) -> Edit:
    """An edit of the adapter's ``config``."""
    return edit_json("adapter_config.json", lambda record: record["config"].update(values))


def envelope(**values: object) -> Edit:
    """An edit of what stands around it."""
    return edit_json("adapter_config.json", lambda record: record.update(values))


def head(**values: object) -> Edit:
    """An edit of the head's ``config``."""
    return edit_json("head_config.json", lambda record: record["config"].update(values))


def own(**values: object) -> Edit:
    """An edit of `adapterkit.json`."""
    return edit_json("adapterkit.json", lambda record: record.update(values))


def tensors(
    change: Callable[[dict[str, torch.Tensor]], object], name: str = WEIGHTS, **metadata: str
) -> Edit:
    """An edit of a weight file's tensors."""

    def edit(folder: Path) -> None:
        found = read_tensors(folder / name)
        change(found)
        write_tensors(folder / name, found, metadata or None)
        bare(folder)

    return edit


def put(key: str, tensor: torch.Tensor, name: str = WEIGHTS) -> Edit:
    """An edit of one tensor."""
    return tensors(lambda found: found.update({key: tensor}), name)


def renamed(change: Callable[[str], str]) -> Edit:
    """An edit of all keys of the adapter's weights."""

    def rename(found: dict[str, torch.Tensor]) -> None:
        new = {change(key): tensor for key, tensor in found.items()}
        found.clear()
        found.update(new)

    return tensors(rename)


def pickled(folder: Path) -> None:
    """Turn the safetensors files into what old libraries wrote."""
    for new, old in ((WEIGHTS, "pytorch_adapter.bin"), (HEAD, "pytorch_model_head.bin")):
        torch.save(read_tensors(folder / new), folder / old)
        (folder / new).unlink()
    bare(folder)


def pickle_of(thing: object, *, zipped: bool = True) -> Edit:
    """An old weight file that holds ``thing``."""

    def edit(folder: Path) -> None:
        pickled(folder)
        path = folder / "pytorch_adapter.bin"
        torch.save(thing, path, _use_new_zipfile_serialization=zipped)

    return edit


def raw(name: str, data: bytes) -> Edit:
    """A file with other bytes."""

    def edit(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_bytes(data)
        bare(folder)

    return edit


def headed(change: Callable[[dict[str, Any]], object], rest: bytes | None = None) -> Edit:
    """An edit of the safetensors header alone; the tensors' bytes stay as they are."""

    def edit(folder: Path) -> None:
        data = (folder / WEIGHTS).read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + length])
        change(header)
        text = json.dumps(header).encode()
        body = data[8 + length :] if rest is None else rest
        (folder / WEIGHTS).write_bytes(struct.pack("<Q", len(text)) + text + body)
        bare(folder)

    return edit


def in_turn(*edits: Edit) -> Edit:
    """Several edits."""

    def edit(folder: Path) -> None:
        for one in edits:
            one(folder)

    return edit


def copy_of(folder: Path, place: Path) -> Path:
    """A copy to edit."""
    return Path(shutil.copytree(folder, place, symlinks=True))
