"""The sections of a report that look across panels: what each needs from the table, and its figure or matrix.

A section whose data is missing is left out, and why is kept: the page says it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from adapterkit.errors import ConfigError
from adapterkit.languages import language_name
from adapterkit.metrics import Confusion
from adapterkit.pages.figures import Point, draw_heat, draw_scatter
from adapterkit.pages.findings import LanguageFacts, PanelFacts
from adapterkit.pages.predictions import read_predictions
from adapterkit.pages.study import Panel
from adapterkit.pages.svg import Picture, file_name
from adapterkit.pages.words import counted, metric_name, percent, task_name, upper_first
from adapterkit.table import Row

_FEWEST = 4  # points of a scatter plot
_AXES: tuple[tuple[str, str, Callable[[LanguageFacts], float | None], bool, str], ...] = (
    ("text", "text of the language", lambda one: one.text_bytes or None, True, "bytes"),
    (
        "unknown",
        "share of pieces the tokenizer does not know",
        lambda one: one.unknown_share,
        False,
        "percent",
    ),
    ("fertility", "pieces a word", lambda one: one.pieces_per_word, False, "number"),
)


@dataclass(frozen=True)
class Matrix:
    """Scores by source and target, means over seeds."""

    title: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    cells: dict[tuple[str, str], float]
    picture: Picture

    def strength(self, source: str, target: str) -> float:
        """How high a score stands between the lowest and the highest of the matrix."""
        low, high = min(self.cells.values()), max(self.cells.values())
        return (self.cells[source, target] - low) / ((high - low) or 1.0)


@dataclass(frozen=True)
class Confused:
    """The confusion matrix of one cell, in words and numbers."""

    row: Row
    title: str
    matrix: Confusion
    picture: Picture

    def share(self, gold: int, predicted: int) -> float:
        """The share of a gold label that was predicted so."""
        counts = self.matrix.counts[gold]
        return counts[predicted] / (sum(counts) or 1)


def find_matrices(panels: Iterable[Panel], own: str) -> list[Matrix]:
    """Matrices of source by target for each task and backbone that has two sources or more.

    In each panel these are the cells of ``own`` and those that differ from them in the source only.
    """
    together: dict[tuple[str, str, str, str], dict[tuple[str, str], list[float]]] = {}
    for panel in panels:
        for row in panel.beside.get(own, ()):
            if row.source:
                place = together.setdefault(panel.key[:4], {})
                place.setdefault((row.source, row.language), []).append(row.value)
    found = []
    for (task, metric, backbone, split), cells in sorted(
        together.items(), key=lambda item: (item[0][3] != "test", item[0])
    ):
        sources = tuple(sorted({source for source, _ in cells}))
        if len(sources) < 2:
            continue
        targets = tuple(sorted({target for _, target in cells}))
        means = {place: fmean(values) for place, values in cells.items()}
        title = (
            f"{upper_first(task_name(task))}, {metric_name(metric)} in % of {own}: source of the labels "
            f"(rows) by target language (columns), {split}" + (f", {backbone}" if backbone else "")
        )
        matrix = Matrix(title, sources, targets, means, Picture("", "", 0, 0, ""))
        drawn = {p: (matrix.strength(*p), percent(value)) for p, value in means.items()}
        name = file_name("transfer", task, backbone, split, metric)
        picture = draw_heat(name, title, sources, targets, drawn)
        found.append(replace(matrix, picture=picture))
    return found


def find_scatters(facts: Sequence[PanelFacts], rival: str) -> list[Picture]:
    """Gain against text size, unknown pieces and pieces a word: a picture for what can be compared."""
    pictures = []
    for (task, metric, backbone, split), panels in _comparable(facts).items():
        for short, label, value, log, form in _AXES:
            dots = _points(panels, rival, value)
            if len(dots) < _FEWEST or len({dot.x for dot in dots}) < 2:
                continue
            rank = spearman([dot.x for dot in dots], [dot.y for dot in dots])
            title = (
                f"{upper_first(task_name(task))}, {split}: gain in {metric_name(metric)} over {rival} against {label}, "
                f"{_languages(dots)}, rank correlation {rank:+.2f}"
            )
            pictures.append(
                draw_scatter(
                    file_name("gain", short, task, backbone, split, metric),
                    title,
                    dots,
                    x_label=label,
                    x_log=log,
                    x_format=form,
                )
            )
    return pictures


def find_confusion(
    rows: Sequence[Row], *, folder: Path, facts: Sequence[PanelFacts], own: str, cell: str | None
) -> Confused | None:
    """The confusions of one cell: the one asked for, or the worst language's first seed.

    Raises:
        ConfigError: If the cell asked for is not there, is not one cell, or has no predictions.
    """
    row = _named_cell(rows, cell) if cell else _telling_cell(rows, facts, own, folder)
    if row is None:
        return None
    path = folder / row.predictions
    if not row.predictions or not path.is_file():
        raise ConfigError(
            f"cell {row.cell}: its predictions {row.predictions or '(none)'} are missing"
        )
    matrix = read_predictions(path).confusion()
    sets = {one.dataset for one in rows if (one.task, one.language) == (row.task, row.language)}
    named = f" ({row.dataset})" if len(sets) > 1 else ""
    title = (
        f"{upper_first(task_name(row.task))} in {language_name(row.language)}{named}, {row.method}, seed {row.seed}: "
        "gold label (rows) by predicted label (columns), in % of the gold label"
    )
    found = Confused(row, title, matrix, Picture("", "", 0, 0, ""))
    cells = {
        (gold, predicted): (found.share(g, p), f"{100 * found.share(g, p):.0f}")
        for g, gold in enumerate(matrix.labels)
        for p, predicted in enumerate(matrix.labels)
        if matrix.counts[g][p]
    }
    name = file_name("confusion", row.task, row.language, row.method, str(row.seed))
    return replace(found, picture=draw_heat(name, title, matrix.labels, matrix.labels, cells))


def spearman(x: Sequence[float], y: Sequence[float]) -> float:
    """Rank correlation in ``[-1, 1]``, ties at their mean rank; 0 where one side is constant."""
    ranks = _ranks(x), _ranks(y)
    means = [fmean(side) for side in ranks]
    a, b = ([value - mean for value in side] for side, mean in zip(ranks, means, strict=True))
    size = (sum(v * v for v in a) * sum(v * v for v in b)) ** 0.5
    return sum(v * w for v, w in zip(a, b, strict=True)) / size if size else 0.0


def _ranks(values: Sequence[float]) -> list[float]:
    ordered = sorted(values)
    return [ordered.index(value) + (ordered.count(value) - 1) / 2 for value in values]


def _points(
    panels: Sequence[PanelFacts], rival: str, value: Callable[[LanguageFacts], float | None]
) -> list[Point]:
    return [
        Point(one.language, x, gain.score.value, facts.panel.key.group or "all")
        for facts in panels
        for one in facts.languages
        if (x := value(one)) is not None and (gain := one.gains.get(rival)) is not None
    ]


def _languages(dots: Sequence[Point]) -> str:
    languages = counted(len({dot.name for dot in dots}), "language")
    sets = counted(len(dots), "test set")
    return languages if len({dot.name for dot in dots}) == len(dots) else f"{sets} of {languages}"


def _comparable(
    facts: Sequence[PanelFacts],
) -> dict[tuple[str, str, str, str], list[PanelFacts]]:
    found: dict[tuple[str, str, str, str], list[PanelFacts]] = defaultdict(list)
    for one in facts:
        found[one.panel.key[:4]].append(one)
    return found


def _named_cell(rows: Sequence[Row], cell: str) -> Row:
    """The cell of that digest, or the one that begins so; under several methods' names it is one."""
    found = {row.cell: row for row in reversed(rows) if row.cell.startswith(cell)}
    if len(found) != 1 and cell not in found:
        raise ConfigError(
            f"--cell {cell}: {len(found) or 'no'} cells of the table begin with it; give one of its "
            "column 'cell', or so much of its beginning that only one has it"
        )
    return found[cell] if cell in found else next(iter(found.values()))


def _telling_cell(
    rows: Sequence[Row], facts: Sequence[PanelFacts], own: str, folder: Path
) -> Row | None:
    for one in facts:
        if one.worst is None:
            continue
        for row in sorted(one.panel.rows[own], key=lambda row: row.seed):
            there = row.predictions and (folder / row.predictions).is_file()
            if (row.language, row.dataset) == one.worst.target and there:
                return row
    return None
