"""Cases of `test_broken`: configurations, JSON and folders that are wrong. An edit, and what the error must name."""

import os
import shutil
from pathlib import Path

import torch

from tests.formats.broken_weights import beside
from tests.formats.folders import (
    HEAD,
    WEIGHTS,
    Edit,
    bare,
    config,
    edit_json,
    envelope,
    head,
    in_turn,
    own,
    raw,
    tensors,
)

WIDE = {"hidden_size": 60000, "config": {"reduction_factor": 0.01, "non_linearity": "relu"}}


def flipped(folder: Path) -> None:
    data = bytearray((folder / WEIGHTS).read_bytes())
    data[-1] ^= 1
    (folder / WEIGHTS).write_bytes(bytes(data))


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


def pipe_as_file(folder: Path) -> None:
    (folder / "adapter_config.json").unlink()
    os.mkfifo(folder / "adapter_config.json")


def to_words(found: dict[str, torch.Tensor]) -> None:
    for key in list(found):
        found[key.replace(".1.", ".0.")] = found.pop(key)


def sums(**values: str) -> Edit:
    return edit_json("adapterkit.json", lambda record: record["files"].update(values))


def file_named(name: str) -> Edit:
    return edit_json("adapterkit.json", lambda record: record["files"].update({name: "0" * 64}))


def other_digest(folder: Path) -> None:
    own(digest="0" * 64)(folder)


def deep(levels: int) -> bytes:
    return b'{"config": ' + b"[" * levels + b"]" * levels + b"}"


CONFIGURATIONS: dict[str, tuple[Edit, str]] = {
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
