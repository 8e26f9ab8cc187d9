"""The one door to the ``datasets`` library: a column of text, or rows with labels.

Takes a data set object or the id of one on the Hub. The library is imported when a function here
is called, never before. What a row means is not known here.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from adapterkit.errors import ConfigError, CorpusError, HubError
from adapterkit.text.reading import cut_text

_SPLIT_NAMES = {
    "train": ("train",),
    "dev": ("dev", "validation", "valid", "val"),
    "test": ("test",),
}

Rows = Iterable[Mapping[str, object]]


@dataclass(frozen=True)
class DatasetColumn:
    """The lines of one text column; iterating again reads the data set again.

    Attributes:
        rows: A ``Dataset`` or an ``IterableDataset`` with only this column.
        column: Its name.
        name: What to call the data set in messages.
    """

    rows: Any  # the library is imported only in functions, so its classes have no name here
    column: str
    name: str

    def __str__(self) -> str:
        return self.name

    def __iter__(self) -> Iterator[str]:
        for number, row in enumerate(self.rows):
            text = row.get(self.column)
            if text is not None and not isinstance(text, str):
                raise CorpusError(
                    f"{self.name}, row {number}: column {self.column!r} holds "
                    f"{type(text).__name__}, not text"
                )
            yield from cut_text(text or "")


def column_of(dataset: object, column: str, *, split: str, streaming: bool) -> DatasetColumn:
    """Return the lines of a text column.

    Args:
        dataset: A ``Dataset``, an ``IterableDataset``, a dictionary of them by split, or a Hub id,
            with a configuration after a colon where one is needed:
            ``"wikimedia/wikipedia:20231101.cy"``.
        column: The column that holds the text.
        split: Which split to read, where there are several.
        streaming: Read from the Hub while iterating, without downloading everything first.

    Raises:
        ConfigError: The library is not installed.
        CorpusError: Not a data set, or no such split or column; those there are are named.
        HubError: The data set could not be fetched.
    """
    rows = _choose(dataset, split, streaming=streaming)
    name = f"data set {dataset}" if isinstance(dataset, str) else "the data set"
    columns = _columns(rows)
    if column not in columns:
        raise CorpusError(
            f"{name}: column {column!r} was asked for, found {', '.join(columns) or 'no columns'}; "
            "name the column of the text with column="
        )
    return DatasetColumn(rows.select_columns([column]), column, name)


def rows_of(
    dataset: object, *, split: str, names: Mapping[str, str] | None = None, column: str
) -> tuple[Rows | None, Sequence[str] | None]:
    """Return the rows of one split, and what the integers of a label column stand for.

    Args:
        dataset: As for ``column_of``. A data set without splits is taken as ``test``.
        split: ``train``, ``dev`` or ``test``.
        names: The data set's own name of each of these, where it differs; a data set without splits is
            taken as each that is named.
        column: The label column.

    Returns:
        The rows, or None if there is no such split; the labels' names, or None if the data set
        does not have them.

    Raises:
        ConfigError: The library is not installed, or ``names`` has another key.
        CorpusError: Not a data set, or ``names`` names a split that is not there.
        HubError: The data set could not be fetched.
    """
    strange = sorted({*(names or {})} - {*_SPLIT_NAMES})
    if strange:
        raise ConfigError(
            f"splits= maps train, dev and test to the data set's names, not {', '.join(map(repr, strange))}: "
            "splits={'dev': 'validation'}"
        )
    wanted = (names or {}).get(split)
    there = _splits(dataset)
    if there is None:
        chosen = split if split in (names or {"test": ""}) else None
    elif wanted is not None:
        chosen = wanted
    else:
        chosen = next((name for name in _SPLIT_NAMES[split] if name in there), None)
    if chosen is None:
        return None, None
    rows = _choose(dataset, chosen, streaming=False)
    return rows, _label_names((rows.features or {}).get(column))


def require_splits(found: Collection[str], dataset: object) -> None:
    """Refuse a data set in which no split was found.

    Raises:
        CorpusError: That names the splits there are.
    """
    if not found:
        there = ", ".join(map(str, _splits(dataset) or ())) or "none"
        raise CorpusError(
            f"the data set has no split called train, dev (or validation) or test; it has: {there}\n"
            "Say which is which: splits={'train': 'its name'}."
        )


def _library() -> ModuleType:
    try:
        import datasets
    except ImportError:
        raise ConfigError(
            'data sets need the datasets library: pip install "adapterkit[datasets]"'
        ) from None
    library: ModuleType = datasets
    return library


def _splits(dataset: object) -> Sequence[str] | None:
    """Return the names of a data set's splits, or None if it is one without splits."""
    library = _library()
    if isinstance(dataset, str):
        path, config = _address(dataset)
        with _fetching(dataset):
            return list(library.get_dataset_split_names(path, config))
    if isinstance(dataset, (library.DatasetDict, library.IterableDatasetDict)):
        return list(dataset)
    return None


def _choose(dataset: object, split: str, *, streaming: bool) -> Any:
    library = _library()
    if isinstance(dataset, str):
        path, config = _address(dataset)
        with _fetching(dataset):
            return library.load_dataset(path, config, split=split, streaming=streaming)
    if isinstance(dataset, (library.DatasetDict, library.IterableDatasetDict)):
        if split not in dataset:
            there = ", ".join(map(str, dataset)) or "none"
            raise CorpusError(f"the data set's split {split!r} was asked for, found {there}")
        return dataset[split]
    if isinstance(dataset, (library.Dataset, library.IterableDataset)):
        return dataset
    raise CorpusError(
        f"a datasets object or the id of a data set was expected, found {type(dataset).__name__}; "
        "files are read with from_files"
    )


def _address(dataset: str) -> tuple[str, str | None]:
    """Part a Hub id from the configuration that may stand behind a colon."""
    if dataset.startswith((".", "/", "~")):
        raise CorpusError(f"{dataset!r} is a path, not a data set's id; read it with from_files")
    path, _, config = dataset.removeprefix("hub:").partition(":")
    return path, config or None


@contextmanager
def _fetching(dataset: str) -> Iterator[None]:
    """Turn what the library raises while it fetches ``dataset`` into adapterkit's errors."""
    try:
        yield
    except OSError as error:
        raise HubError(f"data set {dataset!r} could not be fetched: {error}") from error
    except (ValueError, RuntimeError) as error:
        raise CorpusError(f"data set {dataset!r} cannot be used: {error}") from error


def _columns(rows: Any) -> Sequence[str]:
    if rows.column_names is not None:
        return list(rows.column_names)
    return list(next(iter(rows), {}))  # a stream may not know its columns before its first row


def _label_names(feature: Any) -> Sequence[str] | None:
    library = _library()
    # A list of labels is a Sequence or a List, depending on the library's version.
    inner = getattr(feature, "feature", feature)
    return list(inner.names) if isinstance(inner, library.ClassLabel) else None
