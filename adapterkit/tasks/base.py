"""The protocol of a task, and what tasks share. To add a task, write a class that has these members.

A task holds its examples and says how they become windows and targets, how logits become labels, and how
labels are scored. It knows no training loop and no files of adapters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from adapterkit.backbone.frozen import Backbone
from adapterkit.config import HeadConfig
from adapterkit.data.batches import Special, Window
from adapterkit.errors import ConfigError, CorpusError
from adapterkit.metrics import Score

E = TypeVar("E")
SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class Answer:
    """What a model says of one example.

    Attributes:
        labels: One a word (tagging), or one (classification).
        scores: Probability of each label, in ``[0, 1]``.
    """

    labels: tuple[str, ...]
    scores: tuple[float, ...]


@runtime_checkable
class Task(Protocol[E]):
    """A task over examples of type ``E``."""

    @property
    def kind(self) -> str:
        """The head's kind, ``tagging`` or ``classification``."""

    @property
    def column(self) -> str:
        """What is predicted, as files call it, e.g. ``upos``."""

    @property
    def main_metric(self) -> str:
        """Name of the metric that counts."""

    def examples(self, split: str) -> tuple[E, ...]:
        """Examples of ``train``, ``dev`` or ``test``; CorpusError if there are none."""

    def has(self, split: str) -> bool:
        """Whether there are examples of this split."""

    def labels(self) -> tuple[str, ...]:
        """Every label of the training examples, sorted."""

    def head(self, labels: tuple[str, ...]) -> HeadConfig:
        """The head that a task adapter for these labels gets."""

    def windows(self, examples: Sequence[E], backbone: Backbone, *, limit: int) -> list[Window]:
        """Inputs of the backbone, at most ``limit`` tokens each."""

    def targets(
        self,
        windows: Sequence[Window],
        examples: Sequence[E],
        labels: Mapping[str, int],
        length: int,
    ) -> Tensor:
        """Label numbers: ``(batch, length)`` with -100 where none, or ``(batch,)``."""

    def answers(
        self, windows: Sequence[Window], logits: Sequence[Tensor], count: int, labels: Sequence[str]
    ) -> list[Answer]:
        """One answer for each of ``count`` examples, from the logits of each window."""

    def gold(self, example: E) -> tuple[str, ...]:
        """The right labels of an example."""

    def scores(
        self, examples: Sequence[E], answers: Sequence[Answer], *, seed: int, resamples: int = 1000
    ) -> dict[str, Score]:
        """Every metric of the task, with intervals from ``resamples`` of the examples."""


def require_task(task: object) -> Task[Any]:
    """``task``, if it is one.

    Raises:
        ConfigError: That says how to make one.
    """
    if not isinstance(task, Task):
        raise ConfigError(
            f"a task is needed, not {type(task).__name__} ({task!r:.60}): ak.Tagging.from_files(...), "
            "ak.Classification.from_files(...)"
        )
    return task


def read_splits(
    files: Mapping[str, str | Path | Sequence[str | Path] | None],
) -> dict[str, list[Path]]:
    """The files given for each split, as lists.

    Raises:
        ConfigError: If no file is given at all.
    """
    given = {split: value for split, value in files.items() if value is not None}
    if not given:
        raise ConfigError("no file was given; pass at least one of train=, dev=, test=")
    return {
        split: [
            Path(item).expanduser()
            for item in ([value] if isinstance(value, str | Path) else value)
        ]
        for split, value in given.items()
    }


def examples_of(splits: Mapping[str, tuple[E, ...]], split: str, what: str) -> tuple[E, ...]:
    """The examples of a split.

    Raises:
        ConfigError: If ``split`` is no split's name.
        CorpusError: If the task holds none.
    """
    if split not in SPLITS:
        raise ConfigError(f"split {split!r}: must be one of {', '.join(SPLITS)}")
    found = splits.get(split, ())
    if not found:
        have = ", ".join(name for name in SPLITS if splits.get(name)) or "none"
        raise CorpusError(
            f"the {what} task has no {split} examples (it has: {have}); pass {split}= "
            f"(of a data set: splits={{'{split}': its name}})"
        )
    return found


def sizes(splits: Mapping[str, tuple[E, ...]]) -> str:
    """How many examples each split has, in words."""
    there = [f"{len(splits[name]):,} {name}" for name in SPLITS if splits.get(name)]
    return ", ".join(there) or "no examples"


def special_of(backbone: Backbone) -> Special:
    """The special tokens of a backbone's inputs.

    ``[CLS]`` and ``[SEP]`` around a text, or what plays their part: a decoder reads texts as language
    adapters were trained on them, between the tokens of begin and end (the latter twice where there is
    no other), and T5 has an end only.

    Raises:
        ConfigError: If the tokenizer has no token that ends a text.
    """
    t = backbone.tokenizer
    if backbone.architecture.kind == "causal":
        end = t.eos_token_id
        start = end if t.bos_token_id is None else t.bos_token_id
    else:
        start = t.bos_token_id if t.cls_token_id is None else t.cls_token_id
        end = t.eos_token_id if t.sep_token_id is None else t.sep_token_id
    if end is None:
        raise ConfigError(
            f"the tokenizer of {backbone.name!r} has no token that ends a text (eos_token); "
            "inputs of tasks need one"
        )
    return Special(start, end, t.pad_token_id if t.pad_token_id is not None else 0)


def probabilities(logits: Tensor) -> Tensor:
    """Softmax over the last axis in float32."""
    return torch.softmax(logits.float(), dim=-1)
