"""What a table of results says, ready to be compared: panels of methods over languages and seeds.

A panel is one task under one metric, on one group of languages and one split, with one backbone: within
it methods can be compared. Its scores come with resamples of their test sets where the predictions of
every example are there. What is worth saying about them is in `findings`.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from adapterkit.counting import COUNTED, sentence_counts
from adapterkit.errors import ConfigError, CorpusError
from adapterkit.resampling import Grid, Measured, certain, measure
from adapterkit.table import Row

GROUPS = ("unseen-by-both", "unseen-by-mini", "seen", "dev")
SETTINGS: dict[str, Callable[[Row], object]] = {
    "from": lambda row: row.source,
    "learning rate": lambda row: row.learning_rate,
    "epochs": lambda row: row.epochs,
    "reduction": lambda row: row.reduction_factor,
    "steps": lambda row: row.steps,
    "text bytes": lambda row: row.text_bytes,
}
"""By what two cells of one method may differ; the first that tell them apart name them."""
_SEARCHED = {"learning rate", "epochs"}
"""Settings that a grid spans to choose from."""
_EXACT = 1e-6  # how far a recomputed score may be from the one in the table


class Key(NamedTuple):
    """What rows must share to be compared."""

    task: str
    metric: str
    backbone: str
    split: str
    group: str


@dataclass(frozen=True)
class Panel:
    """Methods on the languages of one group.

    Attributes:
        key: What they share.
        grids: The scores of each method: language (with its data set, where it has several), seed.
        rows: The rows of each method.
        exact: Languages whose sentences could be resampled, for every method.
    """

    key: Key
    grids: dict[str, Grid]
    rows: dict[str, tuple[Row, ...]]
    exact: frozenset[str]

    @property
    def languages(self) -> tuple[str, ...]:
        """All languages that any method was scored on, sorted."""
        return tuple(sorted({name for grid in self.grids.values() for name in grid}))


@dataclass(frozen=True)
class Study:
    """A table as panels, in the order in which a page shows them, and what could not be used.

    ``unsampled`` counts the rows whose sentences could not be resampled: their predictions are not there.
    """

    rows: tuple[Row, ...]
    panels: tuple[Panel, ...]
    notes: tuple[str, ...] = ()
    unsampled: int = 0


@dataclass(frozen=True)
class Predictions:
    """Gold and predicted labels of every example of one cell; a text's one label as a sequence of one."""

    gold: tuple[tuple[str, ...], ...]
    predicted: tuple[tuple[str, ...], ...]
    texts: tuple[str, ...] = field(default=())


def make_study(rows: Sequence[Row], *, folder: Path, seed: int = 0, resamples: int = 1000) -> Study:
    """Sort the rows of a table into panels and resample their test sets.

    Args:
        rows: Of one table.
        folder: Where the table lies: predictions are named relative to it.
        seed: Of the bootstrap.
        resamples: How many times each test set is drawn anew.

    Raises:
        ConfigError: If the table is empty, or predictions are not those of their row.
    """
    if not rows:
        raise ConfigError("the table has no rows: no cell of the grid is finished yet")
    together: dict[Key, list[Row]] = defaultdict(list)
    for row in rows:
        together[Key(row.task, row.metric, row.backbone, row.split, row.group)].append(row)
    missing: list[str] = []
    panels = [
        _panel(key, found, folder=folder, seed=seed, resamples=resamples, missing=missing)
        for key, found in sorted(together.items(), key=lambda item: _order(item[0]))
    ]
    notes = _missing_note(missing, len(rows))
    return Study(tuple(rows), tuple(panels), notes, len(missing))


def read_predictions(path: Path) -> Predictions:
    """Read a file of predictions, one example a line with ``gold`` and ``predicted``.

    Raises:
        CorpusError: If a line is no such example.
    """
    gold, predicted, texts = [], [], []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not line:
            continue
        try:
            record = json.loads(line)
            sides = [record["gold"], record["predicted"]]
            text = record.get("text") or " ".join(record.get("tokens") or ())
        except (ValueError, KeyError, TypeError, AttributeError):
            raise CorpusError(
                f"{path}, line {number}: not an example with 'gold' and 'predicted' labels"
            ) from None
        g, p = ((side,) if isinstance(side, str) else tuple(map(str, side)) for side in sides)
        gold.append(g)
        predicted.append(p)
        texts.append(str(text))
    return Predictions(tuple(gold), tuple(predicted), tuple(texts))


def _order(key: Key) -> tuple[object, ...]:
    """Tests before dev, tasks by name, the groups as `GROUPS` has them and unknown ones behind."""
    group = GROUPS.index(key.group) if key.group in GROUPS else len(GROUPS)
    return (key.split != "test", key.task, key.backbone, group, key)


def _panel(
    key: Key, rows: list[Row], *, folder: Path, seed: int, resamples: int, missing: list[str]
) -> Panel:
    named = _name_methods(rows)
    by_language: dict[str, dict[tuple[str, int], Row]] = defaultdict(dict)
    for method, row in named:
        place = by_language[_unit(row, rows)]
        if (method, row.seed) in place:
            raise ConfigError(
                f"the table has two rows for {row.task} in {row.language}, {method}, seed {row.seed} "
                f"(cells {place[method, row.seed].cell or '?'} and {row.cell or '?'}) that differ in "
                "nothing a report can tell apart; leave one out"
            )
        place[method, row.seed] = row
    grids: dict[str, dict[str, dict[int, Measured]]] = defaultdict(lambda: defaultdict(dict))
    exact = set()
    for language, cells in sorted(by_language.items()):
        found, complete = _measure(cells, folder, seed=seed, resamples=resamples, missing=missing)
        exact |= {language} if complete else set()
        for (method, number), measured in found.items():
            grids[method][language][number] = measured
    methods: dict[str, list[Row]] = defaultdict(list)
    for method, row in named:
        methods[method].append(row)
    return Panel(
        key,
        {method: dict(grid) for method, grid in grids.items()},
        {method: tuple(found) for method, found in methods.items()},
        frozenset(exact),
    )


def _unit(row: Row, rows: Iterable[Row]) -> str:
    """The language; with its data set, where the panel has several in this language."""
    sets = {other.dataset for other in rows if other.language == row.language}
    return row.language if len(sets) == 1 else f"{row.language} ({row.dataset})"


def _name_methods(rows: Sequence[Row]) -> list[tuple[str, Row]]:
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
        bare = _usual(counts, main_source if telling[:1] == ["from"] else None)
        if _SEARCHED & set(telling) and not _is_main(bare, counts, len(set(map(_place, mine)))):
            bare = None
        for row in mine:
            own = _settings(row, telling)
            named.append((method if own == bare else f"{method} · {_spelt(own, telling)}", row))
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


def _measure(
    cells: dict[tuple[str, int], Row],
    folder: Path,
    *,
    seed: int,
    resamples: int,
    missing: list[str],
) -> tuple[dict[tuple[str, int], Measured], bool]:
    """Score the cells of one language, with resamples of its sentences where they are known."""
    known: dict[tuple[str, int], Predictions] = {}
    for key, row in cells.items():
        path = folder / row.predictions
        if row.predictions and row.metric in COUNTED and path.is_file():
            known[key] = read_predictions(path)
        else:
            missing.append(row.predictions or f"{row.task} {row.language} {row.method} {row.seed}")
    found = {key: certain(row.value, resamples=resamples) for key, row in cells.items()}
    if known:
        _check_gold(cells, known)
        found |= _resampled(cells, known, seed=seed, resamples=resamples)
    return found, len(known) == len(cells)


def _resampled(
    cells: dict[tuple[str, int], Row],
    known: dict[tuple[str, int], Predictions],
    *,
    seed: int,
    resamples: int,
) -> dict[tuple[str, int], Measured]:
    metric = next(iter(cells.values())).metric
    labels = sorted(
        {
            label
            for p in known.values()
            for side in (p.gold, p.predicted)
            for s in side
            for label in s
        }
    )
    counts = {
        key: sentence_counts(metric, p.gold, p.predicted, labels=labels) for key, p in known.items()
    }
    found = measure(metric, counts, seed=seed, resamples=resamples)
    for key, measured in found.items():
        if abs(measured.value - cells[key].value) > _EXACT:
            raise ConfigError(
                f"{cells[key].predictions}: scores {measured.value:.4f} {metric}, its row in the table "
                f"says {cells[key].value:.4f}; table and predictions are not of the same run"
            )
    return found


def _check_gold(
    cells: dict[tuple[str, int], Row], known: dict[tuple[str, int], Predictions]
) -> None:
    first, *others = known
    for other in others:
        if known[other].gold != known[first].gold:
            raise ConfigError(
                f"{cells[first].predictions} and {cells[other].predictions} do not have the same gold "
                "labels in the same order, so they cannot be compared example by example"
            )


def _missing_note(missing: Sequence[str], total: int) -> tuple[str, ...]:
    if not missing:
        return ()
    return (
        f"For {len(missing)} of {total} cells the predictions of every example are not there "
        f"(the first: {missing[0]}). Their sentences cannot be resampled: intervals that rest on them "
        "resample seeds and languages only, and are too narrow; one language with one seed has no interval, "
        "and nothing is said to be reliable there. Intervals need the predictions folder beside the table.",
    )
