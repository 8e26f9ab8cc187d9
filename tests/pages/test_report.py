"""The report: complete, true to the table, escaped, repeatable, and readable without a network or a script."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from adapterkit.errors import ConfigError
from adapterkit.pages.pictures import write_pictures
from adapterkit.pages.report import Report, make_report
from adapterkit.pages.results_page import page_of
from adapterkit.pages.results_text import text_of
from adapterkit.table import Row, read_table, write_table
from tests.pages.simulated import GAINS, GROUPS, Simulation, simulate
from tests.pages.test_summary import Balance

SMALL = Simulation(
    tasks=("pos",), seeds=2, sentences=12, methods=tuple(GAINS), sources=("eng", "tur")
)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(tmp_path_factory.mktemp("results"), SMALL)


@pytest.fixture(scope="module")
def report(table: Path) -> Report:
    return make_report(table, resamples=200)


@pytest.fixture(scope="module")
def page(report: Report) -> str:
    return page_of(report)


def row(**facts: object) -> Row:
    start = Row(task="pos", language="glv", method="own", seed=0, metric="accuracy", value=0.5)
    return replace(start, **facts)  # type: ignore[arg-type]


def made_of(folder: Path, rows: list[Row], **options: object) -> Report:
    write_table(folder / "t.csv", rows)
    return make_report(folder / "t.csv", resamples=200, **options)  # type: ignore[arg-type]


def test_every_tag_is_closed_and_nothing_is_loaded_or_run(page: str) -> None:
    balance = Balance()
    balance.feed(page)
    assert balance.stack == []
    assert not {"script", "link", "img", "iframe", "object"} & set(balance.seen)
    assert not re.search(r"https?://|url\(|@import|src=", page)


def test_tables_have_captions_and_pictures_names(page: str) -> None:
    assert page.count("<table") == page.count("<caption>") > 5
    pictures = re.findall(r"<svg [^>]*>", page)
    assert len(pictures) > 10
    assert all(re.search(r'role="img" aria-label="[^"]{20,}"', picture) for picture in pictures)
    assert "prefers-color-scheme: dark" in page
    assert "width=device-width" in page


def test_the_style_is_not_escaped_and_what_users_wrote_is(tmp_path: Path) -> None:
    rows = [row(method="<b>own</b>"), row(method="source-kept", value=0.4)]
    page = page_of(made_of(tmp_path, rows, own="<b>own</b>"))
    assert "<b>own</b>" not in page
    assert "&lt;b&gt;own&lt;/b&gt;" in page
    assert '"DejaVu Sans"' in page


def test_the_mean_is_that_of_the_table_over_seeds_and_then_languages(
    table: Path, report: Report
) -> None:
    rows = [r for r in read_table(table) if (r.method, r.group) == ("own", "unseen-by-both")]
    values = [r.value for r in rows if r.source == "eng"]
    assert len(values) == 12
    own = report.facts[0].method("own")
    assert own is not None
    assert own.mean.value == pytest.approx(sum(values) / 12)
    assert own.mean.low < own.mean.value < own.mean.high


def test_another_source_is_another_line_and_the_main_one_keeps_the_name(report: Report) -> None:
    names = {m.method for m in report.facts[0].methods}
    assert names == {*GAINS, "own · from tur"}
    assert report.matrices[0].sources == ("eng", "tur")
    assert set(report.matrices[0].targets) == {
        code for name, codes in GROUPS.items() if name != "dev" for code in codes
    }


def test_groups_are_kept_apart_and_dev_languages_are_no_results(report: Report) -> None:
    assert [one.panel.key.group for one in report.facts] == [
        "unseen-by-both",
        "unseen-by-mini",
        "seen",
    ]
    assert {one.panel.key.group for one in report.choices} == {"dev"}


def test_the_worst_language_and_its_gap_to_english_are_named(report: Report, page: str) -> None:
    facts = report.facts[0]
    assert facts.worst is not None
    assert facts.worst.scores["own"] == min(one.scores["own"] for one in facts.languages)
    assert facts.home is not None
    assert facts.home.name == "English"
    gap = facts.home.value - facts.worst.scores["own"]
    assert facts.worst.to_home == pytest.approx(gap)
    assert f"The worst language is {facts.worst.name}" in page
    assert f"Worst language: **{facts.worst.name}**" in text_of(report)


def test_the_gap_is_measured_from_the_language_of_the_labels_whichever_it_is(
    tmp_path: Path,
) -> None:
    rows = [
        row(group="unseen-by-both", value=0.5),
        row(language="eng", method="source-kept", group="seen", value=0.7),
        *(
            row(language="por", method="source-kept", group="source", seed=seed, value=value)
            for seed, value in ((0, 0.9), (1, 0.8))
        ),
    ]
    said = made_of(tmp_path, rows)
    facts = next(one for one in said.facts if one.panel.key.group == "unseen-by-both")
    assert facts.home is not None
    assert (facts.home.language, facts.home.method) == ("por", "source-kept")
    assert facts.home.value == pytest.approx(0.85)
    assert facts.languages[0].to_home == pytest.approx(0.35)
    assert "below Portuguese" in page_of(said)
    assert not any("of the labels" in " ".join(one) for one in said.summary())


def test_an_interval_that_holds_zero_is_no_reliable_gain_in_words(tmp_path: Path) -> None:
    rows = [
        row(language=code, method=method, value=0.5 + gain * (method == "own"))
        for code, gain in (("glv", 0.1), ("sme", -0.1), ("kpv", 0.02))
        for method in ("own", "source-kept")
    ]
    said = made_of(tmp_path, rows)
    gain = said.facts[0].methods[0].gains["source-kept"]
    assert gain is not None
    assert not gain.reliable
    assert (gain.wins, gain.languages) == (2, 3)
    assert "no reliable gain over source-kept (+0.7" in said.summary()[0][0]
    assert re.search(r"\| \+0\.7 \[-10\.0, \+10\.0\] no reliable gain \|", text_of(said))


def test_a_rival_that_was_not_run_on_a_task_has_no_column_there(tmp_path: Path) -> None:
    rows = [
        row(task=task, language=code, method=method, value=0.5)
        for task, methods in (("pos", ("own", "full-fine-tuning")), ("nusax", ("own", "removed")))
        for code in ("glv", "sme")
        for method in methods
    ]
    said = made_of(tmp_path, rows, rivals=("removed", "full-fine-tuning"))
    nusax, pos = text_of(said).split("## Sentiment (NusaX): languages")[1].split("## Parts of")
    first, second = page_of(said).split("Sentiment (NusaX)</h2>")[1].split("Parts of speech</h2>")
    for there in (nusax, first):
        assert "over removed" in there
        assert "full-fine-tuning" not in there
    for there in (pos.split("## Notes")[0], second.split("</section>")[0]):
        assert "over full-fine-tuning" in there
        assert "removed" not in there
    assert "Does it transfer? Sentiment (NusaX) and parts of speech" in page_of(said)


def test_a_loss_is_said_to_be_one(tmp_path: Path) -> None:
    rows = [
        row(seed=seed, method=method, value=value)
        for seed in (0, 1)
        for method, value in (("own", 0.4), ("source-kept", 0.5))
    ]
    said = made_of(tmp_path, rows)
    assert "10.0 points less than source-kept [-10.0, -10.0]" in said.summary()[0][0]
    assert "Reliably worse than source-kept in Manx (-10.0)" in text_of(said)


def test_a_mean_over_fewer_languages_is_not_called_the_highest(tmp_path: Path) -> None:
    rows = [
        row(language=code, method=method, value=value + more)
        for code, value in (("glv", 0.8), ("sme", 0.2))
        for method, more in (("own", 0.05), ("lora", 0.06), ("few-10", 0.1), ("removed", 0.0))
        if (code, method) not in {("sme", "few-10"), ("sme", "removed")}
    ]
    said = made_of(tmp_path, rows)
    assert [m.method for m in said.facts[0].methods] == ["lora", "own", "few-10", "removed"]
    assert "The highest mean is that of lora: 56.0 [" in " ".join(said.summary()[0])
    part = made_of(tmp_path, [*rows, row(language="kpv", method="lora")]).summary()[0][0]
    assert "own has 55.0 [25.0, 85.0] % accuracy on average on 2 of 3 languages" in part
    without = [one for one in rows if one.method in ("few-10", "removed")]
    without += [row(language="sme", method="lora"), row(task="ner")]
    (first,) = (one[0] for one in made_of(tmp_path, without).summary() if "not run" in one[0])
    assert "the best is few-10 with 90.0 % accuracy on 1 of 2 languages." in first


def test_what_is_missing_is_left_out_with_its_reason(tmp_path: Path) -> None:
    said = made_of(tmp_path, [row()])
    page = page_of(said)
    reasons = " ".join(said.left_out)
    for word in (
        "no such method",
        "language of the labels",
        "one source",
        "four",
        "Learning",
        "Confusions",
        "Costs",
    ):
        assert word in reasons
    for anchor in ("matrix", "gain", "curves", "confusion", "choices"):
        assert f'id="{anchor}"' not in page
    assert all(reason in page for reason in said.left_out)
    assert "own" in said.summary()[0][0]


def test_the_method_looked_at_is_what_training_gives_by_default_where_the_first_table_has_it(
    tmp_path: Path,
) -> None:
    plain, blended = row(), row(method="own-blended", value=0.6)
    assert made_of(tmp_path, [plain]).own == "own"
    assert made_of(tmp_path, [plain, blended], own="own").own == "own"
    assert made_of(tmp_path, [plain, blended]).own == "own-blended"
    write_table(tmp_path / "first.csv", [plain])
    both = [tmp_path / "first.csv", tmp_path / "t.csv"]
    with pytest.raises(ConfigError, match="two rows"):
        make_report(both, resamples=10)
    write_table(tmp_path / "first.csv", [row(task="ner", language="cym")])
    assert make_report(both, resamples=10).own == "own"


def test_backbones_stand_side_by_side_on_the_same_sentences(tmp_path: Path) -> None:
    rows = [
        row(language=code, backbone=name, value=value + 0.1 * (name == "mini@2"))
        for name in ("mini@1", "mini@2")
        for code, value in (("glv", 0.4), ("sme", 0.6))
    ]
    said = made_of(tmp_path, [*rows, row(method="source-kept", backbone="mini@2")])
    (one,) = said.backbones
    assert (one.reference, one.method) == ("mini@2", "own")
    found = one.gains["mini@1"]
    assert found is not None
    assert [found.score.low, found.score.high] == pytest.approx([0.1, 0.1])
    assert 'id="backbones"' in page_of(said)
    assert "| parts of speech, , own | 60.0 [50.0, 70.0] | 50.0 [40.0, 60.0] | +10.0" in text_of(
        said
    )


def test_two_rows_for_the_same_thing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"two rows for pos in glv, own, seed 0 \(cells x and y\)"
    ):
        made_of(tmp_path, [row(cell="x"), row(cell="y")])


def test_an_unknown_method_is_refused_with_those_that_are_there(table: Path) -> None:
    with pytest.raises(
        ConfigError, match="no method 'mine'; its methods are: full-fine-tuning, no"
    ):
        make_report(table, own="mine", resamples=10)


@pytest.mark.long
def test_the_confusions_are_those_of_the_cell_asked_for(table: Path, report: Report) -> None:
    asked = make_report(table, cell="pos-ceb-source-kept-eng-1", resamples=10).confused
    assert asked is not None
    assert (asked.row.language, asked.row.method, asked.row.seed) == ("ceb", "source-kept", 1)
    right = sum(asked.matrix.counts[i][i] for i in range(len(asked.matrix.labels)))
    assert right / sum(map(sum, asked.matrix.counts)) == pytest.approx(asked.row.value)
    first = asked.matrix.counts[0]
    assert asked.share(0, 1) == first[1] / sum(first) != asked.share(0, 0)
    assert report.confused is not None
    assert report.facts[0].worst is not None
    assert report.confused.row.language == report.facts[0].worst.language
    assert report.confused.row.seed == 0
    with pytest.raises(ConfigError, match="--cell pos-ceb: 10 cells"):
        make_report(table, cell="pos-ceb", resamples=10)


def test_the_same_table_gives_the_same_bytes(table: Path, report: Report, page: str) -> None:
    again = make_report(table, resamples=200)
    assert page_of(again) == page
    assert text_of(again) == text_of(report)


def test_the_overlap_is_stated_where_it_was_counted(table: Path, tmp_path: Path) -> None:
    one = {"name": "a.test", "sentences": 90, "repeated": 2, "short": 1, "sources": {"x": 2}}
    sets = [{**one, "exempt": False}, {**one, "name": "t.test", "exempt": True}]
    (tmp_path / "o.json").write_text(json.dumps({"sets": sets}))
    said = make_report(table, overlap=tmp_path / "o.json", resamples=10)
    for made in (page_of(said), text_of(said)):
        assert "Of 90 different test sentences in 1 sets, 2 stand in training text" in made
        assert "by choice: t.test" in made
    (tmp_path / "o.json").write_text('{"sets": [{}]}')
    with pytest.raises(ConfigError, match="is no count of overlaps"):
        make_report(table, overlap=tmp_path / "o.json", resamples=10)


def test_every_drawing_becomes_a_png_file(report: Report, tmp_path: Path) -> None:
    drawings = report.drawings()
    names = {picture.name for picture in drawings}
    assert len(names) == len(drawings)
    files = write_pictures(tmp_path, [drawings[0], drawings[-1]])
    for path, picture in zip(files, (drawings[0], drawings[-1]), strict=True):
        data = path.read_bytes()
        assert data.startswith(b"\x89PNG")
        assert int.from_bytes(data[16:20]) == 3 * picture.width


def test_without_resvg_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, report: Report, tmp_path: Path
) -> None:
    monkeypatch.setattr("adapterkit.pages.pictures.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r'pip install "adapterkit\[png\]"'):
        write_pictures(tmp_path, report.drawings())


def test_a_report_needs_no_torch() -> None:
    code = (
        "import sys, adapterkit.pages.results_text, adapterkit.cli.report; "
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_gain_over_a_rival_that_lacks_languages_says_in_how_many_it_is(tmp_path: Path) -> None:
    own = [row(language=code, value=0.5) for code in ("glv", "sme", "kpv")]
    kept = [row(language=code, method="source-kept", value=0.4) for code in ("glv", "sme")]
    made = made_of(tmp_path, [*own, *kept])
    assert "10.0 points more than source-kept in 2 languages [" in made.summary()[0][0]
    text = text_of(made)
    assert "| +10.0 [+10.0, +10.0] in 2 languages |" in text
    assert "over the languages and seeds that both methods have" in text
    assert page_of(made).count('<span class="none">in 2 languages</span>') == 1
    whole = made_of(tmp_path, [*own, *kept, row(language="kpv", method="source-kept", value=0.4)])
    assert "points more than source-kept [" in whole.summary()[0][0]


def test_a_gain_over_a_rival_that_lacks_test_sets_says_on_how_many_it_is(tmp_path: Path) -> None:
    places = [("glv", "ud/a"), ("glv", "ud/b"), ("sme", "ud/c"), ("kpv", "ud/d")]
    own = [row(language=code, dataset=name) for code, name in places]
    kept = [row(language=c, dataset=name, method="source-kept", value=0.4) for c, name in places]
    said = made_of(tmp_path, [*own, *kept[:3]]).summary()[0][0]
    assert "10.0 points more than source-kept on 3 test sets [" in said


def test_what_only_seems_to_be_the_same_backbone_or_test_set_is_refused(tmp_path: Path) -> None:
    one = row(backbone="b", backbone_digest="a" * 64, examples=100)
    for other, says in (
        (row(method="none", backbone="b", backbone_digest="c" * 64), "several backbones that are"),
        (row(method="none", backbone="b", examples=57), "on test sets of 57 and 100 examples"),
    ):
        with pytest.raises(ConfigError, match=says):
            made_of(tmp_path, [one, other])
    assert made_of(tmp_path, [one, row(method="none", backbone="b")]).facts


def test_seeds_that_some_languages_lack_are_said(tmp_path: Path) -> None:
    rows = [row(seed=seed) for seed in range(3)] + [row(language="cym")]
    rows += [row(method="none", language=code) for code in ("glv", "cym")]
    text = text_of(made_of(tmp_path, rows))
    line = next(line for line in text.splitlines() if line.startswith("| `own`"))
    assert "| 1 to 3 |" in line
    assert "nine in ten hold the truth" in text
    assert "one in twenty is called reliable" in page_of(made_of(tmp_path, rows))
