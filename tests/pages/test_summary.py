"""The summary page: complete, escaped, repeatable, and readable without a network or a script."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from adapterkit.pages.summary import Curve, Row, Summary, Tagged, draw, write_summary

SUMMARY = Summary(
    title="A demo <of> adapters",
    introduction="What was done & how.",
    metric="accuracy",
    rows=(
        Row("epo", "own", 0.86, 0.84, 0.88),
        Row("epo", "source", 0.71, 0.69, 0.73),
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
        shown = f"{100 * row.value:.1f} [{100 * row.low:.1f}, {100 * row.high:.1f}]"
        assert shown in page


def test_a_wrong_tag_is_marked_by_more_than_a_colour(page: str) -> None:
    assert "VERB ✗ NOUN" in page
    assert page.count("✗") == 1


def test_folders_and_notes_are_listed(page: str) -> None:
    for text in (*SUMMARY.folders, *SUMMARY.notes):
        assert text in page


def test_the_same_summary_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        write_summary(tmp_path / name, SUMMARY)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_a_falling_loss_falls_in_the_picture_and_the_baseline_lies_above_it() -> None:
    drawing = draw(SUMMARY.curves[0])
    heights = [y for _, y in drawing.dots]
    assert heights == sorted(heights)
    assert drawing.baseline is not None
    assert drawing.baseline < heights[0]
    assert [x for x, _ in drawing.dots] == sorted(x for x, _ in drawing.dots)


def test_a_curve_without_a_baseline_has_no_dashed_line(tmp_path: Path) -> None:
    bare = Summary("t", "i", "m", (), (SUMMARY.curves[1],), (), ())
    write_summary(tmp_path / "p.html", bare)
    assert 'class="dash"' not in (tmp_path / "p.html").read_text(encoding="utf-8")


def test_a_curve_of_one_point_or_of_equal_losses_can_be_drawn() -> None:
    assert len(draw(Curve("a", (0,), (3.0,), 3.0)).dots) == 1
    assert len(draw(Curve("a", (0, 10), (3.0, 3.0), None)).dots) == 2
