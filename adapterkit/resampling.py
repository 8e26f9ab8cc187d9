"""Intervals of means over languages and seeds, and of differences of two methods there.

Three things could have come out otherwise: which sentences a test set holds, which seeds were drawn
and which languages were looked at. So the bootstrap here is hierarchical: a resample draws languages,
above their sentences; seeds, above both, because all languages share the task adapter of a seed; and
within a language sentences, the same ones for every method and every seed (a *paired* bootstrap: Koehn
2004, "Statistical Significance Tests for Machine Translation Evaluation"; resampling on every level:
Davison & Hinkley 1997, "Bootstrap Methods and their Application", section 3.8). Intervals are
percentile intervals. With a handful of seeds or languages a bootstrap sees too little of what they add
(of n things, ``(n - 1) / n`` of the variance). Where the noise of sentences counts beside them it errs the
other way: how far languages lie apart holds that noise already, and resampling sentences below adds it once
more. With many languages that hardly differ, intervals come out up to 1.4 times as wide as they should be.

Scores of one system on one test set are in `metrics`, which also says what a sentence counts.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from adapterkit.counting import counted_scores
from adapterkit.errors import ConfigError, CorpusError
from adapterkit.metrics import Score

if TYPE_CHECKING:
    from numpy import float64, int64
    from numpy.random import Generator
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[float64]
    Integers: TypeAlias = NDArray[int64]

RESAMPLES = 1000
_Key = TypeVar("_Key", bound=Hashable)
_Unit = TypeVar("_Unit", bound="str | tuple[str, ...]")
_ROUNDING = 1e-9
_DRAWN_AT_ONCE = 4_000_000  # sentence numbers: 32 MB


@dataclass(frozen=True, eq=False)
class Measured:
    """What one system (a method with a seed) scored on one language's test set.

    Attributes:
        value: The score, a fraction.
        replicates: The score on resampled test sets. Shape ``(resamples,)``. The same place stands
            for the same sentences in every system of the language.
        known: Whether the sentences are known; where not, all replicates are ``value``.
    """

    value: float
    replicates: Array
    known: bool = True


Grid: TypeAlias = Mapping[_Unit, Mapping[int, Measured]]
"""What one method scored: language (or a language and its test set), then seed."""


def measure(
    metric: str, systems: Mapping[_Key, Array], *, seed: int = 0, resamples: int = RESAMPLES
) -> dict[_Key, Measured]:
    """Score the systems of one language on its test set and on resamples of its sentences.

    Args:
        metric: One of `metrics.COUNTED`.
        systems: What `metrics.sentence_counts` gives for each, for the same sentences in the same
            order. Shape ``(sentences, width)``.
        seed: Of the bootstrap.
        resamples: How many times the sentences are drawn anew.

    Raises:
        ConfigError: If the systems are not about the same number of sentences.
        CorpusError: If there is not one sentence.
    """
    import numpy as np

    sizes = sorted({len(counts) for counts in systems.values()})
    if len(sizes) > 1:
        raise ConfigError(
            f"systems with {' and '.join(map(str, sizes))} sentences cannot be compared in pairs; "
            "score them on the same test set"
        )
    if sizes == [0]:
        raise CorpusError("there is nothing to score: the test set holds not one sentence")
    check_resamples(resamples)
    if not systems:
        return {}
    together = np.concatenate(list(systems.values()), axis=1)
    drawn = _resampled_sums(together, np.random.default_rng(seed), resamples)
    whole = together.sum(axis=0, keepdims=True)
    found, start = {}, 0
    for key, counts in systems.items():
        own = slice(start, start := start + counts.shape[1])
        value = float(counted_scores(metric, whole[:, own])[0])
        found[key] = Measured(value, counted_scores(metric, drawn[:, own]))
    return found


def certain(value: float, *, resamples: int = RESAMPLES) -> Measured:
    """A score whose sentences are not known: only seeds and languages can be resampled above it."""
    import numpy as np

    return Measured(value, np.full(resamples, value), known=False)


def mean(a: Grid[_Unit], *, seed: int = 0) -> Score:
    """Average over languages of the average over seeds, with its interval.

    One language with one seed whose sentences are not known gives a score that is not `resampled`.

    Raises:
        CorpusError: If there is no language.
    """
    return _score({language: dict(found) for language, found in a.items()}, seed=seed)


def difference(a: Grid[_Unit], b: Grid[_Unit], *, seed: int = 0) -> Score:
    """How much better ``a`` is than ``b``: mean over the languages and seeds that both have.

    An interval that does not hold 0 is a difference at the 5 % level; that of a method with itself
    is ``[0, 0]``. With one language and one seed this is the paired bootstrap over sentences; where those
    are not known nothing is left to draw, and the score is not `resampled`.

    Raises:
        CorpusError: If no language has a seed in common.
    """
    gaps = {
        language: {
            number: _gap(a[language][number], b[language][number])
            for number in sorted(a[language].keys() & b[language].keys())
        }
        for language in shared_languages(a, b)
    }
    return _score(gaps, seed=seed)


def _gap(a: Measured, b: Measured) -> Measured:
    """What is paired is paired; sentences known on one side only are not resampled on that one."""
    value = a.value - b.value
    if a.known and b.known:
        return Measured(value, a.replicates - b.replicates)
    return certain(value, resamples=len(a.replicates))


def leaves_out_zero(score: Score) -> bool:
    """Whether the interval of a difference lies on one side of 0; what is 0 but for rounding is 0."""
    return score.resampled and (score.low > _ROUNDING or score.high < -_ROUNDING)


def shared_languages(a: Grid[_Unit], b: Grid[_Unit]) -> list[_Unit]:
    """The languages in which both methods have a seed in common, sorted."""
    return sorted(
        language for language in a.keys() & b.keys() if a[language].keys() & b[language].keys()
    )


def _score(grid: Grid[_Unit], *, seed: int) -> Score:
    """Resample seeds, then languages, over the replicates of their sentences."""
    import numpy as np

    languages = sorted(language for language in grid if grid[language])
    if not languages:
        raise CorpusError("there is nothing to average: no language has a score for both sides")
    generator = np.random.default_rng(seed)
    resamples = len(next(iter(grid[languages[0]].values())).replicates)
    seeds = sorted({number for language in languages for number in grid[language]})
    known = any(m.known for name in languages for m in grid[name].values())
    weights = _seed_weights(generator, len(seeds), resamples)
    chosen = generator.integers(len(languages), size=(resamples, len(languages)))
    total = np.zeros(resamples)
    for place in range(len(languages)):
        # A permutation: with one language every resample of its sentences counts once, and a
        # language that is drawn twice brings two different resamples.
        order = generator.permutation(resamples)
        for number, language in enumerate(languages):
            here = np.flatnonzero(chosen[:, place] == number)
            found = sorted(grid[language].items())
            drawn = np.stack([m.replicates[order[here]] for _, m in found], axis=1)
            own = weights[here][:, [seeds.index(s) for s, _ in found]]
            total[here] += _weighted_means(generator, drawn, own)
    value = np.mean([np.mean([m.value for m in grid[name].values()]) for name in languages])
    low, high = np.percentile(total / len(languages), [2.5, 97.5])
    resampled = known or len(languages) > 1 or len(seeds) > 1
    return Score(float(value), float(low), float(high), resampled)


def _seed_weights(generator: Generator, seeds: int, resamples: int) -> Array:
    """How often each seed is drawn. Shape ``(resamples, seeds)``."""
    return generator.multinomial(seeds, [1 / seeds] * seeds, size=resamples).astype(float)


def _weighted_means(generator: Generator, drawn: Array, weights: Array) -> Array:
    """Average over seeds; where a language has none of the seeds drawn, its own are drawn anew."""
    empty = weights.sum(axis=1) == 0
    weights = weights.copy()
    weights[empty] = _seed_weights(generator, weights.shape[1], int(empty.sum()))
    means: Array = (drawn * weights).sum(axis=1) / weights.sum(axis=1)
    return means


def _resampled_sums(counts: Array, generator: Generator, resamples: int) -> Array:
    """Sums of the counts of resampled sentences. Shape ``(resamples, width)``."""
    import numpy as np

    sentences = len(counts)
    chunk = max(1, _DRAWN_AT_ONCE // sentences)
    sums = []
    for start in range(0, resamples, chunk):
        size = min(chunk, resamples - start)
        drawn = generator.integers(sentences, size=(size, sentences))
        # Sums of whole numbers are exact in float64, so threads of the product cannot change them.
        sums.append(_repeats(drawn) @ counts)
    return np.concatenate(sums)


def _repeats(drawn: Integers) -> Array:
    """How often each sentence was drawn, from the numbers of those drawn: both ``(n, sentences)``."""
    import numpy as np

    size, sentences = drawn.shape
    flat = (drawn + sentences * np.arange(size)[:, None]).ravel()
    counts = np.bincount(flat, minlength=size * sentences).reshape(size, sentences)
    return counts.astype(np.float64)


def check_resamples(resamples: int) -> None:
    """Refuse a number of resamples below 1 (ConfigError)."""
    if resamples < 1:
        raise ConfigError(f"resamples is {resamples}; a bootstrap needs at least 1, 1000 is usual")
