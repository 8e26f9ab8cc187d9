"""Predictions beside a table: gold and predicted labels of every example of a cell, and what they count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from adapterkit.counting import sentence_counts
from adapterkit.errors import ConfigError, CorpusError
from adapterkit.files import from_json
from adapterkit.metrics import Confusion, confusion

if TYPE_CHECKING:
    from adapterkit.counting import Array


@dataclass(frozen=True)
class Predictions:
    """Gold and predicted labels of every example of one cell; a text's one label as a sequence of one.

    ``path`` is the file that they stand in.
    """

    path: Path
    gold: tuple[tuple[str, ...], ...]
    predicted: tuple[tuple[str, ...], ...]
    texts: tuple[str, ...] = field(default=())

    def counts(self, metric: str, labels: Sequence[str]) -> Array:
        """What each sentence counts, as `sentence_counts` has it.

        Raises:
            ConfigError: If the labels are none that the metric can score; with the file's name.
        """
        try:
            return sentence_counts(metric, self.gold, self.predicted, labels=labels)
        except (ConfigError, CorpusError) as error:
            raise ConfigError(f"{self.path}: {error}") from None

    def confusion(self) -> Confusion:
        """How often each label was predicted for each label.

        Raises:
            ConfigError: If the two sides are not about the same words; with the file's name.
        """
        flat = [[label for labels in side for label in labels] for side in self._sides()]
        try:
            return confusion(*flat)
        except (ConfigError, CorpusError) as error:
            raise ConfigError(f"{self.path}: {error}") from None

    def labels(self) -> set[str]:
        """Every label of either side."""
        return {label for side in self._sides() for labels in side for label in labels}

    def _sides(self) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, ...], ...]]:
        return self.gold, self.predicted


def read_predictions(path: Path) -> Predictions:
    """Read a file of predictions, one example a line with ``gold`` and ``predicted``.

    Raises:
        CorpusError: If the file is not UTF-8, or a line is no such example.
    """
    gold, predicted, texts = [], [], []
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError:
        raise CorpusError(f"{path}: is not UTF-8; are these predictions?") from None
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            record = from_json(line.encode())
            sides = _labels(record["gold"]), _labels(record["predicted"])
            text = record.get("text") or " ".join(record.get("tokens") or ())
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise CorpusError(
                f"{path}, line {number}: not an example with 'gold' and 'predicted' labels"
            ) from None
        gold.append(sides[0])
        predicted.append(sides[1])
        texts.append(str(text))
    return Predictions(path, tuple(gold), tuple(predicted), tuple(texts))


def _labels(side: object) -> tuple[str, ...]:
    """One label, or those of a list; a TypeError for anything else."""
    if isinstance(side, str):
        return (side,)
    if not isinstance(side, list) or not all(isinstance(one, str | int) for one in side):
        raise TypeError
    return tuple(map(str, side))
