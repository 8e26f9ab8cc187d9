"""What a sentence counts for a metric, and the metrics of summed counts.

Counts of sentences can be added up, so the score of a resample of a test set is that of a sum of rows. This module is
the one door to seqeval.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from adapterkit.errors import ConfigError, CorpusError

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[float64]

Counts: TypeAlias = tuple[int, ...]


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
    check_words(gold, predicted)
    if metric.startswith("span_"):
        check_span_labels([*gold, *predicted])
        rows = [span_counts(g, p) for g, p in zip(gold, predicted, strict=True)]
    elif metric == "accuracy":
        rows = [(_right(g, p), len(g)) for g, p in zip(gold, predicted, strict=True)]
    else:
        index = {label: i for i, label in enumerate(labels)}
        rows = [label_counts(pairs_of(g, p), index) for g, p in zip(gold, predicted, strict=True)]
    return np.array(rows, dtype=np.float64)


def counted_scores(metric: str, counts: Array) -> Array:
    """Give the scores of summed counts of :func:`sentence_counts`: ``(n, width)`` to ``(n,)``."""
    return COUNTED[metric](counts)


def _right(gold: Sequence[str], predicted: Sequence[str]) -> int:
    return sum(g == p for g, p in zip(gold, predicted, strict=True))


Pairs: TypeAlias = tuple[tuple[tuple[str, str], int], ...]


def pairs_of(gold: Sequence[str], predicted: Sequence[str]) -> Pairs:
    """A sentence as its distinct pairs of a gold and a predicted label, with how often each occurs."""
    return tuple(sorted(Counter(zip(gold, predicted, strict=True)).items()))


def label_counts(pairs: Pairs, index: Mapping[str, int]) -> Counts:
    """Count, label by label: the right ones, then the gold ones, then the predicted ones."""
    counts = [0] * (3 * len(index))
    for (gold, predicted), n in pairs:
        counts[index[gold]] += n if gold == predicted else 0
        counts[len(index) + index[gold]] += n
        counts[2 * len(index) + index[predicted]] += n
    return tuple(counts)


def span_counts(gold: Sequence[str], predicted: Sequence[str]) -> Counts:
    """Count: right spans, predicted spans, gold spans, right words, words."""
    from seqeval.metrics.sequence_labeling import get_entities

    expected, marked = set(get_entities(list(gold))), set(get_entities(list(predicted)))
    right = len(expected & marked)
    return right, len(marked), len(expected), _right(gold, predicted), len(gold)


def label_accuracy(counts: Array) -> Array:
    """Accuracy of summed counts of `label_counts`. Shapes ``(n, 3 * labels)`` to ``(n,)``."""
    labels = counts.shape[1] // 3
    return ratio(counts[:, :labels].sum(axis=1), counts[:, labels : 2 * labels].sum(axis=1))


def macro_f1(counts: Array) -> Array:
    """Mean over the labels that occur of ``2 tp / (gold + predicted)``, of summed counts of `label_counts`."""
    labels = counts.shape[1] // 3
    occurrences = counts[:, labels : 2 * labels] + counts[:, 2 * labels :]
    f1 = ratio(2 * counts[:, :labels], occurrences)
    return ratio(f1.sum(axis=1), (occurrences > 0).sum(axis=1))


SPAN_METRICS: dict[str, Callable[[Array], Array]] = {
    "span_f1": lambda c: ratio(2 * c[:, 0], c[:, 1] + c[:, 2]),
    "span_precision": lambda c: ratio(c[:, 0], c[:, 1]),
    "span_recall": lambda c: ratio(c[:, 0], c[:, 2]),
}
COUNTED: dict[str, Callable[[Array], Array]] = {
    **SPAN_METRICS,
    "accuracy": lambda c: ratio(c[:, 0], c[:, 1]),
    "macro_f1": macro_f1,
}
"""The metrics that can be computed from sums over sentences, by name."""


def _named(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def ratio(part: Array, whole: Array) -> Array:
    """Divide element by element; 0 where ``whole`` is 0."""
    import numpy as np

    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)


def check_sizes(gold: Sequence[object], predicted: Sequence[object]) -> None:
    """Refuse two sides of different lengths (ConfigError), and nothing at all (CorpusError)."""
    if len(gold) != len(predicted):
        raise ConfigError(
            f"there are {len(gold)} examples on one side and {len(predicted)} on the other; "
            "both sides have to be about the same examples"
        )
    if not gold:
        raise CorpusError("there is nothing to score: not one example was given")


def check_words(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> None:
    """Refuse sentences that have other words on the other side, too (ConfigError)."""
    check_sizes(gold, predicted)
    for number, (g, p) in enumerate(zip(gold, predicted, strict=True)):
        if len(g) != len(p):
            raise ConfigError(
                f"sentence {number} has {len(g)} gold labels and {len(p)} predicted ones; "
                "every word needs one of each"
            )


def check_span_labels(sentences: Iterable[Sequence[str]]) -> None:
    """Refuse labels that mark no spans (ConfigError)."""
    labels = {label for sentence in sentences for label in sentence}
    spans = ("B-", "I-", "E-", "S-")
    wrong = sorted(label for label in labels if label != "O" and not label.startswith(spans))
    if wrong:
        raise ConfigError(
            f"span scores were asked for, but these labels mark no spans: {', '.join(wrong)}. "
            "Span labels are O, B-TYPE and I-TYPE; for other labels use tagging_scores."
        )
