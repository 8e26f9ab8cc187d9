"""A panel as ``report --json`` prints it; scores are fractions."""

from collections.abc import Mapping
from typing import Any

from adapterkit.metrics import Score
from adapterkit.pages.findings import Gain, PanelFacts


def panel_record(facts: PanelFacts) -> dict[str, Any]:
    """Give everything about a panel; an interval is null where nothing was resampled."""
    worst = facts.worst
    return {
        **facts.panel.key._asdict(),
        "methods": {
            m.method: {
                "mean": m.mean.value,
                "interval": _interval(m.mean),
                "languages": m.languages,
                "test_sets": m.sets,
                "seeds": m.seeds,
                "fewest_seeds": m.fewest,
                "gains": _gain_records(m.gains),
                "minutes": m.cost.minutes,
                "trained_parameters": m.cost.parameters,
                "bytes": m.cost.bytes,
            }
            for m in facts.methods
        },
        "languages": {
            facts.panel.label(one.target): {
                "scores": one.scores,
                "gains": _gain_records(one.gains),
                "below_source": one.to_home,
                "minutes": one.cost.minutes,
                "trained_parameters": one.cost.parameters,
                "bytes": one.cost.bytes,
                "text_bytes": one.text_bytes,
            }
            for one in facts.languages
        },
        "worst_language": None if worst is None else facts.panel.label(worst.target),
        "sentences_resampled": sorted(map(facts.panel.label, facts.panel.exact)),
    }


def _interval(score: Score) -> list[float] | None:
    return [score.low, score.high] if score.resampled else None


def _gain_records(gains: Mapping[str, Gain | None]) -> dict[str, Any]:
    return {
        rival: {
            "difference": gain.score.value,
            "interval": _interval(gain.score),
            "reliable": gain.reliable,
            "languages": gain.languages,
            "test_sets": gain.sets,
            "wins": gain.wins,
        }
        for rival, gain in gains.items()
        if gain is not None
    }
