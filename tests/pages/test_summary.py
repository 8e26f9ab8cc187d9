"""The summary page: complete, escaped, repeatable, and readable without a network or a script."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from adapterkit.metrics import Score
from adapterkit.pages.summary import Curve, Row, Summary, Tagged, write_summary

SUMMARY = Summary(
    title="A demo <of> adapters",
    introduction="What was done & how.",
    metric="accuracy",
    rows=(
        Row("epo", "own", 0.86, 0.84, 0.88),
        Row("epo", "source", 0.71, 0.69, 0.73, Score(0.15, 0.14, 0.161)),
        Row("epo", "none", 0.66, 0.64, 0.68),
    ),
    curves=(
        Curve("epo", (0, 30, 60), (5.2, 4.1, 3.6), 6.0),
        Curve("hat", (0, 60), (4.0, 3.0), None),
    ),
    examples=(
        Tagged("epo", ("La", "kato", "<b>"), ("DET", "VERB", "PUNCT"), ("DET", "NOUN", "PUNCT")),
        Tagged("hat", ("Chat", "la"), ("NOUN", "DET")),
    ),
    folders=("adapters/epo", "adapters/hat"),
    commands=("adapterkit predict --stack adapters/epo,mini:pos 'La <kato>'",),
    notes=("A toy.",),
)


@pytest.fixture
def page(tmp_path: Path) -> str:
    write_summary(tmp_path / "summary.html", SUMMARY)
    return (tmp_path / "summary.html").read_text(encoding="utf-8")


class Balance(HTMLParser):
    """Counts tags that are opened and not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag != "meta":
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag


def test_every_tag_is_closed_and_nothing_is_loaded_or_run(page: str) -> None:
    balance = Balance()
    balance.feed(page)
    assert balance.stack == []
    assert not {"script", "link", "img", "iframe", "object"} & set(balance.seen)
    assert not re.search(r"https?://|url\(|@import", page)


def test_what_users_wrote_is_escaped(page: str) -> None:
    assert "<title>A demo &lt;of&gt; adapters</title>" in page
    assert "What was done &amp; how." in page
    assert "<b>" not in page


def test_every_row_shows_its_value_and_interval(page: str) -> None:
    for row in SUMMARY.rows:
        assert f">{100 * row.value:.1f}</strong>" in page
        assert f"[{100 * row.low:.1f}, {100 * row.high:.1f}]" in page
    assert page.count('class="gain"') == 1
    assert ">+15.0 <span>[+14.0, +16.1]</span>" in page


def test_a_wrong_tag_is_marked_by_more_than_a_colour(page: str) -> None:
    assert "VERB ✗ NOUN" in page
    assert page.count('class="wrong"') == 1


def test_folders_commands_and_notes_are_listed(page: str) -> None:
    for text in (*SUMMARY.folders, *SUMMARY.notes, "mini:pos &#39;La &lt;kato&gt;&#39;"):
        assert text in page


def test_the_same_summary_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        write_summary(tmp_path / name, SUMMARY)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def dots(curve: Curve, tmp_path: Path) -> list[tuple[float, float]]:
    """The dots of the page's one learning curve."""
    write_summary(tmp_path / "p.html", Summary("t", "i", "m", (), (curve,), (), ()))
    page = (tmp_path / "p.html").read_text(encoding="utf-8")
    return [
        (float(x), float(y)) for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', page)
    ]


def dashes(tmp_path: Path) -> list[float]:
    page = (tmp_path / "p.html").read_text(encoding="utf-8")
    return [
        float(y) for y in re.findall(r'y1="([\d.]+)" x2="[\d.]+" y2="[\d.]+" class="zero"', page)
    ]


def test_a_falling_loss_falls_in_the_picture_and_the_baseline_lies_above_it(tmp_path: Path) -> None:
    found = dots(SUMMARY.curves[0], tmp_path)
    assert len(found) == 3
    assert found == sorted(found)
    heights = [y for _, y in found]
    assert heights == sorted(heights)
    (baseline,) = dashes(tmp_path)
    assert baseline < heights[0]


def test_a_curve_without_a_baseline_has_no_dashed_line(tmp_path: Path) -> None:
    assert len(dots(SUMMARY.curves[1], tmp_path)) == 2
    assert dashes(tmp_path) == []


def test_a_curve_of_one_point_or_of_equal_losses_can_be_drawn(tmp_path: Path) -> None:
    assert len(dots(Curve("a", (0,), (3.0,), 3.0), tmp_path)) == 1
    assert len(dots(Curve("a", (0, 10), (3.0, 3.0), None), tmp_path)) == 2


def test_a_target_has_one_row_and_a_picture_whose_marks_stand_in_the_order_of_the_scores(
    page: str,
) -> None:
    assert page.count('<th scope="row">') == 1
    picture = page[page.index("epo: accuracy in %") :]
    own = float(re.findall(r'<circle cx="([\d.]+)"', picture)[0])
    source, none = (
        float(points.split(",")[0]) for points in re.findall(r'<polygon points="([^"]+)"', picture)
    )
    assert none < source < own
