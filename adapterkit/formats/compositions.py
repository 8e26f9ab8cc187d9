"""Composition folders: ``adapter_setup.json`` with a sub-folder for each adapter and each fusion.

The format is AdapterHub's (``save_adapter_setup``); what is written here loads there. What the files say is read in
`setup` and `fusions`. `Rows` are no folder: they are made for a batch.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapterkit.composition.adapter import Adapter
from adapterkit.composition.average import Average
from adapterkit.composition.base import Composition, Value
from adapterkit.composition.fuse import Fuse
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig
from adapterkit.errors import AdapterMismatch, ConfigError, FolderError
from adapterkit.files import folder_in_one_step, write_json
from adapterkit.formats import adapterhub, envelope
from adapterkit.formats.filling import Files, fill
from adapterkit.formats.fusions import Member, describe_fusion, fusion_keys, fusion_record
from adapterkit.formats.guard import FUSION_CONFIG, FUSION_WEIGHTS, SETUP
from adapterkit.formats.pins import CLEARED
from adapterkit.formats.setup import SINGLE, Part, read_setup, sub_folder
from adapterkit.formats.values import check_name, plain_file_name
from adapterkit.nn.fusion import FusionLayers
from adapterkit.tensorfile import write_tensors


def load_composition(folder: str | Path) -> Composition:
    """Load a composition folder.

    Returns:
        A `Stack`, an `Average` or a `Fuse`, as the folder says.

    Raises:
        FolderError: If it is incomplete, contradicts itself, or names a composition that we do not compute.
    """
    place = Path(folder).expanduser()
    setup = read_setup(place)
    adapters = {part.name: _adapter(place, part.name) for part in setup.root.all(SINGLE)}
    try:
        composition = _build(place, setup.root, adapters)
    except (ConfigError, AdapterMismatch) as error:
        raise FolderError(f"{place / SETUP}: {error}") from None
    if setup.head is not None and composition.head is None:
        raise FolderError(
            f"{place / SETUP}: head_setup = {setup.head!r}: there is no such head, or others than it beside"
        )
    return composition


def _adapter(place: Path, name: str) -> Adapter:
    adapter = adapterhub.read_folder(sub_folder(place, name))
    # As the library has it: in a composition an adapter goes by its sub-folder's name.
    adapter.name = name
    return adapter


def _build(place: Path, part: Part, adapters: Mapping[str, Adapter]) -> Composition:
    if part.kind == SINGLE:
        return adapters[part.name]
    if part.kind == "Fuse":
        return _fuse(place, part.name, [adapters[one.name] for one in part.parts])
    parts = [_build(place, one, adapters) for one in part.parts]
    return Stack(*parts) if part.kind == "Stack" else Average(*parts, weights=part.weights)


def _fuse(place: Path, name: str, adapters: list[Adapter]) -> Fuse:
    folder, files = sub_folder(place, name), Files()
    told = describe_fusion(folder, _members(adapters), files.facts)
    values = files.values(told.weights)
    layers = FusionLayers(told.config, adapters[0].backbone.width, told.places)
    fill(dict(layers.state_dict()), values)
    width = adapters[0].backbone.width
    head = adapterhub.read_separate_head(folder, width) if told.head is not None else None
    return Fuse(*adapters, layers=layers.eval(), head=head)


def _members(adapters: list[Adapter]) -> list[Member]:
    """The adapters of a fuse as plain facts.

    Raises:
        ConfigError: If one is no bottleneck.
    """
    members = []
    for adapter in adapters:
        if not isinstance(adapter.config, BottleneckConfig):
            raise ConfigError(f"adapter {adapter.name!r} is no bottleneck: only such can be fused")
        members.append(Member(adapter.name, adapter.config, adapter.backbone))
    return members


def save_composition(composition: Composition, folder: str | Path) -> Path:
    """Write a composition folder that adapters 1.3.0 reads too, in one step, and return the folder.

    Raises:
        ConfigError: If it is a `Rows` or holds nothing, two different things in it would have one
            name, or a name cannot be a sub-folder's.
    """
    place = Path(folder).expanduser()
    if not isinstance(composition, Adapter | Value):
        raise ConfigError(
            f"a composition is needed, not {type(composition).__name__} ({composition!r:.60}): "
            "save_composition(Stack(a, b), folder)"
        )
    whole: Composition = Stack(composition) if isinstance(composition, Adapter) else composition
    tree, fuses = _tree(whole), {_name(fuse): fuse for fuse in _fuses(whole)}
    _check_names(whole)
    with folder_in_one_step(place, owned=CLEARED) as new:
        for adapter in {adapter.name: adapter for adapter in whole.adapters}.values():
            adapterhub.save_adapter(adapter, new / adapter.name)
        for name, fuse in fuses.items():
            _save_fusion(fuse, new / name)
        write_json(
            new / SETUP,
            {
                "adapter_setup": tree,
                "head_setup": _head_name(whole) if whole.head is not None else None,
                "version": envelope.VERSION,
            },
        )
    return place


def _check_names(composition: Composition) -> None:
    """Each sub-folder has a name that can be one, and each name one content.

    Raises:
        ConfigError: That names the one that is wrong.
    """
    for adapter in composition.adapters:
        check_name(adapter.name)
    parts: list[tuple[str, Composition]] = [(one.name, one) for one in composition.adapters]
    parts += [(_name(fuse), fuse) for fuse in _fuses(composition)]
    contents: dict[str, tuple[object, ...]] = {}
    for name, part in parts:
        if not plain_file_name(name):
            raise ConfigError(
                f"{name!r:.80}: cannot be the name of a sub-folder; rename an adapter"
            )
        if contents.setdefault(name, part.content()) != part.content():
            what = "adapters" if isinstance(part, Adapter) else "fuses"
            raise ConfigError(f"two different {what} are both named {name!r}; rename one")


def _tree(composition: Composition) -> dict[str, Any]:
    if isinstance(composition, Adapter):
        return {"type": SINGLE, "children": [composition.name]}
    if not isinstance(composition, Stack | Average | Fuse):
        raise ConfigError("Rows are made for a batch and have no folder; save their compositions")
    if not composition.parts:
        raise ConfigError("an empty Stack is the bare backbone; there is nothing to save")
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


def _name(fuse: Fuse) -> str:
    return ",".join(adapter.name for adapter in fuse.adapters)


def _head_name(composition: Composition) -> str:
    """The sub-folder of the head that the whole has: the last part's."""
    if isinstance(composition, Stack | Average):
        return _head_name(composition.parts[-1])
    return _name(composition) if isinstance(composition, Fuse) else composition.adapters[0].name


def _save_fusion(fuse: Fuse, folder: Path) -> None:
    members, config = _members(list(fuse.adapters)), fuse.layers.config
    tensors = dict(fuse.layers.state_dict())
    places = [(str(p), int(n)) for p, n in (key.split("/") for key in fuse.layers.layers)]
    named = fusion_keys(members, config, places)
    write_tensors(folder / FUSION_WEIGHTS[0], {key: tensors[ours] for key, ours in named.items()})
    write_json(folder / FUSION_CONFIG, fusion_record(members, config))
    if fuse.head is not None:
        adapterhub.write_head(fuse.head, folder.name, members[0].backbone, folder)


def is_composition(folder: Path) -> bool:
    """Whether ``folder`` holds a composition."""
    return (folder / SETUP).is_file()
