"""The tidy table: what is written is read back, and what is no table is refused in one error."""

import inspect
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from adapterkit.errors import ConfigError
from adapterkit.table import COLUMNS, Row, ordered, read_table, read_tables, write_table

OWN = Row(
    task="pos",
    dataset="ud/cym_ccg",
    language="cym",
    method="own",
    seed=0,
    metric="accuracy",
    value=0.1 + 0.2,
    low=0.29,
    steps=120,
    looks="0:5.5 60:4.25",
    cell='a,"b"',
)
ROWS = [replace(OWN, seed=2), OWN, replace(OWN, method="average", steps=None)]


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_a_table_is_read_back_as_it_was_written(tmp_path: Path, name: str) -> None:
    write_table(tmp_path / name, ROWS)
    assert read_table(tmp_path / name) == ordered(ROWS) == [ROWS[2], ROWS[1], ROWS[0]]


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_the_order_of_rows_does_not_change_the_bytes(tmp_path: Path, name: str) -> None:
    write_table(tmp_path / name, ROWS)
    before = (tmp_path / name).read_bytes()
    write_table(tmp_path / name, reversed(ROWS))
    assert (tmp_path / name).read_bytes() == before


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_an_empty_table_is_a_table(tmp_path: Path, name: str) -> None:
    write_table(tmp_path / name, [])
    assert read_table(tmp_path / name) == []


def test_columns_may_come_in_any_order_and_most_may_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "small.csv"
    path.write_text("value,seed,task,language,method,metric\n0.5,1,pos,cym,own,accuracy\n")
    assert read_table(path) == [
        Row(task="pos", language="cym", method="own", seed=1, metric="accuracy", value=0.5)
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "column 'task' is missing"),
        ("task,langauge,method,seed,metric,value\n", "is 'language' meant?"),
        ("task,language,method,seed,metric,value\npos,cym,own\n", "row 2: 3 cells"),
        ("task,language,method,seed,metric,value\npos,cym,own,x,accuracy,1\n", "row 2: seed is"),
        ("task,language,method,seed,metric,value\npos,cym,own,0,accuracy,nan\n", "finite"),
        ("task,language,method,seed,metric,value\npos,,own,0,accuracy,1\n", "language is empty"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match="no table of results") as error:
        read_table(path)
    assert said in str(error.value)


def test_all_wrong_cells_are_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(
        "task,language,method,seed,metric,value\npos,cym,own,x,accuracy,y\n,cym,own,0,m,1\n"
    )
    with pytest.raises(ConfigError, match=r"(?s)seed is 'x'.*value is 'y'.*row 3: task is empty"):
        read_table(path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gone.csv", "no such table"),
        ("there.txt", r"\.csv or a \.parquet"),
        ("bad.parquet", "read"),
    ],
)
def test_a_file_that_is_not_there_or_not_right_is_said_to_be(
    tmp_path: Path, name: str, said: str
) -> None:
    (tmp_path / "there.txt").write_text("x")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(ConfigError, match=said):
        read_table(tmp_path / name)


def test_whole_numbers_may_be_written_as_other_programs_do_but_are_never_cut(
    tmp_path: Path,
) -> None:
    head = "task,language,method,metric,value,seed,steps\n"
    path = tmp_path / "t.csv"
    path.write_text(f"{head}pos,cym,own,accuracy,0.5,1.0,4.8E+02\n")
    (row,) = read_table(path)
    assert (row.seed, row.steps) == (1, 480)
    path.write_text(f"{head}pos,cym,own,accuracy,0.5,0.7,inf\n")
    with pytest.raises(ConfigError, match=r"seed is '0\.7', a whole number was") as error:
        read_table(path)
    assert "steps is 'inf', a whole number was expected" in str(error.value)


def test_parquet_seeds_that_are_no_whole_numbers_are_not_cut(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {"task": ["pos"], "language": ["cym"], "method": ["own"], "metric": ["accuracy"]}
    path = tmp_path / "t.parquet"
    for seed, right in ((2.0, True), (0.7, False)):
        parquet.write_table(pyarrow.table({**columns, "value": [0.5], "seed": [seed]}), path)
        if right:
            assert read_table(path)[0].seed == 2
            continue
        with pytest.raises(ConfigError, match=r"seed is '0.7', a whole number was expected"):
            read_table(path)


def test_scores_in_per_cent_are_no_fractions(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("task,language,method,metric,value,seed\npos,cym,own,accuracy,51.5,0\n")
    with pytest.raises(ConfigError, match=r"row 2: value is 51\.5, a fraction of 1"):
        read_table(path)


def test_a_language_code_that_is_none_is_refused_with_file_and_row(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", [OWN, replace(OWN, language="yor_Latn")])
    with pytest.raises(
        ConfigError,
        match=r"t\.csv is no table .*\n.*row 3: language is 'yor_Latn', a code of 2 to 8",
    ):
        read_table(tmp_path / "t.csv")


def test_a_language_is_one_however_a_table_spells_it(tmp_path: Path) -> None:
    write_table(
        tmp_path / "t.csv", [replace(OWN, language=code) for code in ("cy", "CYM", "cym", "wel")]
    )
    assert {row.language for row in read_table(tmp_path / "t.csv")} == {"cym"}


def test_csv_needs_neither_torch_nor_pyarrow(tmp_path: Path) -> None:
    write_table(tmp_path / "table.csv", ROWS)
    code = (
        f"import sys\nsys.modules['pyarrow'] = None\nfrom adapterkit.table import read_table\n"
        f"assert len(read_table({str(tmp_path / 'table.csv')!r})) == 3\nsys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_column_is_described() -> None:
    described = inspect.getdoc(Row) or ""
    assert [name for name in COLUMNS if f"\n    {name}: " not in described] == []


def test_several_tables_are_one_and_a_cell_of_both_counts_once(tmp_path: Path) -> None:
    here, there = tmp_path / "a" / "pos.csv", tmp_path / "b" / "topic.csv"
    first = [replace(OWN, predictions="predictions/1.jsonl"), replace(OWN, cell="", seed=5)]
    write_table(here, first)
    write_table(there, [first[0], replace(OWN, cell="2", predictions="predictions/2.jsonl")])
    rows, folder = read_tables([here, there])
    assert folder == tmp_path.resolve()
    assert [row.predictions for row in rows] == [
        "a/predictions/1.jsonl",
        "",
        "b/predictions/2.jsonl",
    ]
    rows, folder = read_tables([here])
    assert (rows, folder) == (ordered(first), here.parent.resolve())


def test_a_cell_with_another_value_in_another_table_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    here, there = tmp_path / "a.csv", tmp_path / "b.csv"
    write_table(here, [OWN])
    write_table(there, [replace(OWN, minutes=9.0)])
    read_tables([here, there])
    assert not caplog.text, "how long it took is another matter"
    write_table(there, [replace(OWN, value=OWN.value - 0.1)])
    rows, _ = read_tables([here, there])
    assert [row.value for row in rows] == [OWN.value]
    assert "1 cells stand in several tables with another value (the first: own in" in caplog.text


@pytest.mark.parametrize("place", ["../1.jsonl", "a/../../1.jsonl", "/tmp/1.jsonl"])
def test_predictions_outside_the_folder_are_refused(tmp_path: Path, place: str) -> None:
    write_table(tmp_path / "t.csv", [replace(OWN, predictions=place)])
    with pytest.raises(ConfigError, match="are not beside it"):
        read_tables([tmp_path / "t.csv"])
    with pytest.raises(ConfigError, match="no table was given"):
        read_tables([])


def test_two_methods_that_come_to_the_same_cell_are_both_kept(tmp_path: Path) -> None:
    here, there = tmp_path / "a.csv", tmp_path / "b.csv"
    both = [OWN, replace(OWN, method="last-layer-dropped")]
    write_table(here, both)
    write_table(there, both[:1])
    rows, _ = read_tables([here, there])
    assert sorted(row.method for row in rows) == ["last-layer-dropped", "own"]
