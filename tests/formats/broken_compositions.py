"""Cases of `test_compositions`: composition folders that are wrong. An edit, and what the error must name."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tests.formats.folders import Edit, edit_json, in_turn, raw, tensors

SETUP, FUSION = "adapter_setup.json", "one,two/adapter_fusion_config.json"
WEIGHTS = "one,two/model_adapter_fusion.safetensors"
QUERY = "roberta.encoder.layer.0.output.adapter_fusion_layer.one,two.query.weight"


def setup(change: Callable[[dict[str, Any]], object]) -> Edit:
    """An edit of the composition's tree: a stack of a fuse and of an average."""
    return edit_json(SETUP, lambda record: change(record["adapter_setup"]))


def root(tree: object) -> Edit:
    """Another tree."""
    return edit_json(SETUP, lambda record: record.update(adapter_setup=tree))


def single(name: object) -> dict[str, object]:
    return {"type": "single", "children": [name]}


def average(**values: object) -> Edit:
    """An edit of the average."""
    return setup(lambda tree: tree["children"][1].update(values))


def head_setup(value: object) -> Edit:
    return edit_json(SETUP, lambda record: record.update(head_setup=value))


def fusion(**values: object) -> Edit:
    """An edit of the fusion's ``config``."""
    return edit_json(FUSION, lambda record: record["config"].update(values))


def beside(**values: object) -> Edit:
    """An edit of what stands around it."""
    return edit_json(FUSION, lambda record: record.update(values))


def put(tensor: torch.Tensor) -> Edit:
    return tensors(lambda found: found.update({QUERY: tensor}), WEIGHTS)


def linked(to: str) -> Edit:
    """A link in place of an adapter's folder."""

    def edit(folder: Path) -> None:
        shutil.move(folder / "top", folder.parent / "top")
        (folder / "top").symlink_to(to)

    return edit


def linked_file(folder: Path) -> None:
    outside = folder.parent / "outside.safetensors"
    shutil.move(folder / "top" / "adapter.safetensors", outside)
    (folder / "top" / "adapter.safetensors").symlink_to(outside)


def inside_itself(folder: Path) -> None:
    shutil.copy(folder / SETUP, folder / "top" / SETUP)


def setup_a_folder(folder: Path) -> None:
    (folder / SETUP).unlink()
    (folder / SETUP).mkdir()


def lost(name: str) -> Edit:
    def edit(folder: Path) -> None:
        shutil.rmtree(folder / name)

    return edit


def deep(levels: int) -> dict[str, object]:
    tree: dict[str, object] = single("top")
    for _ in range(levels):
        tree = {"type": "Stack", "children": [tree]}
    return tree


BROKEN: dict[str, tuple[Edit, str]] = {
    # The tree.
    "no tree": (root(None), "None describes no composition"),
    "tree of text": (root("top"), "'top' describes no composition"),
    "tree a list": (root([single("top")]), "describes no composition"),
    "child of text": (
        setup(lambda t: t.update(children=["top"])),
        "'top' describes no composition",
    ),
    "child null": (setup(lambda t: t["children"].append(None)), "None describes no composition"),
    "no children": (setup(lambda t: t.update(children=[])), "a type and its children are needed"),
    "children of text": (setup(lambda t: t.update(children="top")), "describes no composition"),
    "type a list": (setup(lambda t: t.update(type=["Stack"])), "describes no composition"),
    "type unknown": (setup(lambda t: t.update(type="Pile")), "'Pile' is not known"),
    "Rows": (setup(lambda t: t.update(type="BatchSplit")), "BatchSplit is not supported; say ak"),
    "unknown key": (setup(lambda t: t.update(order=3)), "'order': unknown key of Stack"),
    "levels without end": (root(deep(20)), "more than 8 levels"),
    "parts without end": (
        setup(lambda t: t.update(children=[single("top")] * 2000)),
        "or 1000 parts",
    ),
    "a single of two": (root({"type": "single", "children": ["one", "two"]}), "a single adapter"),
    "a single of a number": (root(single(5)), "5 cannot be the name of a sub-folder"),
    "name with a path": (root(single("../pos")), "'../pos' cannot be the name"),
    "name of the folder": (root(single(".")), "'.' cannot be the name"),
    "name of nothing": (root(single("")), "'' cannot be the name"),
    "name too long": (root(single("n" * 300)), "cannot be the name"),
    "name with a control character": (root(single("a\0b")), "cannot be the name"),
    "name that is not there": (
        in_turn(root(single("three")), head_setup(None)),
        "three: named in adapter_setup.json and not",
    ),
    "average in a fuse": (
        setup(lambda t: t["children"][0]["children"].append(t["children"][1])),
        "Average inside Fuse",
    ),
    "fuse in an average": (
        setup(lambda t: t["children"][1]["children"].append(t["children"][0])),
        "Fuse inside Average",
    ),
    "fuse of one": (
        setup(lambda t: t["children"][0].update(children=[single("one")])),
        "at least two different adapters",
    ),
    "fuse of one twice": (
        setup(lambda t: t["children"][0].update(children=[single("one")] * 2)),
        "at least two different adapters",
    ),
    # Its numbers.
    "kwargs a number": (average(kwargs=5), "kwargs = 5"),
    "kwargs a list": (average(kwargs=[0.5]), "kwargs = [0.5]"),
    "kwargs of another kind": (average(kwargs={"splits": 3}), "'splits': unknown key"),
    "kwargs of a stack": (setup(lambda t: t.update(kwargs={"weights": [1]})), "Stack has none"),
    "weights a number": (average(kwargs={"weights": 5}), "weights = 5"),
    "weights null inside": (average(kwargs={"weights": [None, 1]}), "weights = [None, 1]"),
    "weights of text": (average(kwargs={"weights": "ab"}), "weights = 'ab'"),
    "weights true": (average(kwargs={"weights": [True, 0]}), "weights = [True, 0]"),
    "one weight": (average(kwargs={"weights": [1]}), "2 that sum to one are needed"),
    "weights of two": (average(kwargs={"weights": [1, 1]}), "2 that sum to one are needed"),
    "head of nobody": (head_setup("ner"), "head_setup = 'ner'"),
    "head of what stands first": (head_setup("one,two"), "head_setup = 'one,two'"),
    "head of everybody": (head_setup(True), "head_setup = True"),
    "heads": (head_setup(["top", "next"]), "head_setup = ['top', 'next']"),
    "head of a number": (head_setup(5), "head_setup = 5"),
    # The fusion.
    "fusion of others": (beside(adapter_names=["two", "one"]), "adapter_names = ['two', 'one']"),
    "fusion of another name": (beside(name="one,three"), "name = 'one,three'"),
    "fusion of another width": (beside(hidden_size=64), "hidden_size = 64: its adapters have 32"),
    "fusion of another type": (beside(model_type="bert"), "model_type = 'bert'"),
    "fusion without a shape": (beside(config=None), "'config' must be an object"),
    "fusion of a list": (beside(config=[1]), "'config' must be an object"),
    "dropout of text": (fusion(dropout_prob="abc"), "dropout_prob = 'abc'"),
    "dropout of all": (fusion(dropout_prob=1.0), "dropout_prob = 1.0"),
    "dropout negative": (fusion(dropout_prob=-0.1), "dropout_prob = -0.1"),
    "dropout a list": (fusion(dropout_prob=[0.1]), "dropout_prob = [0.1]"),
    "query of text": (fusion(query="yes"), "query = 'yes'"),
    "regularization of text": (fusion(regularization="no"), "regularization = 'no'"),
    "temperature": (fusion(temperature=True), "temperature = True"),
    "fusion by nothing": (fusion(query=False, key=False, value=False), "nothing to fuse by"),
    "fusion with an unknown key": (fusion(brand_new=3), "brand_new = 3: unknown key"),
    "fusion with less than its weights": (fusion(value=False), "value.weight: not part"),
    "fusion weights misshapen": (put(torch.zeros(32, 31)), f"{QUERY}: shape (32, 31)"),
    "fusion weights of integers": (
        put(torch.zeros(32, 32, dtype=torch.long)),
        f"{QUERY}: dtype I64",
    ),
    "fusion weights lost": (tensors(lambda t: t.pop(QUERY), WEIGHTS), f"{QUERY}: missing"),
    "fusion weights of more": (
        tensors(lambda t: t.update({"roberta.extra": torch.zeros(2)}), WEIGHTS),
        "roberta.extra: not part",
    ),
    "fusion lost": (lost("one,two"), "one,two: named in adapter_setup.json and not there"),
    "fusion without weights": (
        lambda folder: (folder / WEIGHTS).unlink(),
        "holds neither model_adapter_fusion.safetensors nor",
    ),
    # The folder.
    "adapter lost": (lost("top"), "top: named in adapter_setup.json and not there"),
    "adapter linked from outside": (linked("../top"), "top: a link out of the folder"),
    "weights linked from outside": (linked_file, "adapter.safetensors: a link out of the folder"),
    "folder inside itself": (linked("."), "top: "),
    "composition inside": (inside_itself, "top: "),
    "setup of no JSON": (
        raw(SETUP, b"{"),
        f"{SETUP}: not readable as JSON",
    ),
    "setup a folder": (
        setup_a_folder,
        f"{SETUP}: is no file",
    ),
    "adapter altered": (
        edit_json("top/adapter_config.json", lambda record: record.update(hidden_size=64)),
        "adapter_config.json: altered since it was written",
    ),
}
VALUES: dict[str, tuple[Edit, str]] = {
    "fusion of NaN": (put(torch.full((32, 32), torch.nan)), f"{QUERY}: holds values that are not"),
    "fusion of huge values": (
        put(torch.full((32, 32), 1e30)),
        f"{QUERY}: holds a value of 1.0e+30",
    ),
}
