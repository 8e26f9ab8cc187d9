"""Rows with named columns: JSON lines, TSV and CSV files, and the rows of a data set.

A row knows where it stands, so that whoever finds a fault in it can say where. What the columns
mean is not known here, except ``lang``, by which a file of many languages is filtered, and ``id``.
"""

import csv
import itertools
import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from numbers import Integral
from pathlib import Path

from adapterkit.data.lines import at, format_of, read_lines
from adapterkit.errors import ConfigError, CorpusError
from adapterkit.languages import code_of

JSON_LINES = frozenset({".jsonl", ".ndjson", ".json"})
"""Suffixes of files with one JSON object a line."""

TABLES = JSON_LINES | {".tsv", ".csv"}
"""Suffixes of every file that :func:`read_rows` reads."""

logger = logging.getLogger("adapterkit")
_LONGEST_FIELD = 2**31 - 1


@dataclass(frozen=True)
class Row:
    """One row: its values by column, and where it stands."""

    place: str
    values: Mapping[str, object]

    def value(self, column: str, purpose: str = "") -> object:
        """Give the value of a column that has to be there; ``purpose`` is what an error says it is for."""
        if column not in self.values:
            columns = ", ".join(map(str, self.values)) or "none"
            raise CorpusError(
                f"{self.place}: there is no {column!r}{purpose}; there are: {columns}"
            )
        return self.values[column]

    def text(self, column: str) -> str:
        """Give the value of the column that holds the text: a string.

        Raises:
            CorpusError: If there is no such column, or something else in it.
        """
        value = self.value(column, " to read the text from")
        if not isinstance(value, str):
            raise CorpusError(f"{self.place}: {column!r} holds {_kind(value)}, not a string")
        return value

    def words(self, column: str) -> tuple[str, ...]:
        """Give the value of a column that has to hold a list of words, none of them empty."""
        words = self.items(column)
        for word in words:
            if not isinstance(word, str) or not word:
                raise CorpusError(f"{self.place}: {column!r} holds {word!r}, not a word")
        return tuple(str(word) for word in words)

    def items(self, column: str) -> tuple[object, ...]:
        """Give the value of a column that has to hold a list."""
        value = self.value(column)
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
            raise CorpusError(f"{self.place}: {column!r} holds {_kind(value)}, not a list")
        return tuple(value)

    def label(self, value: object, *, names: Sequence[str] | None = None) -> str:
        """Turn a label of this row into a string: itself, or the name that an integer stands for.

        Raises:
            CorpusError: If it is empty, neither string nor integer, or an integer without a name.
        """
        if isinstance(value, str) and value:
            return value
        if not isinstance(value, Integral):
            raise CorpusError(f"{self.place}: the label is {value!r}, a string was expected")
        if names is None:
            return str(value)
        if not 0 <= int(value) < len(names):
            raise CorpusError(
                f"{self.place}: the label {value} has no name, the names are {', '.join(names)}. "
                "A label of -1 often means that a test set keeps its labels to itself."
            )
        return names[int(value)]

    def tag(self, value: object, *, names: Sequence[str] | None = None) -> str:
        """A word's label, as `label`; numbers below 0, which mark what is not to be learned, are none."""
        if names is None and isinstance(value, Integral) and int(value) < 0:
            raise CorpusError(
                f"{self.place}: {value} is no word's label; it marks what is not to be learned, such as the later pieces "
                "of a word. Give every word its label"
            )
        return self.label(value, names=names)

    def note(self, column: str) -> str:
        """Give the value of a column that may be missing, as a string."""
        value = self.values.get(column)
        return "" if value is None else str(value)


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a JSON-lines, TSV or CSV file, plain or ``.gz``; blank lines are skipped.

    TSV has a header line; a quote in it is a character like any other, but for a field in quotes whose own are
    doubled, as pandas writes them. CSV has a header line and quotes as RFC 4180 has them.

    Raises:
        CorpusError: If the file's name ends in none of these, or a line is not what the name says.
    """
    suffix = format_of(path)
    if suffix in JSON_LINES:
        return _json_rows(path)
    if suffix in TABLES:
        return _header_rows(path, _tsv(path) if suffix == ".tsv" else _csv(path))
    raise CorpusError(
        f"{path}: a table was expected, a file whose name ends in "
        f"{', '.join(sorted(TABLES))} (.gz may follow), found {suffix or 'no suffix'}"
    )


def number_rows(rows: Iterable[Mapping[str, object]]) -> Iterator[Row]:
    """Yield the rows of a data set in memory, numbered from 0 as such sets are indexed."""
    for number, values in enumerate(rows):
        yield Row(f"row {number}", values)


def in_language(rows: Iterable[Row], language: str | None, *, source: str) -> Iterator[Row]:
    """Yield the rows whose ``lang`` is ``language``, by any of its codes; all of them if it is ``None``.

    Raises:
        CorpusError: If a row has no ``lang``, or none is in ``language``.
    """
    others: Counter[str] = Counter()
    kept = False
    for row in rows:
        if language is not None and not _is_same(found := _language(row, language), language):
            others[found] += 1
            continue
        kept = True
        yield row
    if others and not kept:
        there = ", ".join(sorted(others))
        raise CorpusError(f"{source}: nothing in the language {language!r}; there are: {there}")
    unread = {code: count for code, count in others.items() if not _code(code)}
    if unread:
        logger.warning(
            "warning: %s: left out %d rows whose 'lang' is no language's code or name: %s",
            source,
            sum(unread.values()),
            ", ".join(map(repr, list(unread)[:5])),
        )


def _is_same(code: str, language: str) -> bool:
    """Whether ``code``, or the language that it is a region's or script's form of, is the one asked for."""
    return code == language or (_code(code) != "" and _code(code) == _code(language, part=False))


@lru_cache(maxsize=1024)
def _code(said: str, *, part: bool = True) -> str:
    """Of ``en``, ``English`` and, with ``part``, ``en-GB`` the code; nothing of whatever else a file calls its languages."""
    for name in (said, re.split("[-_]", said)[0]) if part else (said,):
        with suppress(ConfigError):
            return code_of(name)
    return ""


def _language(row: Row, language: str) -> str:
    if "lang" not in row.values:
        raise CorpusError(
            f"{row.place}: the language {language!r} was asked for, but there is no 'lang' to "
            f"tell it by; there are: {', '.join(map(str, row.values))}. "
            "If everything is in one language, leave the language out."
        )
    return row.note("lang")


def _json_rows(path: Path) -> Iterator[Row]:
    for number, line in read_lines(path):
        if not line.strip():
            continue
        place = at(path, number)
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise CorpusError(f"{place}: not one JSON object a line ({error})") from None
        if not isinstance(values, dict):
            raise CorpusError(f"{place}: holds {_kind(values)}, a JSON object was expected")
        yield Row(place, values)


def _header_rows(path: Path, records: Iterator[tuple[int, list[str]]]) -> Iterator[Row]:
    _, header = next(records, (0, []))
    if len(set(header)) != len(header):
        raise CorpusError(f"{path}: a column's name stands twice in the header: {header!r}")
    for number, fields in records:
        if len(fields) != len(header):
            raise CorpusError(
                f"{at(path, number)}: has {len(fields)} columns, the header has {len(header)}: "
                f"{', '.join(header)}"
            )
        yield Row(at(path, number), dict(zip(header, fields, strict=True)))


def _tsv(path: Path) -> Iterator[tuple[int, list[str]]]:
    for number, line in read_lines(path):
        if line:
            yield number, [_unquoted(field) for field in line.split("\t")]


def _unquoted(field: str) -> str:
    """A field that a program put in quotes because it holds some, ``"He said ""goal""."``, as it was; any other as it is."""
    inside = field[1:-1]
    quoted = field.startswith('"') and field.endswith('"') and '"' in inside
    return inside.replace('""', '"') if quoted and '"' not in inside.replace('""', "") else field


def _csv(path: Path) -> Iterator[tuple[int, list[str]]]:
    # By itself the reader takes no text of more than 131,072 characters; this is one setting for all of Python.
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_FIELD))
    lines = (f"{line}\n" for _, line in read_lines(path))
    first = next(lines, "")
    # Spreadsheets of many countries write semicolons, and what is called CSV has tabs now and then.
    delimiter = next((mark for mark in ",;\t" if mark in first), ",")
    reader = csv.reader(itertools.chain([first], lines), strict=True, delimiter=delimiter)
    try:
        for fields in reader:
            if fields:
                yield reader.line_num, fields
    except csv.Error as error:
        raise CorpusError(f"{at(path, reader.line_num)}: not CSV ({error})") from None


def _kind(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
