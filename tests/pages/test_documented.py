"""The pictures in docs/ are those of the tables beside them, and the head of the results is its recipe's."""

from pathlib import Path

import pytest

from adapterkit.pages.pictures import write_vectors
from adapterkit.pages.report import Report, make_report

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def report() -> Report:
    return make_report(ROOT / "docs" / "results-pos.csv", own="own-blended", resamples=2)


@pytest.mark.parametrize("group", ["both", "mini"])
def test_a_picture_of_the_results_is_drawn_from_their_table(
    report: Report, tmp_path: Path, group: str
) -> None:
    (file,) = write_vectors(
        tmp_path,
        [one for one in report.drawings() if f"scores-pos-unseen-by-{group}" in one.name],
    )
    kept = ROOT / "docs" / f"results-pos-unseen-by-{group}.svg"
    assert file.read_bytes() == kept.read_bytes(), "make results draws it anew"


@pytest.mark.parametrize("name", ["results", "methods"])
def test_a_page_of_results_begins_with_its_head(name: str) -> None:
    head = (ROOT / "recipes" / f"{name}.md").read_text(encoding="utf-8")
    assert (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8").startswith(head)
