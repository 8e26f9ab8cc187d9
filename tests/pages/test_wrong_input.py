"""Wrong tables and predictions: each one clear error that names the file or the cell."""

import json
from pathlib import Path

import pytest

from adapterkit.errors import ConfigError, CorpusError
from adapterkit.pages.report import make_report
from tests.pages.test_report import made_of, row


def test_predictions_of_another_run_are_refused(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"gold": ["A", "B"], "predicted": ["A", "A"]}\n')
    with pytest.raises(
        ConfigError, match=r"scores 0\.500000 accuracy, its row in the table says 0\.500002;"
    ):
        made_of(tmp_path, [row(value=0.500002, predictions="p.jsonl")])


def test_predictions_with_other_gold_labels_are_refused(tmp_path: Path) -> None:
    for name, gold in (("a", "A"), ("b", "B")):
        (tmp_path / name).write_text(json.dumps({"gold": gold, "predicted": "A"}) + "\n")
    rows = [
        row(value=1.0, predictions="a"),
        row(value=0.0, predictions="b", method="source-kept"),
    ]
    with pytest.raises(ConfigError, match="do not have the same gold labels"):
        made_of(tmp_path, rows)


@pytest.mark.parametrize(
    "line",
    [
        '{"gold": null, "predicted": "A"}',
        '{"gold": ["A"], "predicted": [null]}',
        '{"gold": 1.5}',
        "[]",
    ],
)
def test_a_line_without_labels_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "p.jsonl").write_text('{"gold": "A", "predicted": "A"}\n' + line)
    with pytest.raises(CorpusError, match=r"p\.jsonl, line 2: not an example with 'gold' and"):
        made_of(tmp_path, [row(value=1.0, predictions="p.jsonl")])


def test_predictions_that_are_not_utf_8_are_refused(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_bytes('{"gold": "ä", "predicted": "ä"}'.encode("latin-1"))
    with pytest.raises(CorpusError, match=r"p\.jsonl: is not UTF-8"):
        made_of(tmp_path, [row(value=1.0, predictions="p.jsonl")])


@pytest.mark.parametrize(
    ("metric", "gold", "predicted", "said"),
    [
        ("accuracy", ["A", "B"], ["A"], "sentence 0 has 2 gold labels and 1 predicted"),
        ("span_f1", ["A"], ["A"], "these labels mark no spans: A"),
        ("another", ["A", "B"], ["A"], "2 examples on one side and 1 on the other"),
    ],
)
def test_labels_that_cannot_be_scored_are_an_error_with_the_name_of_their_file(
    tmp_path: Path, metric: str, gold: list[str], predicted: list[str], said: str
) -> None:
    (tmp_path / "p.jsonl").write_text(json.dumps({"gold": gold, "predicted": predicted}))
    with pytest.raises(ConfigError, match=rf"p\.jsonl: .*{said}"):
        made_of(tmp_path, [row(metric=metric, predictions="p.jsonl")])


@pytest.mark.parametrize("number", [0, -3])
def test_a_number_of_resamples_below_one_is_refused_without_predictions_too(
    tmp_path: Path, number: int
) -> None:
    made_of(tmp_path, [row()])
    with pytest.raises(ConfigError, match=f"resamples is {number}; a bootstrap needs at least 1"):
        make_report(tmp_path / "t.csv", resamples=number)


@pytest.mark.parametrize("looks", ["0:nan 5:2", "0:5 inf:2"])
def test_a_look_that_is_no_finite_number_is_refused(tmp_path: Path, looks: str) -> None:
    with pytest.raises(ConfigError, match=f"cell c: looks is '{looks}'.* both finite numbers"):
        made_of(tmp_path, [row(looks=looks, cell="c")])


def test_a_negative_size_is_refused_with_file_and_row(tmp_path: Path) -> None:
    rows = [
        row(language=code, method=method, text_bytes=-5 if code == "glv" else 10)
        for code in ("glv", "sme", "kpv", "cym")
        for method in ("own", "source-kept")
    ]
    with pytest.raises(
        ConfigError, match=r"t\.csv is no table .*\n.*row 4: text_bytes is -5, which is below 0"
    ):
        made_of(tmp_path, rows)


def test_a_cell_under_two_names_is_one_and_a_whole_digest_is_met_beside_longer_ones(
    tmp_path: Path,
) -> None:
    (tmp_path / "p.jsonl").write_text('{"gold": ["A"], "predicted": ["A"]}')
    same = [
        row(method=method, cell="ab", value=1.0, predictions="p.jsonl")
        for method in ("own", "source-kept")
    ]
    other = row(seed=1, cell="abc", value=1.0, predictions="p.jsonl")
    for asked in ("a", "ab"):
        confused = made_of(tmp_path, same, cell=asked).confused
        assert confused is not None
        assert confused.row.cell == "ab"
    confused = made_of(tmp_path, [*same, other], cell="ab").confused
    assert confused is not None
    assert confused.row.cell == "ab"
    with pytest.raises(ConfigError, match="--cell a: 2 cells"):
        made_of(tmp_path, [*same, other], cell="a")
