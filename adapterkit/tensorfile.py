"""Tensor files: the one door to safetensors, and readers of headers and digests that need no torch.

A safetensors file is an 8-byte length, a JSON header and raw little-endian tensors
(https://github.com/huggingface/safetensors). Writing is deterministic: the same tensors and metadata
give the same bytes. Reading checks the header against the file's size before anything is allocated.
"""

import hashlib
import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterkit.errors import FolderError
from adapterkit.files import write_bytes

if TYPE_CHECKING:
    from torch import Tensor

MAX_HEADER_BYTES = 100_000_000
_SIZES = {
    "F64": 8,
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "I64": 8,
    "I32": 4,
    "I16": 2,
    "I8": 1,
    "U8": 1,
    "BOOL": 1,
}
_NAMES = {"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16"}
_NAMES |= {
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
}
_FLOATS = {"F64", "F32", "F16", "BF16"}
_OUTPUT_MATRICES = ("decoder.weight", "decoder.bias", "vocab_projector.weight", "lm_head.weight")


@dataclass(frozen=True)
class TensorFacts:
    """One tensor of a file: safetensors' name of its dtype, its shape, its place in the file."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


def read_header(path: Path) -> dict[str, TensorFacts]:
    """Names, dtypes and shapes of a safetensors file's tensors, without loading them or torch.

    Raises:
        FolderError: If the file is no safetensors file, or is cut, or its header lies about sizes.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
        if length > min(size - 8, MAX_HEADER_BYTES):
            raise FolderError(f"{path}: not a safetensors file, or cut short ({size} bytes)")
        try:
            header = json.loads(file.read(length))
            header.pop("__metadata__", None)
            facts = {name: _facts(entry, 8 + length) for name, entry in header.items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise FolderError(f"{path}: its safetensors header cannot be read") from None
    _check_sizes(path, facts, size)
    return facts


def _facts(entry: Mapping[str, Any], offset: int) -> TensorFacts:
    first, last = (int(place) for place in entry["data_offsets"])
    shape = tuple(int(axis) for axis in entry["shape"])
    return TensorFacts(str(entry["dtype"]), shape, offset + first, offset + last)


def _check_sizes(path: Path, facts: Mapping[str, TensorFacts], size: int) -> None:
    for name, fact in facts.items():
        bytes_ = _SIZES.get(fact.dtype, 0) * prod(fact.shape)
        if (
            fact.dtype not in _SIZES
            or min((*fact.shape, 0)) < 0
            or fact.stop - fact.start != bytes_
        ):
            raise FolderError(
                f"{path}: tensor {name!r} has dtype {fact.dtype}, shape {fact.shape} and another size"
            )
    end = max((fact.stop for fact in facts.values()), default=size)
    if end != size:
        raise FolderError(
            f"{path}: the header speaks of {end} bytes, the file has {size}; download it again"
        )


def read_tensors(path: Path) -> dict[str, "Tensor"]:
    """Load a safetensors file onto the CPU.

    Raises:
        FolderError: As `read_header`.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    read_header(path)
    try:
        return load_file(path)
    except SafetensorError as error:
        raise FolderError(f"{path}: {error}") from None


def read_metadata(path: Path) -> dict[str, str]:
    """The free-text metadata of a safetensors file (empty if there is none)."""
    read_header(path)
    with path.open("rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        metadata = json.loads(file.read(length)).get("__metadata__")
    return dict(metadata or {})


def write_tensors(
    path: Path, tensors: Mapping[str, "Tensor"], metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors in one step; the same input gives the same bytes."""
    from safetensors.torch import save

    # Cloned: safetensors refuses tensors that share memory, as two names of one tensor do.
    plain = {name: tensors[name].detach().cpu().clone().contiguous() for name in sorted(tensors)}
    write_bytes(path, save(plain, dict(metadata) if metadata else None))


def read_pickle(path: Path) -> dict[str, "Tensor"]:
    """Load an old ``.bin`` state dict; nothing but tensors can come out of it.

    Raises:
        FolderError: If the file holds anything else (torch's ``weights_only`` reader refuses it).
    """
    import pickle

    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FolderError(
            f"{path}: refused or unreadable as a plain state dict ({reason})"
        ) from None
    if not isinstance(state, dict) or not all(
        isinstance(value, torch.Tensor) for value in state.values()
    ):
        raise FolderError(f"{path}: holds more than named tensors; refused")
    return state


def digest(entries: Iterable[tuple[str, str, tuple[int, ...], bytes]]) -> str:
    """sha256 over (name, dtype, shape, values), in the order of names.

    Args:
        entries: Name, safetensors' dtype name, shape and little-endian bytes of each tensor.
    """
    total = hashlib.sha256()
    for name, dtype, shape, data in sorted(entries, key=lambda entry: entry[0]):
        total.update(f"{name}\0{dtype}\0{','.join(map(str, shape))}\0".encode())
        total.update(hashlib.sha256(data).digest())
    return total.hexdigest()


def digest_of_tensors(tensors: Mapping[str, "Tensor"]) -> str:
    """`digest` of tensors in memory."""
    return digest(
        (name, dtype_name(t), tuple(t.shape), raw_bytes(t)) for name, t in tensors.items()
    )


def digest_of_files(paths: Iterable[Path], rename: Mapping[str, str] | None = None) -> str:
    """`digest` of safetensors files taken together, without torch; ``rename`` maps names first."""
    names = rename or {}
    entries = []
    for path in paths:
        for name, fact in read_header(path).items():
            entries.append((names.get(name, name), fact.dtype, fact.shape, _slice(path, fact)))
    return digest(entries)


def checkpoint_digest(paths: Iterable[Path]) -> str:
    """Digest of a backbone's checkpoint: its own tensors, before any cast, however cut into files.

    Buffers of integers are left out, and so are output matrices that merely repeat the input
    embeddings: some files store them, others tie them when loading.

    Args:
        paths: All weight files of the checkpoint, ``.safetensors`` or ``.bin``.
    """
    hashes: dict[str, tuple[str, tuple[int, ...], bytes]] = {}
    for path in paths:
        hashes.update(_hashes_of(path))
    seen = {entry for name, entry in hashes.items() if not name.endswith(_OUTPUT_MATRICES)}
    return digest(
        (name, *entry)
        for name, entry in hashes.items()
        if not (name.endswith(_OUTPUT_MATRICES) and entry in seen)
    )


def _hashes_of(path: Path) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    if path.suffix == ".safetensors":
        return {
            name: (fact.dtype, fact.shape, hashlib.sha256(_slice(path, fact)).digest())
            for name, fact in read_header(path).items()
            if fact.dtype in _FLOATS
        }
    return {
        name: (dtype_name(tensor), tuple(tensor.shape), hashlib.sha256(raw_bytes(tensor)).digest())
        for name, tensor in read_pickle(path).items()
        if tensor.is_floating_point()
    }


def _slice(path: Path, fact: TensorFacts) -> bytes:
    with path.open("rb") as file:
        file.seek(fact.start)
        return file.read(fact.stop - fact.start)


def dtype_name(tensor: "Tensor") -> str:
    """Safetensors' name of a tensor's dtype, e.g. ``F32``."""
    name = str(tensor.dtype).removeprefix("torch.")
    if name not in _NAMES:
        raise FolderError(f"a tensor of dtype {name} cannot be stored")
    return _NAMES[name]


def raw_bytes(tensor: "Tensor") -> bytes:
    """A tensor's values as little-endian bytes, row by row."""
    import torch

    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
