"""Broken and hostile folders: each is made by one edit of a folder that loads, and refused by the culprit's name."""

import json
import os
import re
import shutil
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from adapterkit.backbone.load import Backbone, load_backbone
from adapterkit.composition.adapter import new_adapter
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig
from adapterkit.errors import AdapterkitError, AdapterMismatch, FolderError
from adapterkit.formats.adapterhub import load_adapter, save_adapter
from adapterkit.formats.inspection import inspect
from adapterkit.model import AdaptedModel
from tests.formats.folders import (
    F0,
    HEAD,
    UP,
    WEIGHTS,
    Edit,
    bare,
    config,
    copy_of,
    edit_json,
    envelope,
    head,
    headed,
    in_turn,
    make_folder,
    own,
    pickle_of,
    pickled,
    put,
    raw,
    renamed,
    tensors,
)
from tests.tiny import make_backbone

IDS = torch.tensor([[0, 11, 12, 4, 30, 2]])
UP_SHAPE, HEADS = (32, 8), "heads.pos.1.weight"


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder)


@pytest.fixture(scope="module")
def good(backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_folder(backbone, tmp_path_factory.mktemp("good") / "pos")
    load_adapter(folder)
    return folder


@pytest.fixture(scope="module")
def live(backbone: Backbone, good: Path) -> tuple[AdaptedModel, torch.Tensor]:
    model = AdaptedModel(backbone, Stack(load_adapter(good)))
    return model, model.logits(IDS)


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.mkdir, ("evil-was-here",))


def cut(folder: Path) -> None:
    raw(WEIGHTS, (folder / WEIGHTS).read_bytes()[:-7])(folder)


def longer(folder: Path) -> None:
    raw(WEIGHTS, (folder / WEIGHTS).read_bytes() + b"PK\x03\x04")(folder)


def flipped(folder: Path) -> None:
    data = bytearray((folder / WEIGHTS).read_bytes())
    data[-1] ^= 1
    (folder / WEIGHTS).write_bytes(bytes(data))


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


def twice_in_config(folder: Path) -> None:
    text = (folder / "adapter_config.json").read_text()
    raw("adapter_config.json", text.replace("{", '{"name": "eng", ', 1).encode())(folder)


def huge_config(folder: Path) -> None:
    envelope(note="x" * 17_000_000)(folder)


def linked_out(folder: Path) -> None:
    outside = folder.parent / "outside.safetensors"
    shutil.move(folder / WEIGHTS, outside)
    (folder / WEIGHTS).symlink_to(outside)
    bare(folder)


def linked_secret(folder: Path) -> None:
    (folder / "notes.txt").symlink_to("/etc/hostname")


def dangling(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    (folder / WEIGHTS).symlink_to("nothing")
    bare(folder)


def folder_as_file(folder: Path) -> None:
    pickled(folder)  # which must not be taken instead
    (folder / WEIGHTS).mkdir()


def pipe_as_file(folder: Path) -> None:
    (folder / "adapter_config.json").unlink()
    os.mkfifo(folder / "adapter_config.json")


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


def to_words(found: dict[str, torch.Tensor]) -> None:
    for key in list(found):
        found[key.replace(".1.", ".0.")] = found.pop(key)


def lose(key: str) -> Edit:
    return tensors(lambda found: found.pop(key))


def sums(**values: str) -> Edit:
    return edit_json("adapterkit.json", lambda record: record["files"].update(values))


def file_named(name: str) -> Edit:
    return edit_json("adapterkit.json", lambda record: record["files"].update({name: "0" * 64}))


def other_digest(folder: Path) -> None:
    own(digest="0" * 64)(folder)


def beside(name: str) -> Edit:
    def edit(folder: Path) -> None:
        torch.save({UP: torch.zeros(UP_SHAPE)}, folder / name)

    return edit


def deep(levels: int) -> bytes:
    return b'{"config": ' + b"[" * levels + b"]" * levels + b"}"


WIDE = {"hidden_size": 60000, "config": {"reduction_factor": 0.01, "non_linearity": "relu"}}
CLAIMED = torch.zeros(1).expand(60000, 60000)

BROKEN: dict[str, tuple[Edit, str]] = {
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
    "pickle called safetensors": (
        lambda f: (beside("x.bin")(f), raw(WEIGHTS, (f / "x.bin").read_bytes())(f))[1],
        f"{WEIGHTS}: not a safetensors file",
    ),
    "pickle of other things": (pickle_of({UP: [1, 2]}), "holds more than named tensors"),
    "pickle of a sparse tensor": (
        pickle_of({UP: torch.eye(4).to_sparse()}),
        f"{UP} is no plain tensor",
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
    # Sizes that no file holds: refused before anything is allocated.
    "hidden size and factor": (envelope(**WIDE), "needed (5999999, 60000)"),
    "hidden size of a trillion": (envelope(hidden_size=10**12), "'hidden_size' must be a number"),
    "reduction factor next to nothing": (config(reduction_factor=1e-9), "reduction_factor = 1e-09"),
    "900 layers": (config(leave_out=[899]), "and 3576 more"),
    "a billion labels": (head(num_labels=10**9, label2id=None), "num_labels = 1000000000"),
    "100,000 labels": (head(num_labels=10**5, label2id=None), "needed (100000, 32)"),
    "a trillion words": (
        in_turn(head(head_type="masked_lm", vocab_size=10**12, layers=1), tensors(to_words, HEAD)),
        "heads.pos.0.weight: shape (3, 32), needed (1000000000000, 32)",
    ),
    "a head of a billion layers": (head(layers=10**9), "layers = 1000000000"),
    "a billion layers in adapterkit.json": (
        own(backbone={"model_type": "xlm-roberta", "width": 32, "layers": 10**9}),
        "'backbone' cannot be read",
    ),
    # Configurations.
    "unknown key": (config(brand_new_key=3), "brand_new_key = 3: unknown key"),
    "unknown key in a head": (head(brand_new_key=3), "brand_new_key = 3: unknown key"),
    "code to import": (config(auto_map={"AutoModel": "x.py"}), "auto_map = "),
    "a pattern that hangs": (config(target_modules="(a+)+$"), "target_modules = "),
    "another library's folder": (envelope(peft_type="LORA"), "target_modules = None"),
    "reduction factor of text": (config(reduction_factor="many"), "reduction_factor = 'many'"),
    "map of no layers": (config(reduction_factor={"first": 2}), "reduction_factor = {'first'"),
    "map without a layer": (config(reduction_factor={"0": 4}), "layer 1 is missing"),
    "leave_out of text": (config(leave_out="012"), "leave_out = '012'"),
    "coupling of text": (config(invertible_adapter="nice"), "invertible_adapter = 'nice'"),
    "unknown activation": (config(non_linearity="snake"), "non_linearity 'snake'"),
    "hidden size true": (envelope(hidden_size=True), "'hidden_size' must be a number"),
    "config a list": (envelope(config=[1]), "'config' must be dict, found [1]"),
    "name with a path": (envelope(name="../../x"), "name '../../x'"),
    "name with a control character": (envelope(name="po\x1b[2Js"), r"name 'po\x1b[2Js'"),
    "another architecture": (envelope(model_type="t5"), "'t5' are not supported"),
    "labels no bijection": (head(label2id={"A": 0, "B": 1, "C": 1}), "label2id names 3 labels"),
    "labels of text": (head(label2id={"A": "0", "B": "1", "C": "2"}), "label2id names 3 labels"),
    "labels a list": (head(label2id=["A", "B", "C"]), "label2id = ['A', 'B', 'C']"),
    "fewer labels than rows": (head(num_labels=2, label2id={"A": 0, "B": 1}), "needed (2, 32)"),
    "head of no kind": (head(head_type="biaffine"), "head_type = 'biaffine'"),
    "head without a norm": (
        head(head_type="masked_lm", vocab_size=3, layer_norm=False),
        "layer_norm = False",
    ),
    "head for another width": (
        edit_json("head_config.json", lambda r: r.update(hidden_size=64)),
        "hidden_size: 64, needed 32",
    ),
    "head for another type": (
        edit_json("head_config.json", lambda r: r.update(model_type="bert")),
        "head_config.json says bert, the adapter is for xlm-roberta",
    ),
    "head of a fixed class": (
        edit_json("head_config.json", lambda r: r.update(config=None)),
        "head_config.json: a head of a fixed model class",
    ),
    # JSON.
    "no JSON": (raw("adapter_config.json", b"{"), "adapter_config.json: not readable as JSON"),
    "no object": (raw("adapter_config.json", b"[]"), "holds a JSON list"),
    "invalid UTF-8": (
        raw("adapter_config.json", b'{"a": "\xff"}'),
        "adapter_config.json: not read",
    ),
    "nested too deep": (raw("adapter_config.json", deep(90)), "nested deeper than 50"),
    "nested far too deep": (raw("adapter_config.json", deep(200_000)), "nested too deep"),
    "a key twice": (twice_in_config, "the key 'name' stands in it twice"),
    "huge JSON": (huge_config, "bytes of JSON; too large"),
    "not a number": (config(scaling=float("nan")), "NaN is no JSON"),
    # The folder.
    "weights linked from outside": (linked_out, f"{WEIGHTS}: a link out of the folder"),
    "any link to outside": (linked_secret, "notes.txt: a link out of the folder"),
    "link to nothing": (dangling, f"{WEIGHTS}: is no file"),
    "pipe as configuration": (pipe_as_file, "adapter_config.json: is no file"),
    # adapterkit.json.
    "altered weights": (flipped, f"{WEIGHTS}: altered since it was written"),
    "wrong checksum": (sums(**{"adapter_config.json": "0"}), "adapter_config.json: altered"),
    "weights added later": (beside("pytorch_adapter.bin"), "pytorch_adapter.bin: not there when"),
    "missing file": (file_named("gone.txt"), "gone.txt: missing"),
    "digest of other weights": (other_digest, "digest: adapterkit.json says 000000000000"),
    "files a list": (own(files=[WEIGHTS]), "'files' must be a dict"),
    "provenance a list": (own(provenance=["x"]), "'provenance' must be a dict"),
    "a newer format": (own(format=2), "format = 2"),
    "other type than its configuration": (
        own(backbone={"model_type": "bert", "width": 32, "layers": 3}),
        "type: adapterkit.json says bert",
    ),
    "backbone with other keys": (own(backbone={"colour": "blue"}), "'backbone' cannot be read"),
} | {
    f"file named {name[:20]!r}": (file_named(name), f"{name[:20]!r}"[:-1])
    for name in ("../x", "..", "/etc/passwd", "a\\b", "a\0b", "a\nb", "n" * 300, "\ud800", "c:x")
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_folder_is_refused_by_name_and_changes_nothing(
    name: str,
    good: Path,
    live: tuple[AdaptedModel, torch.Tensor],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    edit, culprit = BROKEN[name]
    folder = copy_of(good, tmp_path / "pos")
    monkeypatch.chdir(tmp_path)
    edit(folder)
    with pytest.raises(FolderError, match=re.escape(culprit)) as caught:
        load_adapter(folder)
    assert str(caught.value).count("\n") <= 15
    assert not re.search(r"[^\n -~]", str(caught.value))
    assert not (tmp_path / "evil-was-here").exists()
    model, before = live
    assert torch.equal(model.logits(IDS), before)


@pytest.mark.parametrize("name", [n for n in BROKEN if "pickle" not in n])
def test_what_is_not_loaded_is_not_described_either(name: str, good: Path, tmp_path: Path) -> None:
    edit, _ = BROKEN[name]
    folder = copy_of(good, tmp_path / "pos")
    edit(folder)
    # Values and activations are looked at when loading only.
    closed = ("NaN", "Inf", "huge values", "float64 beyond float32", "unknown activation")
    if name in closed:
        assert inspect(folder)["name"] == "pos"
        return
    with pytest.raises(AdapterkitError):
        inspect(folder)


def test_all_differences_are_in_one_error(good: Path, tmp_path: Path) -> None:
    folder = copy_of(good, tmp_path / "pos")
    in_turn(lose(UP), put("x.y", torch.zeros(1)), put(F0, torch.zeros(1)))(folder)
    with pytest.raises(FolderError) as caught:
        load_adapter(folder)
    for part in (f"{UP}: missing", "x.y: not part", f"{F0}: shape (1,), needed (8, 16)"):
        assert part in str(caught.value)


def test_refusing_an_absurd_size_takes_no_memory(good: Path, tmp_path: Path) -> None:
    import tracemalloc

    folder = copy_of(good, tmp_path / "pos")
    head(head_type="masked_lm", vocab_size=10**12, layers=1)(folder)
    tracemalloc.start()
    with pytest.raises(FolderError):
        load_adapter(folder)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def mismatch(backbone: Backbone, folder: Path) -> str:
    with pytest.raises(AdapterMismatch) as caught:
        AdaptedModel(backbone, Stack(load_adapter(folder)))
    return str(caught.value)


def test_another_type_width_and_depth_are_told_at_once(good: Path, tmp_path: Path) -> None:
    other = load_backbone(make_backbone(tmp_path / "b", "bert", width=64))
    adapter = new_adapter("x", BottleneckConfig(), backbone=other.facts, kind="language")
    deeper = copy_of(good, tmp_path / "deep")
    in_turn(config(leave_out=[2, 3]))(deeper)
    found = mismatch(other, deeper)
    assert "type: the adapter has xlm-roberta, the backbone has bert" in found
    assert "width: the adapter has 32, the backbone has 64" in found
    assert "layers: the adapter has 4, the backbone has 3" in found
    assert load_adapter(save_adapter(adapter, tmp_path / "x")) is not None


def test_another_backbone_of_the_same_shape_is_refused(good: Path, tmp_path: Path) -> None:
    other = load_backbone(make_backbone(tmp_path / "b", "xlm-roberta", seed=9))
    assert "weights: it was made for 'tiny'" in mismatch(other, good)


def test_a_backbone_of_another_name_is_refused_where_there_is_no_digest(
    backbone: Backbone, good: Path, tmp_path: Path
) -> None:
    from dataclasses import replace

    folder = copy_of(good, tmp_path / "pos")
    envelope(model_name="someone/else")(folder)
    adapter = load_adapter(folder)
    hub = replace(backbone.facts, name="FacebookAI/xlm-roberta-base", digest="")
    with pytest.raises(AdapterMismatch, match="name: the adapter has 'someone/else'"):
        adapter.check_fits(hub)
    adapter.check_fits(hub, allow_backbone=hub.name)
    adapter.check_fits(replace(hub, name="someone/else"))


def test_a_hostile_pickle_beside_a_safetensors_file_is_never_opened(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy_of(good, tmp_path / "pos")
    monkeypatch.chdir(tmp_path)
    torch.save({UP: Evil()}, folder / "pytorch_adapter.bin")
    bare(folder)
    assert load_adapter(folder).digest() == load_adapter(good).digest()
    assert not (tmp_path / "evil-was-here").exists()
