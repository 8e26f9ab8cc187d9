"""One method in several settings: names that tell its variants apart, and what a user may call them.

``own · steps 480`` is the method ``own`` where the table has it with other steps, too.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from adapterkit.table import Row

_SOURCE = "from"
SETTINGS: dict[str, Callable[[Row], object]] = {
    _SOURCE: lambda row: row.source,
    "learning rate": lambda row: row.learning_rate,
    "epochs": lambda row: row.epochs,
    "reduction": lambda row: row.reduction_factor,
    "steps": lambda row: row.steps,
    "text bytes": lambda row: row.text_bytes,
}
"""By what two cells of one method may differ; the first that tell them apart name them."""
_SEARCHED = {"learning rate", "epochs"}
"""Settings that a grid spans to choose from."""
_MARK = " · "


@dataclass(frozen=True)
class Named:
    """A row and the name of its method.

    Attributes:
        name: The method, or one of its settings.
        row: The row.
        kin: The same for all that differ from it in the source only.
    """

    name: str
    row: Row
    kin: tuple[object, ...]


def name_methods(rows: Sequence[Row]) -> list[Named]:
    """Name each row's method; cells of one method with other settings become methods of their own.

    The settings that most cells have keep the bare name, if there are any such; of sources that are
    as frequent, the one that most of all methods' cells have. Among rates and epochs to choose from
    none is the usual one, however far the grid has come, but one that is everywhere, the others here
    and there.
    """
    named = []
    main_source = Counter(row.source for row in rows).most_common(1)[0][0]
    for method in sorted({row.method for row in rows}):
        mine = [row for row in rows if row.method == method]
        telling = _telling(mine)
        counts = Counter(_settings(row, telling) for row in mine)
        bare = _usual(counts, main_source if telling[:1] == [_SOURCE] else None)
        if _SEARCHED & set(telling) and not _is_main(bare, counts, len(set(map(_place, mine)))):
            bare = None
        for row in mine:
            own = _settings(row, telling)
            name = method if own == bare else f"{method}{_MARK}{_spelt(own, telling)}"
            kin = (method, *_settings(row, [one for one in telling if one != _SOURCE]))
            named.append(Named(name, row, kin))
    return named


def _usual(counts: Counter[tuple[object, ...]], source: str | None) -> tuple[object, ...] | None:
    most = max(counts.values())
    usual = [settings for settings, count in counts.items() if count == most]
    if len(usual) > 1 and source is not None:
        usual = [settings for settings in usual if settings[0] == source]
    return usual[0] if len(usual) == 1 else None


def _is_main(
    settings: tuple[object, ...] | None, counts: Counter[tuple[object, ...]], places: int
) -> bool:
    """Whether ``settings`` are in every place and each other ones in less than half of them.

    In a grid that goes on place by place, all that have begun lack one place at most.
    """
    return all(
        count == places if one == settings else 2 * count < places for one, count in counts.items()
    )


def _telling(rows: Sequence[Row]) -> list[str]:
    """The fewest settings, taken in order, that tell apart cells of one language and seed."""
    telling: list[str] = []
    for name in SETTINGS:
        if not _twice(rows, telling):
            return telling
        if any(len(set(values)) > 1 for values in _values(rows, telling, name)):
            telling.append(name)
    return telling


def _values(rows: Sequence[Row], telling: Sequence[str], name: str) -> Iterator[list[object]]:
    places: dict[object, list[object]] = defaultdict(list)
    for row in rows:
        places[_place(row), _settings(row, telling)].append(SETTINGS[name](row))
    return iter(places.values())


def _twice(rows: Sequence[Row], telling: Sequence[str]) -> bool:
    return len({(_place(row), _settings(row, telling)) for row in rows}) < len(rows)


def _place(row: Row) -> tuple[object, ...]:
    return (row.dataset, row.language, row.seed)


def _settings(row: Row, telling: Sequence[str]) -> tuple[object, ...]:
    return tuple(SETTINGS[name](row) for name in telling)


def _spelt(values: tuple[object, ...], telling: Sequence[str]) -> str:
    shown = [f"{value:g}" if isinstance(value, float) else str(value) for value in values]
    return ", ".join(f"{name} {value}" for name, value in zip(telling, shown, strict=True))


def variants_of(method: str, names: Iterable[str]) -> list[str]:
    """Those of ``names`` that are a setting of ``method``, as `name_methods` names them."""
    return [name for name in dict.fromkeys(names) if name.startswith(f"{method}{_MARK}")]


def rejoined(parts: Sequence[str], names: Iterable[str]) -> list[str]:
    """Put names together again that hold commas and were cut there; the longest known one wins."""
    known = {tuple(map(str.strip, name.split(","))): name for name in names}
    found, start = [], 0
    while start < len(parts):
        ends = range(len(parts), start, -1)
        end = next((end for end in ends if tuple(parts[start:end]) in known), start + 1)
        found.append(known.get(tuple(parts[start:end]), parts[start]))
        start = end
    return found
