"""Row numbers as callers give them: ``rows=[0, 1, 1]``, a composition's number for each row."""

import operator
from collections.abc import Sequence

from adapterkit.errors import ConfigError


def row_numbers(rows: Sequence[int] | None, *, batch: int, count: int, each: str) -> list[int]:
    """``rows`` as plain whole numbers.

    Args:
        rows: A list, tuple or one-dimensional tensor or array of whole numbers.
        batch: How many there must be.
        count: How many compositions there are; numbers go from 0 to one less.
        each: What a number is for, e.g. ``row``.

    Raises:
        ConfigError: If they are too many or too few, not numbers, or name no composition.
    """
    needed = f"rows= needs {batch} numbers from 0 to {count - 1}, one a {each}"
    if rows is None:
        raise ConfigError(f"this model has a composition per row: {needed}, got none")
    try:
        # Neither a string nor True is a list of numbers, whatever Python can make of them.
        numbers = [operator.index(row) for row in rows if not isinstance(row, bool)]
        plain = len(numbers) == len(rows)
    except TypeError:
        plain = False
    if not plain:
        raise ConfigError(f"{needed}, got {rows!r:.100}")
    if len(numbers) != batch:
        raise ConfigError(f"{needed}, got {len(numbers)}")
    wrong = sorted({number for number in numbers if not 0 <= number < count})
    if wrong:
        raise ConfigError(f"{needed}; there are no compositions {wrong}")
    return numbers
