"""Cases of `test_broken_peft`: PEFT folders that are wrong. An edit, and what the error must name."""

import json
import struct
from collections.abc import Callable
from pathlib import Path

import torch

from tests.formats.folders import Edit, bare, edit_json, in_turn, own, put, raw, tensors

FILE = "adapter_model.safetensors"
START = "base_model.model."
QUERY = f"{START}roberta.encoder.layer.0.attention.self.query"
A, B = f"{QUERY}.lora_A.weight", f"{QUERY}.lora_B.weight"
KEY = f"{START}roberta.encoder.layer.0.attention.self.key"
CLASSIFIER = f"{START}classifier.weight"
IA3 = f"{START}roberta.encoder.layer.0.output.dense.ia3_l"


def says(**values: object) -> Edit:
    """An edit of ``adapter_config.json``."""
    return edit_json("adapter_config.json", lambda record: record.update(values))


def file(change: Callable[[dict[str, torch.Tensor]], object]) -> Edit:
    """An edit of the weights."""
    return tensors(change, FILE)


def header_only(entries: dict[str, tuple[int, ...]]) -> Edit:
    """Weights of a few bytes whose header names shapes without a single number."""
    header = {
        key: {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}
        for key, shape in entries.items()
    }
    text = json.dumps(header).encode()
    return raw(FILE, struct.pack("<Q", len(text)) + text)


def key(of: str, to: str) -> Edit:
    """An edit of all keys."""
    return file(lambda t: t.update({name.replace(of, to): t.pop(name) for name in list(t)}))


def pattern(**values: object) -> Edit:
    return says(rank_pattern=values)


def torch_file(name: str) -> Edit:
    """Another weight file beside."""

    def edit(folder: Path) -> None:
        torch.save({A: torch.zeros(3, 32)}, folder / name)

    return edit


CLASSES: dict[str, tuple[int, ...]] = {
    f"{START}classifier.weight": (20_000_000, 0),
    f"{START}classifier.bias": (0,),
}

LORA: dict[str, tuple[Edit, str]] = {
    # Patterns.
    "regular expression": (
        says(alpha_pattern={r"layer\.[01].*query": 3}),
        r"alpha_pattern: 'layer\\.[01].*query' is a regular expression",
    ),
    "regular expression that hangs": (says(rank_pattern={"(a+)+$": 3}), "rank_pattern: '(a+)+$'"),
    "pattern that takes long to refuse": (pattern(**{"a" * 5000 + "!": 3}), "rank_pattern: 'aaa"),
    "pattern of nothing": (says(rank_pattern={"": 3}), "rank_pattern: '' is a regular"),
    "pattern that matches nothing": (
        says(alpha_pattern={"attention.self.key": 3}),
        "alpha_pattern: 'attention.self.key' matches no module",
    ),
    "pattern that is no end": (says(alpha_pattern={"uery": 3}), "alpha_pattern: 'uery' matches no"),
    "whole path that is none": (says(alpha_pattern={"^query": 3}), "'^query' matches no module"),
    "pattern of text": (says(rank_pattern="query"), "rank_pattern = 'query'"),
    "pattern of numbers": (says(rank_pattern=[3]), "rank_pattern = [3]"),
    "rank of text": (pattern(query="3"), "rank_pattern: 'query' = '3'"),
    "rank null": (pattern(query=None), "rank_pattern: 'query' = None"),
    "rank negative": (pattern(query=-3), "rank_pattern: 'query' = -3"),
    "rank of none": (pattern(query=0), "rank_pattern: 'query' = 0"),
    "rank fractional": (pattern(query=3.5), "rank_pattern: 'query' = 3.5"),
    "rank of another": (pattern(query=2), f"{A}: shape (3, 32), needed (2, a width)"),
    "alpha null": (says(alpha_pattern={"query": None}), "alpha_pattern: 'query' = None"),
    "alpha of text": (says(alpha_pattern={"query": "8"}), "alpha_pattern: 'query' = '8'"),
    # Numbers.
    "r fractional": (says(r=3.7), "r = 3.7"),
    "r negative": (says(r=-3), "r = -3"),
    "r of nothing": (says(r=0), "r = 0"),
    "r true": (says(r=True), "r = True"),
    "r absurd": (says(r=999_999), "r = 999999"),
    "r of another": (says(r=9999), f"{A}: shape (3, 32), needed (9999, a width)"),
    "lora_alpha of text": (says(lora_alpha="8"), "lora_alpha = '8'"),
    "lora_alpha null": (says(lora_alpha=None), "lora_alpha = None"),
    "dropout of all": (says(lora_dropout=1.0), "lora_dropout = 1.0"),
    "dropout above": (says(lora_dropout=1.5), "lora_dropout = 1.5"),
    "dropout negative": (says(lora_dropout=-0.1), "lora_dropout = -0.1"),
    "rslora of text": (says(use_rslora="yes"), "use_rslora = 'yes'"),
    "task_type a list": (says(task_type=["TOKEN_CLS"]), "task_type = ['TOKEN_CLS']"),
    "backbone a number": (says(base_model_name_or_path=5), "base_model_name_or_path = 5"),
    "saved modules of text": (says(modules_to_save="classifier"), "modules_to_save = 'classifier'"),
    # Weights.
    "missing tensor": (file(lambda t: t.pop(B)), f"{B}: missing"),
    "extra tensor": (put(f"{START}extra", torch.zeros(2), FILE), f"{START}extra: not part"),
    "part of no target": (
        in_turn(
            put(f"{KEY}.lora_A.weight", torch.zeros(3, 32), FILE),
            put(f"{KEY}.lora_B.weight", torch.zeros(32, 3), FILE),
        ),
        f"{KEY}: not named by target_modules",
    ),
    "smuggled embeddings": (
        put(f"{START}roberta.embeddings.word_embeddings.weight", torch.zeros(120, 32), FILE),
        "word_embeddings.weight: not part",
    ),
    "ranks that differ": (put(B, torch.zeros(32, 2), FILE), f"{B}: shape (32, 2), needed (a width"),
    "three axes": (put(B, torch.zeros(32, 3, 1), FILE), f"{B}: shape (32, 3, 1)"),
    "integers": (put(A, torch.zeros(3, 32, dtype=torch.long), FILE), f"{A}: dtype I64"),
    "no tensors": (file(lambda t: t.clear()), "it holds no .lora_A.weight tensor"),
    "head alone": (
        file(lambda t: [t.pop(name) for name in list(t) if "lora" in name]),
        "it holds no .lora_A.weight tensor",
    ),
    "no start": (key(START, ""), "lora_A.weight: not part"),
    "two models": (
        file(lambda t: t.update({B.replace("roberta.", ""): t.pop(B)})),
        "parts of different models: their keys have no prefix and 'roberta'",
    ),
    "two keys of one tensor": (
        file(lambda t: t.update({n.replace("roberta.", ""): t[n].clone() for n in (A, B)})),
        "parts of different models",
    ),
    "path with a slash": (
        key("layer.0.attention.self.query", "layer.0/attention.self.query"),
        "no path of a module",
    ),
    "empty path": (key("layer.0.attention.self.query", "layer..query"), "no path of a module"),
    "nothing in it, huge": (
        header_only({A: (0, 2**33), B: (2**33, 0)}),
        f"{A}: shape (0, 8589934592), needed (3, a width)",
    ),
    "no width": (put(A, torch.zeros(3, 0), FILE), f"{A}: shape (3, 0), needed (3, a width)"),
    "no weights": (
        in_turn(lambda f: (f / FILE).unlink(), bare),
        f"holds neither {FILE} nor adapter_model.bin",
    ),
    "truncated": (
        lambda f: raw(FILE, (f / FILE).read_bytes()[:-7])(f),
        "the header speaks of",
    ),
    # The head.
    "saved module that is not there": (
        says(modules_to_save=["classifier", "lm_head"]),
        "modules_to_save names 'lm_head': missing",
    ),
    "head lost": (
        file(lambda t: [t.pop(name) for name in list(t) if "classifier" in name]),
        "modules_to_save names 'classifier': missing",
    ),
    "head half lost": (
        file(lambda t: t.pop(f"{START}classifier.bias")),
        f"{START}classifier.bias: missing",
    ),
    "head of another shape": (
        put(f"{START}classifier.bias", torch.zeros(3), FILE),
        f"{START}classifier.bias: shape (3,), needed (2,)",
    ),
    "head nobody saved": (says(modules_to_save=None, task_type=None), f"{CLASSIFIER}: not part"),
    "millions of labels of nothing": (
        header_only(CLASSES | {A: (3, 0), B: (0, 3)}),
        "classifier: a weight matrix (labels, width) is needed, there is one of shape (20000000, 0)",
    ),
    "labels without width": (
        put(CLASSIFIER, torch.zeros(2, 0), FILE),
        "classifier: its width is 0",
    ),
    "head of the pooler": (says(task_type="SEQ_CLS"), "reads the backbone's pooler"),
    # adapterkit.json.
    "name with a path": (own(name="../../evil"), "name '../../evil'"),
    "name with a dot": (own(name="a.b"), "name 'a.b'"),
    "name of nothing": (own(name=""), "name ''"),
    "labels of numbers": (own(labels=[1, 2]), "'labels' must be distinct names, found [1, 2]"),
    "one label twice": (own(labels=["A", "A"]), "'labels' must be distinct names"),
    "too many labels": (own(labels=["A", "B", "C"]), "labels: 3 are named, the classifier has 2"),
    "digest of other weights": (own(digest="0" * 64), "digest: adapterkit.json says 000000000000"),
    "type of another model": (
        own(backbone={"model_type": "bert", "width": 32, "layers": 3}),
        "type: adapterkit.json says bert, the keys are a 'roberta' model's",
    ),
    "width of another model": (
        own(backbone={"model_type": "xlm-roberta", "width": 64, "layers": 3}),
        "width: adapterkit.json says 64, the classifier reads 32",
    ),
    "weights added later": (
        torch_file("adapter_model.bin"),
        "adapter_model.bin: not there when it was written",
    ),
    "folder as weights": (
        in_turn(lambda f: (f / FILE).unlink(), lambda f: (f / FILE).mkdir()),
        f"{FILE}: is no file",
    ),
}
IA3S: dict[str, tuple[Edit, str]] = {
    "upright": (
        file(lambda t: t.update({IA3: t[IA3].reshape(-1, 1)})),
        f"{IA3}: shape (48, 1), needed (1, a width)",
    ),
    "side not said": (says(feedforward_modules=[]), f"{IA3}: shape (1, 48), needed (a width, 1)"),
    "flat": (file(lambda t: t.update({IA3: t[IA3].flatten()})), f"{IA3}: shape (48,)"),
    "nothing in it": (put(IA3, torch.zeros(1, 0), FILE), f"{IA3}: shape (1, 0)"),
    "digest of other weights": (own(digest="0" * 64), "digest: adapterkit.json says 000000000000"),
}
VALUES: dict[str, tuple[Edit, str]] = {
    "NaN": (put(A, torch.full((3, 32), torch.nan), FILE), f"{A}: holds values that are not finite"),
    "huge values": (put(A, torch.full((3, 32), 1e30), FILE), f"{A}: holds a value of 1.0e+30"),
    "huge values in the head": (
        put(CLASSIFIER, torch.full((2, 32), 2e6), FILE),
        f"{CLASSIFIER}: holds a value of 2.0e+06",
    ),
}
