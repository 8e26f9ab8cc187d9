import pytest

from benchmarks.contests.linear import STEPS, series_of
from benchmarks.figures import Record, keys, memory_ratio, ratio, slope, speed_ratio, table


def record(*seconds: float, tokens: int = 100, peak: int = 0) -> Record:
    return Record([{"seconds": one, "tokens": tokens} for one in seconds], 0, peak)


def test_speed_is_the_median_of_the_rounds() -> None:
    assert record(1.0, 2.0, 50.0).speed == 50.0


def test_a_ratio_is_of_medians_and_brings_its_extreme_rounds() -> None:
    found = ratio([2.0, 4.0, 9.0], [1.0, 4.0, 3.0])
    assert found is not None
    assert (found.value, found.low, found.high) == (4.0 / 3.0, 1.0, 3.0)


def test_a_speed_ratio_above_one_means_faster() -> None:
    found = speed_ratio({"fast": record(1.0), "slow": record(4.0)}, "fast", "slow")
    assert found is not None
    assert found.value == 4.0


def test_what_did_not_take_part_is_null() -> None:
    records = {"ours": record(1.0, peak=5)}
    assert speed_ratio(records, "ours", "theirs") is None
    assert memory_ratio(records, "ours", "theirs") is None
    assert keys({"ratio": None}) == {"ratio": None, "ranges": {}}


def test_memory_is_compared_at_its_peak() -> None:
    records = {"ours": record(1.0, peak=5), "theirs": record(1.0, peak=20)}
    assert memory_ratio(records, "ours", "theirs") == 0.25
    assert table(records)["theirs"]["peak_bytes"] == 20


def test_the_slope_is_the_exponent() -> None:
    assert slope([1.0, 2.0, 8.0], [3.0, 12.0, 192.0]) == pytest.approx(2.0)


def test_each_point_of_a_series_gets_its_own_rounds() -> None:
    wanted = {
        "batch": [{"batch": 1, "length": 8, "alive": 1}, {"batch": 2, "length": 8, "alive": 1}],
        "alive": [{"batch": 1, "length": 8, "alive": 5}],
    }
    rounds = [{"seconds": s} for s in (1.0, 2.0, 7.0, 1.2, 2.2, 7.2, 1.1, 2.1, 7.1)]
    found = series_of(wanted, Record(rounds))
    assert [one["seconds"] for one in found["batch"]] == [1.1, 2.1]
    assert found["alive"][0]["seconds"] == pytest.approx(7.1 / STEPS["alive"])
    assert found["batch"][1]["tokens_per_second"] == pytest.approx(16 / 2.1)
