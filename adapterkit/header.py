"""The header of a safetensors file: what is in it, without torch and without reading a tensor.

A safetensors file is an 8-byte length, a JSON header and raw little-endian tensors
(https://github.com/huggingface/safetensors). The header is believed only where it agrees with the
file: every byte belongs to exactly one tensor, whose place is as long as its dtype and shape say.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from adapterkit.errors import FolderError
from adapterkit.files import from_json

MAX_HEADER_BYTES = 32_000_000
"""The header of a large backbone has less than one million; a checkpoint's holds its losses as well."""
MAX_TENSORS = 50_000
MAX_AXES = 8
MAX_LENGTH = 2**40
FLOATS = {"F64", "F32", "F16", "BF16"}
_SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
_SIZES |= {"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


@dataclass(frozen=True)
class TensorFacts:
    """One tensor of a file: safetensors' name of its dtype, its shape, its place in the file."""

    dtype: str
    shape: tuple[int, ...]
    start: int = 0
    stop: int = 0


def read_header(path: Path) -> dict[str, TensorFacts]:
    """Names, dtypes and shapes of a safetensors file's tensors, without loading them or torch.

    Raises:
        FolderError: If the file is no safetensors file, or is cut, or its header names a tensor
            twice or lies about sizes and places.
    """
    header, offset = _header(path)
    header.pop("__metadata__", None)
    if len(header) > MAX_TENSORS:
        raise FolderError(f"{path}: names {len(header)} tensors; too many to be right")
    facts = {name: _facts(path, name, entry, offset) for name, entry in header.items()}
    _check_places(path, facts, offset)
    return facts


def read_metadata(path: Path) -> dict[str, str]:
    """The free-text metadata of a safetensors file (empty if there is none)."""
    metadata = _header(path)[0].get("__metadata__")
    return dict(metadata or {})


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """The parsed header, and where the tensors start."""
    if not path.is_file():
        raise FolderError(f"{path}: there is no such file")
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
        if length > size - 8:
            raise FolderError(f"{path}: not a safetensors file, or cut short ({size} bytes)")
        if length > MAX_HEADER_BYTES:
            raise FolderError(
                f"{path}: its safetensors header claims {length} bytes; too large to be right"
            )
        try:
            header = from_json(file.read(length))
        except ValueError as error:
            raise FolderError(f"{path}: its safetensors header cannot be read ({error})") from None
    metadata = header.get("__metadata__") if isinstance(header, dict) else 0
    if metadata is not None and not isinstance(metadata, dict):
        raise FolderError(f"{path}: its safetensors header cannot be read (no table of tensors)")
    return header, 8 + length


def _facts(path: Path, name: str, entry: Any, offset: int) -> TensorFacts:
    wrong = FolderError(
        f"{path}: its safetensors header cannot be read: tensor {name!r:.200} is {entry!r:.120}"
    )
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise wrong
    dtype, shape, places = entry["dtype"], entry["shape"], entry["data_offsets"]
    numbers = isinstance(shape, list) and isinstance(places, list)
    if not numbers or not all(_size(number) for number in (*shape, *places)):
        raise wrong
    if not isinstance(dtype, str) or len(places) != 2 or len(shape) > MAX_AXES:
        raise wrong
    fact = TensorFacts(dtype, tuple(shape), offset + places[0], offset + places[1])
    if dtype not in _SIZES or fact.stop - fact.start != _SIZES[dtype] * prod(shape):
        raise FolderError(
            f"{path}: tensor {name!r:.200} has dtype {dtype:.20}, shape {fact.shape} and another size, "
            f"{fact.stop - fact.start} bytes"
        )
    return fact


def _size(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= MAX_LENGTH


def _check_places(path: Path, facts: Mapping[str, TensorFacts], offset: int) -> None:
    end = offset
    for name, fact in sorted(facts.items(), key=lambda item: (item[1].start, item[1].stop)):
        if fact.start != end:
            what = "overlaps the one before it" if fact.start < end else "leaves a gap before it"
            raise FolderError(f"{path}: tensor {name!r:.200} {what} (at byte {fact.start})")
        end = fact.stop
    size = path.stat().st_size
    if end != size:
        raise FolderError(
            f"{path}: the header speaks of {end} bytes, the file has {size}; download it again"
        )
