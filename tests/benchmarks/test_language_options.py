from typing import Any

import pytest

from benchmarks.contests.language_options import DEFAULT, RESTRICTED, above_default, contenders
from benchmarks.options import Options
from benchmarks.page import page


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


def test_the_page_shows_each_option_with_its_cost_and_its_gain() -> None:
    ones = {DEFAULT: 1.0, RESTRICTED: 1.5}
    spread = {DEFAULT: [1.0, 1.0], RESTRICTED: [1.25, 1.75]}
    result: dict[str, Any] = {
        "above_default": {DEFAULT: 0.0, RESTRICTED: 0.0125},
        "losses": {"afr": {DEFAULT: [2.0, 4.0], RESTRICTED: [3.0, 4.5]}},
        "own_pieces": 1234.0,
        "contenders": {},
        "big_contenders": {name: {"tokens_per_second": 9876.0} for name in ones},
        "rounds": 7,
        "sizes": {
            **{key: 3 for key in ("steps", "batch", "length", "seeds", "upper", "big_upper")},
            **{key: 20_000 for key in ("big_batch", "big_length", "big_own_pieces")},
            "big": "xlmr",
        },
        "quick": False,
        "device": "cpu",
        "provenance": {
            "processor": "a processor",
            "threads": 2,
            "versions": {},
            "versions_beside_adapters": None,
        },
    }
    for which in ("", "big_"):
        result[f"{which}speed_over_default"] = ones
        result[f"{which}speed_spread"] = spread
        result[f"{which}memory_over_default"] = {DEFAULT: 1.0, RESTRICTED: 0.5}
    text = page({"language-options": result})
    assert "| own pieces | 3.750 | +1.25% | 1.50 (1.25 to 1.75) | 0.50 |" in text
    assert "| own pieces | 9,876 | 1.50 (1.25 to 1.75) | 0.50 |" in text
    assert "1,234 of the vocabulary" in text
