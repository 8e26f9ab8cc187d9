"""Which composition each row of a batch has, and how to compute every row by its own.

A batch whose rows stand in the order of their compositions is cut into slices, without copies; `AdaptedModel` sorts
batches so. Row numbers are bound to a call's hooks and never change.
"""

from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from torch import Tensor

Where = slice | Tensor
"""Rows of a batch: a slice, or their numbers, shape ``(n,)``."""


class Groups:
    """The number of each row's composition.

    Args:
        numbers: One a row.
        device: Where the batch is.
    """

    def __init__(self, numbers: Sequence[int], device: torch.device) -> None:
        self.numbers = tuple(numbers)
        self.device = device

    @cached_property
    def runs(self) -> tuple[tuple[int, Where], ...]:
        """Each composition that occurs, with its rows."""
        places: dict[int, list[int]] = {}
        for row, number in enumerate(self.numbers):
            places.setdefault(number, []).append(row)
        return tuple((number, self._where(rows)) for number, rows in sorted(places.items()))

    def _where(self, rows: list[int]) -> Where:
        if rows[-1] - rows[0] + 1 == len(rows):
            return slice(rows[0], rows[-1] + 1)
        return torch.tensor(rows, device=self.device)

    @cached_property
    def slices(self) -> tuple[tuple[int, int, int], ...] | None:
        """First row, row after the last and composition of each run, first to last; None if rows of one are apart."""
        cuts = [
            (where.start, where.stop, number)
            for number, where in self.runs
            if isinstance(where, slice)
        ]
        return tuple(sorted(cuts)) if len(cuts) == len(self.runs) else None

    @cached_property
    def used(self) -> tuple[int, ...]:
        """The compositions that occur."""
        return tuple(number for number, _ in self.runs)

    def repeated(self, times: int) -> "Groups":
        """Each row ``times`` times, side by side, as beams are."""
        return Groups([number for number in self.numbers for _ in range(times)], self.device)

    def of(self, rows: Sequence[int]) -> "Groups":
        """Of these rows only, in this order; one may occur several times."""
        return Groups([self.numbers[row] for row in rows], self.device)


def by_row(x: Tensor, groups: Groups, apply: Callable[[int, Where], Tensor]) -> Tensor:
    """Compute each row by the function of its composition, and put the rows back in order.

    Args:
        x: What the result is shaped like. Shape ``(batch, ...)``.
        groups: The composition of each row.
        apply: Called with a composition's number and its rows; gives these rows of the result.
    """
    runs = groups.runs
    if not runs:
        return x
    if all(isinstance(where, slice) for _, where in runs):
        starts = sorted(runs, key=lambda run: run[1].start)  # type: ignore[union-attr]
        return torch.cat([apply(number, where).to(x.dtype) for number, where in starts])
    out = x
    for number, where in runs:
        rows = torch.arange(len(x), device=x.device)[where] if isinstance(where, slice) else where
        out = out.index_copy(0, rows, apply(number, where).to(x.dtype))
    return out
