"""The tidy table of an experiment: one row a finished cell, as CSV and as Parquet.

Here is what a row holds, and the reading and writing of both files; pyarrow's one door. How a cell is run
is in `experiments`, the page made of a table in `report`. Shares and scores are fractions of 1; what does not
apply to a row is None, an empty cell in CSV and a null in Parquet.
"""

import csv
import io
import logging
import os
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

from adapterkit.errors import ConfigError, found, nearest, visible
from adapterkit.files import write_bytes
from adapterkit.languages import normalise_code

TIMES = ("minutes", "started")
"""The columns that differ between two runs of the same grid; all others are the same."""
SOURCE = "source"
"""The group of the labels' own language: what a gap is measured from, no target."""
LARGEST = 1e18
"""No number of a table is larger; pages compute with them."""
_SHOWN = 20
_NOT_BELOW_0 = {
    *("examples", "steps", "tokens", "trained_parameters", "bytes", "text_bytes", "unknown_share"),
    *("pieces_per_word", "learning_rate", "epochs", "reduction_factor"),
}
_FRACTIONS = {"value", "low", "high", "unknown_share"}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One finished cell: a method's score on one test set, and what it cost.

    Attributes:
        task: What is predicted: ``pos``, ``ner``, ``sentiment``, ``topic``.
        dataset: The labelled set's name, e.g. ``ud/cym_ccg``.
        language: ISO 639-3 code of the target language.
        group: ``unseen-by-both``, ``unseen-by-mini``, ``seen``, ``dev``, ``source``.
        split: ``dev``, ``test``, or ``test-half`` (dev's stand-in where there is no dev set).
        method: Name of the method, e.g. ``own``.
        seed: Of everything random in it.
        backbone: Canonical name.
        backbone_digest: sha256 over its tensors.
        source: Source languages of the labels, with commas.
        metric: Name of the metric that counts.
        value: Its value, a fraction.
        low: Lower end of its 95 % interval (bootstrap over sentences).
        high: Upper end.
        examples: Sentences or texts scored.
        steps: Steps of the training done for this language (its language adapter, a copy of the
            backbone, a few labels); 0 where a method trains nothing for it.
        tokens: Tokens read in these steps.
        minutes: Training time of them, over all sittings.
        trained_parameters: Numbers trained for this language.
        bytes: Size on disk of what this language needs beside backbone and task adapter.
        text_bytes: Raw text that was trained on, cleaned.
        unknown_share: Share of the text's tokens that the tokenizer does not know.
        pieces_per_word: Tokens a word in that text (fertility).
        heldout_before: Held-out masked-LM loss of the backbone alone, in nats a masked token.
        heldout_after: The same with what was trained.
        learning_rate: Peak of the training for this language.
        epochs: Passes over the labelled examples, where these were set and not steps.
        reduction_factor: Of the language adapter.
        precision: What was trained for this cell, or the task adapter, multiplied in: ``float32`` or ``bfloat16``.
        looks: Held-out loss at each look, ``step:value`` with spaces between: the learning curve.
        cell: Digest of the cell's settings.
        recipe: Name of the recipe.
        predictions: Where every example's gold and predicted labels are, relative to the table.
        torch: Version.
        transformers: Version.
        adapterkit: Version.
        started: When the cell began, UTC, ``2026-01-31T12:00:00Z``.
    """

    task: str
    dataset: str = ""
    language: str
    group: str = ""
    split: str = "test"
    method: str
    seed: int
    backbone: str = ""
    backbone_digest: str = ""
    source: str = ""
    metric: str
    value: float
    low: float | None = None
    high: float | None = None
    examples: int | None = None
    steps: int | None = None
    tokens: int | None = None
    minutes: float | None = None
    trained_parameters: int | None = None
    bytes: int | None = None
    text_bytes: int | None = None
    unknown_share: float | None = None
    pieces_per_word: float | None = None
    heldout_before: float | None = None
    heldout_after: float | None = None
    learning_rate: float | None = None
    epochs: float | None = None
    reduction_factor: float | None = None
    precision: str = ""
    looks: str = ""
    cell: str = ""
    recipe: str = ""
    predictions: str = ""
    torch: str = ""
    transformers: str = ""
    adapterkit: str = ""
    started: str = ""


logger = logging.getLogger("adapterkit")
COLUMNS = tuple(field.name for field in fields(Row))
REQUIRED = ("task", "language", "method", "seed", "metric", "value")


def read_table(path: str | Path) -> list[Row]:
    """Read a table from ``.csv`` or ``.parquet``.

    Columns may come in any order, and all but `REQUIRED` may be missing.

    Raises:
        ConfigError: If the file is missing or is no such table: every problem at once.
    """
    path = Path(path)
    if path.is_dir():
        there = sorted(one.name for one in path.iterdir() if one.suffix in (".csv", ".parquet"))
        raise ConfigError(
            f"{path} is a folder; say which table of it: {', '.join(there) or 'it has none'}"
        )
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such table; `adapterkit run RECIPE` writes one")
    records = _from_parquet(path) if _is_parquet(path) else _from_csv(path)
    header = list(records[0]) if records else list(COLUMNS)
    _check_header(path, header)
    rows, problems = [], []
    for number, record in enumerate(records, start=2):
        values, wrong = _typed(record)
        problems += [f"row {number}: {one}" for one in wrong]
        if not wrong:
            rows.append(Row(**values))
    if problems:
        raise ConfigError(f"{path} is no table of results:{found(problems[:_SHOWN])}")
    return rows


def read_tables(paths: Sequence[Path]) -> tuple[list[Row], Path]:
    """Read several tables as one: the rows, and the folder that their predictions are named relative to.

    A cell that stands in several tables (they share a folder, or one is a copy) counts once, with a warning if its values
    differ (another processor or version made one of them); under two methods' names,
    which come to the same in a recipe, it counts for each.

    Raises:
        ConfigError: As `read_table`; if there are none; if predictions lie outside a table's folder.
    """
    if not paths:
        raise ConfigError("no table was given")
    parents = [path.resolve().parent for path in paths]
    folder = Path(os.path.commonpath(parents))
    rows: dict[object, Row] = {}
    others: list[Row] = []
    for path, parent in zip(paths, parents, strict=True):
        for number, row in enumerate(read_table(path)):
            if row.predictions:
                place = Path(row.predictions)
                if place.is_absolute() or ".." in place.parts:
                    raise ConfigError(f"{path}: predictions {row.predictions!r} are not beside it")
                place = (parent / place).relative_to(folder)
                row = replace(row, predictions=place.as_posix())
            key = (row.cell, row.method) if row.cell else (path, number)
            first = rows.setdefault(key, row)
            if (first.value, first.examples) != (row.value, row.examples):
                others.append(row)
    if others:
        one = others[0]
        logger.warning(
            "warning: %d cells stand in several tables with another value (the first: %s in %s, seed %d); "
            "that of the table which is named first is taken",
            *(len(others), one.method, one.language, one.seed),
        )
    return list(rows.values()), folder


def write_table(path: str | Path, rows: Iterable[Row]) -> None:
    """Write a table to ``.csv`` or ``.parquet``, in one step; `ordered` rows give the same bytes.

    Raises:
        ConfigError: If the name ends otherwise, or Parquet is asked for without pyarrow.
    """
    path = Path(path)
    records = [asdict(row) for row in ordered(rows)]
    write_bytes(path, _to_parquet(records) if _is_parquet(path) else _to_csv(records))


def ordered(rows: Iterable[Row]) -> list[Row]:
    """Rows by task, set, language, method, backbone and seed: the order of their finishing is forgotten."""
    return sorted(
        rows,
        key=lambda row: (
            *(row.task, row.dataset, row.group, row.language, row.split, row.method),
            *(row.backbone, row.source, row.seed, row.cell),
        ),
    )


def has_parquet() -> bool:
    """Whether pyarrow is there to write Parquet with."""
    from importlib.util import find_spec

    return find_spec("pyarrow") is not None


def _is_parquet(path: Path) -> bool:
    if path.suffix not in (".csv", ".parquet"):
        raise ConfigError(f"{path}: a table is a .csv or a .parquet file")
    return path.suffix == ".parquet"


def _check_header(path: Path, header: Sequence[str]) -> None:
    problems = [f"column {name!r} is missing" for name in REQUIRED if name not in header]
    for name in sorted({name for name in header if header.count(name) > 1}):
        problems.append(f"column {name!r} is there twice")
    for name in header:
        if name not in COLUMNS:
            problems.append(f"column {name!r} is not known{nearest(name, COLUMNS)}")
    if problems:
        raise ConfigError(f"{path} is no table of results:{found(problems)}")


def _kinds() -> dict[str, tuple[type, bool]]:
    """For each column the type of its values, and whether it may be empty."""
    kinds: dict[str, tuple[type, bool]] = {}
    for name, hint in get_type_hints(Row).items():
        optional = isinstance(hint, types.UnionType)
        kind = get_args(hint)[0] if optional else hint
        kinds[name] = (kind, optional or (kind is str and name not in REQUIRED))
    return kinds


_KINDS = _kinds()


def _typed(record: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, value in record.items():
        kind, optional = _KINDS[name]
        if value in (None, ""):
            if not optional:
                problems.append(f"{name} is empty")
            elif kind is not str:
                values[name] = None
            continue
        try:
            values[name] = _READERS[name if name in _READERS else kind](value)
        except (TypeError, ValueError):
            wanted = _WORDS[name if name in _WORDS else kind]
            problems.append(f"{name} is {str(value)[:40]!r}, {wanted} was expected")
            continue
        if kind in (int, float) and not abs(values[name]) <= LARGEST:
            problems.append(f"{name} is {str(value)[:40]}, a finite number below 1e18 was expected")
        elif name in _NOT_BELOW_0 and values[name] < 0:
            problems.append(f"{name} is {value}, which is below 0")
        elif name in _FRACTIONS and abs(values[name]) > 1:
            problems.append(f"{name} is {value}, a fraction of 1 was expected, no per cent")
    return values, problems


def _whole(value: Any) -> int:
    """A whole number, also where a program for tables wrote it as ``480.0``; a ValueError of any other."""
    try:
        return int(str(value))
    except ValueError:
        if not float(value).is_integer():
            raise
        return int(float(value))


def _text(value: Any) -> str:
    """One line without control characters, which would steer a terminal or a page; a ValueError of any other."""
    if visible(str(value)) != str(value) or "\n" in str(value):
        raise ValueError
    return str(value)


def _language(value: Any) -> str:
    """Its one code, so that ``cy`` and ``cym`` are not two languages; a ValueError of what is none."""
    try:
        return normalise_code(str(value))
    except ConfigError as error:
        raise ValueError(str(error)) from None


# By column, else by kind.
_READERS: dict[object, Callable[[Any], Any]] = {
    "language": _language,
    int: _whole,
    float: float,
    str: _text,
}
_WORDS: dict[object, str] = {
    "language": "a code of 2 to 8 letters",
    int: "a whole number",
    float: "a number",
    str: "text of one line",
}


def _from_csv(path: Path) -> list[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8; is it a table?") from None
    lines = _cells(path, csv.reader(io.StringIO(text, newline="")))
    header = next(lines, [])
    _check_header(path, header)
    records, problems = [], []
    for number, cells in enumerate(lines, start=2):
        if len(cells) != len(header):
            problems.append(f"row {number}: {len(cells)} cells, the header has {len(header)}")
        elif cells:
            records.append(dict(zip(header, cells, strict=True)))
    if problems:
        raise ConfigError(f"{path} is no table of results:{found(problems[:_SHOWN])}")
    return records


def _cells(path: Path, lines: Iterator[list[str]]) -> Iterator[list[str]]:
    try:
        yield from lines
    except csv.Error as error:
        raise ConfigError(f"{path}: is no table of results ({error})") from None


def _to_csv(records: Sequence[Mapping[str, Any]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for record in records:
        # repr of a float is the shortest text that reads back as the same float.
        writer.writerow(["" if record[name] is None else record[name] for name in COLUMNS])
    return out.getvalue().encode("utf-8")


def _from_parquet(path: Path) -> list[dict[str, Any]]:
    _require_pyarrow()
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise ConfigError(f"{path}: is not readable as Parquet ({error})") from None
    _check_header(path, table.column_names)
    records: list[dict[str, Any]] = table.to_pylist()
    return records


def _to_parquet(records: Sequence[Mapping[str, Any]]) -> bytes:
    _require_pyarrow()
    import pyarrow
    import pyarrow.parquet

    kinds = {int: pyarrow.int64(), float: pyarrow.float64(), str: pyarrow.string()}
    schema = pyarrow.schema([(name, kinds[_KINDS[name][0]]) for name in COLUMNS])
    out = io.BytesIO()
    table = pyarrow.Table.from_pylist([dict(record) for record in records], schema=schema)
    pyarrow.parquet.write_table(table, out)
    return out.getvalue()


def _require_pyarrow() -> None:
    if not has_parquet():
        raise ConfigError(
            'Parquet needs pyarrow: pip install "adapterkit[experiments]"; the CSV file holds the same table'
        )
