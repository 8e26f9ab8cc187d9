"""One page for a run: the table with intervals drawn, learning curves, predictions. No script, no network.

The template is `templates/summary.html`; everything in it is escaped. The same summary gives the same bytes.
"""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from adapterkit.files import write_bytes
from adapterkit.templating import html_environment

CONDITION_NAMES = {"own": "own adapter", "source": "source kept", "none": "removed"}
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 420, 216, 44, 36, 20


@dataclass(frozen=True)
class Curve:
    """Held-out losses of one language adapter; ``baseline`` is the bare backbone's."""

    name: str
    steps: tuple[int, ...]
    losses: tuple[float, ...]
    baseline: float | None


@dataclass(frozen=True)
class Row:
    """One cell of the table: a target under a condition, with its 95 % interval, as fractions."""

    target: str
    condition: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Tagged:
    """A sentence with predicted labels, and gold ones where they are known."""

    language: str
    words: tuple[str, ...]
    predicted: tuple[str, ...]
    gold: tuple[str, ...] = ()


@dataclass(frozen=True)
class Summary:
    """What the page shows."""

    title: str
    introduction: str
    metric: str
    rows: tuple[Row, ...]
    curves: tuple[Curve, ...]
    examples: tuple[Tagged, ...]
    folders: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Drawing:
    """A curve in the picture's own units."""

    name: str
    points: str
    dots: tuple[tuple[float, float], ...]
    baseline: float | None
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]


def write_summary(path: Path, summary: Summary) -> None:
    """Write the page to ``path`` in one step."""
    source = (resources.files("adapterkit") / "templates" / "summary.html").read_text(
        encoding="utf-8"
    )
    page = (
        html_environment()
        .from_string(source)
        .render(
            s=summary,
            names=CONDITION_NAMES,
            drawings=[draw(curve) for curve in summary.curves],
            words=[
                list(zip(e.words, e.predicted, e.gold or e.predicted, strict=True))
                for e in summary.examples
            ],
            size=(_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP),
        )
    )
    write_bytes(path, page.encode("utf-8"))


def draw(curve: Curve) -> Drawing:
    """Scale a curve into the picture: steps to the right, losses upwards."""
    values = [*curve.losses, *([curve.baseline] if curve.baseline is not None else [])]
    low, high = min(values), max(values)
    margin = max(0.02, 0.08 * (high - low))
    low, high = low - margin, high + margin
    last = max(1, curve.steps[-1])

    def x(step: float) -> float:
        return round(_LEFT + step / last * (_WIDTH - _LEFT - 12), 1)

    def y(loss: float) -> float:
        return round(_TOP + (high - loss) / (high - low) * (_HEIGHT - _TOP - _BOTTOM), 1)

    dots = tuple((x(s), y(v)) for s, v in zip(curve.steps, curve.losses, strict=True))
    return Drawing(
        name=curve.name,
        points=" ".join(f"{a},{b}" for a, b in dots),
        dots=dots,
        baseline=None if curve.baseline is None else y(curve.baseline),
        x_ticks=tuple((x(last * part / 4), str(round(last * part / 4))) for part in range(5)),
        y_ticks=tuple(
            (y(v), f"{v:.2f}") for v in (low + (high - low) * part / 4 for part in range(5))
        ),
    )
