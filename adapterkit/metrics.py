"""Scores of predicted labels, each with a 95 % bootstrap interval.

Accuracy, macro F1 and span F1; a table of confusions; the difference of two systems on the same
sentences. Labels are strings; where they come from is not known here.

Intervals are percentile intervals over resampled *sentences* (Efron & Tibshirani 1993, chapter 13),
because the words of one sentence are not independent of each other. A sentence enters only through
its counts, and equal sentences are drawn together by one multinomial, so that the order of the
sentences changes nothing. What a sentence counts stands in `counting`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapterkit.counting import (
    SPAN_METRICS,
    Counts,
    Pairs,
    check_sizes,
    check_span_labels,
    check_words,
    counted_scores,
    label_accuracy,
    label_counts,
    macro_f1,
    pairs_of,
    ratio,
    sentence_counts,
    span_counts,
)
from adapterkit.errors import ConfigError, CorpusError

if TYPE_CHECKING:
    from adapterkit.counting import Array

_DRAWS_AT_ONCE = 4_000_000  # 32 MB of resampling weights


@dataclass(frozen=True)
class Score:
    """A score and its 95 % interval, as fractions (a difference lies in ``[-1, 1]``).

    The interval of a skewed score (macro F1 with rare labels) need not hold the score itself. Where there was
    nothing to draw anew, ``resampled`` is False: ``low`` and ``high`` are the value, and are no interval.
    """

    value: float
    low: float
    high: float
    resampled: bool = True


@dataclass(frozen=True)
class Confusion:
    """How often each label was predicted for each label.

    Attributes:
        labels: Every label of either side, sorted.
        counts: ``counts[g][p]`` is how often ``labels[p]`` was predicted for ``labels[g]``. Shape
            ``(labels, labels)``.
    """

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    def rows(self) -> list[tuple[str, ...]]:
        """Give the cells of a table: a header, then a row a gold label."""
        header = ("gold \\ predicted", *self.labels)
        named = zip(self.labels, self.counts, strict=True)
        return [header, *((label, *map(str, counts)) for label, counts in named)]


def tagging_scores(
    gold: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    *,
    seed: int = 0,
    resamples: int = 1000,
) -> dict[str, Score]:
    """Score tags word by word.

    Args:
        gold: The right tags of each sentence.
        predicted: As many, for the same words.
        seed: Of the bootstrap; the same seed gives the same interval.
        resamples: How many times the sentences are drawn anew.

    Returns:
        ``accuracy`` over all words, and ``macro_f1``: the mean over the labels that occur on either
        side of ``2 tp / (gold + predicted)``.

    Raises:
        CorpusError: If there is not one word.
        ConfigError: If the two sides differ in length, or ``resamples`` is below 1.
    """
    check_words(gold, predicted)
    pairs = Counter(pairs_of(g, p) for g, p in zip(gold, predicted, strict=True) if g)
    return _label_scores(pairs, seed=seed, resamples=resamples)


def classification_scores(
    gold: Sequence[str], predicted: Sequence[str], *, seed: int = 0, resamples: int = 1000
) -> dict[str, Score]:
    """Score one label a text: ``accuracy`` and ``macro_f1``, as :func:`tagging_scores` has them."""
    check_sizes(gold, predicted)
    pairs = Counter(pairs_of((g,), (p,)) for g, p in zip(gold, predicted, strict=True))
    return _label_scores(pairs, seed=seed, resamples=resamples)


def span_scores(
    gold: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    *,
    seed: int = 0,
    resamples: int = 1000,
) -> dict[str, Score]:
    """Score BIO tags by the spans they mark, as conlleval does (seqeval's default mode).

    A span is right if its type and both its ends are. An ``I-`` that nothing opens begins a span.
    Arguments and errors are those of :func:`tagging_scores`.

    Returns:
        ``span_f1``, ``span_precision`` and ``span_recall`` over all types together, 0 where nothing
        can be divided, and ``accuracy`` over all words.

    Raises:
        ConfigError: If a label is not ``O`` or of the form ``B-TYPE`` (``B``, ``I``, ``E``, ``S``).
    """
    check_words(gold, predicted)
    check_span_labels([*gold, *predicted])
    counts = Counter(span_counts(g, p) for g, p in zip(gold, predicted, strict=True) if g)
    metrics = {**SPAN_METRICS, "accuracy": lambda c: ratio(c[:, 3], c[:, 4])}
    return _scores(counts, metrics, seed=seed, resamples=resamples)


def paired_difference(
    metric: str,
    gold: Sequence[Sequence[str]],
    a: Sequence[Sequence[str]],
    b: Sequence[Sequence[str]],
    *,
    seed: int = 0,
    resamples: int = 1000,
) -> Score:
    """Score how much better ``a`` is than ``b`` on the same sentences.

    Each resample draws the same sentences for both (paired bootstrap: Koehn 2004, "Statistical
    Significance Tests for Machine Translation Evaluation"). An interval that does not hold 0 is a
    difference at the 5 % level, for this test set; two intervals of the scores themselves may overlap
    all the same, because a hard sentence is hard for both.

    Args:
        metric: One of `counting.COUNTED`.
        gold: The right labels of each sentence; of a classified text, its one label.
        a: Labels that one system predicted, sentence by sentence.
        b: The same of the other.
        seed: Of the bootstrap, as ``resamples`` in :func:`tagging_scores`.
        resamples: How many times the sentences are drawn anew.

    Returns:
        The score of ``a`` minus that of ``b``.

    Raises:
        CorpusError: If there is not one word.
        ConfigError: If the sides are not about the same sentences, the metric is not known, or
            ``resamples`` is below 1.
    """
    import numpy as np

    labels = sorted({label for side in (gold, a, b) for one in side for label in one})
    sides = [sentence_counts(metric, gold, side, labels=labels) for side in (a, b)]
    rows = np.concatenate(sides, axis=1).astype(int).tolist()
    counts: Counter[Counts] = Counter(
        tuple(row) for row, words in zip(rows, gold, strict=True) if words
    )
    width = sides[0].shape[1]

    def gap(c: Array) -> Array:
        return counted_scores(metric, c[:, :width]) - counted_scores(metric, c[:, width:])

    return _scores(counts, {"difference": gap}, seed=seed, resamples=resamples)["difference"]


def confusion(gold: Sequence[str], predicted: Sequence[str]) -> Confusion:
    """Count the confusions of two flat sequences of labels of the same length."""
    check_sizes(gold, predicted)
    labels = tuple(sorted({*gold, *predicted}))
    cells = Counter(zip(gold, predicted, strict=True))
    return Confusion(labels, tuple(tuple(cells[g, p] for p in labels) for g in labels))


def is_span_scheme(labels: Iterable[str]) -> bool:
    """Tell whether ``labels`` mark spans: any of them begins with ``B-`` or ``I-``."""
    return any(label.startswith(("B-", "I-")) for label in labels)


def _label_scores(sentences: Mapping[Pairs, int], *, seed: int, resamples: int) -> dict[str, Score]:
    labels = sorted({label for pairs in sentences for pair, _ in pairs for label in pair})
    index = {label: i for i, label in enumerate(labels)}
    counts: Counter[Counts] = Counter()
    for pairs, repeats in sentences.items():
        counts[label_counts(pairs, index)] += repeats
    metrics = {"accuracy": label_accuracy, "macro_f1": macro_f1}
    return _scores(counts, metrics, seed=seed, resamples=resamples)


def _scores(
    sentences: Mapping[Counts, int],
    metrics: Mapping[str, Callable[[Array], Array]],
    *,
    seed: int,
    resamples: int,
) -> dict[str, Score]:
    """Apply ``metrics`` to the summed counts of all sentences, and of each resample.

    ``sentences`` says how many sentences have the same counts. A metric goes from counts of shape
    ``(n, width)`` to scores of shape ``(n,)``.
    """
    import numpy as np

    if resamples < 1:
        raise ConfigError(f"resamples is {resamples}; a bootstrap needs at least 1, 1000 is usual")
    if not sentences:
        raise CorpusError("there is nothing to score: the sentences hold not one word")
    rows = sorted(sentences.items())
    counts = np.array([row for row, _ in rows], dtype=np.float64)
    repeats = np.array([n for _, n in rows], dtype=np.float64)
    drawn = np.concatenate(list(_resample(counts, repeats, seed=seed, resamples=resamples)))
    whole = repeats[None] @ counts
    several = repeats.sum() > 1  # of one sentence every resample is that sentence
    return {name: _score(metric(whole), metric(drawn), several) for name, metric in metrics.items()}


def _resample(counts: Array, repeats: Array, *, seed: int, resamples: int) -> Iterator[Array]:
    """Yield summed counts of resamples, in chunks of shape ``(some, width)``."""
    import numpy as np

    generator = np.random.default_rng(seed)
    sentences = int(repeats.sum())
    chunk = max(1, _DRAWS_AT_ONCE // len(repeats))
    for start in range(0, resamples, chunk):
        size = min(chunk, resamples - start)
        weights = generator.multinomial(sentences, repeats / sentences, size=size)
        # Sums of integers are exact in float64, so threads of the product cannot change them.
        yield weights.astype(np.float64) @ counts


def _score(value: Array, drawn: Array, resampled: bool) -> Score:
    import numpy as np

    low, high = np.percentile(drawn, [2.5, 97.5])
    return Score(float(value[0]), float(low), float(high), bool(resampled))
