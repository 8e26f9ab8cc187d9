"""The drawings of a report: gains and their intervals, dumbbells, scatter plots, curves, heat maps.

Each is about as wide as a phone and grows with the page. Numbers come as fractions and are shown as per cent or
points. No meaning is carried by colour alone: the looked-at method is a filled circle, its rivals are
other shapes, and every picture says in its title what it shows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adapterkit.metrics import Score
from adapterkit.pages.svg import (
    Picture,
    Scale,
    box,
    line,
    linear,
    log_ticks,
    logarithmic,
    mark,
    path,
    text,
    ticks,
)
from adapterkit.resampling import leaves_out_zero

WIDTH = 360
_ROW, _TOP, _RIGHT = 19, 22, 14
_SHAPES = ("circle", "square", "triangle", "diamond")
_KINDS = ("own", "rival open", "third open", "fourth open")


@dataclass(frozen=True)
class Point:
    """A dot of a scatter plot; ``series`` decides its shape."""

    name: str
    x: float
    y: float
    series: str


def draw_gains(
    name: str, title: str, rows: Sequence[tuple[str, Score]], *, left: int = 150
) -> Picture:
    """Draw a forest plot: a row for each label with its difference and interval, and a line at 0.

    A difference without an interval is a diamond.
    """
    low = min(0.0, *(score.low for _, score in rows))
    high = max(0.0, *(score.high for _, score in rows))
    x, body, height = _frame(low, high, len(rows), left, unit="points")
    body.append(line(x(0), _TOP - 6, x(0), height - 22, "zero"))
    labels = short_labels([label for label, _ in rows], left)
    for number, (_, score) in enumerate(rows):
        y = _TOP + _ROW * (number + 0.5)
        kind = "own" if leaves_out_zero(score) or not score.resampled else "own open"
        body.append(text(left - 8, y + 4, labels[number], at="end", kind="strong"))
        body.append(line(x(score.low), y, x(score.high), y, "own", width=2.4))
        body.append(mark(x(score.value), y, "circle" if score.resampled else "diamond", kind))
    return Picture(name, title, WIDTH, height, "".join(body))


def draw_scores(name: str, title: str, rows: Sequence[tuple[str, Score]]) -> Picture:
    """Draw each score with its interval; the first is filled."""
    left, edges = 110, [edge for _, score in rows for edge in (score.low, score.high)]
    margin = max(0.01, 0.05 * (max(edges) - min(edges)))
    low, high = max(0.0, min(edges) - margin), min(1.0, max(edges) + margin)
    x, body, height = _frame(low, high, len(rows), left, unit="%")
    labels = short_labels([label for label, _ in rows], left)
    for number, (_, score) in enumerate(rows):
        y, colour = _TOP + _ROW * (number + 0.5), "rival" if number else "own"
        body.append(text(left - 8, y + 4, labels[number], at="end", kind="strong"))
        body.append(line(x(score.low), y, x(score.high), y, colour, width=2.4))
        shape, kind = ("square", "rival open") if number else ("circle", "own")
        body.append(mark(x(score.value), y, shape, kind))
    return Picture(name, title, WIDTH, height, "".join(body))


def draw_dumbbells(
    name: str, title: str, rows: Sequence[tuple[str, Mapping[str, float]]], methods: Sequence[str]
) -> Picture:
    """Draw the score of each method in each row, joined by a line; the first method is filled."""
    left, values = 110, [value for _, scores in rows for value in scores.values()]
    margin = max(0.02, 0.05 * (max(values) - min(values)))
    x, body, height = _frame(min(values) - margin, max(values) + margin, len(rows), left, unit="%")
    labels = short_labels([label for label, _ in rows], left)
    for number, (_, scores) in enumerate(rows):
        y = _TOP + _ROW * (number + 0.5)
        body.append(text(left - 8, y + 4, labels[number], at="end", kind="strong"))
        body.append(line(x(min(scores.values())), y, x(max(scores.values())), y, "link"))
        for place in reversed(range(len(methods))):
            if methods[place] in scores:
                body.append(
                    mark(x(scores[methods[place]]), y, _SHAPES[place % 4], _KINDS[place % 4])
                )
    tall = height + _legend_height(methods) + 2
    return Picture(name, title, WIDTH, tall, "".join(body) + _legend(methods, height + 10))


def draw_scatter(
    name: str,
    title: str,
    points: Sequence[Point],
    *,
    x_label: str,
    x_log: bool,
    x_format: str = "bytes",
) -> Picture:
    """Draw gains (upwards, in points) against something else; each dot has its language's code."""
    left, height, bottom = 40, 270, 52
    x, x_ticks = _x_axis([p.x for p in points], left, WIDTH - 28, log=x_log)
    low, high = _padded([0.0, *(p.y for p in points)])
    y = linear(low, high, height - bottom, _TOP)
    body = []
    for value in ticks(low, high):
        body.append(line(left, y(value), WIDTH - _RIGHT, y(value), "grid"))
        body.append(text(left - 6, y(value) + 4, f"{100 * value:+.0f}" if value else "0", at="end"))
    body.append(line(left, y(0), WIDTH - _RIGHT, y(0), "zero"))
    for value in x_ticks:
        body.append(text(x(value), height - bottom + 16, _spelt(value, x_format), at="middle"))
    body.append(text(WIDTH - _RIGHT, height - bottom + 31, x_label, at="end"))
    body.append(text(2, 11, "gain, points"))
    series = sorted({p.series for p in points})
    for point in sorted(points, key=lambda p: p.name):
        place = series.index(point.series) % 4
        body.append(mark(x(point.x), y(point.y), _SHAPES[place], _KINDS[place]))
    for point, at in _label_places(points, x, y):
        body.append(text(x(point.x) + 7, at, point.name, kind="small strong"))
    tall = height + _legend_height(series)
    return Picture(name, title, WIDTH, tall, "".join(body) + _legend(series, height + 2))


def draw_lines(
    name: str,
    title: str,
    lines: Mapping[str, Sequence[tuple[float, float]]],
    *,
    x_label: str,
    x_log: bool,
    x_format: str = "number",
    y_label: str,
    percent: bool,
    dashed: float | None = None,
    width: int = WIDTH,
    named: bool = True,
) -> Picture:
    """Draw one line for each name, which stands at its end; ``dashed`` is a level to compare with."""
    left, height, bottom, right = 40, round(0.62 * width) + 30, 40, 36 if named else _RIGHT
    everything = [point for points in lines.values() for point in points]
    x, x_ticks = _x_axis([px for px, _ in everything], left, width - right, log=x_log)
    low, high = _padded([py for _, py in everything] + ([] if dashed is None else [dashed]))
    y = linear(low, high, height - bottom, _TOP)
    body = [text(2, 11, y_label)]
    for value in ticks(low, high, about=4):
        body.append(line(left, y(value), width - right, y(value), "grid"))
        shown = f"{100 * value:.0f}" if percent else f"{value:g}"
        body.append(text(left - 6, y(value) + 4, shown, at="end"))
    for value in x_ticks:
        body.append(text(x(value), height - bottom + 16, _spelt(value, x_format), at="middle"))
    body.append(text(width - right, height - 6, x_label, at="end"))
    if dashed is not None:
        body.append(line(left, y(dashed), width - right, y(dashed), "zero"))
    for label, points in lines.items():
        places = [(x(px), y(py)) for px, py in points]
        body.append(path(places, "own"))
        body.extend(mark(px, py, "circle", "own", size=2.4) for px, py in places)
        if named:
            body.append(text(places[-1][0] + 6, places[-1][1] + 4, label, kind="small strong"))
    return Picture(name, title, width, height, "".join(body))


def draw_heat(
    name: str,
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Mapping[tuple[str, str], tuple[float, str]],
) -> Picture:
    """Draw a matrix: each cell as dark as its strength in ``[0, 1]``, with its text in it."""
    left, side = 96, 34
    head = 20 + 6 * max(len(column) for column in columns)
    body = []
    for number, column in enumerate(columns):
        x = left + side * (number + 0.5)
        body.append(
            f'<g transform="translate({x + 3:.1f} {head - 6}) rotate(-60)">'
            f"{text(0, 0, column, kind='strong')}</g>"
        )
    labels = short_labels(rows, left)
    for place, row in enumerate(rows):
        y = head + 20 * place
        body.append(text(left - 6, y + 14, labels[place], at="end", kind="strong"))
        for number, column in enumerate(columns):
            strength, shown = cells.get((row, column), (0.0, ""))
            x = left + side * number
            body.append(box(x, y, side - 1, 19, "heat", strength=0.04 + 0.46 * strength))
            body.append(text(x + side / 2, y + 13, shown, at="middle", kind="small strong"))
    width = left + side * len(columns) + 30
    return Picture(name, title, width, head + 20 * len(rows) + 8, "".join(body))


def _frame(
    low: float, high: float, rows: int, left: int, *, unit: str
) -> tuple[Scale, list[str], int]:
    """The axis of a drawing with one row a label: its scale, its lines, its height."""
    height = _TOP + _ROW * rows + 26
    margin = 0.04 * (high - low)
    x = linear(low - margin, high + margin, left, WIDTH - _RIGHT)
    body = []
    for value in ticks(low, high, about=4):
        body.append(line(x(value), _TOP - 6, x(value), height - 22, "grid"))
        shown = f"{100 * value:+.4g}" if unit == "points" and value else f"{100 * value:.4g}"
        body.append(text(x(value), height - 8, shown, at="middle"))
    body.append(text(WIDTH - _RIGHT, 11, unit, at="end"))
    return x, body, height


def _x_axis(
    values: Sequence[float], start: float, end: float, *, log: bool
) -> tuple[Scale, list[float]]:
    low, high = min(values), max(values)
    if log:
        low, high = low / 1.25, high * 1.25
        return logarithmic(low, high, start, end), log_ticks(low, high)
    low, high = _padded(values)
    return linear(low, high, start, end), ticks(low, high, about=4)


def _padded(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = 0.07 * (high - low) or 0.05 * abs(high) or 0.05
    return low - margin, high + margin


def _legend(names: Sequence[str], y: float) -> str:
    """A shape and a name each, two a line; the first line stands at ``y``."""
    parts = []
    for place, name in enumerate(short_labels(names, round(WIDTH / 2) - 12)):
        x, at = 12 + (WIDTH / 2) * (place % 2), y + 15 * (place // 2)
        parts.append(mark(x, at - 4, _SHAPES[place % 4], _KINDS[place % 4]))
        parts.append(text(x + 10, at, name))
    return "".join(parts)


def _legend_height(names: Sequence[str]) -> int:
    return 15 * ((len(names) + 1) // 2)


def _label_places(points: Sequence[Point], x: Scale, y: Scale) -> list[tuple[Point, float]]:
    """Where labels stand: moved up or down a little where they would lie on each other."""
    placed: list[tuple[Point, float]] = []
    for point in sorted(points, key=lambda p: (y(p.y), p.name)):
        at = y(point.y) + 3.5
        for other, there in placed:
            if abs(x(other.x) - x(point.x)) < 26 and at - there < 9:
                at = there + 9
        placed.append((point, at))
    return placed


def short_labels(labels: Sequence[str], width: int) -> list[str]:
    """Labels cut to a width, in the middle or where they begin to differ; different ones stay different."""
    most = max(6, (width - 10) // 6)
    found = {label: _cut(label, most, most - 1 - (most - 1) // 2) for label in labels}
    for label in found:
        alike = [other for other in found if found[other] == found[label]]
        if len(alike) > 1:
            signs = enumerate(zip(*alike, strict=False))
            start = next((n for n, some in signs if len(set(some)) > 1), min(map(len, alike)))
            found |= {other: _cut_before(other, most, start) for other in alike}
    taken: dict[str, str] = {}
    for label, shown in found.items():
        numbered = (f"{shown[: most - len(str(n)) - 1]}…{n}" for n in range(2, len(found) + 2))
        taken[next(one for one in (shown, *numbered) if one not in taken)] = label
    names = {label: shown for shown, label in taken.items()}
    return [names[label] for label in labels]


def _cut(label: str, most: int, head: int) -> str:
    """The beginning and the end."""
    tail = most - 1 - head
    return label if len(label) <= most else f"{label[:head]}…{label[len(label) - tail :]}"


def _cut_before(label: str, most: int, start: int) -> str:
    """The beginning, and what follows from the word that holds ``start``; if that is not all, it is cut, too."""
    head = most // 4
    room = most - 1 - head
    word = label.rfind(" ", 0, start) + 1
    rest = label[max(head, word if start - word < room // 2 else start - 2) :]
    return f"{label[:head]}…{rest if len(rest) <= room else f'{rest[: room - 1]}…'}"


def _spelt(value: float, form: str) -> str:
    if form == "bytes":
        return f"{value / 1e6:g} MB" if value >= 1e5 else f"{value / 1e3:g} kB"
    if form == "percent":
        return f"{100 * value:.3g} %"
    return f"{value / 1000:g}k" if value >= 10_000 else f"{value:g}"
