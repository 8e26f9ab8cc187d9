"""Tagging: a label for every word (parts of speech, named entities)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from adapterkit.backbone.frozen import Backbone
from adapterkit.config import HeadConfig
from adapterkit.data.batches import Window, word_windows
from adapterkit.data.datasets_door import require_splits, rows_of
from adapterkit.data.examples import TaggedSentence
from adapterkit.data.labelled import read_tagged, tagged_from_rows
from adapterkit.metrics import Score, is_span_scheme, span_scores, tagging_scores
from adapterkit.tasks.base import (
    SPLITS,
    Answer,
    examples_of,
    probabilities,
    read_splits,
    sizes,
    special_of,
)

Files = str | Path | Sequence[str | Path] | None


@dataclass(frozen=True, repr=False)
class Tagging:
    """A tagging task and its examples. Build one with `from_files` or `from_dataset`.

    Attributes:
        splits: Sentences by split.
        column: What is predicted, e.g. ``upos``.
    """

    splits: Mapping[str, tuple[TaggedSentence, ...]]
    column: str = "upos"
    kind: str = "tagging"

    @classmethod
    def from_files(
        cls,
        train: Files = None,
        *,
        dev: Files = None,
        test: Files = None,
        column: str | int | None = None,
        language: str | None = None,
    ) -> "Tagging":
        """Read CoNLL-U, two-column (BIO) or JSONL files, also ``.gz``.

        Args:
            train: File or files to learn from.
            dev: To choose the best weights by.
            test: To score on.
            column: The tags' name: a column of CoNLL-U (default ``upos``), a key of JSONL, or the number of a column
                in a file that has no names; there tags that are spans are called ``tags``, others ``upos``.
            language: Keep this language of files that hold several.

        Raises:
            CorpusError: If a file cannot be used.
        """
        files = read_splits({"train": train, "dev": dev, "test": test})
        named = None if column is None else str(column)
        splits = {
            split: tuple(
                s for path in paths for s in read_tagged(path, column=named, language=language)
            )
            for split, paths in files.items()
        }
        return cls(splits, _name(named, splits))

    @classmethod
    def from_dataset(
        cls,
        dataset: object,
        *,
        column: str = "upos",
        tokens: str = "tokens",
        splits: Mapping[str, str] | None = None,
        language: str | None = None,
    ) -> "Tagging":
        """Take a `datasets` object or a Hub data set id.

        Args:
            dataset: A ``DatasetDict``, a ``Dataset`` (taken as ``test``), or an id.
            column: The tags' column; numbers become names where the data set has them.
            tokens: The words' column.
            splits: The data set's name of ``train``, ``dev`` and ``test`` where it differs.
            language: Keep rows whose ``lang`` is this.
        """
        found = {}
        for split in SPLITS:
            rows, names = rows_of(dataset, split=split, names=splits, column=column)
            if rows is not None:
                found[split] = tuple(
                    tagged_from_rows(
                        rows,
                        tokens_column=tokens,
                        tags_column=column,
                        names=names,
                        language=language,
                    )
                )
        require_splits(found, dataset)
        return cls(found, column)

    @property
    def main_metric(self) -> str:
        """``span_f1`` where labels are spans (``B-PER``), else ``accuracy``."""
        return "span_f1" if self.has_spans() else "accuracy"

    def has_spans(self) -> bool:
        """Whether any label opens a span."""
        return _has_spans(self.splits)

    def __repr__(self) -> str:
        return f"Tagging({self.column}: {sizes(self.splits)})"

    def has(self, split: str) -> bool:
        """Whether there are examples of this split."""
        return bool(self.splits.get(split))

    def examples(self, split: str) -> tuple[TaggedSentence, ...]:
        """The sentences of a split; CorpusError if there are none."""
        return examples_of(self.splits, split, "tagging")

    def labels(self) -> tuple[str, ...]:
        """Every tag of the training sentences, sorted."""
        return tuple(sorted({tag for s in self.examples("train") for tag in s.tags}))

    def head(self, labels: tuple[str, ...]) -> HeadConfig:
        """One linear layer, as AdapterHub's tagging head."""
        return HeadConfig("tagging", labels)

    def windows(
        self, examples: Sequence[TaggedSentence], backbone: Backbone, *, limit: int
    ) -> list[Window]:
        """Windows of whole words; labels sit on first pieces."""
        pieces = backbone.word_pieces([s.words for s in examples])
        return word_windows(pieces, special_of(backbone), limit=limit)

    def targets(
        self,
        windows: Sequence[Window],
        examples: Sequence[TaggedSentence],
        labels: Mapping[str, int],
        length: int,
    ) -> Tensor:
        """Label numbers at first pieces, -100 elsewhere. Shape ``(batch, length)``."""
        targets = torch.full((len(windows), length), -100)
        for row, window in enumerate(windows):
            tags = examples[window.example].tags[window.first_word :]
            for place, tag in zip(window.first_pieces, tags, strict=False):
                targets[row, place] = labels[tag]
        return targets

    def answers(
        self, windows: Sequence[Window], logits: Sequence[Tensor], count: int, labels: Sequence[str]
    ) -> list[Answer]:
        """The likeliest tag of each word."""
        said: list[tuple[list[str], list[float]]] = [([], []) for _ in range(count)]
        for window, scores in zip(windows, logits, strict=True):
            if window.first_pieces:
                best, number = probabilities(scores[list(window.first_pieces)]).max(dim=-1)
                said[window.example][0].extend(labels[i] for i in number.tolist())
                said[window.example][1].extend(best.tolist())
        return [Answer(tuple(tags), tuple(scores)) for tags, scores in said]

    def gold(self, example: TaggedSentence) -> tuple[str, ...]:
        """The sentence's tags."""
        return example.tags

    def scores(
        self,
        examples: Sequence[TaggedSentence],
        answers: Sequence[Answer],
        *,
        seed: int,
        resamples: int = 1000,
    ) -> dict[str, Score]:
        """Accuracy and macro F1 over words; also span F1 where labels are spans."""
        gold, said = [s.tags for s in examples], [a.labels for a in answers]
        found = tagging_scores(gold, said, seed=seed, resamples=resamples)
        if not self.has_spans():
            return found
        return {**found, **span_scores(gold, said, seed=seed, resamples=resamples)}


def _has_spans(splits: Mapping[str, Sequence[TaggedSentence]]) -> bool:
    return any(is_span_scheme(s.tags) for split in splits.values() for s in split)


def _name(column: str | None, splits: Mapping[str, Sequence[TaggedSentence]]) -> str:
    if column and not column.isdecimal():
        return column
    return "tags" if _has_spans(splits) else "upos"
