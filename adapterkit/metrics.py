"""Scores of predicted labels, each with a 95 % bootstrap interval.

Accuracy, macro F1 and span F1; a table of confusions; the difference of two systems on the same
sentences. Labels are strings; where they come from is not known here.

Intervals are percentile intervals over resampled *sentences* (Efron & Tibshirani 1993, chapter 13),
because the words of one sentence are not independent of each other. A sentence enters only through
its counts, and equal sentences are drawn together by one multinomial, so that the order of the
sentences changes nothing. This module is the one door to seqeval.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from adapterkit.errors import ConfigError, CorpusError

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[float64]

_Counts: TypeAlias = tuple[int, ...]
_DRAWS_AT_ONCE = 4_000_000  # 32 MB of resampling weights


@dataclass(frozen=True)
class Score:
    """A score and its 95 % interval, as fractions (a difference lies in ``[-1, 1]``).

    The interval of a skewed score (macro F1 with rare labels) need not hold the score itself.
    """

    value: float
    low: float
    high: float


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
    _check(gold, predicted)
    pairs = Counter(_pairs(g, p) for g, p in zip(gold, predicted, strict=True) if g)
    return _label_scores(pairs, seed=seed, resamples=resamples)


def classification_scores(
    gold: Sequence[str], predicted: Sequence[str], *, seed: int = 0, resamples: int = 1000
) -> dict[str, Score]:
    """Score one label a text: ``accuracy`` and ``macro_f1``, as :func:`tagging_scores` has them."""
    _check_sizes(gold, predicted)
    pairs = Counter(_pairs((g,), (p,)) for g, p in zip(gold, predicted, strict=True))
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
    _check(gold, predicted)
    _check_span_labels([*gold, *predicted])
    counts = Counter(_span_counts(g, p) for g, p in zip(gold, predicted, strict=True) if g)
    metrics = {**_SPAN_METRICS, "accuracy": lambda c: _ratio(c[:, 3], c[:, 4])}
    return _scores(counts, metrics, seed=seed, resamples=resamples)


def sentence_counts(
    metric: str,
    gold: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    *,
    labels: Sequence[str],
) -> Array:
    """Count in each sentence what ``metric`` needs of it, for :func:`counted_scores`.

    Counts of sentences can be added up, so a resample of a test set is a sum of rows.

    Args:
        metric: One of :data:`COUNTED`.
        gold: The right labels of each sentence; of a classified text, its one label.
        predicted: As many.
        labels: All that occur on either side; ``macro_f1`` has three columns for each.

    Returns:
        Whole numbers. Shape ``(sentences, width)``; the width depends on metric and labels.

    Raises:
        ConfigError: If the metric is not known, the two sides differ in length, or they are not
            spans where the metric is of spans.
        CorpusError: If there is not one sentence.
    """
    import numpy as np

    if metric not in COUNTED:
        raise ConfigError(f"the metric {metric!r} cannot be counted; there are: {_named(COUNTED)}")
    _check(gold, predicted)
    if metric.startswith("span_"):
        _check_span_labels([*gold, *predicted])
        rows = [_span_counts(g, p) for g, p in zip(gold, predicted, strict=True)]
    elif metric == "accuracy":
        rows = [(_right(g, p), len(g)) for g, p in zip(gold, predicted, strict=True)]
    else:
        index = {label: i for i, label in enumerate(labels)}
        rows = [_label_counts(_pairs(g, p), index) for g, p in zip(gold, predicted, strict=True)]
    return np.array(rows, dtype=np.float64)


def counted_scores(metric: str, counts: Array) -> Array:
    """Give the scores of summed counts of :func:`sentence_counts`: ``(n, width)`` to ``(n,)``."""
    return COUNTED[metric](counts)


def correct_counts(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> list[tuple[int, int]]:
    """Count the right words and all words of each sentence, for :func:`paired_difference`."""
    _check(gold, predicted)
    return [(_right(g, p), len(g)) for g, p in zip(gold, predicted, strict=True)]


def paired_difference(
    a: Sequence[tuple[int, int]],
    b: Sequence[tuple[int, int]],
    *,
    seed: int = 0,
    resamples: int = 1000,
) -> Score:
    """Score how much more accurate ``a`` is than ``b`` on the same sentences.

    Each resample draws the same sentences for both (paired bootstrap: Koehn 2004, "Statistical
    Significance Tests for Machine Translation Evaluation"). An interval that does not hold 0 is a
    difference at the 5 % level, for this test set.

    Args:
        a: ``(right words, words)`` of each sentence, as :func:`correct_counts` gives them.
        b: The same of the other system, sentence by sentence.
        seed: Of the bootstrap, as ``resamples`` in :func:`tagging_scores`.
        resamples: How many times the sentences are drawn anew.

    Returns:
        The accuracy of ``a`` minus that of ``b``.

    Raises:
        CorpusError: If there is not one word.
        ConfigError: If the two are not about the same sentences, or ``resamples`` is below 1.
    """
    _check_sizes(a, b)
    for number, ((_, words), (_, others)) in enumerate(zip(a, b, strict=True)):
        if words != others:
            raise ConfigError(
                f"sentence {number} has {words} words in one system's counts and {others} in the "
                "other's; compare the two on the same sentences"
            )
    rows = zip(a, b, strict=True)
    counts: Counter[_Counts] = Counter((x, y, n) for (x, n), (y, _) in rows if n)
    metrics = {"difference": lambda c: _ratio(c[:, 0] - c[:, 1], c[:, 2])}
    return _scores(counts, metrics, seed=seed, resamples=resamples)["difference"]


def confusion(gold: Sequence[str], predicted: Sequence[str]) -> Confusion:
    """Count the confusions of two flat sequences of labels of the same length."""
    _check_sizes(gold, predicted)
    labels = tuple(sorted({*gold, *predicted}))
    cells = Counter(zip(gold, predicted, strict=True))
    return Confusion(labels, tuple(tuple(cells[g, p] for p in labels) for g in labels))


def is_span_scheme(labels: Iterable[str]) -> bool:
    """Tell whether ``labels`` mark spans: any of them begins with ``B-`` or ``I-``."""
    return any(label.startswith(("B-", "I-")) for label in labels)


def _right(gold: Sequence[str], predicted: Sequence[str]) -> int:
    return sum(g == p for g, p in zip(gold, predicted, strict=True))


# A sentence as its distinct (gold, predicted) pairs and how often each occurs, sorted.
_Pairs: TypeAlias = tuple[tuple[tuple[str, str], int], ...]


def _pairs(gold: Sequence[str], predicted: Sequence[str]) -> _Pairs:
    return tuple(sorted(Counter(zip(gold, predicted, strict=True)).items()))


def _label_scores(
    sentences: Mapping[_Pairs, int], *, seed: int, resamples: int
) -> dict[str, Score]:
    labels = sorted({label for pairs in sentences for pair, _ in pairs for label in pair})
    index = {label: i for i, label in enumerate(labels)}
    counts: Counter[_Counts] = Counter()
    for pairs, repeats in sentences.items():
        counts[_label_counts(pairs, index)] += repeats
    metrics = {"accuracy": _accuracy, "macro_f1": _macro_f1}
    return _scores(counts, metrics, seed=seed, resamples=resamples)


def _label_counts(pairs: _Pairs, index: Mapping[str, int]) -> _Counts:
    """Count, label by label: the right ones, then the gold ones, then the predicted ones."""
    counts = [0] * (3 * len(index))
    for (gold, predicted), n in pairs:
        counts[index[gold]] += n if gold == predicted else 0
        counts[len(index) + index[gold]] += n
        counts[2 * len(index) + index[predicted]] += n
    return tuple(counts)


def _span_counts(gold: Sequence[str], predicted: Sequence[str]) -> _Counts:
    """Count: right spans, predicted spans, gold spans, right words, words."""
    from seqeval.metrics.sequence_labeling import get_entities

    expected, marked = set(get_entities(list(gold))), set(get_entities(list(predicted)))
    right = len(expected & marked)
    return right, len(marked), len(expected), _right(gold, predicted), len(gold)


def _accuracy(counts: Array) -> Array:
    labels = counts.shape[1] // 3
    return _ratio(counts[:, :labels].sum(axis=1), counts[:, labels : 2 * labels].sum(axis=1))


def _macro_f1(counts: Array) -> Array:
    labels = counts.shape[1] // 3
    occurrences = counts[:, labels : 2 * labels] + counts[:, 2 * labels :]
    f1 = _ratio(2 * counts[:, :labels], occurrences)
    return _ratio(f1.sum(axis=1), (occurrences > 0).sum(axis=1))


_SPAN_METRICS: dict[str, Callable[[Array], Array]] = {
    "span_f1": lambda c: _ratio(2 * c[:, 0], c[:, 1] + c[:, 2]),
    "span_precision": lambda c: _ratio(c[:, 0], c[:, 1]),
    "span_recall": lambda c: _ratio(c[:, 0], c[:, 2]),
}
COUNTED: dict[str, Callable[[Array], Array]] = {
    **_SPAN_METRICS,
    "accuracy": lambda c: _ratio(c[:, 0], c[:, 1]),
    "macro_f1": _macro_f1,
}
"""The metrics that can be computed from sums over sentences, by name."""


def _named(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _ratio(part: Array, whole: Array) -> Array:
    """Divide element by element; 0 where ``whole`` is 0."""
    import numpy as np

    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)


def _scores(
    sentences: Mapping[_Counts, int],
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
    return {name: _score(metric(whole), metric(drawn)) for name, metric in metrics.items()}


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


def _score(value: Array, resampled: Array) -> Score:
    import numpy as np

    low, high = np.percentile(resampled, [2.5, 97.5])
    return Score(float(value[0]), float(low), float(high))


def _check_sizes(gold: Sequence[object], predicted: Sequence[object]) -> None:
    if len(gold) != len(predicted):
        raise ConfigError(
            f"there are {len(gold)} examples on one side and {len(predicted)} on the other; "
            "both sides have to be about the same examples"
        )
    if not gold:
        raise CorpusError("there is nothing to score: not one example was given")


def _check(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> None:
    _check_sizes(gold, predicted)
    for number, (g, p) in enumerate(zip(gold, predicted, strict=True)):
        if len(g) != len(p):
            raise ConfigError(
                f"sentence {number} has {len(g)} gold labels and {len(p)} predicted ones; "
                "every word needs one of each"
            )


def _check_span_labels(sentences: Iterable[Sequence[str]]) -> None:
    labels = {label for sentence in sentences for label in sentence}
    spans = ("B-", "I-", "E-", "S-")
    wrong = sorted(label for label in labels if label != "O" and not label.startswith(spans))
    if wrong:
        raise ConfigError(
            f"span scores were asked for, but these labels mark no spans: {', '.join(wrong)}. "
            "Span labels are O, B-TYPE and I-TYPE; for other labels use tagging_scores."
        )
