"""Cases of `test_broken`: weight files that are wrong, cut or hostile. An edit, and what the error must name."""

import json
import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import torch

from tests.formats.folders import (
    F0,
    HEAD,
    UP,
    WEIGHTS,
    Edit,
    bare,
    headed,
    in_turn,
    pickle_of,
    pickled,
    put,
    raw,
    renamed,
    tensors,
)

UP_SHAPE, HEADS = (32, 8), "heads.pos.1.weight"
CLAIMED = torch.zeros(1).expand(60000, 60000)


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.mkdir, ("evil-was-here",))


class Greedy:
    def __reduce__(self) -> tuple[object, tuple[int]]:
        return (bytearray, (700_000_000,))


def cut(folder: Path) -> None:
    raw(WEIGHTS, (folder / WEIGHTS).read_bytes()[:-7])(folder)


def longer(folder: Path) -> None:
    raw(WEIGHTS, (folder / WEIGHTS).read_bytes() + b"PK\x03\x04")(folder)


def twice_in_header(folder: Path) -> None:
    data = (folder / WEIGHTS).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    text = data[8 : 8 + length].rstrip()
    first = json.dumps(UP).encode() + b': {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}, '
    text = text[:1] + first + text[1:]
    raw(WEIGHTS, struct.pack("<Q", len(text)) + text + data[8 + length :])(folder)


def overlapping(header: dict[str, Any]) -> None:
    names = sorted(n for n in header if n.endswith("adapter_up.weight"))
    header[names[1]]["data_offsets"] = header[names[0]]["data_offsets"]


def gapped(header: dict[str, Any]) -> None:
    del header[UP]


def lying(header: dict[str, Any]) -> None:
    header[UP]["shape"] = [32, 2**30]


def many(header: dict[str, Any]) -> None:
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header.update({f"x{number}": empty for number in range(60_000)})


def huge_header(folder: Path) -> None:
    raw(WEIGHTS, struct.pack("<Q", 33_000_000))(folder)
    os.truncate(folder / WEIGHTS, 34_000_000)


def folder_as_file(folder: Path) -> None:
    pickled(folder)  # which must not be taken instead
    (folder / WEIGHTS).mkdir()


def bomb(folder: Path) -> None:
    pickled(folder)
    path = folder / "pytorch_adapter.bin"
    with zipfile.ZipFile(path) as archive:
        parts = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
        archive.writestr("archive/data/99", bytes(10_000_000))


def no_weights(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    bare(folder)


def two_copies(found: dict[str, torch.Tensor]) -> None:
    found[UP.removeprefix("roberta.")] = found[UP] + 1


def lose(key: str) -> Edit:
    return tensors(lambda found: found.pop(key))


def beside(name: str) -> Edit:
    def edit(folder: Path) -> None:
        torch.save({UP: torch.zeros(UP_SHAPE)}, folder / name)

    return edit


WEIGHT_FILES: dict[str, tuple[Edit, str]] = {
    # Weights.
    "missing tensor": (lose(UP), f"{UP}: missing"),
    "extra tensor": (put("roberta.extra", torch.zeros(2)), "roberta.extra: not part"),
    "misshapen": (put(UP, torch.zeros(8, 32)), f"{UP}: shape (8, 32), needed (32, 8)"),
    "NaN": (put(UP, torch.full(UP_SHAPE, torch.nan)), f"{UP}: holds values that are not finite"),
    "Inf": (put(F0, torch.full((8, 16), torch.inf)), f"{F0}: holds values that are not finite"),
    "huge values": (put(UP, torch.full(UP_SHAPE, 1e30)), f"{UP}: holds a value of 1.0e+30"),
    "float64 beyond float32": (
        put(UP, torch.full(UP_SHAPE, 1e300, dtype=torch.float64)),
        f"{UP}: holds a value of 1.0e+300",
    ),
    "integers": (put(UP, torch.zeros(UP_SHAPE, dtype=torch.long)), f"{UP}: dtype I64"),
    "no tensors": (tensors(lambda found: found.clear()), "it holds no tensors"),
    "another adapter's keys": (
        renamed(lambda key: key.replace(".pos.", ".ner.")),
        "adapters.ner.adapter_down.0.bias: not part of this adapter",
    ),
    "lost coupling": (
        tensors(lambda t: [t.pop(key) for key in list(t) if "invertible" in key]),
        f"{F0}: missing",
    ),
    "smuggled embeddings": (
        put("roberta.embeddings.word_embeddings.weight", torch.zeros(120, 32)),
        "roberta.embeddings.word_embeddings.weight: not part of this adapter",
    ),
    "smuggled norm, no prefix": (
        put("encoder.layer.0.output.LayerNorm.weight", torch.zeros(32)),
        "encoder.layer.0.output.LayerNorm.weight: not part of this adapter",
    ),
    "smuggled in the head's file": (
        put("roberta.pooler.dense.weight", torch.zeros(32, 32), HEAD),
        "roberta.pooler.dense.weight: not part",
    ),
    "two files that both hold the head": (put(HEADS, torch.zeros(3, 32)), f"{HEADS}: not part"),
    "two keys of one tensor": (tensors(two_copies), f"several keys of one tensor:\n  {UP[8:]}"),
    "head of another width": (put(HEADS, torch.zeros(3, 64), HEAD), f"{HEADS}: shape (3, 64)"),
    "layer without end": (
        renamed(lambda key: key.replace("layer.1.", "layer.999999999.")),
        "layer.999999999.output.adapters.pos.adapter_down.0.bias: not part",
    ),
    "deeper than its layers": (
        renamed(lambda key: key.replace("layer.1.", "layer.899.")),
        "roberta.encoder.layer.1.output.adapters.pos.adapter_down.0.bias: missing",
    ),
    # Weight files.
    "truncated": (cut, f"{WEIGHTS}: the header speaks of"),
    "bytes behind the end": (longer, f"{WEIGHTS}: the header speaks of"),
    "empty file": (raw(WEIGHTS, b""), f"{WEIGHTS}: not a safetensors file"),
    "huge header": (raw(WEIGHTS, b"\xff" * 8 + b"{}"), f"{WEIGHTS}: not a safetensors file"),
    "large header": (huge_header, "header claims 33000000 bytes"),
    "header that lies": (headed(lying), f"tensor '{UP}' has dtype F32, shape (32, 1073741824)"),
    "header that overlaps": (headed(overlapping), "overlaps the one before it"),
    "header with a gap": (headed(gapped), "leaves a gap before it"),
    "header with a key twice": (twice_in_header, f"the key '{UP[:60]}' stands in it twice"),
    "header of too many tensors": (headed(many), "names 60016 tensors"),
    "header nested too deep": (
        headed(lambda h: h.update(x=json.loads("[" * 90 + "]" * 90))),
        f"{WEIGHTS}: its safetensors header cannot be read (nested deeper",
    ),
    "header of no table": (
        raw(WEIGHTS, struct.pack("<Q", 4) + b"[{}]"),
        f"{WEIGHTS}: its safetensors header cannot be read",
    ),
    "unknown dtype": (headed(lambda h: h[UP].update(dtype="F8_E4M3")), "has dtype F8_E4M3"),
    "negative offsets": (
        headed(lambda h: h[UP].update(data_offsets=[-1024, 0])),
        f"tensor '{UP}' is {{'dtype': 'F32'",
    ),
    "folder in place of the weights": (folder_as_file, f"{WEIGHTS}: is no file"),
    "no weights": (no_weights, f"holds neither {WEIGHTS} nor pytorch_adapter.bin"),
    "head without its configuration": (
        in_turn(lambda f: (f / "head_config.json").unlink(), bare),
        f"holds {HEAD} but no head_config.json",
    ),
    # Pickles.
    "hostile pickle, zip": (pickle_of({UP: Evil()}), "pytorch_adapter.bin: refused"),
    "hostile pickle, old": (pickle_of({UP: Evil()}, zipped=False), "pytorch_adapter.bin: refused"),
    "pickle that takes memory": (pickle_of({UP: Greedy()}), "it names"),
    "pickle called safetensors": (
        lambda f: (beside("x.bin")(f), raw(WEIGHTS, (f / "x.bin").read_bytes())(f))[1],
        f"{WEIGHTS}: not a safetensors file",
    ),
    "pickle of other things": (pickle_of({UP: [1, 2]}), "holds more than named tensors"),
    "pickle of a sparse tensor": (
        pickle_of({UP: torch.eye(4).to_sparse()}),
        "it names torch._utils._rebuild_sparse_tensor",
    ),
    "pickle that claims more than it is": (
        pickle_of({UP: CLAIMED}),
        "its tensors claim 14400000000",
    ),
    "pickle that unpacks to more than it is": (bomb, "its archive unpacks to"),
    "pickle that is none": (
        in_turn(pickled, raw("pytorch_adapter.bin", b"PK\x03\x04nothing")),
        "pytorch_adapter.bin: refused",
    ),
}
