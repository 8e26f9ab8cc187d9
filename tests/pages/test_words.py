"""Numbers as a reader sees them: their sign agrees with what is said of them."""

import re
from pathlib import Path

import pytest

from adapterkit.metrics import Score
from adapterkit.pages.findings import Gain
from adapterkit.pages.results_page import page_of
from adapterkit.pages.results_text import text_of
from adapterkit.pages.words import gained, percent, points
from tests.pages.test_report import made_of, row


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.081, "+8.1"), (-0.081, "-8.1"), (0.0005, "+0.1"), (0.0003, "+0.03"), (-0.0003, "-0.03"),
     (0.00002, "+0.002"), (0.0, "0.0"), (-0.0, "0.0"), (-1e-17, "0.0"), (None, "–")],
)  # fmt: skip
def test_a_difference_shows_its_sign_in_as_many_digits_as_that_needs(
    value: float | None, shown: str
) -> None:
    assert points(value) == shown


def test_a_percentage_has_no_negative_zero() -> None:
    assert (percent(-0.0003), percent(0.663), percent(-0.1)) == ("0.0", "66.3", "-10.0")


@pytest.mark.parametrize(
    ("low", "shown"),
    [
        (0.0003, "+4.5 [+0.03, +9.0]"),
        (-0.0003, "+4.5 [-0.03, +9.0] no reliable gain"),
        (0.0, "+4.5 [0.0, +9.0] no reliable gain"),
        (1e-17, "+4.5 [0.0, +9.0] no reliable gain"),
    ],
)
def test_an_interval_that_ends_near_zero_shows_on_which_side(low: float, shown: str) -> None:
    assert gained(Gain(Score(0.045, low, 0.09), 2, 2, 2)) == shown


def test_the_worst_language_above_the_labels_own_is_said_to_be_above_it(tmp_path: Path) -> None:
    home = row(language="eng", method="source-kept", group="seen", value=0.6)
    rows = [row(language=code, value=value) for code, value in (("glv", 0.7), ("sme", 0.8))]
    assert "**Manx** (glv) with 70.0, 10.0 above English." in text_of(
        made_of(tmp_path, [*rows, home])
    )
    rows = [row(language=code, value=value) for code, value in (("glv", 0.4), ("sme", 0.8))]
    said = made_of(tmp_path, [*rows, home])
    assert "**Manx** (glv) with 40.0, 20.0 below English." in text_of(said)
    assert "with 40.0 %, 20.0 points below English (source-kept)." in " ".join(said.summary()[0])


def test_a_long_name_of_a_method_wraps_and_leaves_room_for_numbers_on_a_phone(
    tmp_path: Path,
) -> None:
    page = page_of(made_of(tmp_path, [row()]))
    rule, *_ = re.findall(r"tbody th:first-child \{([^}]*)\}", page.split("</style>")[0])
    assert "white-space: normal" in rule
    assert "45vw" in rule


def test_what_is_level_is_neither_higher_nor_more(tmp_path: Path) -> None:
    rows = [row(method=name) for name in ("own", "every-layer", "source-kept")]
    (said,) = made_of(tmp_path, rows).summary()
    assert said == [
        "Parts of speech, 1 language of no named group: own has 50.0 % accuracy on average, as much as source-kept."
    ]
    (said,) = made_of(tmp_path, [*rows, row(method="average", value=0.6)]).summary()
    assert said[1] == "The highest mean is that of average: 60.0 %."


def test_a_summary_says_which_backbone_and_which_split_where_there_are_several(
    tmp_path: Path,
) -> None:
    start = "Parts of speech, 1 language of no named group"
    two = [row(backbone=name) for name in ("a@1", "b@1")]
    said = [sentences[0] for sentences in made_of(tmp_path, two).summary()]
    assert [one.split(": ")[0] for one in said] == [f"{start}, a@1", f"{start}, b@1"]
    two = [row(split=name) for name in ("dev", "test-half")]
    said = [sentences[0] for sentences in made_of(tmp_path, two).summary()]
    assert [one.split(": ")[0] for one in said] == [f"{start}, dev", f"{start}, test-half"]
    ((alone, *_),) = made_of(tmp_path, two[:1]).summary()
    assert alone.startswith(f"{start}: own has")
