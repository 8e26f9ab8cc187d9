import pytest

from benchmarks.contests.language_options import DEFAULT, RESTRICTED, above_default, contenders
from benchmarks.options import Options


def test_a_loss_above_the_default_is_a_mean_over_pairs_of_one_text_and_seed() -> None:
    losses = {
        "afr": {DEFAULT: [2.0, 4.0], RESTRICTED: [2.2, 4.0]},
        "hat": {DEFAULT: [1.0, 1.0], RESTRICTED: [1.2, 1.1]},
    }
    assert above_default(losses) == {DEFAULT: 0.0, RESTRICTED: pytest.approx(0.1)}


def test_the_default_changes_nothing_and_the_upper_half_follows_the_depth() -> None:
    assert contenders(6)[DEFAULT] == {}
    assert contenders(12)["upper half"] == {"upper": 6}


def test_one_text_where_one_is_taken_and_no_silence_about_more() -> None:
    from pathlib import Path

    options = Options(quick=True, threads=1, tell=print, texts=(Path("a"), Path("b")))
    with pytest.raises(ValueError, match="one --text"):
        _ = options.text
    assert Options(quick=True, threads=1, tell=print).text is None
