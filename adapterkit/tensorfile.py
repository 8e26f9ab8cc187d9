"""Tensor files: the one door to safetensors and to old pickles, and digests that need no torch.

Writing is deterministic: the same tensors and metadata give the same bytes. Reading checks the header
(`header`) against the file's size before anything is allocated.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from adapterkit.errors import FolderError
from adapterkit.files import Stamp, stamp_of, write_bytes
from adapterkit.header import FLOATS, TensorFacts, read_header
from adapterkit.pickled import check_pickle, refusal

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_NAMES = {"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16"}
_NAMES |= {
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
}
Hashed = tuple[str, tuple[int, ...], bytes]
"""A tensor's dtype, shape, and sha256 of its values."""
_PIECE = 2**22
"""Numbers that `read_cast` reads at once."""
_OUTPUT_MATRICES = ("decoder.weight", "decoder.bias", "vocab_projector.weight", "lm_head.weight")


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


def read_cast(path: Path, dtype: "torch.dtype") -> dict[str, "Tensor"]:
    """Load a safetensors file with its floating-point matrices in ``dtype``, some megabytes at a time.

    Vectors stay as they are: they are small, and some models keep theirs in float32. A memory-mapped file that is cast stays in memory beside its copy until the last tensor is done; here
    the peak is what comes out.

    Raises:
        FolderError: As `read_header`.
    """
    import torch

    stored = {ours: getattr(torch, name) for name, ours in _NAMES.items()}
    tensors = {}
    with path.open("rb") as file:
        for name, fact in read_header(path).items():
            kind = stored[fact.dtype]
            casts = kind.is_floating_point and len(fact.shape) > 1
            tensor = torch.empty(fact.shape, dtype=dtype if casts else kind)
            flat = tensor.view(-1)
            file.seek(fact.start)
            for start in range(0, len(flat), _PIECE):
                part = flat[start : start + _PIECE]
                data = bytearray(file.read(len(part) * kind.itemsize))
                part.copy_(torch.frombuffer(data, dtype=kind))
            tensors[name] = tensor
    return tensors


def write_tensors(
    path: Path, tensors: Mapping[str, "Tensor"], metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors in one step; the same input gives the same bytes."""
    from safetensors.torch import save

    # Cloned: safetensors refuses tensors that share memory, as two names of one tensor do.
    plain = {name: tensors[name].detach().cpu().clone().contiguous() for name in sorted(tensors)}
    write_bytes(path, save(plain, dict(metadata) if metadata else None))


def read_pickle(path: Path) -> dict[str, "Tensor"]:
    """Load an old ``.bin`` state dict; nothing but plain tensors, no larger than the file, comes out.

    Raises:
        FolderError: If the file holds anything else.
    """
    import torch

    check_pickle(path)
    try:
        state = dict(torch.load(path, map_location="cpu", weights_only=True))
        if not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
            raise ValueError("torch reads more than tensors in it")
        return state
    except Exception as error:  # as open-ended as in `check_pickle`
        raise refusal(path, error) from None


def digest(entries: Iterable[tuple[str, str, tuple[int, ...], bytes]]) -> str:
    """sha256 over (name, dtype, shape, values), in the order of names.

    Args:
        entries: Name, safetensors' dtype name, shape and little-endian bytes of each tensor.
    """
    return _total(
        {
            name: (dtype, shape, hashlib.sha256(data).digest())
            for name, dtype, shape, data in entries
        }
    )


def _total(entries: Mapping[str, Hashed]) -> str:
    total = hashlib.sha256()
    for name, (dtype, shape, sha256) in sorted(entries.items()):
        total.update(f"{name}\0{dtype}\0{','.join(map(str, shape))}\0".encode())
        total.update(sha256)
    return total.hexdigest()


def digest_of_tensors(tensors: Mapping[str, "Tensor"]) -> str:
    """`digest` of tensors in memory."""
    return digest(
        (name, dtype_name(t), tuple(t.shape), raw_bytes(t)) for name, t in tensors.items()
    )


def digest_of_files(
    paths: Iterable[Path],
    names: Mapping[str, str],
    *,
    flat: Collection[str] = (),
    cast: Collection[str] = (),
) -> str:
    """`digest` of safetensors files taken together, without torch.

    Args:
        paths: The files.
        names: The name of each tensor that counts, by its key; of two keys of one name the first counts.
        flat: Keys of tensors that count as if they had one axis only.
        cast: Names of tensors that count as float32, however they are stored.
    """
    entries: dict[str, Hashed] = {}
    for path in paths:
        stamp = stamp_of(path)
        for key, entry in (_hashes(path) if stamp is None else _hashes_by(stamp)).items():
            if key in names:
                dtype, shape, sha256 = entry
                shape = (prod(shape),) if key in flat else shape
                if names[key] in cast and dtype in FLOATS and dtype != "F32":
                    dtype, sha256 = "F32", _hash_as_float32(path, key)
                entries.setdefault(names[key], (dtype, shape, sha256))
    return _total(entries)


@lru_cache(maxsize=4096)
def _hashes_by(stamp: Stamp) -> Mapping[str, Hashed]:
    return MappingProxyType(_hashes(Path(stamp[0])))


def _hashes(path: Path) -> dict[str, Hashed]:
    return {
        name: (fact.dtype, fact.shape, hashlib.sha256(_slice(path, fact)).digest())
        for name, fact in read_header(path).items()
    }


def _hash_as_float32(path: Path, key: str) -> bytes:
    import numpy as np

    fact = read_header(path)[key]
    data = _slice(path, fact)
    if fact.dtype == "BF16":  # the upper half of a float32
        values = np.left_shift(np.frombuffer(data, "<u2").astype("<u4"), 16)
    else:
        with np.errstate(over="ignore"):
            values = np.frombuffer(data, {"F16": "<f2", "F64": "<f8"}[fact.dtype]).astype("<f4")
    return hashlib.sha256(values.tobytes()).digest()


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
            if fact.dtype in FLOATS
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
