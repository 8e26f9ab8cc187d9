"""Facts in words: numbers as a reader sees them, and sentences that say what they mean.

Scores become per cent, differences points. A difference whose interval holds 0 is called "no reliable gain",
whatever its sign. Where nothing was resampled the difference stands alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from adapterkit.metrics import Score
from adapterkit.pages.findings import (
    Cost,
    Gain,
    LanguageFacts,
    MethodFacts,
    PanelFacts,
)
from adapterkit.pages.study import Key
from adapterkit.pages.variants import variants_of

TASKS = {
    "pos": "parts of speech",
    "ner": "named entities",
    "sentiment": "sentiment",
    "nusax": "sentiment (NusaX)",
    "afrisenti": "sentiment (AfriSenti)",
    "topic": "topics",
}
GROUPS = {
    "unseen-by-both": "unseen by the backbone and by its teacher",
    "unseen-by-mini": "unseen by the backbone's own training",
    "seen": "seen by the backbone",
    "source": "of the labels",
    "dev": "that choices are made on",
}
_ROUNDING = 1e-9  # a difference below this is 0
_NAMED = 4  # settings that are named in a sentence
METRICS = {"accuracy": "accuracy", "span_f1": "span F1", "macro_f1": "macro F1"}


def task_name(task: str) -> str:
    """``parts of speech`` for ``pos``; an unknown task's own name."""
    return TASKS.get(task, task)


def upper_first(words: str) -> str:
    """``Sentiment (NusaX)``: the first letter large, the others as they are."""
    return words[:1].upper() + words[1:]


def lower_first(words: str) -> str:
    """The first letter small."""
    return words[:1].lower() + words[1:]


def group_name(group: str) -> str:
    """What a group of languages is; an unknown group's own name."""
    return GROUPS.get(group, f"of the group {group}" if group else "of no named group")


def metric_name(metric: str) -> str:
    """``span F1`` for ``span_f1``."""
    return METRICS.get(metric, metric.replace("_", " "))


def heading(key: Key) -> str:
    """A panel's group as a heading."""
    name = group_name(key.group)
    return f"Languages {name}" + ("" if key.split == "test" else f" ({key.split})")


def percent(value: float | None) -> str:
    """``66.3``, a fraction in per cent; a dash for None."""
    return "–" if value is None else f"{round(100 * value, 1) or 0.0:.1f}"


def share(value: float | None) -> str:
    """A small share in per cent: ``0.042 %``."""
    return "–" if value is None else f"{100 * value:.2g} %"


def points(value: float | None) -> str:
    """``+8.1``, a difference in points; one that is not 0 has enough digits to show its sign: ``-0.03``."""
    if value is None:
        return "–"
    if abs(value) < _ROUNDING:
        return "0.0"
    digits = next((n for n in range(1, 7) if round(100 * abs(value), n)), 7)
    return f"{100 * value:+.{digits}f}"


def interval(score: Score, *, signed: bool = False) -> str:
    """``[64.0, 68.5]``, or ``[+6.0, +10.2]`` of a difference; nothing where nothing was resampled."""
    if not score.resampled:
        return ""
    show = points if signed else percent
    return f"[{show(score.low)}, {show(score.high)}]"


def scored(score: Score) -> str:
    """``66.3 [64.0, 68.5]``."""
    return f"{percent(score.value)} {interval(score)}".rstrip()


def gained(gain: Gain | None, sets: int | None = None) -> str:
    """``+8.1 [+6.0, +10.2]``; the words "no reliable gain" where the interval holds 0; or a dash.

    With ``sets``, those of the mean beside it, it says where the difference is over fewer: ``in 2 languages``.
    """
    if gain is None:
        return "–"
    shown = f"{points(gain.score.value)} {interval(gain.score, signed=True)}".rstrip()
    shown = f"{shown} no reliable gain" if gain.reliable is False else shown
    return f"{shown} {shared(gain, sets)}".rstrip()


def shared(gain: Gain, sets: int | None) -> str:
    """``in 2 languages``, or ``on 2 test sets``; nothing where a difference is over all ``sets``."""
    if gain.sets == sets or sets is None:
        return ""
    few = gain.sets == gain.languages
    return f"in {counted(gain.languages, 'language')}" if few else f"on {gain.sets} test sets"


def amount(value: float | None) -> str:
    """``1.2 M``, ``296 k``: a count of numbers."""
    if value is None:
        return "–"
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.0f}"


def sized(value: float | None) -> str:
    """``1.2 MB``."""
    return "–" if value is None else f"{amount(value)}{'' if value >= 1e3 else ' '}B"


def minutes(value: float | None) -> str:
    """``3.2``; below a tenth two digits."""
    return "–" if value is None else f"{value:.1f}" if value >= 0.1 else f"{value:.2g}"


def number(value: float | None) -> str:
    """Three digits."""
    return "–" if value is None else f"{value:.3g}"


def listed(words: Sequence[str]) -> str:
    """``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def counted(count: int, what: str) -> str:
    """``1 language``, ``9 languages``."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def languages_of(method: MethodFacts) -> str:
    """``9``; ``9 (10 sets)`` where a language has several test sets."""
    few = method.sets == method.languages
    return str(method.languages) if few else f"{method.languages} ({method.sets} sets)"


CAUTION = (
    "With few languages or seeds such intervals are too narrow (nine languages with three seeds, simulated: nine in ten hold the truth, not 95 in a "
    "hundred), and those of one seed do not know how seeds differ. Each is of one comparison: where there is no difference, one in twenty is called reliable."
)


def seeds_of(method: MethodFacts) -> str:
    """``3``; ``1 to 3`` where some languages have fewer seeds than others."""
    few = method.fewest == method.seeds
    return str(method.seeds) if few else f"{method.fewest} to {method.seeds}"


def drawn(cells: int, unsampled: int) -> str:
    """Say what a resample draws, where the sentences of ``unsampled`` of the cells are not known."""
    if unsampled == cells:
        return "languages and of seeds above them, not of sentences: no predictions lie beside the table"
    where = "" if not unsampled else " and where predictions lie beside the table"
    return (
        f"languages, of seeds above them and, within a language{where}, of sentences, "
        "the same for every method and seed"
    )


def in_several(settings: Sequence[str]) -> str:
    """Say that a method stands in several settings, and name the first of them."""
    shown = [repr(name) for name in settings[:_NAMED]]
    if len(settings) > _NAMED:
        shown.append(f"{len(settings) - _NAMED} more")
    return f"stands in several settings: {listed(shown)}"


def summary_of(
    facts: PanelFacts,
    own: str,
    rivals: Sequence[str],
    *,
    backbone: bool = False,
    split: bool = False,
) -> list[str]:
    """Say what a panel found, a sentence an item; on which backbone and split, where others are beside it."""
    mine, key = facts.method(own), facts.panel.key
    where = f"{task_name(key.task)}, {_breadth(facts)} {group_name(key.group)}"
    where += f", {key.backbone or 'unnamed backbone'}" if backbone else ""
    where += f", {key.split}" if split else ""
    if mine is None:
        best, settings = facts.methods[0], variants_of(own, facts.panel.grids)
        lacking = f"{in_several(settings)}; choose one with --method" if settings else "was not run"
        return [
            f"{upper_first(where)}: the method {own} {lacking}; the best is {best.method} with "
            f"{scored(best.mean)} % {metric_name(key.metric)}{_part(best, facts)}."
        ]
    gains = [
        _over(gain, rival, mine.sets)
        for rival in rivals
        if (gain := mine.gains.get(rival)) is not None
    ]
    said = [
        f"{upper_first(where)}: {own} has {scored(mine.mean)} % {metric_name(key.metric)} on average{_part(mine, facts)}"
        + (f", {listed(gains)}." if gains else ".")
    ]
    best = facts.methods[0]  # of those with the same languages
    if best.mean.value - mine.mean.value > _ROUNDING:  # level is no higher
        said.append(f"The highest mean is that of {best.method}: {scored(best.mean)} %.")
    return [*said, *_worst(facts, own), *_costs(mine.cost)]


def worst_named(languages: Iterable[LanguageFacts], rival: str) -> list[str]:
    """Name the languages in which a rival is reliably better."""
    lost = []
    for one in languages:
        gain = one.gains.get(rival)
        if gain is not None and gain.reliable and gain.score.high < 0:
            lost.append(f"{one.title} ({points(gain.score.value)})")
    return lost


def _part(method: MethodFacts, facts: PanelFacts) -> str:
    """Say of how many of the panel's languages (or test sets) a mean is, where it is not all."""
    total, languages = len(facts.panel.targets), len(facts.panel.languages)
    if method.sets == total:
        return ""
    if total == languages:
        return f" on {method.languages} of {total} languages"
    return f" on {method.sets} of {total} test sets"


def _breadth(facts: PanelFacts) -> str:
    languages, sets = len(facts.panel.languages), len(facts.panel.targets)
    shown = counted(languages, "language")
    return shown if sets == languages else f"{shown} ({sets} test sets)"


def _over(gain: Gain, rival: str, sets: int) -> str:
    rival = f"{rival} {shared(gain, sets)}".rstrip()
    value, span = gain.score.value, interval(gain.score, signed=True)
    if gain.reliable is False:
        return f"no reliable gain over {rival} ({points(value)} {span})"
    if abs(value) < _ROUNDING:
        return f"as much as {rival}"
    way = "more" if value >= 0 else "less"
    return f"{points(abs(value)).lstrip('+')} points {way} than {rival} {span}".rstrip()


def _worst(facts: PanelFacts, own: str) -> list[str]:
    worst = facts.worst
    if worst is None or len(facts.languages) == 1:
        return []
    gap = gap_to_home(facts, " points")
    gap += f" ({facts.home.method})" if gap and facts.home else ""
    return [f"The worst language is {worst.title} with {percent(worst.scores[own])} %{gap}."]


def gap_to_home(facts: PanelFacts, unit: str = "") -> str:
    """``, 29.3 below English`` of the worst language, or above it; nothing where it is English."""
    worst, home = facts.worst, facts.home
    if worst is None or home is None or worst.to_home is None or worst.language == home.language:
        return ""
    side = "below" if worst.to_home >= 0 else "above"
    return f", {percent(abs(worst.to_home))}{unit} {side} {home.name}"


def _costs(cost: Cost) -> list[str]:
    parts = [
        f"{minutes(cost.minutes)} minutes of training" if cost.minutes is not None else "",
        f"{amount(cost.parameters)} trained numbers" if cost.parameters is not None else "",
        f"{sized(cost.bytes)} on disk" if cost.bytes is not None else "",
    ]
    there = [part for part in parts if part]
    return [f"A language costs {listed(there)}."] if there else []


def overlap_sentence(overlap: Sequence[Mapping[str, Any]]) -> str:
    """Say how many test sentences stand in training text, and which sets were exempt."""
    counted_sets = [one for one in overlap if not one["exempt"]]
    repeated = sum(one["repeated"] for one in counted_sets)
    short = sum(one["short"] for one in counted_sets)
    total = sum(one["sentences"] for one in counted_sets)
    exempt = [one["name"] for one in overlap if one["exempt"]]
    said = (
        f"Of {total:,} different test sentences in {len(counted_sets)} sets, "
        f"{repeated or 'none'} stand{'s' if repeated == 1 else ''} in training text as a line of their "
        "own, compared by case-folded letters and digits"
    )
    said += f"; {short} of these have fewer than 12 letters and digits." if repeated else "."
    return said + (f" Exempt, because trained on by choice: {listed(exempt)}." if exempt else "")
