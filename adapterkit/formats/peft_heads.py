"""The classifier in a PEFT weight file, by its header. No torch.

A tagging head is the ``classifier`` of a model with a token classification head; so is a classification head where the
architecture's own has our form (RoBERTa's). One that reads the backbone's pooler cannot be rebuilt.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapterkit.config import HeadConfig
from adapterkit.errors import FolderError
from adapterkit.formats.heads import MOST_LABELS
from adapterkit.formats.peft_modules import START, Facts
from adapterkit.formats.shapes import differences, head_shapes

HEADS = ("classifier", "score", "qa_outputs", "pre_classifier")
"""What heads of transformers' models are called."""
_AUTOMATIC = ("classifier", "score")
"""PEFT puts both into ``modules_to_save`` of classifiers, whichever the model has."""
_CLASSIFIERS = ("TOKEN_CLS", "SEQ_CLS")
TAGGING = {"weight": "head.chain.1.weight", "bias": "head.chain.1.bias"}
CLASSES = {
    f"{part}.{end}": f"head.chain.{place}.{end}"
    for part, place in (("dense", "1"), ("out_proj", "4"))
    for end in ("weight", "bias")
}


@dataclass(frozen=True)
class PeftHead:
    """A head that a file holds.

    Attributes:
        config: Its shape.
        width: What it reads.
        names: Our name of each of its tensors, by its key.
    """

    config: HeadConfig
    width: int
    names: Mapping[str, str]


def is_head(key: str) -> bool:
    """Whether a tensor stands in a model's head."""
    return key.startswith(START) and key[len(START) :].split(".")[0] in HEADS


def unsaved(record: Mapping[str, Any], facts: Facts, *, with_head: bool) -> list[str]:
    """What ``modules_to_save`` names and the file lacks, a line each."""
    names = set(record.get("modules_to_save") or ())
    there = {name for name in names if any(f".{name}." in f".{key}" for key in facts)}
    if record.get("task_type") in _CLASSIFIERS and there & set(_AUTOMATIC):
        there |= set(_AUTOMATIC)
    there |= set() if with_head else set(HEADS)
    return [f"modules_to_save names {name!r:.60}: missing" for name in sorted(names - there)]


def read_head(
    folder: Path, record: Mapping[str, Any], own: Mapping[str, Any], facts: Facts, prefix: str
) -> tuple[PeftHead | None, list[str]]:
    """The head of which ``facts`` tell, if any, and what is wrong with it.

    Raises:
        FolderError: If it is one that cannot be rebuilt.
    """
    kind = record.get("task_type")
    there = {key: fact for key, fact in facts.items() if key.startswith(f"{START}classifier.")}
    saved = kind in _CLASSIFIERS or "classifier" in (record.get("modules_to_save") or ())
    labels = own.get("labels") or []
    if not there or not saved:
        lone = f"labels: {len(labels)} are named, and there is no classifier in the file"
        return None, [lone] if labels else []
    simple = kind == "TOKEN_CLS"
    table = {
        f"{START}classifier.{end}": name for end, name in (TAGGING if simple else CLASSES).items()
    }
    _check_form(folder, prefix, simple=simple, known=set(there) == set(table), ours=bool(own))
    last = there.get(f"{START}classifier.{'weight' if simple else 'out_proj.weight'}")
    if last is None or len(last.shape) != 2 or not 0 < last.shape[0] <= MOST_LABELS:
        shape = "none" if last is None else f"one of shape {last.shape}"
        return None, [f"classifier: a weight matrix (labels, width) is needed, there is {shape}"]
    count, width = last.shape
    if labels and len(labels) != count:
        return None, [f"labels: {len(labels)} are named, the classifier has {count}"]
    names = tuple(labels or (f"LABEL_{number}" for number in range(count)))
    config = HeadConfig(
        "tagging" if simple else "classification", labels=names, layers=1 if simple else 2
    )
    needed = head_shapes(config, width)
    wanted = {key: needed[name] for key, name in table.items()}
    empty = [] if width else ["classifier: its width is 0"]
    return PeftHead(config, width, table), empty + differences(wanted, there)


def _check_form(folder: Path, prefix: str, *, simple: bool, known: bool, ours: bool) -> None:
    out = "load_adapter(..., with_head=False) loads the adapter without it"
    if not simple and (not known or prefix != "roberta"):
        raise FolderError(
            f"{folder}: its classifier reads the backbone's pooler, which is no part of it; only token "
            f"classification and RoBERTa's form (classifier.dense, classifier.out_proj) are supported\n{out}"
        )
    if simple and prefix == "model" and not ours:
        # ModernBERT's: between hidden state and classifier stands a head of the backbone's own.
        raise FolderError(
            f"{folder}: its classifier reads a head of the backbone's own, which is no part of it\n{out}"
        )
