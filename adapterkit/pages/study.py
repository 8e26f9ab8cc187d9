"""What a table of results says, ready to be compared: panels of methods over languages and seeds.

A panel is one task under one metric, on one group of languages and one split, with one backbone: within
it methods can be compared. Its scores come with resamples of their test sets where the predictions of
every example are there. What is worth saying about them is in `findings`.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from adapterkit.counting import COUNTED
from adapterkit.errors import ConfigError
from adapterkit.pages.predictions import Predictions, read_predictions
from adapterkit.pages.variants import name_methods
from adapterkit.resampling import Grid, Measured, certain, check_resamples, measure
from adapterkit.table import Row

GROUPS = ("unseen-by-both", "unseen-by-mini", "seen", "dev")
_EXACT = 1e-6  # how far a recomputed score may be from the one in the table


class Key(NamedTuple):
    """What rows must share to be compared."""

    task: str
    metric: str
    backbone: str
    split: str
    group: str


class Target(NamedTuple):
    """A test set: a language may have several."""

    language: str
    dataset: str


@dataclass(frozen=True)
class Panel:
    """Methods on the languages of one group.

    Attributes:
        key: What they share.
        grids: The scores of each method: test set, seed.
        rows: The rows of each method.
        beside: These, and those that differ from them in the source only.
        exact: Test sets whose sentences could be resampled, for every method.
    """

    key: Key
    grids: dict[str, Grid[Target]]
    rows: dict[str, tuple[Row, ...]]
    beside: dict[str, tuple[Row, ...]]
    exact: frozenset[Target]

    @property
    def targets(self) -> tuple[Target, ...]:
        """All test sets that any method was scored on, sorted."""
        return tuple(sorted({target for grid in self.grids.values() for target in grid}))

    @property
    def languages(self) -> tuple[str, ...]:
        """Their languages, each once."""
        return tuple(dict.fromkeys(target.language for target in self.targets))

    def several(self, language: str) -> bool:
        """Whether the panel has several test sets in this language."""
        return sum(target.language == language for target in self.targets) > 1

    def label(self, target: Target) -> str:
        """The language's code, with its data set where it has several here."""
        code, dataset = target
        return f"{code} ({dataset})" if self.several(code) else code


@dataclass(frozen=True)
class Study:
    """A table as panels, in the order in which a page shows them, and what could not be used.

    ``unsampled`` counts the rows whose sentences could not be resampled: their predictions are not there.
    """

    rows: tuple[Row, ...]
    panels: tuple[Panel, ...]
    notes: tuple[str, ...] = ()
    unsampled: int = 0

    @property
    def methods(self) -> tuple[str, ...]:
        """Every method of any panel, by the name that it has there, sorted."""
        return tuple(sorted({name for panel in self.panels for name in panel.grids}))


def make_study(rows: Sequence[Row], *, folder: Path, seed: int = 0, resamples: int = 1000) -> Study:
    """Sort the rows of a table into panels and resample their test sets.

    Args:
        rows: Of one table.
        folder: Where the table lies: predictions are named relative to it.
        seed: Of the bootstrap.
        resamples: How many times each test set is drawn anew.

    Raises:
        ConfigError: If the table is empty, ``resamples`` is below 1, or predictions are not those of their row.
        CorpusError: If a file of predictions is none.
    """
    check_resamples(resamples)
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


def _order(key: Key) -> tuple[object, ...]:
    """Tests before dev, tasks by name, the groups as `GROUPS` has them and unknown ones behind."""
    group = GROUPS.index(key.group) if key.group in GROUPS else len(GROUPS)
    return (key.split != "test", key.task, key.backbone, group, key)


def _panel(
    key: Key, rows: list[Row], *, folder: Path, seed: int, resamples: int, missing: list[str]
) -> Panel:
    _check_same(key, rows)
    named = name_methods(rows)
    by_target: dict[Target, dict[tuple[str, int], Row]] = defaultdict(dict)
    for one in named:
        method, row = one.name, one.row
        place = by_target[Target(row.language, row.dataset)]
        if (method, row.seed) in place:
            raise ConfigError(
                f"the table has two rows for {row.task} in {row.language}, {method}, seed {row.seed} "
                f"(cells {place[method, row.seed].cell or '?'} and {row.cell or '?'}) that differ in "
                "nothing a report can tell apart; leave one out"
            )
        place[method, row.seed] = row
    grids: dict[str, dict[Target, dict[int, Measured]]] = defaultdict(lambda: defaultdict(dict))
    exact = set()
    for target, cells in sorted(by_target.items()):
        found, complete = _measure(cells, folder, seed=seed, resamples=resamples, missing=missing)
        exact |= {target} if complete else set()
        for (method, number), measured in found.items():
            grids[method][target][number] = measured
    methods: dict[str, list[Row]] = defaultdict(list)
    kin: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for one in named:
        methods[one.name].append(one.row)
        kin[one.kin].append(one.row)
    return Panel(
        key,
        {method: dict(grid) for method, grid in grids.items()},
        {method: tuple(found) for method, found in methods.items()},
        {one.name: tuple(kin[one.kin]) for one in named},
        frozenset(exact),
    )


def _check_same(key: Key, rows: Sequence[Row]) -> None:
    """Refuse rows that only seem to be of one backbone or one test set."""
    digests = {row.backbone_digest[:12] for row in rows} - {""}
    if len(digests) > 1:
        raise ConfigError(
            f"the table has {key.task} of several backbones that are called {key.backbone!r} "
            f"(sha256 {', '.join(sorted(digests))}); report them apart"
        )
    sizes: dict[Target, set[int]] = defaultdict(set)
    for row in rows:
        sizes[Target(row.language, row.dataset)] |= {row.examples} if row.examples else set()
    for target, found in sorted(sizes.items()):
        if len(found) > 1:
            raise ConfigError(
                f"the table has {key.task} in {target.language} on test sets of {' and '.join(map(str, sorted(found)))} "
                "examples, which cannot be compared; leave one out"
            )


def _measure(
    cells: dict[tuple[str, int], Row],
    folder: Path,
    *,
    seed: int,
    resamples: int,
    missing: list[str],
) -> tuple[dict[tuple[str, int], Measured], bool]:
    """Score the cells of one test set, with resamples of its sentences where they are known."""
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
    labels = sorted(set().union(*(p.labels() for p in known.values())))
    counts = {key: p.counts(metric, labels) for key, p in known.items()}
    found = measure(metric, counts, seed=seed, resamples=resamples)
    for key, measured in found.items():
        if abs(measured.value - cells[key].value) > _EXACT:
            raise ConfigError(
                f"{cells[key].predictions}: scores {measured.value:.6f} {metric}, its row in the table "
                f"says {cells[key].value:.6f}; table and predictions are not of the same run"
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
