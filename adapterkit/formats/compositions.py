"""Composition folders: ``adapter_setup.json`` with a sub-folder for each adapter and each fusion.

The format is AdapterHub's (``save_adapter_setup``); what is written here loads there. A fusion's folder, named like the
fused adapters joined with commas, holds ``adapter_fusion_config.json`` and ``model_adapter_fusion.safetensors``, and the head
that was trained with it. `Rows` are no folder: they are made for a batch.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapterkit.backbone.architectures import architecture
from adapterkit.composition.adapter import Adapter
from adapterkit.composition.average import Average
from adapterkit.composition.base import Composition
from adapterkit.composition.fuse import Fuse, fusion_places
from adapterkit.composition.stack import Stack
from adapterkit.config import FusionConfig
from adapterkit.errors import ConfigError, FolderError, found
from adapterkit.files import read_json, write_json
from adapterkit.formats import adapterhub, envelope
from adapterkit.formats.filling import fill_module, weights_of
from adapterkit.formats.guard import SETUP
from adapterkit.formats.keys import tower_of
from adapterkit.nn.fusion import FusionLayers
from adapterkit.nn.heads import Head
from adapterkit.tensorfile import write_tensors

FUSION = "adapter_fusion_config.json"
FUSION_WEIGHTS = ("model_adapter_fusion.safetensors", "pytorch_model_adapter_fusion.bin")
_KINDS = ("Stack", "Average", "Fuse")
_INSTEAD = {
    "BatchSplit": "say ak.Rows([...]) and rows=[...] when calling the model",
    "MultiTask": "say ak.Rows([...]) and rows=[...] when calling the model",
    "Parallel": "run ak.Rows over the repeated input",
    "Split": "it splits a sentence at fixed tokens and has no counterpart",
}
_SWITCHES = ("query", "key", "value", "query_before_ln", "residual_before", "value_before_softmax")
_OTHERS = ("value_initialized", "regularization", "dropout_prob", "temperature")
_MAX_DEPTH = 8


def load_composition(folder: str | Path) -> Composition:
    """Load a composition folder.

    Returns:
        A `Stack`, an `Average` or a `Fuse`, as the folder says.

    Raises:
        FolderError: If it is incomplete, or names a composition that we do not compute.
    """
    place = Path(folder)
    record = read_json(place / SETUP)
    tree = record.get("adapter_setup")
    if not isinstance(tree, dict):
        raise FolderError(f"{place / SETUP}: 'adapter_setup' must describe a composition")
    try:
        return _build(place, tree, 0)
    except ConfigError as error:
        raise FolderError(f"{place / SETUP}: {error}") from None


def _build(place: Path, tree: Mapping[str, Any], depth: int) -> Composition:
    kind, children = tree.get("type"), tree.get("children")
    if depth > _MAX_DEPTH or not isinstance(children, list):
        raise FolderError(f"{place / SETUP}: {tree!r:.80} is no composition")
    if kind == "single" and len(children) == 1:
        return adapterhub.read_folder(_inside(place, children[0]))
    if kind in _INSTEAD:
        raise FolderError(f"{place / SETUP}: a {kind} is not supported; {_INSTEAD[kind]}")
    if kind not in _KINDS:
        raise FolderError(
            f"{place / SETUP}: {kind!r:.40} is not known; there are: {', '.join(_KINDS)}"
        )
    parts = [_build(place, child, depth + 1) for child in children if isinstance(child, dict)]
    if kind == "Stack":
        return Stack(*parts)
    if kind == "Average":
        weights = (tree.get("kwargs") or {}).get("weights")
        return Average(*parts, weights=tuple(weights) if weights else None)
    return _fuse(place, parts)


def _inside(place: Path, name: object) -> Path:
    if (
        not isinstance(name, str)
        or not name
        or name.startswith(".")
        or {"/", "\\", "\0"} & set(name)
    ):
        raise FolderError(f"{place / SETUP}: {name!r:.60} cannot be the name of a sub-folder")
    folder = place / name
    if not folder.is_dir():
        raise FolderError(f"{folder}: named in {SETUP} and not there")
    if not Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(place)):
        raise FolderError(f"{folder}: leads out of the composition's folder")
    return folder


def _fuse(place: Path, parts: list[Composition]) -> Fuse:
    adapters = [part for part in parts if isinstance(part, Adapter)]
    if len(adapters) < len(parts) or not adapters:
        raise FolderError(f"{place / SETUP}: a Fuse holds single adapters, found {parts!r:.100}")
    folder = _inside(place, ",".join(adapter.name for adapter in adapters))
    config = read_fusion_config(folder / FUSION)
    first = adapters[0].backbone
    layers = FusionLayers(config, first.width, fusion_places(tuple(adapters)))
    fill_module(
        folder / FUSION_WEIGHTS[0],
        dict(layers.state_dict()),
        weights_of(folder, FUSION_WEIGHTS),
        fusion_keys(adapters, layers),
    )
    head = None
    if (folder / "head_config.json").is_file():
        head = adapterhub.read_separate_head(folder, first.width)
    return Fuse(*adapters, layers=layers.eval(), head=head)


def read_fusion_config(path: Path) -> FusionConfig:
    """Read ``adapter_fusion_config.json``.

    Raises:
        FolderError: If it says something that we would compute differently.
    """
    config = read_json(path).get("config")
    if not isinstance(config, dict):
        raise FolderError(f"{path}: 'config' must be an object")
    problems = [
        f"{key} = {value!r:.60}: unknown key"
        for key, value in config.items()
        if key not in (*_SWITCHES, *_OTHERS) and value
    ]
    problems += [
        f"{key} = {config.get(key)!r:.60}: true or false is needed"
        for key in _SWITCHES
        if not isinstance(config.get(key, False), bool)
    ]
    if config.get("temperature"):
        problems.append(
            "temperature = True: it changes with every call, there is nothing to reproduce"
        )
    if not any(config.get(key) for key in ("query", "key", "value")):
        problems.append("query, key and value are all false: there is nothing to fuse by")
    if problems:
        raise FolderError(
            f"{path}: this fusion cannot be reproduced exactly, so it is refused:{found(problems)}"
        )
    return FusionConfig(
        **{key: bool(config.get(key, False)) for key in _SWITCHES},
        value_initialized=bool(config.get("value_initialized")),
        regularization=bool(config.get("regularization")),
        dropout_prob=float(config.get("dropout_prob") or 0.0),
    )


def fusion_keys(adapters: list[Adapter], layers: FusionLayers) -> dict[str, str]:
    """Our name of every tensor of a fusion, by AdapterHub's key."""
    row = architecture(adapters[0].backbone.model_type)
    name = ",".join(adapter.name for adapter in adapters)
    keys = {}
    for ours in layers.state_dict():
        _, where, *rest = ours.split(".")
        place, layer = where.split("/")
        tower, number = tower_of(row, adapters[0].backbone, int(layer))
        site = tower.attention if place == "attention" else tower.output
        # "...output.adapters" holds adapters, "...output.adapter_fusion_layer" the fusions over them.
        key = f"{site.key.removesuffix('adapters')}adapter_fusion_layer"
        keys[f"{row.prefix}.{tower.layers}.{number}.{key}.{name}.{'.'.join(rest)}"] = ours
    return keys


def save_composition(composition: Composition, folder: str | Path) -> Path:
    """Write a composition folder that adapters 1.3.0 reads too.

    Raises:
        ConfigError: If it is a `Rows`, or two different adapters in it have one name.
    """
    place = Path(folder)
    names: dict[str, str] = {}
    for adapter in composition.adapters:
        if names.setdefault(adapter.name, adapter.digest()) != adapter.digest():
            raise ConfigError(f"two different adapters are both named {adapter.name!r}; rename one")
    tree = _tree(composition if not isinstance(composition, Adapter) else Stack(composition))
    for adapter in composition.adapters:
        adapterhub.save_adapter(adapter, place / adapter.name)
    heads = [_save_fusion(fuse, place) for fuse in _fuses(composition)]
    last = composition.head
    name = next((name for name, head in heads if head is not None and head is last), None)
    if name is None and last is not None:
        name = next((a.name for a in composition.adapters if a.head is last), None)
    write_json(
        place / SETUP, {"adapter_setup": tree, "head_setup": name, "version": envelope.VERSION}
    )
    return place


def _tree(composition: Composition) -> dict[str, Any]:
    if isinstance(composition, Adapter):
        return {"type": "single", "children": [composition.name]}
    if not isinstance(composition, Stack | Average | Fuse):
        raise ConfigError("Rows are made for a batch and have no folder; save their compositions")
    tree: dict[str, Any] = {
        "type": type(composition).__name__,
        "children": [_tree(part) for part in composition.parts],
    }
    if isinstance(composition, Average):
        tree["kwargs"] = {"weights": list(composition.weights)}
    return tree


def _fuses(composition: Composition) -> list[Fuse]:
    if isinstance(composition, Fuse):
        return [composition]
    parts = composition.parts if isinstance(composition, Stack | Average) else ()
    return [fuse for part in parts for fuse in _fuses(part)]


def _save_fusion(fuse: Fuse, place: Path) -> tuple[str, Head | None]:
    adapters = list(fuse.adapters)
    name = ",".join(adapter.name for adapter in adapters)
    tensors = dict(fuse.layers.state_dict())
    named = {key: tensors[ours] for key, ours in fusion_keys(adapters, fuse.layers).items()}
    write_tensors(place / name / FUSION_WEIGHTS[0], named)
    facts, config = adapters[0].backbone, fuse.layers.config
    record = {
        key: getattr(config, key) for key in (*_SWITCHES, "value_initialized", "regularization")
    }
    # The library keeps a string there; an empty one is false.
    record |= {"temperature": False, "dropout_prob": config.dropout_prob or None}
    whole = envelope.envelope_record(name, record, facts)
    whole |= {"adapter_names": [adapter.name for adapter in adapters]}
    write_json(place / name / FUSION, whole)
    if fuse.head is not None:
        adapterhub.write_head(fuse.head, name, facts, place / name)
    return name, fuse.head


def is_composition(folder: Path) -> bool:
    """Whether ``folder`` holds a composition."""
    return (folder / SETUP).is_file()
