import numpy as np
import pytest
from numpy.typing import NDArray

from adapterkit.counting import COUNTED, counted_scores, sentence_counts
from adapterkit.errors import ConfigError, CorpusError
from adapterkit.metrics import classification_scores, paired_difference, span_scores, tagging_scores
from adapterkit.resampling import Grid, Measured, certain, difference, mean, measure

TAGS = ("A", "B", "C")
Counts = NDArray[np.float64]


def sentences(right: float, *, seed: int, size: int = 60, words: int = 8) -> Counts:
    """(right words, words) of each sentence; some sentences are easier than others."""
    draw = np.random.default_rng(seed)
    easy = np.clip(draw.normal(right, 0.15, size), 0, 1)
    return np.stack([draw.binomial(words, easy), np.full(size, words)], axis=1).astype(float)


def grid_of(values: dict[str, dict[int, float]]) -> Grid[str]:
    return {name: {s: certain(v) for s, v in seeds.items()} for name, seeds in values.items()}


@pytest.mark.parametrize("metric", sorted(COUNTED))
def test_summed_counts_score_as_the_metric_itself_does(metric: str) -> None:
    draw = np.random.default_rng(0)
    names = ("O", "B-X", "I-X", "B-Y") if metric.startswith("span") else TAGS
    gold = [[names[i] for i in draw.integers(len(names), size=6)] for _ in range(20)]
    said = [[names[i] for i in draw.integers(len(names), size=6)] for _ in range(20)]
    counts = sentence_counts(metric, gold, said, labels=names)
    scores = (span_scores if metric.startswith("span") else tagging_scores)(gold, said)
    assert counted_scores(metric, counts.sum(axis=0, keepdims=True))[0] == scores[metric].value


def test_a_classified_text_is_a_sentence_of_one_word() -> None:
    gold, said = ["A", "B", "B", "C"], ["A", "B", "C", "C"]
    counts = sentence_counts("macro_f1", [[g] for g in gold], [[p] for p in said], labels=TAGS)
    expected = classification_scores(gold, said)["macro_f1"].value
    assert counted_scores("macro_f1", counts.sum(axis=0, keepdims=True))[0] == expected


def test_a_metric_that_cannot_be_counted_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="'bleu' cannot be counted; there are: accuracy"):
        sentence_counts("bleu", [["A"]], [["A"]], labels=["A"])


def test_a_method_is_not_better_than_itself_in_any_resample() -> None:
    grid = {
        name: measure("accuracy", {s: sentences(0.6, seed=s + at) for s in range(3)})
        for at, name in enumerate("xyz")
    }
    score = difference(grid, grid)
    assert (score.value, score.low, score.high) == (0, 0, 0)


def test_a_method_that_is_right_once_more_in_every_sentence_is_better_by_just_that() -> None:
    some = sentences(0.5, seed=1)
    some[:, 0] = np.minimum(some[:, 0], 7)
    found = measure("accuracy", {"a": some + np.array([1, 0]), "b": some})
    score = difference({"x": {0: found["a"]}}, {"x": {0: found["b"]}})
    assert score.value == pytest.approx(1 / 8)
    assert score.low == pytest.approx(1 / 8)
    assert score.high == pytest.approx(1 / 8)


def test_one_language_and_seed_is_the_paired_bootstrap_over_sentences() -> None:
    a, b = sentences(0.7, seed=1, size=300), sentences(0.6, seed=2, size=300)
    gold = [["A"] * int(n) for _, n in a]
    found = measure("accuracy", {"a": a, "b": b}, resamples=4000)
    ours = difference({"x": {0: found["a"]}}, {"x": {0: found["b"]}})
    said = [[["A"] * int(r) + ["B"] * int(n - r) for r, n in counts] for counts in (a, b)]
    other = paired_difference("accuracy", gold, said[0], said[1], resamples=4000)
    assert ours.value == pytest.approx(other.value)
    assert ours.low == pytest.approx(other.low, abs=0.003)
    assert ours.high == pytest.approx(other.high, abs=0.003)


def test_without_sentences_two_languages_are_drawn_as_two_coins() -> None:
    # Gains 0 and 1: a resample averages two draws: 0, 0.5 or 1 in 1, 2, 1 of 4 cases.
    score = mean(grid_of({"x": {0: 0.0}, "y": {0: 1.0}}))
    assert (score.value, score.low, score.high) == (0.5, 0, 1)


def test_a_seed_is_drawn_for_all_languages_at_once() -> None:
    # Were seeds drawn language by language, 40 languages would average them away.
    values = {f"l{n}": {0: 0.4, 1: 0.6} for n in range(40)}
    score = mean(grid_of(values))
    assert score.value == pytest.approx(0.5)
    assert [score.low, score.high] == pytest.approx([0.4, 0.6])


def test_a_seed_that_a_language_lacks_does_not_leave_it_without_a_score() -> None:
    score = mean(grid_of({"x": {0: 0.3, 1: 0.3}, "y": {2: 0.3}}))
    assert [score.low, score.high] == pytest.approx([0.3, 0.3])


def test_a_language_that_is_drawn_twice_brings_two_resamples_of_its_sentences() -> None:
    # 16 languages with the same score: what is left is their sentences' spread over the root of 16.
    # Were the same resample taken twice, it would be up to 1.4 times as wide.
    some = sentences(0.6, seed=3)
    found = [measure("accuracy", {0: some}, seed=n, resamples=4000) for n in range(16)]
    score = mean({f"l{n}": one for n, one in enumerate(found)})
    spread = found[0][0].replicates.std() / 4
    assert (score.high - score.low) / (2 * 1.96) == pytest.approx(spread, rel=0.1)


def test_only_languages_and_seeds_that_both_have_are_compared() -> None:
    a = grid_of({"x": {0: 0.8, 1: 0.0}, "y": {0: 0.9}, "z": {5: 0.1}})
    b = grid_of({"x": {0: 0.5}, "z": {0: 0.1}, "w": {0: 0.1}})
    assert difference(a, b).value == pytest.approx(0.3)


def test_nothing_in_common_is_an_error() -> None:
    with pytest.raises(CorpusError, match="no language has a score for both"):
        difference(grid_of({"x": {0: 0.5}}), grid_of({"x": {1: 0.5}, "y": {0: 0.5}}))


def test_the_same_seed_gives_the_same_interval_and_another_one_another() -> None:
    def score(seed: int) -> tuple[float, float]:
        found = {n: measure("accuracy", {0: sentences(0.6, seed=n)}, seed=seed) for n in range(4)}
        made = mean({f"l{n}": one for n, one in found.items()}, seed=seed)
        return made.low, made.high

    assert score(1) == score(1)
    assert score(1) != score(2)


def test_systems_share_the_sentences_of_a_resample() -> None:
    some = sentences(0.6, seed=3)
    found = measure("accuracy", {"a": some, "b": some})
    assert (found["a"].replicates == found["b"].replicates).all()
    assert found["a"].replicates.std() > 0.005


def test_sentences_known_on_one_side_only_are_not_resampled() -> None:
    found = measure("accuracy", {0: sentences(0.6, seed=3)})
    score = difference({"x": found}, {"x": {0: certain(0.5)}})
    assert score.low == score.value == score.high
    assert not score.resampled


def test_one_language_and_seed_without_sentences_is_not_resampled_and_any_second_thing_is() -> None:
    assert not mean(grid_of({"x": {0: 0.5}})).resampled
    assert mean(grid_of({"x": {0: 0.5, 1: 0.5}})).resampled
    assert mean(grid_of({"x": {0: 0.5}, "y": {0: 0.5}})).resampled
    assert mean({"x": measure("accuracy", {0: sentences(0.6, seed=3)})}).resampled


def test_other_test_sets_are_not_compared_in_pairs() -> None:
    with pytest.raises(ConfigError, match="with 10 and 20 sentences"):
        measure(
            "accuracy", {0: sentences(0.5, seed=0, size=10), 1: sentences(0.5, seed=0, size=20)}
        )


def test_resamples_below_one_are_refused() -> None:
    with pytest.raises(ConfigError, match="resamples is 0"):
        measure("accuracy", {0: sentences(0.5, seed=0)}, resamples=0)


def simulated(
    draw: np.random.Generator, *, gain: float
) -> tuple[dict[str, dict[int, Measured]], ...]:
    """Two methods on 12 languages, with three seeds: effects of language, seed and sentence."""
    seed_effect = draw.normal(0, 0.004, 3)
    sides: tuple[dict[str, dict[int, Measured]], ...] = ({}, {})
    for language in range(12):
        base, more = draw.uniform(0.4, 0.7), draw.normal(gain, 0.05)
        easy = draw.normal(0, 0.12, 80)
        systems = {}
        for seed in range(3):
            for side, shift in ((0, more + seed_effect[seed]), (1, 0.0)):
                chance = np.clip(base + easy + shift, 0, 1)
                right = draw.binomial(10, chance)
                systems[side, seed] = np.stack([right, np.full(80, 10)], axis=1).astype(float)
        found = measure("accuracy", systems, resamples=300, seed=int(draw.integers(2**31)))
        for side in (0, 1):
            sides[side][f"l{language}"] = {s: found[side, s] for s in range(3)}
    return sides


@pytest.mark.slow
def test_the_interval_holds_the_true_gain_nineteen_times_in_twenty_and_sentences_alone_do_not() -> (
    None
):
    draw = np.random.default_rng(7)
    trials, held, naive = 400, 0, 0
    for _ in range(trials):
        a, b = simulated(draw, gain=0.05)
        score = difference(a, b, seed=int(draw.integers(2**31)))
        held += score.low <= 0.05 <= score.high
        # What resampling sentences alone would say: languages and seeds as they are.
        alone = np.mean(
            [[a[n][s].replicates - b[n][s].replicates for s in a[n]] for n in a], axis=(0, 1)
        )
        low, high = np.percentile(alone, [2.5, 97.5])
        naive += low <= 0.05 <= high
    # A binomial of 400 at 0.95 has a standard deviation of 0.011; 12 languages cost some points.
    assert 0.89 <= held / trials <= 0.99
    assert naive / trials < 0.7
