"""The pictures of one panel: what each method gains, what each language scores and gains."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from adapterkit.metrics import Score
from adapterkit.pages.figures import draw_dumbbells, draw_gains
from adapterkit.pages.findings import PanelFacts
from adapterkit.pages.svg import Picture, file_name
from adapterkit.pages.words import heading, lower_first, metric_name, task_name, upper_first


@dataclass(frozen=True)
class PanelPictures:
    """The drawings of one panel; None where what they compare was not run."""

    methods: Picture | None
    scores: Picture | None
    gains: Picture | None


def draw_panel(facts: PanelFacts, own: str, rivals: Sequence[str]) -> PanelPictures:
    """Draw what a panel compares: all methods, the scores of each language, the gains there."""
    key = facts.panel.key
    name = file_name(key.task, key.group, key.backbone, key.split, key.metric)
    where = f"{upper_first(task_name(key.task))}, {lower_first(heading(key))}"
    there = facts.those_run(rivals)
    if not there:
        return PanelPictures(None, None, None)
    rival = there[0]
    by_method = [(m.method, gain.score) for m in facts.methods if (gain := m.gains[rival])]
    by_language = [
        (one.title, gain.score) for one in facts.languages if (gain := one.gains.get(rival))
    ]
    scores = [(one.title, one.scores) for one in facts.languages if len(one.scores) > 1]
    shown = [own, *(r for r in rivals if any(r in scores for _, scores in scores))]
    metric = metric_name(key.metric)
    return PanelPictures(
        _captioned(
            draw_gains(f"methods-{name}", "", by_method) if by_method else None,
            where,
            f"gain of each method over {rival}, points of {metric}, {_marks(by_method)}",
        ),
        _captioned(
            draw_dumbbells(f"scores-{name}", "", scores, shown) if scores else None,
            where,
            f"{metric} in %, means over seeds",
        ),
        _captioned(
            draw_gains(f"gains-{name}", "", by_language, left=110) if by_language else None,
            where,
            f"gain of {own} over {rival}, points of {metric}, {_marks(by_language)}",
        ),
    )


def _marks(rows: Sequence[tuple[str, Score]]) -> str:
    """What the marks of gains mean, of those that are there."""
    drawn = [score.resampled for _, score in rows]
    said = ["95 % intervals; hollow: no reliable gain"] if any(drawn) else []
    return "; ".join([*said, *([] if all(drawn) else ["diamond: no interval is known"])])


def _captioned(picture: Picture | None, where: str, caption: str) -> Picture | None:
    if picture is None:
        return None
    return replace(picture, title=f"{where}: {caption}", caption=upper_first(caption))
