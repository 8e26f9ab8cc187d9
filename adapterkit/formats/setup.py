"""``adapter_setup.json``: what stands in a composition folder and how it is put together, read strictly. No torch."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapterkit.errors import FolderError
from adapterkit.files import read_json
from adapterkit.formats.guard import SETUP, check_folder
from adapterkit.formats.values import number, plain_name

SINGLE = "single"
_INSIDE = {
    "Stack": (SINGLE, "Stack", "Average", "Fuse"),
    "Average": (SINGLE, "Stack", "Average"),
    "Fuse": (SINGLE,),
}
"""Kinds of compositions, and what each may hold."""
_INSTEAD = {
    "BatchSplit": "say ak.Rows([...]) and rows=[...] when calling the model",
    "MultiTask": "say ak.Rows([...]) and rows=[...] when calling the model",
    "Parallel": "run ak.Rows over the repeated input",
    "Split": "it splits a sentence at fixed tokens and has no counterpart",
}
_MAX_DEPTH, _MOST_PARTS = 8, 1000


@dataclass(frozen=True)
class Part:
    """A composition, or an adapter in one.

    Attributes:
        kind: ``single``, ``Stack``, ``Average`` or ``Fuse``.
        name: Of a single adapter and of a fuse: the sub-folder.
        parts: What it holds.
        weights: Of an average, where they are said.
    """

    kind: str
    name: str = ""
    parts: tuple["Part", ...] = ()
    weights: tuple[float, ...] | None = None

    def all(self, kind: str) -> list["Part"]:
        """It and the parts in it that are of ``kind``, in order, each name once."""
        here = [self] if self.kind == kind else []
        inside = [part for one in self.parts for part in one.all(kind)]
        return list({part.name: part for part in (*here, *inside)}.values())

    def heads(self) -> set[str]:
        """The sub-folders whose head can be that of the whole: the last part's."""
        if self.name:
            return {self.name}
        parts = self.parts[-1:] if self.kind == "Stack" else self.parts
        return {name for part in parts for name in part.heads()}


@dataclass(frozen=True)
class Setup:
    """What ``adapter_setup.json`` says.

    Attributes:
        root: The composition.
        head: The sub-folder of the head in use; None where it does not say.
    """

    root: Part
    head: str | None


def read_setup(place: Path) -> Setup:
    """Read the ``adapter_setup.json`` of the folder ``place``.

    Raises:
        FolderError: If there is none, or it describes no composition that we compute.
    """
    check_folder(place)
    record = read_json(place / SETUP)
    try:
        root = _Reader().part(record.get("adapter_setup"), 0)
        if root.kind == SINGLE:
            root = Part("Stack", parts=(root,))
        return Setup(root, _head(record.get("head_setup"), root))
    except ValueError as error:
        raise FolderError(f"{place / SETUP}: {error}") from None


def _head(said: Any, root: Part) -> str | None:
    name = said[0] if isinstance(said, list) and len(said) == 1 else said
    if name is None or name is False:
        return None
    if not isinstance(name, str) or name not in root.heads():
        raise ValueError(
            f"head_setup = {said!r:.80}: only the head of what stands last is read, that is of: "
            f"{', '.join(sorted(root.heads()))}"
        )
    return name


class _Reader:
    """Reads one part after the other, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def part(self, tree: Any, depth: int) -> Part:
        """Read what ``tree`` describes.

        Raises:
            ValueError: If it describes nothing that we compute.
        """
        self.count += 1
        if depth > _MAX_DEPTH or self.count > _MOST_PARTS:
            raise ValueError(f"more than {_MAX_DEPTH} levels or {_MOST_PARTS} parts")
        kind = tree.get("type") if isinstance(tree, dict) else None
        children = tree.get("children") if isinstance(tree, dict) else None
        if not isinstance(kind, str) or not isinstance(children, list) or not children:
            raise ValueError(
                f"{tree!r:.80} describes no composition; a type and its children are needed"
            )
        unknown = sorted(key for key in set(tree) - {"type", "children", "kwargs"} if tree[key])
        if unknown:
            raise ValueError(f"{unknown[0]!r:.60}: unknown key of {kind:.40}")
        if kind in _INSTEAD:
            raise ValueError(f"{kind} is not supported; {_INSTEAD[kind]}")
        kwargs = tree.get("kwargs")
        if kind == SINGLE:
            return _single(children, kwargs)
        if kind not in _INSIDE:
            raise ValueError(f"{kind!r:.40} is not known; there are: {', '.join(_INSIDE)}")
        return _whole(kind, tuple(self.part(child, depth + 1) for child in children), kwargs)


def _single(children: list[Any], kwargs: Any) -> Part:
    name = children[0]
    if len(children) != 1 or kwargs:
        raise ValueError(f"a single adapter has one name and nothing else, found {children!r:.80}")
    if not isinstance(name, str) or not _sub_folder(name):
        raise ValueError(f"{name!r:.60} cannot be the name of a sub-folder")
    return Part(SINGLE, name)


def _sub_folder(name: str) -> bool:
    return plain_name(name) and len(name.encode()) <= 255


def _whole(kind: str, parts: tuple[Part, ...], kwargs: Any) -> Part:
    for part in parts:
        if part.kind not in _INSIDE[kind]:
            raise ValueError(f"{part.kind} inside {kind}: it holds {', '.join(_INSIDE[kind])} only")
    weights = _weights(kind, kwargs, len(parts))
    if kind != "Fuse":
        return Part(kind, parts=parts, weights=weights)
    name = ",".join(part.name for part in parts)
    if len(parts) < 2 or len({part.name for part in parts}) < len(parts):
        raise ValueError(f"a Fuse of {name!r:.80}: at least two different adapters are needed")
    if len(name.encode()) > 255:
        raise ValueError(f"{name!r:.60} cannot be the name of a sub-folder")
    return Part(kind, name, parts)


def _weights(kind: str, kwargs: Any, count: int) -> tuple[float, ...] | None:
    if kwargs is None or kwargs == {}:
        return None
    if not isinstance(kwargs, dict) or kind != "Average":
        raise ValueError(f"kwargs = {kwargs!r:.80}: {kind} has none of this kind")
    unknown = sorted(key for key, value in kwargs.items() if key != "weights" and value)
    weights = kwargs.get("weights")
    if unknown:
        raise ValueError(f"kwargs: {unknown[0]!r:.60}: unknown key of Average")
    if weights is None:
        return None
    if not isinstance(weights, list) or not all(number(weight, -1e6, 1e6) for weight in weights):
        raise ValueError(f"weights = {weights!r:.80}: a list of numbers is needed")
    if len(weights) != count or abs(sum(weights) - 1) > 1e-6:
        raise ValueError(f"weights = {weights!r:.80}: {count} that sum to one are needed")
    return tuple(map(float, weights))


def sub_folder(place: Path, name: str) -> Path:
    """The sub-folder ``name`` of a composition folder.

    Raises:
        FolderError: If it is not there, or a link out of the folder.
    """
    folder = place / name
    if not folder.is_dir():
        raise FolderError(f"{folder}: named in {SETUP} and not there")
    if not Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(place)):
        raise FolderError(f"{folder}: leads out of the composition's folder")
    return folder
