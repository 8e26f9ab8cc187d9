"""Tables and predictions of strangers: no HTML or links in Markdown, no control characters, no numbers that pages break on."""

import csv
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path

import pytest

from adapterkit.errors import ConfigError, CorpusError
from adapterkit.pages.curves import parse_looks
from adapterkit.pages.pictures import write_vectors
from adapterkit.pages.predictions import read_predictions
from adapterkit.pages.report import make_report
from adapterkit.pages.results_page import page_of
from adapterkit.pages.results_text import text_of
from adapterkit.pages.svg import text
from adapterkit.table import Row, read_table

NAMES = ("task", "group", "dataset", "backbone", "split", "metric", "source")


def table(folder: Path, changes: Mapping[str, object]) -> Path:
    rows = [
        {
            **{"task": "pos", "language": language, "method": method, "seed": seed},
            **{"metric": "macro_f1", "value": 0.5 + 0.1 * (method == "own"), "group": "g"},
            **{"dataset": "d", "backbone": "b", "split": "test", "source": "eng"},
            **{"cell": f"{language}{method}{seed}"},
        }
        for language in ("cym", "bre")
        for method in ("own", "source-kept")
        for seed in (0, 1)
    ]
    with (folder / "t.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, dict.fromkeys([*rows[0], *changes]))
        writer.writeheader()
        writer.writerows({**row, **changes} for row in rows)
    return folder / "t.csv"


@pytest.mark.parametrize("column", NAMES)
def test_html_and_links_of_a_table_do_not_reach_its_pages(tmp_path: Path, column: str) -> None:
    hostile = "x<script>alert(1)</script><img src=x onerror=alert(1)> [a](javascript:alert(1)) \"'"
    made = make_report(table(tmp_path, {column: hostile}), resamples=20)
    page, markdown = page_of(made, resamples=20), text_of(made, resamples=20)
    assert "<script>alert" not in page
    assert "<img" not in page
    for sign in ("<script", "<img", "](javascript"):
        assert sign not in markdown


@pytest.mark.parametrize("column", [*NAMES, "method", "cell", "recipe"])
@pytest.mark.parametrize("sign", ["\n\n# heading", "\x1b[2J", "\x00", "\u202e", "\x9b"])
def test_a_table_holds_lines_without_control_characters(
    tmp_path: Path, column: str, sign: str
) -> None:
    with pytest.raises(ConfigError, match=f"{column} is .*, text of one line was expected"):
        read_table(table(tmp_path, {column: f"a{sign}"}))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *((name, "9" * 400) for name in ("text_bytes", "steps", "bytes", "trained_parameters")),
        *((name, "1e308") for name in ("minutes", "learning_rate", "heldout_before", "value")),
        *(("value", said) for said in ("-1e308", "-1.5", "inf", "nan")),
    ],
)
def test_numbers_that_pages_break_on_are_refused(tmp_path: Path, column: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"{column} is .* was expected"):
        read_table(table(tmp_path, {column: value}))


def test_other_ways_to_break_a_table_are_refused(tmp_path: Path) -> None:
    path = table(tmp_path, {"task": "m" * 140_000})
    # The limit is the whole process's; whoever reads labelled tables lifts it.
    before = csv.field_size_limit(100_000)
    with pytest.raises(ConfigError, match=r"no table of results .*field larger"):
        read_table(path)
    csv.field_size_limit(before)
    path.write_text("task,language,method,seed,metric,value,value\npos,cym,own,0,accuracy,0,1\n")
    with pytest.raises(ConfigError, match="column 'value' is there twice"):
        read_table(path)
    row = Row(task="pos", language="cym", method="own", seed=0, metric="accuracy", value=0.5)
    with pytest.raises(ConfigError, match="looks is"):
        parse_looks(Row(**{**vars(row), "looks": "0:1e308 1:-1e308 5:0"}))


@pytest.mark.parametrize(
    "line", ['{"gold": ["\\ud800"], "predicted": ["A"]}', '{"gold": ' + "1" * 5000 + "}", "[1]"]
)
def test_predictions_are_whole_characters(tmp_path: Path, line: str) -> None:
    (tmp_path / "p.jsonl").write_text(line)
    with pytest.raises(CorpusError, match="line 1: not an example"):
        read_predictions(tmp_path / "p.jsonl")


def test_labels_with_control_characters_make_pictures_that_can_be_read(tmp_path: Path) -> None:
    record = {"gold": ["\x00\x1b[31m", "A"], "predicted": ["A", "A"], "tokens": ["\x00", "b"]}
    (tmp_path / "p.jsonl").write_text(json.dumps(record) + "\n")
    made = make_report(
        table(tmp_path, {"predictions": "p.jsonl", "value": 0.5, "metric": "accuracy"}),
        resamples=20,
    )
    files = write_vectors(tmp_path / "svg", made.drawings())
    assert files
    for file in files:
        ElementTree.parse(file)
    assert ElementTree.fromstring(text(0, 0, "\x00<b>")).text == "\\u0000<b>"
