"""What one evaluation gains over another of the same examples."""

from dataclasses import replace

import pytest

from adapterkit.errors import ConfigError
from adapterkit.evaluation import Evaluation, Scores, gains_of
from adapterkit.metrics import span_scores, tagging_scores
from adapterkit.resampling import leaves_out_zero
from adapterkit.tasks.base import Answer

SENTENCES = 40
GOLD = tuple(("A", "B", "A", "B") if n % 2 else ("A", "A") for n in range(SENTENCES))


def evaluated(*, wrong: int, gold: tuple[tuple[str, ...], ...] = GOLD) -> Evaluation:
    """An evaluation whose first words are wrong in the first ``wrong`` sentences."""
    said = [("C", *one[1:]) if n < wrong else one for n, one in enumerate(gold)]
    scores = Scores(tagging_scores(gold, said), "accuracy", len(gold))
    answers = tuple(Answer(one, (1.0,) * len(one)) for one in said)
    return Evaluation(scores, tuple(range(len(gold))), answers, gold)


def test_a_gain_is_the_difference_and_turns_with_the_sides() -> None:
    better, worse = evaluated(wrong=10), evaluated(wrong=22)
    gain = better.gain_over(worse)
    assert gain.value == pytest.approx(better.scores.value - worse.scores.value)
    assert gain.low < gain.value < gain.high
    back = worse.gain_over(better)
    assert [back.value, back.low, back.high] == pytest.approx([-gain.value, -gain.high, -gain.low])


def test_a_gain_is_reliable_though_the_intervals_of_the_scores_overlap() -> None:
    better, worse = evaluated(wrong=16), evaluated(wrong=22)
    assert better.scores.interval[0] < worse.scores.interval[1]
    assert leaves_out_zero(better.gain_over(worse))
    assert not leaves_out_zero(evaluated(wrong=16).gain_over(evaluated(wrong=17)))


def test_a_gain_over_itself_is_nothing() -> None:
    found = {"own": evaluated(wrong=5), "source": evaluated(wrong=5), "none": evaluated(wrong=9)}
    gains = gains_of(found)
    assert list(gains) == ["source", "none"]
    assert (gains["source"].value, gains["source"].low, gains["source"].high) == (0, 0, 0)
    assert gains["none"].value > 0


def test_the_main_metric_is_compared() -> None:
    gold = (("B-X", "I-X", "O"), ("O", "B-Y")) * 10
    sides = []
    for said in (gold, (("B-X", "O", "O"), ("O", "B-Y")) * 10):
        scores = Scores(span_scores(gold, said), "span_f1", len(gold))
        answers = tuple(Answer(one, (1.0,) * len(one)) for one in said)
        sides.append(Evaluation(scores, (), answers, gold))
    assert sides[0].gain_over(sides[1]).value == pytest.approx(0.5)


def test_evaluations_of_other_examples_or_by_another_metric_are_refused() -> None:
    one = evaluated(wrong=3)
    other = replace(one, scores=replace(one.scores, main="macro_f1"))
    for rival in (evaluated(wrong=3, gold=GOLD[:-1]), other):
        with pytest.raises(ConfigError, match="of the same examples by the same metric"):
            one.gain_over(rival)
