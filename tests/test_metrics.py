import math
import subprocess
import sys
import time
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapterkit.errors import ConfigError, CorpusError
from adapterkit.metrics import (
    Score,
    classification_scores,
    confusion,
    is_span_scheme,
    paired_difference,
    span_scores,
    tagging_scores,
)
from adapterkit.resampling import leaves_out_zero

TAGS = st.sampled_from(["NOUN", "VERB", "ADJ", "X"])
SPANS = st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])


def pairs_of(labels: st.SearchStrategy[str]) -> st.SearchStrategy[list[list[tuple[str, str]]]]:
    """Sentences of (gold, predicted) pairs."""
    return st.lists(st.lists(st.tuples(labels, labels), min_size=1, max_size=6), min_size=1)


def split(sentences: list[list[tuple[str, str]]]) -> tuple[list[list[str]], list[list[str]]]:
    return [[g for g, _ in s] for s in sentences], [[p for _, p in s] for s in sentences]


def test_tagging_scores_are_those_computed_by_hand() -> None:
    # A: tp 2, gold 3, predicted 2; B: tp 1, gold 2, predicted 3; C: only predicted; D: only gold.
    gold = [["A", "A", "B"], ["A", "B", "D"]]
    predicted = [["A", "A", "B"], ["B", "C", "B"]]
    scores = tagging_scores(gold, predicted)
    assert scores["accuracy"].value == 3 / 6
    # A 4/5, B 2/5, C 0, D 0
    assert scores["macro_f1"].value == pytest.approx((4 / 5 + 2 / 5) / 4, abs=1e-15)


def test_accuracy_counts_words_and_not_sentences() -> None:
    scores = tagging_scores([["A"], ["A", "A", "B"]], [["A"], ["B", "B", "A"]])
    assert scores["accuracy"].value == 0.25


@pytest.mark.long
@settings(max_examples=50, deadline=None)
@given(pairs_of(TAGS))
def test_macro_f1_and_accuracy_are_scikit_learns(sentences: list[list[tuple[str, str]]]) -> None:
    from sklearn.metrics import (  # type: ignore[import-untyped]
        accuracy_score,
        f1_score,
    )

    gold, predicted = split(sentences)
    scores = tagging_scores(gold, predicted, resamples=5)
    flat = list(chain(*gold)), list(chain(*predicted))
    assert scores["accuracy"].value == pytest.approx(accuracy_score(*flat), abs=1e-12)
    expected = f1_score(*flat, average="macro", zero_division=0)
    assert scores["macro_f1"].value == pytest.approx(expected, abs=1e-12)


@pytest.mark.long
@settings(max_examples=50, deadline=None)
@given(pairs_of(SPANS))
def test_span_scores_are_seqevals(sentences: list[list[tuple[str, str]]]) -> None:
    from seqeval.metrics import accuracy_score, f1_score, precision_score, recall_score

    gold, predicted = split(sentences)
    scores = span_scores(gold, predicted, resamples=5)
    for name, metric in {
        "span_f1": f1_score,
        "span_precision": precision_score,
        "span_recall": recall_score,
    }.items():
        expected = metric(gold, predicted, zero_division=0)
        assert scores[name].value == pytest.approx(expected, abs=1e-12), name
    assert scores["accuracy"].value == pytest.approx(accuracy_score(gold, predicted), abs=1e-12)


@pytest.mark.long
def test_a_span_is_right_only_with_its_type_and_both_ends() -> None:
    gold = [["B-PER", "I-PER", "O", "B-LOC"], ["B-LOC", "O", "O", "O"]]
    predicted = [["B-PER", "O", "O", "B-LOC"], ["B-PER", "O", "B-LOC", "I-LOC"]]
    scores = span_scores(gold, predicted)  # 1 right of 4 predicted and 3 gold
    assert scores["span_precision"].value == 1 / 4
    assert scores["span_recall"].value == 1 / 3
    assert scores["span_f1"].value == pytest.approx(2 / 7, abs=1e-15)
    assert scores["accuracy"].value == 4 / 8


def test_sentences_without_spans_score_zero_without_a_warning() -> None:
    scores = span_scores([["O", "O"]] * 2, [["O", "O"]] * 2)
    assert scores["span_f1"] == Score(0.0, 0.0, 0.0)
    assert scores["accuracy"] == Score(1.0, 1.0, 1.0)


@settings(max_examples=30, deadline=None)
@given(pairs_of(TAGS))
def test_gold_scores_one_against_itself(sentences: list[list[tuple[str, str]]]) -> None:
    gold, _ = split(sentences)
    one = Score(1.0, 1.0, 1.0, resampled=len(gold) > 1)
    assert tagging_scores(gold, gold, resamples=20) == {"accuracy": one, "macro_f1": one}


@settings(max_examples=30, deadline=None)
@given(pairs_of(TAGS), st.randoms())
def test_the_order_of_the_sentences_changes_nothing(
    sentences: list[list[tuple[str, str]]], random: object
) -> None:
    shuffled = list(sentences)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    scores = tagging_scores(*split(sentences), resamples=20)
    assert tagging_scores(*split(shuffled), resamples=20) == scores


@settings(max_examples=30, deadline=None)
@given(pairs_of(TAGS))
def test_intervals_lie_between_zero_and_one_in_order(
    sentences: list[list[tuple[str, str]]],
) -> None:
    for score in tagging_scores(*split(sentences), resamples=20).values():
        assert 0 <= score.low <= score.high <= 1


def test_the_interval_of_an_accuracy_has_the_binomial_width() -> None:
    n, share = 400, 0.7
    right = round(n * share)
    scores = classification_scores(["A"] * n, ["A"] * right + ["B"] * (n - right), resamples=4000)
    half = 1.96 * math.sqrt(share * (1 - share) / n)  # 0.045
    accuracy = scores["accuracy"]
    assert accuracy.low < accuracy.value < accuracy.high
    # One text is 1/400; a percentile of 4000 draws is uncertain by less than another one.
    assert accuracy.low == pytest.approx(share - half, abs=2 / n)
    assert accuracy.high == pytest.approx(share + half, abs=2 / n)


def test_sentences_are_resampled_whole() -> None:
    # 40 sentences of 25 words, each all right or all wrong: only 40 independent draws.
    gold = [["A"] * 25] * 40
    predicted = [["A"] * 25] * 20 + [["B"] * 25] * 20
    accuracy = tagging_scores(gold, predicted)["accuracy"]
    half = 1.96 * math.sqrt(0.25 / 40)  # 0.155; words one by one would give 0.031
    assert accuracy.high - accuracy.low == pytest.approx(2 * half, abs=0.05)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    gold, predicted = [[c] for c in "ABAB" * 30], [[c] for c in "AABB" * 30]
    first = tagging_scores(gold, predicted, seed=1, resamples=50)
    assert tagging_scores(gold, predicted, seed=1, resamples=50) == first
    assert tagging_scores(gold, predicted, seed=2, resamples=50) != first


def test_chunks_of_resamples_give_what_one_draw_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    gold, predicted = [["A"] * n for n in range(1, 9)], [["B"] + ["A"] * n for n in range(8)]
    at_once = tagging_scores(gold, predicted, resamples=50)
    monkeypatch.setattr("adapterkit.metrics._DRAWS_AT_ONCE", 24)
    assert tagging_scores(gold, predicted, resamples=50) == at_once


def test_one_text_a_label_scores_as_sentences_of_one_word() -> None:
    gold, predicted = list("AABBC"), list("ABBBC")
    expected = tagging_scores([[g] for g in gold], [[p] for p in predicted])
    assert classification_scores(gold, predicted) == expected
    assert expected["accuracy"].value == 0.8


def test_sentences_without_words_do_not_count() -> None:
    with_empty = tagging_scores([["A"], [], ["B"]], [["A"], [], ["A"]])
    assert with_empty == tagging_scores([["A"], ["B"]], [["A"], ["A"]])


def test_a_paired_difference_is_that_of_the_accuracies() -> None:
    gold = [["A", "B"], ["A"], ["B", "B", "A"]] * 20
    good = [["A", "B"], ["A"], ["B", "A", "A"]] * 20
    poor = [["A", "A"], ["A"], ["A", "A", "A"]] * 20
    difference = paired_difference("accuracy", gold, good, poor)
    assert difference.value == pytest.approx(5 / 6 - 3 / 6, abs=1e-15)
    assert 0 < difference.low < difference.value < difference.high
    assert paired_difference("accuracy", gold, poor, good).value == -difference.value


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "span_f1"])
def test_a_paired_difference_is_that_of_the_scores(metric: str) -> None:
    gold = [["B-X", "I-X", "O"], ["O", "B-Y"], ["B-X"]] * 9
    good = [["B-X", "I-X", "O"], ["O", "B-Y"], ["O"]] * 9
    poor = [["B-X", "O", "O"], ["O", "B-X"], ["B-X"]] * 9
    score = span_scores if metric == "span_f1" else tagging_scores
    difference = paired_difference(metric, gold, good, poor)
    apart = score(gold, good)[metric].value - score(gold, poor)[metric].value
    assert difference.value == pytest.approx(apart, abs=1e-12)
    assert difference.low < difference.value < difference.high
    same = paired_difference(metric, gold, good, good)
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_a_paired_difference_is_narrower_than_one_of_apart_samples() -> None:
    # The two differ by one word in each sentence, however hard the sentence is.
    right = [["A"] * n + ["B"] * (10 - n) for n in range(10)]
    difference = paired_difference("accuracy", [["A"] * 10] * 9, right[1:], right[:-1])
    assert [difference.low, difference.high] == pytest.approx([0.1, 0.1], abs=1e-12)


def test_confusions_are_counted_by_gold_row_and_predicted_column() -> None:
    table = confusion(["A", "A", "B", "C"], ["A", "B", "B", "B"])
    assert table.labels == ("A", "B", "C")
    assert table.counts == ((1, 1, 0), (0, 1, 0), (0, 1, 0))
    assert table.rows() == [
        ("gold \\ predicted", "A", "B", "C"),
        ("A", "1", "1", "0"),
        ("B", "0", "1", "0"),
        ("C", "0", "1", "0"),
    ]


def test_labels_with_b_or_i_mark_spans() -> None:
    assert is_span_scheme(["O", "B-PER"])
    assert is_span_scheme(["I-PER"])
    assert not is_span_scheme(["O", "NOUN", "INTJ", "B"])


@pytest.mark.parametrize("score", [tagging_scores, span_scores, classification_scores, confusion])
def test_nothing_to_score_is_an_error(score: object) -> None:
    with pytest.raises(CorpusError, match="nothing to score"):
        score([], [])  # type: ignore[operator]


def test_sentences_without_any_word_are_an_error() -> None:
    for score in (tagging_scores, span_scores):
        with pytest.raises(CorpusError, match="not one word"):
            score([[], []], [[], []])
    with pytest.raises(CorpusError, match="not one word"):
        paired_difference("accuracy", [[]], [[]], [[]])


def test_two_sides_of_different_length_are_an_error_that_counts_them() -> None:
    with pytest.raises(ConfigError, match="2 examples on one side and 1"):
        classification_scores(["A", "B"], ["A"])
    with pytest.raises(ConfigError, match="sentence 1 has 2 gold labels and 1 predicted"):
        tagging_scores([["A"], ["A", "B"]], [["A"], ["A"]])
    with pytest.raises(ConfigError, match="sentence 0 has 1 gold labels and 2 predicted"):
        paired_difference("accuracy", [["A"]], [["A"]], [["A", "B"]])


def test_labels_that_mark_no_spans_are_named() -> None:
    with pytest.raises(ConfigError, match=r"NOUN, VERB\."):
        span_scores([["NOUN", "O"]], [["B-PER", "VERB"]])


def test_a_bootstrap_needs_a_resample() -> None:
    with pytest.raises(ConfigError, match="resamples is 0"):
        tagging_scores([["A"]], [["A"]], resamples=0)


def test_two_thousand_sentences_are_resampled_within_a_few_seconds() -> None:
    labels = [f"L{n}" for n in range(17)]
    gold = [[labels[(7 * s + w * w) % 17] for w in range(20)] for s in range(2000)]
    predicted = [
        [labels[(7 * s + w * w + (s * w % 5 == 1)) % 17] for w in range(20)] for s in range(2000)
    ]
    start = time.perf_counter()
    tagging_scores(gold, predicted)
    assert time.perf_counter() - start < 5  # 0.3 s when nothing else runs


def test_importing_the_module_imports_neither_numpy_nor_seqeval() -> None:
    code = "import sys, adapterkit.metrics; print({'numpy', 'seqeval'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_one_sentence_has_a_score_and_no_interval() -> None:
    for count, several in ((1, False), (2, True)):
        score = tagging_scores([["A", "B"]] * count, [["A", "A"]] * count)["accuracy"]
        assert (score.value, score.resampled) == (0.5, several)
        gain = paired_difference(
            "accuracy", [["A", "B"]] * count, [["A", "B"]] * count, [["A", "A"]] * count
        )
        assert (gain.value, gain.resampled) == (0.5, several)
        assert leaves_out_zero(gain) is several
