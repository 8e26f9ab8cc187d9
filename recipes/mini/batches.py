"""What one step reads, drawn from the seed and the step's number alone: a killed run goes on with the same batches."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recipes.mini.text import PAD, Rows

PAIRS = 0.2
"""Share of the batches that are translations."""
WHOLE = 0.25
"""Share of the rows that the student reads unmasked, as tasks will."""
MASKING = 0.2
EXPONENT = 0.7
"""A language's share is its number of rows to this power."""
IGNORED = -100
SPECIALS = 4
"""The first ids are special tokens."""


@dataclass(frozen=True)
class Batch:
    """Of one step.

    Attributes:
        whole: What the teacher reads; shape ``(rows, length)``.
        masked: What the student reads; the same shape.
        attended: Where a token is; None where there is no padding.
        targets: The masked pieces, and `IGNORED` elsewhere.
    """

    whole: Tensor
    masked: Tensor
    attended: Tensor | None
    targets: Tensor


class Text:
    """All rows, by language, and those of translations."""

    def __init__(self, folder: Path, vocabulary: int) -> None:
        self.by_language: dict[str, Rows] = {
            file.stem: np.load(file, mmap_mode="r") for file in sorted(folder.glob("text/*.npy"))
        }
        self.pairs: Rows = np.load(folder / "pairs.npy", mmap_mode="r")
        self.vocabulary = vocabulary
        sizes = np.array([len(rows) for rows in self.by_language.values()], float) ** EXPONENT
        self.shares = sizes / sizes.sum()

    def batch(self, seed: int, step: int, size: int) -> Batch:
        """The batch of ``step``: ``size`` rows."""
        dice = np.random.default_rng([seed, step])
        if dice.random() < PAIRS:
            rows = self.pairs[np.sort(dice.integers(0, len(self.pairs), size))]
        else:
            languages = list(self.by_language.values())
            picked = dice.choice(len(languages), size, p=self.shares)
            rows = np.stack(
                [languages[one][dice.integers(0, len(languages[one]))] for one in picked]
            )
        return masked(rows.astype(np.int64), self.vocabulary, dice)


def masked(rows: NDArray[np.int64], vocabulary: int, dice: np.random.Generator) -> Batch:
    """Mask ``rows`` as BERT does: of the picked pieces 80 % become the mask, 10 % another piece."""
    picked = (dice.random(rows.shape) < MASKING) & (rows >= SPECIALS)
    picked &= (dice.random(len(rows)) >= WHOLE)[:, None]
    targets = np.where(picked, rows, IGNORED)
    lot = dice.random(rows.shape)
    read = np.where(picked & (lot < 0.8), vocabulary - 1, rows)
    other = dice.integers(SPECIALS, vocabulary - 1, rows.shape)
    read = np.where(picked & (lot >= 0.9), other, read)
    there = rows != PAD
    return Batch(
        torch.from_numpy(rows),
        torch.from_numpy(read),
        None if there.all() else torch.from_numpy(there).long(),
        torch.from_numpy(targets),
    )
