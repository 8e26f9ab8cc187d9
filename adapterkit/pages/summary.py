"""One page for the demo: scores with intervals drawn, learning curves, predictions. No script, no network.

The template is `templates/summary.html`; everything in it is escaped. The same summary gives the same bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adapterkit.files import write_bytes
from adapterkit.metrics import Score
from adapterkit.pages import words
from adapterkit.pages.figures import draw_lines, draw_scores
from adapterkit.pages.rendering import render
from adapterkit.pages.svg import DARK, LIGHT, STYLE, Picture, file_name

CONDITION_NAMES = {"own": "own adapter", "source": "source kept", "none": "removed"}


@dataclass(frozen=True)
class Curve:
    """Held-out losses of one language adapter; ``baseline`` is the bare backbone's."""

    name: str
    steps: tuple[int, ...]
    losses: tuple[float, ...]
    baseline: float | None


@dataclass(frozen=True)
class Row:
    """One cell of the table: a target under a condition, with its 95 % interval, as fractions.

    ``gain`` is what the target's own adapter gains over this condition, in pairs.
    """

    target: str
    condition: str
    value: float
    low: float
    high: float
    gain: Score | None = None

    @property
    def score(self) -> Score:
        """The value and its interval."""
        return Score(self.value, self.low, self.high)


@dataclass(frozen=True)
class Tagged:
    """A sentence with predicted labels, and gold ones where they are known."""

    language: str
    words: tuple[str, ...]
    predicted: tuple[str, ...]
    gold: tuple[str, ...] = ()


@dataclass(frozen=True)
class Summary:
    """What the page shows; ``commands`` are for the reader to try next."""

    title: str
    introduction: str
    metric: str
    rows: tuple[Row, ...]
    curves: tuple[Curve, ...]
    examples: tuple[Tagged, ...]
    folders: tuple[str, ...]
    commands: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def write_summary(path: Path, summary: Summary) -> None:
    """Write the page to ``path`` in one step."""
    targets: dict[str, dict[str, Row]] = {}
    for row in summary.rows:
        targets.setdefault(row.target, {})[row.condition] = row
    page = render(
        "summary.html",
        {
            "s": summary,
            "w": words,
            "light": LIGHT,
            "dark": DARK,
            "style": STYLE,
            "targets": targets,
            "conditions": {
                key: CONDITION_NAMES.get(key, key)
                for key in dict.fromkeys(row.condition for row in summary.rows)
            },
            "scores": [
                _scores(name, list(rows.values()), summary.metric) for name, rows in targets.items()
            ],
            "curves": [_curve(curve) for curve in summary.curves],
            "words": [
                list(zip(e.words, e.predicted, e.gold or e.predicted, strict=True))
                for e in summary.examples
            ],
        },
    )
    write_bytes(path, page.encode("utf-8"))


def _scores(target: str, rows: Sequence[Row], metric: str) -> Picture:
    return draw_scores(
        file_name("scores", target),
        f"{target}: {metric} in % with its 95 % interval",
        [(CONDITION_NAMES.get(row.condition, row.condition), row.score) for row in rows],
    )


def _curve(curve: Curve) -> Picture:
    alone = "" if curve.baseline is None else f"; dashed: the backbone alone, {curve.baseline:.2f}"
    return draw_lines(
        file_name("curve", curve.name),
        f"{curve.name}: held-out loss in nats a masked token against steps{alone}",
        {"": tuple(zip(map(float, curve.steps), curve.losses, strict=True))},
        x_label="steps",
        x_log=False,
        y_label="loss, nats",
        percent=False,
        dashed=curve.baseline,
        named=False,
    )
