"""Drawings: axes that hold what is drawn, and marks that differ in shape."""

import re

import pytest

from adapterkit.errors import ConfigError
from adapterkit.metrics import Score
from adapterkit.pages.curves import parse_looks
from adapterkit.pages.figures import (
    Point,
    draw_dumbbells,
    draw_gains,
    draw_heat,
    draw_lines,
    draw_scatter,
    short_labels,
)
from adapterkit.pages.sections import spearman
from adapterkit.pages.svg import LIGHT, linear, log_ticks, logarithmic, ticks
from tests.pages.test_report import row


def test_scales_meet_their_ends() -> None:
    assert linear(2, 4, 10, 30)(3) == 20
    assert logarithmic(1, 100, 0, 10)(10) == pytest.approx(5)
    assert linear(1, 1, 0, 10)(1) == 0


def test_ticks_are_round_and_inside() -> None:
    assert ticks(0.0, 1.0) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert ticks(-0.034, 0.101, about=4) == [0.0, 0.05, 0.1]
    assert log_ticks(2e5, 4e6) == [3e5, 1e6, 3e6]


def test_a_short_logarithmic_axis_has_two_ticks_at_least() -> None:
    assert log_ticks(1.4e6, 2.0e6) == [1.4e6, 1.6e6, 1.8e6, 2.0e6]
    for low, high in ((1.12e6, 2.5e6), (0.9e6, 1.5e6), (31, 34), (1.9e5, 2.1e5)):
        found = log_ticks(low, high)
        assert len(found) > 1
        assert all(low <= value * 1.001 and value <= high * 1.001 for value in found)


@pytest.mark.parametrize(
    "labels",
    [
        [
            f"full-fine-tuning · learning rate {rate}"
            for rate in ("0.001", "0.0001", "1e-05", "3e-05")
        ],
        [f"full-fine-tuning · learning rate {rate}, epochs 20" for rate in ("0.001", "0.0001")],
        [f"own · from {code}, {'x' * 40} and so on {'y' * 20}" for code in ("eng", "por")],
        ["a" * n for n in range(30, 40)],
    ],
)
def test_long_labels_are_cut_so_that_they_differ_and_fit(labels: list[str]) -> None:
    found = short_labels(["Manx", *labels, labels[0]], 150)
    assert found[0] == "Manx"
    assert found[1] == found[-1]
    assert len(set(found[:-1])) == len(labels) + 1
    assert all(len(label) <= 23 for label in found)
    assert all("…" in label for label in found[1:])
    picture = draw_gains("n", "t", [(label, Score(0.1, 0.05, 0.15)) for label in labels])
    assert len(set(re.findall(r'strong">([^<]*)<', picture.body))) == len(labels)


def test_a_label_that_is_cut_at_a_number_shows_all_of_it() -> None:
    labels = [f"full-fine-tuning · learning rate {rate}, epochs 20" for rate in ("0.001", "0.0001")]
    assert short_labels(labels, 150) == ["full-…0.001, epochs 20", "full-…0.0001, epochs 20"]


def test_a_gain_of_nothing_but_rounding_is_hollow() -> None:
    picture = draw_gains("n", "t", [("a", Score(1e-17, 1e-17, 1e-17))])
    assert 'class="own open"' in picture.body


def test_a_gain_that_is_not_reliable_is_hollow_and_one_that_is_is_filled() -> None:
    rows = [("sure", Score(0.1, 0.05, 0.15)), ("not", Score(0.1, -0.05, 0.2))]
    picture = draw_gains("n", "t", rows)
    assert re.findall(r'<circle [^>]*class="([^"]*)"', picture.body) == ["own", "own open"]


def test_a_higher_score_stands_further_right_and_each_method_has_its_own_shape() -> None:
    picture = draw_dumbbells("n", "t", [("Manx", {"own": 0.8, "kept": 0.6})], ["own", "kept"])
    circle = re.search(r'<circle cx="([\d.]+)"', picture.body)
    square = re.search(r'<polygon points="([\d.]+)', picture.body)
    assert circle
    assert square
    assert float(circle[1]) > float(square[1]) + 50


def test_everything_drawn_lies_inside_the_picture() -> None:
    points = [Point(f"l{n}", 10.0**n, 0.1 * n - 0.2, "ab"[n % 2]) for n in range(2, 7)]
    scatter = draw_scatter("n", "t", points, x_label="text", x_log=True)
    lines = draw_lines(
        "n", "t", {"a": [(0, 6.0), (100, 4.0)]}, x_label="steps", x_log=False, y_label="loss",
        percent=False, dashed=6.5,
    )  # fmt: skip
    for picture in (scatter, lines):
        for x, y in re.findall(r'c?x="(-?[\d.]+)" c?y="(-?[\d.]+)"', picture.body):
            assert 0 <= float(x) <= picture.width
            assert 0 <= float(y) <= picture.height


def test_the_fullest_cell_of_a_heat_map_is_the_darkest() -> None:
    picture = draw_heat(
        "n", "t", ["a"], ["a", "b"], {("a", "a"): (1.0, "9"), ("a", "b"): (0.1, "1")}
    )
    assert [float(x) for x in re.findall(r'fill-opacity="([\d.]+)"', picture.body)] == [0.5, 0.09]


def test_what_is_written_into_a_picture_is_escaped_and_stands_alone_without_variables() -> None:
    picture = draw_gains("n", "a <title>", [("<b>", Score(0.1, 0.0, 0.2))])
    assert "<b>" not in picture.inline()
    assert "<title>" not in picture.standalone()
    assert "var(" not in picture.standalone()
    assert LIGHT["own"] in picture.standalone()


def test_the_rank_correlation_is_that_of_the_ranks() -> None:
    assert spearman([1, 2, 3, 4], [10, 100, 1000, 10_000]) == pytest.approx(1)
    assert spearman([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
    # Ranks 0, 1.5, 1.5, 3 against 0, 1, 2, 3: 4.5 / sqrt(4.5 * 5).
    assert spearman([1, 2, 2, 3], [1, 2, 3, 4]) == pytest.approx(4.5 / (4.5 * 5) ** 0.5)
    assert spearman([1, 1], [1, 2]) == 0


def test_looks_are_steps_and_losses() -> None:
    assert parse_looks(row(looks="0:5.5 60:4.25")) == [(0, 5.5), (60, 4.25)]
    with pytest.raises(ConfigError, match="cell c: looks is 'nine'"):
        parse_looks(row(looks="nine", cell="c"))
