"""The plot of docs/benchmarks.md: training speed, cost against tokens, cost against adapters loaded."""

from pathlib import Path
from typing import Any

Results = dict[str, dict[str, Any]]
_COLOUR, _OTHER = "#2f6f9f", "#9a9a9a"


def draw(results: Results, path: Path) -> None:
    """Draw what ``results`` hold (by benchmark) to ``path``; same results, same bytes.

    The kind of picture is the path's ending, e.g. ``.svg`` or ``.png``.
    """
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "adapterkit"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(13, 3.8), layout="constrained")
    _training(axes[0], results.get("language-training"))
    _tokens(axes[1], results.get("linear"))
    _loaded(axes[2], results.get("linear"))
    # Without a date, so that the same results give the same file.
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def _training(axis: Any, result: dict[str, Any] | None) -> None:
    if result is None:
        axis.set_axis_off()
        return
    big = {n: one for n, one in result["contenders"].items() if not n.startswith("mini")}
    speeds = [one["tokens_per_second"] for one in big.values()]
    colours = [_COLOUR if name.startswith("adapterkit") else _OTHER for name in big]
    bars = axis.barh(list(big), speeds, color=colours)
    axis.bar_label(bars, fmt="{:,.0f}", padding=3)
    axis.invert_yaxis()
    axis.margins(x=0.25)
    axis.set_xlabel("tokens a second")
    axis.set_title(f"language-adapter training, {result['sizes']['backbone']}")


def _tokens(axis: Any, result: dict[str, Any] | None) -> None:
    if result is None:
        axis.set_axis_off()
        return
    for name, words, mark in (("batch", "more rows", "o"), ("length", "longer rows", "s")):
        series = result["series"][name]
        axis.loglog(
            [p["tokens"] for p in series], [p["seconds"] for p in series], mark + "-", label=words
        )
    last = result["series"]["batch"][-1]
    ends = [result["series"]["batch"][0]["tokens"], last["tokens"]]
    line = [last["seconds"] * tokens / last["tokens"] for tokens in ends]
    axis.loglog(ends, line, "--", color=_OTHER, label="linear")
    axis.set_xlabel("tokens in the batch")
    axis.set_ylabel("seconds")
    axis.set_title(f"exponent over rows {result['exponent']:.2f}")
    axis.legend(frameon=False)


def _loaded(axis: Any, result: dict[str, Any] | None) -> None:
    if result is None:
        axis.set_axis_off()
        return
    series = result["series"]["alive"]
    axis.plot([p["alive"] for p in series], [p["seconds"] for p in series], "o-", color=_COLOUR)
    axis.set_xticks([p["alive"] for p in series])
    axis.set_ylim(0, 1.25 * axis.get_ylim()[1])
    axis.set_xlabel("language adapters loaded")
    axis.set_ylabel("seconds a batch")
    axis.set_title(f"slowest over fastest {result['flatness']:.2f}")
