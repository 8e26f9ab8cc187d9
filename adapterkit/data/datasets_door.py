"""The one door to `datasets`: its objects and Hub data sets as plain rows. It is an optional extra."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from adapterkit.errors import ConfigError, CorpusError


def texts_of(dataset: object, *, column: str, split: str, streaming: bool) -> Callable[[], Iterable[str]]:
    """A function that reads the texts of a column anew each time it is called.

    Raises:
        CorpusError: If there is no such split or column.
    """
    rows: Any = _split(_opened(dataset, streaming=streaming), split)
    if rows is None:
        raise CorpusError(f"the data set has no split {split!r}")
    columns = getattr(rows, "column_names", None)
    if columns is not None and column not in columns:
        raise CorpusError(f"the data set has no column {column!r}; it has: {', '.join(columns)}")

    def read() -> Iterator[str]:
        for row in rows:
            text = row.get(column)
            if isinstance(text, str):
                yield from text.splitlines()

    return read


def rows_of(
    dataset: object, *, split: str, names: Mapping[str, str] | None, column: str
) -> tuple[Iterable[Mapping[str, Any]] | None, Sequence[str] | None]:
    """Rows of a split, and the names of ``column``'s class labels where it has them.

    Args:
        dataset: A ``DatasetDict``, ``Dataset`` or id; a single ``Dataset`` counts as ``test``.
        split: ``train``, ``dev`` or ``test``.
        names: The data set's own names of splits where they differ.
        column: The labels' column.

    Returns:
        The rows and label names; ``(None, None)`` if there is no such split.
    """
    opened = _opened(dataset, streaming=False)
    own = (names or {}).get(split, {"dev": "validation"}.get(split, split))
    rows = _split(opened, own) if isinstance(opened, Mapping) else (opened if split == "test" else None)
    if rows is None:
        return None, None
    feature: Any = (getattr(rows, "features", None) or {}).get(column)
    feature = getattr(feature, "feature", feature)
    return rows, getattr(feature, "names", None)


def _opened(dataset: object, *, streaming: bool) -> Any:
    if not isinstance(dataset, str):
        return dataset
    try:
        from datasets import load_dataset
    except ImportError:
        raise ConfigError("a data set id needs the datasets library: pip install 'adapterkit[datasets]'") from None
    try:
        return load_dataset(dataset, streaming=streaming)
    except Exception as error:
        raise CorpusError(f"data set {dataset!r} could not be opened: {str(error).splitlines()[0]}") from error


def _split(dataset: Any, split: str) -> Any:
    if isinstance(dataset, Mapping):
        return dataset.get(split)
    return dataset
