"""What is worth saying about a study, as facts: who gains how much over whom, where, at what cost.

Everything is a fraction here; words and per cent are made by the pages. A gain whose interval holds 0
is no reliable gain, and every text made from these facts says so. Where nothing could be resampled there is no
interval, and a gain is neither.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from adapterkit.errors import ConfigError
from adapterkit.languages import language_name
from adapterkit.metrics import Score
from adapterkit.pages.study import Panel, Study
from adapterkit.resampling import Grid, difference, mean, shared_languages
from adapterkit.table import SOURCE, Row

OWN = "own"
BLENDED = "own-blended"
"""What training a language adapter gives by default: some of what it started from is kept."""
RIVALS = ("source-kept", "no-language-adapter", "full-fine-tuning")
ENGLISH = "eng"
"""What a gap is measured from where no language is said to be the labels' own."""


@dataclass(frozen=True)
class Gain:
    """How much better a method is than a rival, in the languages that both have.

    Attributes:
        score: The difference and its interval.
        languages: How many they are.
        wins: In how many of them the method is ahead.
    """

    score: Score
    languages: int
    wins: int

    @property
    def reliable(self) -> bool | None:
        """Whether the interval leaves out 0; None where there is no interval."""
        if not self.score.resampled:
            return None
        return self.score.low > 0 or self.score.high < 0


@dataclass(frozen=True)
class Cost:
    """What a language costs on average; None where a method trains nothing or nothing is noted."""

    minutes: float | None
    parameters: float | None
    bytes: float | None


@dataclass(frozen=True)
class MethodFacts:
    """One line of the table of methods. ``gains`` has None for a rival that shares no cell with it."""

    method: str
    languages: int
    seeds: int
    mean: Score
    gains: dict[str, Gain | None]
    cost: Cost


@dataclass(frozen=True)
class LanguageFacts:
    """One language: the looked-at method, its rivals, what it has to go on.

    ``scores`` are means over seeds; ``gains`` are of the looked-at method over each rival.
    """

    language: str
    name: str
    scores: dict[str, float]
    gains: dict[str, Gain | None]
    to_home: float | None
    cost: Cost
    text_bytes: float | None
    unknown_share: float | None
    pieces_per_word: float | None


@dataclass(frozen=True)
class Home:
    """The labels' own language: what the targets are behind of.

    Attributes:
        language: Its code.
        name: Its name.
        method: What was run there: the source adapter kept, or what comes nearest; there, they are one.
        value: Its score, the mean over seeds.
    """

    language: str
    name: str
    method: str
    value: float


@dataclass(frozen=True)
class PanelFacts:
    """Everything about one panel.

    Attributes:
        panel: The panel.
        methods: Those with the languages of the looked-at method, then the others: means over other
            languages cannot be ranked with it. Of both the best first.
        languages: By code; empty where the looked-at method was not run.
        worst: The language where the looked-at method scores lowest.
        home: What the gap is measured from.
    """

    panel: Panel
    methods: tuple[MethodFacts, ...]
    languages: tuple[LanguageFacts, ...]
    worst: LanguageFacts | None
    home: Home | None

    def those_run(self, methods: Sequence[str]) -> tuple[str, ...]:
        """Those of some methods that were run here."""
        return tuple(name for name in methods if name in self.panel.grids)

    def method(self, name: str) -> MethodFacts | None:
        """The facts of one method, if it was run."""
        return next((m for m in self.methods if m.method == name), None)


@dataclass(frozen=True)
class BackboneFacts:
    """One method on several backbones, in the languages of one group.

    Attributes:
        task: The task.
        group: The group.
        method: The method.
        names: The backbones of the whole table; the first is the reference.
        scores: Of each backbone that was run here.
        gains: Of the reference over each other one.
    """

    task: str
    group: str
    method: str
    names: tuple[str, ...]
    scores: dict[str, Score]
    gains: dict[str, Gain | None]

    @property
    def reference(self) -> str:
        """The backbone whose gains are given."""
        return self.names[0]


def compare_backbones(
    facts: Sequence[PanelFacts], methods: Sequence[str], *, seed: int = 0
) -> list[BackboneFacts]:
    """Put the backbones of a table side by side; nothing, if it has only one.

    The reference is the backbone that most methods were run on; of several, the last by name, which
    of versions is the newest.
    """
    runs: dict[str, int] = {}
    for one in facts:
        runs[one.panel.key.backbone] = runs.get(one.panel.key.backbone, 0) + len(one.methods)
    names = tuple(sorted(runs, key=lambda name: (runs[name], name), reverse=True))
    if len(names) < 2:
        return []
    places: dict[tuple[str, str, str, str], dict[str, PanelFacts]] = {}
    for one in facts:
        key = one.panel.key
        places.setdefault((key.task, key.metric, key.split, key.group), {})[key.backbone] = one
    found = []
    for (task, _, _, group), panels in places.items():
        for method in methods:
            there = {name: p for name, p in panels.items() if method in p.panel.grids}
            if len(there) > 1:
                grids = {name: p.panel.grids[method] for name, p in there.items()}
                scores = {name: mean(grid, seed=seed) for name, grid in grids.items()}
                first = grids.get(names[0])
                gains = {
                    name: None if first is None else gain(first, grid, seed=seed)
                    for name, grid in grids.items()
                    if name != names[0]
                }
                found.append(BackboneFacts(task, group, method, names, scores, gains))
    return found


def find_facts(
    study: Study,
    panels: Iterable[Panel],
    *,
    own: str = OWN,
    rivals: Sequence[str] = RIVALS,
    seed: int = 0,
) -> tuple[PanelFacts, ...]:
    """Compare the methods of each panel.

    Args:
        study: Where the labels' own language is looked up.
        panels: The panels to report on.
        own: The method that is looked at closely.
        rivals: What every method is measured against.
        seed: Of the bootstrap.

    Raises:
        ConfigError: If ``own`` is no method of the table, nor one of its settings.
    """
    if own not in study.methods and own not in {row.method for row in study.rows}:
        known = ", ".join(study.methods)
        raise ConfigError(f"the table has no method {own!r}; its methods are: {known}")
    return tuple(_facts(study, panel, own, rivals, seed) for panel in panels)


def gain(a: Grid, b: Grid, *, seed: int = 0) -> Gain | None:
    """Compare two methods; None if no language has a seed of both."""
    languages = shared_languages(a, b)
    if not languages:
        return None
    wins = 0
    for name in languages:
        seeds = a[name].keys() & b[name].keys()
        wins += fmean(a[name][s].value for s in seeds) > fmean(b[name][s].value for s in seeds)
    return Gain(difference(a, b, seed=seed), len(languages), wins)


def cost_of(rows: Sequence[Row]) -> Cost:
    """Average what was noted: over the seeds of each language first, then over languages."""
    return Cost(
        _average(rows, lambda row: row.minutes),
        _average(rows, lambda row: row.trained_parameters),
        _average(rows, lambda row: row.bytes),
    )


def _facts(study: Study, panel: Panel, own: str, rivals: Sequence[str], seed: int) -> PanelFacts:
    methods = [_method(panel, name, rivals, seed) for name in panel.grids]
    home = _home(study, panel, own, rivals)
    there = panel.grids.get(own, panel.languages)
    languages = [
        _language(panel, name, own, rivals, home, seed) for name in sorted(panel.grids.get(own, {}))
    ]
    return PanelFacts(
        panel=panel,
        methods=tuple(
            sorted(
                methods,
                key=lambda m: (set(panel.grids[m.method]) != set(there), -m.mean.value, m.method),
            )
        ),
        languages=tuple(languages),
        worst=min(languages, key=lambda one: (one.scores[own], one.language), default=None),
        home=home,
    )


def _method(panel: Panel, name: str, rivals: Sequence[str], seed: int) -> MethodFacts:
    grid = panel.grids[name]
    return MethodFacts(
        method=name,
        languages=len(grid),
        seeds=len({s for seeds in grid.values() for s in seeds}),
        mean=mean(grid, seed=seed),
        gains={
            rival: gain(grid, panel.grids[rival], seed=seed)
            if rival in panel.grids and rival != name
            else None
            for rival in rivals
        },
        cost=cost_of(panel.rows[name]),
    )


def _language(
    panel: Panel,
    language: str,
    own: str,
    rivals: Sequence[str],
    home: Home | None,
    seed: int,
) -> LanguageFacts:
    here = {
        name: {language: panel.grids[name][language]}
        for name in (own, *rivals)
        if language in panel.grids.get(name, {})
    }
    rows = [row for row in panel.rows[own] if row.language == language.split(" ")[0]]
    scores = {name: fmean(m.value for m in grid[language].values()) for name, grid in here.items()}
    return LanguageFacts(
        language=language,
        name=language_name(language.split(" ")[0]),
        scores=scores,
        gains={
            rival: gain(here[own], here[rival], seed=seed) if rival in here else None
            for rival in rivals
        },
        to_home=None if home is None else home.value - scores[own],
        cost=cost_of(rows),
        text_bytes=_average(rows, lambda row: row.text_bytes),
        unknown_share=_average(rows, lambda row: row.unknown_share),
        pieces_per_word=_average(rows, lambda row: row.pieces_per_word),
    )


def _home(study: Study, panel: Panel, own: str, rivals: Sequence[str]) -> Home | None:
    beside = [other for other in study.panels if other.key[:4] == panel.key[:4]]
    codes = [code for other in beside if other.key.group == SOURCE for code in other.languages]
    for method in (*rivals, own):
        for other in beside:
            for code in codes or [ENGLISH]:
                if seeds := other.grids.get(method, {}).get(code):
                    value = fmean(one.value for one in seeds.values())
                    return Home(code, language_name(code), method, value)
    return None


def _average(rows: Iterable[Row], value: Callable[[Row], float | None]) -> float | None:
    by_language: dict[str, list[float]] = {}
    for row in rows:
        if (found := value(row)) is not None:
            by_language.setdefault(row.language, []).append(found)
    return fmean(fmean(values) for values in by_language.values()) if by_language else None
