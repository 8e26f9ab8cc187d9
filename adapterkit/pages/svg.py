"""Drawing with few means: a picture as SVG, inside a page (colours follow its theme) or on its own.

Shapes carry the meaning and colours repeat it, in a palette that colour-blind readers can tell apart
(Okabe & Ito 2008). What is drawn is in `figures`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from html import escape

from adapterkit.templating import printable

STYLE = """
text { font: 11px system-ui, "DejaVu Sans", "Noto Sans", sans-serif; fill: var(--soft); }
.strong { fill: var(--ink); } .small { font-size: 9.5px; }
.grid { stroke: var(--line); stroke-width: 1; } .zero { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 3 3; }
.own { stroke: var(--own); fill: var(--own); } .rival { stroke: var(--rival); fill: var(--rival); }
.third { stroke: var(--third); fill: var(--third); } .fourth { stroke: var(--ink); fill: var(--ink); } .open { fill: var(--paper); }
.path { fill: none; stroke-width: 1.6; stroke-linejoin: round; } .link { stroke: var(--soft); stroke-width: 1.4; }
.heat { fill: var(--own); }
"""
LIGHT = {
    "ink": "#1b2430",
    "soft": "#556170",
    "line": "#dbe1e8",
    "paper": "#ffffff",
    "own": "#0062a3",
    "rival": "#b34700",
    "third": "#00704f",
}
DARK = {
    "ink": "#e9edf2",
    "soft": "#a3afbd",
    "line": "#36414d",
    "paper": "#14191f",
    "own": "#6db8f2",
    "rival": "#f0a45d",
    "third": "#52cba5",
}
Scale = Callable[[float], float]


@dataclass(frozen=True)
class Picture:
    """A drawing.

    Attributes:
        name: Of its file, without a suffix.
        title: What it shows, in words: for those who cannot see it, and above it.
        width: In units of which a page shows one or more pixels each.
        height: As well.
        body: Elements of SVG.
        caption: The title without what the text around it says already.
    """

    name: str
    title: str
    width: int
    height: int
    body: str
    caption: str = ""

    def inline(self) -> str:
        """The element as a page holds it; the page has `STYLE` and the colours."""
        return (
            f'<svg viewBox="0 0 {self.width} {self.height}" role="img" '
            f'aria-label="{escape(self.title)}">{self.body}</svg>'
        )

    def standalone(self) -> str:
        """A file of its own, in the light colours, with its title in it."""
        style = STYLE
        for name, colour in LIGHT.items():
            style = style.replace(f"var(--{name})", colour)
        lines = wrapped(self.title, self.width // 6)
        head = 8 + 15 * len(lines)
        titles = "".join(text(10, 16 + 15 * n, line, kind="strong") for n, line in enumerate(lines))
        size = f"0 0 {self.width} {self.height + head}"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}" width="{self.width}" '
            f'height="{self.height + head}"><style>{style}</style>'
            f'<rect width="100%" height="100%" fill="{LIGHT["paper"]}"/>{titles}'
            f'<g transform="translate(0 {head})">{self.body}</g></svg>\n'
        )


def text(x: float, y: float, words: str, *, at: str = "start", kind: str = "") -> str:
    """Words whose baseline begins, ends (``end``) or is centred (``middle``) at ``(x, y)``."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{at}"{_class(kind)}>{escape(printable(words))}</text>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str, *, width: float = 0) -> str:
    """A straight line of a class of `STYLE`."""
    thick = f' stroke-width="{width:g}"' if width else ""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"{_class(kind)}{thick}/>'


def path(points: Sequence[tuple[float, float]], kind: str) -> str:
    """A line through points."""
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{joined}"{_class(f"path {kind}")}/>'


def mark(x: float, y: float, shape: str, kind: str, *, size: float = 4.2) -> str:
    """A ``circle``, ``square``, ``diamond`` or ``triangle`` around a point."""
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:g}" stroke-width="1.6"{_class(kind)}/>'
    corners = {
        "square": [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        "diamond": [(0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)],
        "triangle": [(0, -1.2), (1.1, 0.9), (-1.1, 0.9)],
    }[shape]
    joined = " ".join(f"{x + size * a:.1f},{y + size * b:.1f}" for a, b in corners)
    return f'<polygon points="{joined}" stroke-width="1.6" stroke-linejoin="round"{_class(kind)}/>'


def box(x: float, y: float, width: float, height: float, kind: str, *, strength: float = 1) -> str:
    """A filled rectangle, as opaque as ``strength`` in ``[0, 1]`` says."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'fill-opacity="{strength:.2f}"{_class(kind)}/>'
    )


def linear(low: float, high: float, start: float, end: float) -> Scale:
    """From ``[low, high]`` to the units of a picture."""
    span = (high - low) or 1.0
    return lambda value: start + (value - low) / span * (end - start)


def logarithmic(low: float, high: float, start: float, end: float) -> Scale:
    """As `linear`, on a logarithmic axis; ``low`` is above 0."""
    inner = linear(math.log10(low), math.log10(high), start, end)
    return lambda value: inner(math.log10(value))


def ticks(low: float, high: float, *, about: int = 5) -> list[float]:
    """Round numbers from ``low`` to ``high``, some ``about`` of them."""
    span = (high - low) or 1.0
    raw = span / max(1, about)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * f for f in (1, 2, 2.5, 5, 10) if power * f >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(n * step, 10) for n in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 3, 10, 30, ... from ``low`` to ``high``; where these are fewer than two, `ticks`."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [f * 10.0**p for p in powers for f in (1, 3)]
    inside = [value for value in found if low <= value * 1.001 and value <= high * 1.001]
    finer = (ticks(low, high, about=about) for about in (3, 6))
    return inside if len(inside) > 1 else next((some for some in finer if len(some) > 1), inside)


def wrapped(words: str, width: int) -> list[str]:
    """Cut into lines of at most ``width`` characters."""
    import textwrap

    return textwrap.wrap(words, max(20, width))


def file_name(*parts: str) -> str:
    """A name of small letters, digits and hyphens, of those parts that are not empty."""
    words = "-".join(part for part in parts if part)
    return "".join(sign if sign.isalnum() or sign in "-_" else "-" for sign in words).lower()


def renamed(pictures: Sequence[Picture]) -> list[Picture]:
    """Give pictures of one name different ones: the second gets ``-2``."""
    taken: set[str] = set()
    found = []
    for picture in pictures:
        names = (picture.name, *(f"{picture.name}-{n}" for n in range(2, len(pictures) + 1)))
        name = next(name for name in names if name not in taken)
        taken.add(name)
        found.append(replace(picture, name=name))
    return found


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
