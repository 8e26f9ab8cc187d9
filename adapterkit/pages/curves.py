"""Curves of a report: held-out losses against steps, and scores against text size and steps."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from adapterkit.errors import ConfigError
from adapterkit.languages import language_name
from adapterkit.pages.figures import draw_lines
from adapterkit.pages.svg import Picture, file_name
from adapterkit.pages.variants import SETTINGS
from adapterkit.pages.words import metric_name, task_name, upper_first
from adapterkit.table import LARGEST, Row

_SMALL = 240  # width of one of many small curves
_AXES = {"text_bytes": "text bytes", "steps": "steps"}
_Points = list[tuple[float, float]]


def find_curves(rows: Iterable[Row]) -> list[Picture]:
    """Held-out loss against steps for each language, a line for each seed and setting."""
    curves: dict[tuple[str, str], dict[tuple[int, str], _Points]] = defaultdict(dict)
    before: dict[tuple[str, str], float] = {}
    for row in rows:
        looks = parse_looks(row)
        if len(looks) > 1:
            place = (row.language, row.backbone)
            curves[place][row.seed, row.looks] = looks
            if row.heldout_before is not None:
                before[place] = row.heldout_before
    pictures = []
    for (language, backbone), lines in sorted(curves.items()):
        bare = before.get((language, backbone))
        dashed = "" if bare is None else f"; dashed: the backbone alone, {bare:.2f}"
        each = "a seed" if len({seed for seed, _ in lines}) == len(lines) else "a seed and setting"
        picture = draw_lines(
            file_name("curve", language, backbone),
            f"{language_name(language)}: held-out loss in nats against steps, a line {each}{dashed}",
            {str(key): points for key, points in lines.items()},
            x_label="steps",
            x_log=False,
            y_label="loss, nats",
            percent=False,
            dashed=bare,
            width=_SMALL,
            named=False,
        )
        pictures.append(replace(picture, caption=language_name(language)))
    return pictures


def find_ablations(rows: Sequence[Row], method: str) -> list[Picture]:
    """Scores of all settings of a method against text size and steps, where one language has several."""
    pictures = []
    for column, label, form in (
        ("text_bytes", "text trained on", "bytes"),
        ("steps", "steps", "number"),
    ):
        lines = _ablation_lines(rows, method, column)
        for (task, metric, split, backbone), found in sorted(lines.items()):
            named, legend = _named(found)
            pictures.append(
                draw_lines(
                    file_name("ablation", column, task, backbone, split, metric),
                    f"{upper_first(task_name(task))}, {split}: {metric_name(metric)} of {method} in % "
                    f"against {label}, a line a language, means over seeds{legend}",
                    named,
                    x_label=label,
                    x_log=True,
                    x_format=form,
                    y_label=f"{metric_name(metric)}, %",
                    percent=True,
                )
            )
    return pictures


def parse_looks(row: Row) -> list[tuple[float, float]]:
    """``0:5.5 60:4.25`` as steps and losses.

    Raises:
        ConfigError: If it is written otherwise.
    """
    try:
        pairs = [look.split(":") for look in row.looks.split()]
        found = [(float(step), float(loss)) for step, loss in pairs]
    except ValueError:
        found = [(math.nan, math.nan)]
    if not all(abs(value) <= LARGEST for look in found for value in look):
        raise ConfigError(
            f"cell {row.cell}: looks is {row.looks[:40]!r}; step:loss with spaces between was expected, "
            "both finite numbers"
        )
    return found


def _ablation_lines(
    rows: Sequence[Row], method: str, column: str
) -> Mapping[tuple[str, str, str, str], Mapping[str, list[tuple[dict[str, object], _Points]]]]:
    """For each panel and language its lines: what is the same along each, and its points."""
    places: dict[tuple[object, ...], dict[float, list[float]]] = defaultdict(
        lambda: defaultdict(list)
    )
    settings: dict[tuple[object, ...], dict[str, object]] = {}
    for row in rows:
        x = row.text_bytes if column == "text_bytes" else row.steps
        if row.method == method and x:
            same = {name: value(row) for name, value in SETTINGS.items() if name != _AXES[column]}
            same = {"set": row.dataset, **same}
            key = (row.task, row.metric, row.split, row.backbone, row.language, *same.values())
            places[key][x].append(row.value)
            settings[key] = same
    lines: dict[tuple[str, str, str, str], dict[str, list[tuple[dict[str, object], _Points]]]]
    lines = defaultdict(lambda: defaultdict(list))
    for key, found in sorted(places.items(), key=lambda item: tuple(map(str, item[0]))):
        if len(found) > 1:
            panel = (str(key[0]), str(key[1]), str(key[2]), str(key[3]))
            points = sorted((x, fmean(values)) for x, values in found.items())
            lines[panel][str(key[4])].append((settings[key], points))
    return lines


def _named(
    languages: Mapping[str, Sequence[tuple[dict[str, object], _Points]]],
) -> tuple[dict[str, _Points], str]:
    """A name for each line: the code, numbered where a language has several; and what the numbers mean."""
    named, legend = {}, []
    for code, lines in languages.items():
        if len(lines) == 1:
            named[code] = lines[0][1]
            continue
        differ = [name for name in lines[0][0] if len({same[name] for same, _ in lines}) > 1]
        for number, (same, points) in enumerate(lines, start=1):
            named[f"{code} {number}"] = points
            spelt = ", ".join(f"{name} {_spelt(same[name])}" for name in differ)
            legend.append(f"; {code} {number}: {spelt}")
    return named, "".join(legend)


def _spelt(value: object) -> str:
    if value is None or value == "":
        return "unknown"
    return f"{value:g}" if isinstance(value, float) else str(value)
