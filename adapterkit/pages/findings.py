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
from adapterkit.pages.study import Panel, Study, Target
from adapterkit.resampling import Grid, difference, leaves_out_zero, mean, shared_languages
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
        sets: How many test sets they have.
        wins: In how many of these the method is ahead.
    """

    score: Score
    languages: int
    sets: int
    wins: int

    @property
    def reliable(self) -> bool | None:
        """Whether the interval leaves out 0; None where there is no interval."""
        return leaves_out_zero(self.score) if self.score.resampled else None


@dataclass(frozen=True)
class Cost:
    """What a language costs on average; None where a method trains nothing or nothing is noted."""

    minutes: float | None
    parameters: float | None
    bytes: float | None


@dataclass(frozen=True)
class MethodFacts:
    """One line of the table of methods. ``gains`` has None for a rival that shares no cell with it.

    ``seeds`` are those of any of its test sets, ``fewest`` those of the one that has the fewest.
    """

    method: str
    languages: int
    sets: int
    seeds: int
    fewest: int
    mean: Score
    gains: dict[str, Gain | None]
    cost: Cost


@dataclass(frozen=True)
class LanguageFacts:
    """One test set of a language: the looked-at method, its rivals, what it has to go on.

    ``scores`` are means over seeds; ``gains`` are of the looked-at method over each rival. ``dataset`` is
    empty where the language has no other test set in the panel; ``name`` is the language's.
    """

    target: Target
    dataset: str
    name: str
    scores: dict[str, float]
    gains: dict[str, Gain | None]
    to_home: float | None
    cost: Cost
    text_bytes: float | None
    unknown_share: float | None
    pieces_per_word: float | None

    @property
    def language(self) -> str:
        """The language's code."""
        return self.target.language

    @property
    def codes(self) -> str:
        """``eng``; with several test sets ``eng, ud/eng_ewt``."""
        return f"{self.language}, {self.dataset}" if self.dataset else self.language

    @property
    def title(self) -> str:
        """``English``; with several test sets ``English (ud/eng_ewt)``."""
        return f"{self.name} ({self.dataset})" if self.dataset else self.name


@dataclass(frozen=True)
class Home:
    """The labels' own language: what the targets are behind of.

    Attributes:
        language: Its code.
        name: Its name.
        method: What was run there: the source adapter kept, or what comes nearest; there, they are one.
        value: Its score, the mean over seeds (and over test sets, where there are several).
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
        languages: By code and test set; empty where the looked-at method was not run.
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


def gain(a: Grid[Target], b: Grid[Target], *, seed: int = 0) -> Gain | None:
    """Compare two methods; None if no language has a seed of both."""
    targets = shared_languages(a, b)
    if not targets:
        return None
    wins = 0
    for name in targets:
        seeds = a[name].keys() & b[name].keys()
        wins += fmean(a[name][s].value for s in seeds) > fmean(b[name][s].value for s in seeds)
    return Gain(difference(a, b, seed=seed), _languages(targets), len(targets), wins)


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
    there = panel.grids.get(own, panel.targets)
    languages = [
        _language(panel, one, own, rivals, home, seed) for one in sorted(panel.grids.get(own, {}))
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
        worst=min(languages, key=lambda one: (one.scores[own], one.target), default=None),
        home=home,
    )


def _method(panel: Panel, name: str, rivals: Sequence[str], seed: int) -> MethodFacts:
    grid = panel.grids[name]
    return MethodFacts(
        method=name,
        languages=_languages(grid),
        sets=len(grid),
        seeds=len({s for seeds in grid.values() for s in seeds}),
        fewest=min(map(len, grid.values())),
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
    target: Target,
    own: str,
    rivals: Sequence[str],
    home: Home | None,
    seed: int,
) -> LanguageFacts:
    here = {
        name: {target: panel.grids[name][target]}
        for name in (own, *rivals)
        if target in panel.grids.get(name, {})
    }
    rows = [row for row in panel.rows[own] if (row.language, row.dataset) == target]
    scores = {name: fmean(m.value for m in grid[target].values()) for name, grid in here.items()}
    return LanguageFacts(
        target=target,
        dataset=target.dataset if panel.several(target.language) else "",
        name=language_name(target.language),
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
                grid = other.grids.get(method, {})
                if sets := [seeds for target, seeds in grid.items() if target.language == code]:
                    value = fmean(fmean(one.value for one in seeds.values()) for seeds in sets)
                    return Home(code, language_name(code), method, value)
    return None


def _languages(targets: Iterable[Target]) -> int:
    return len({target.language for target in targets})


def _average(rows: Iterable[Row], value: Callable[[Row], float | None]) -> float | None:
    by_language: dict[str, list[float]] = {}
    for row in rows:
        if (found := value(row)) is not None:
            by_language.setdefault(row.language, []).append(found)
    return fmean(fmean(values) for values in by_language.values()) if by_language else None
