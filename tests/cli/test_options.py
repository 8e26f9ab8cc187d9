"""Options that would change nothing, and numbers that cannot be: one error, before anything is computed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from adapterkit.cli.app import wait_asleep
from adapterkit.cli.evaluate import print_scores
from adapterkit.cli.options import print_table
from adapterkit.metrics import Score
from tests.cli.conftest import Run


@pytest.mark.parametrize(
    ("words", "option", "value"),
    [
        (("evaluate", "--test", "x"), "--seed", -1),
        (("report", "t.csv", "--json"), "--seed", -1),
        (("report", "t.csv", "--json"), "--resamples", 0),
        (("report", "t.csv", "--json"), "--resamples", -3),
        (("search", "--language", "sw"), "--limit", 0),
        (("search", "--language", "sw"), "--limit", -1),
    ],
)
def test_a_number_below_its_least_is_wrong_usage(
    run: Run, words: tuple[str, ...], option: str, value: int
) -> None:
    code, out, err = run(*words, option, value)
    assert (code, out) == (2, "")
    assert f"Invalid value for '{option}'" in err


TRAIN = ("train-language", "--text", "x.txt", "--language", "cym", "--out", "o")
TASK = ("train-task", "--train", "x.conllu", "--over", "", "--out", "o")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("evaluate", "--test", "x", "--source", "mini:eng"),
            "--source: is one of the baselines; add",
        ),
        (("predict", "a", "--format", "nonsense"), "--format nonsense: must be one of conllu, tsv"),
        (("predict", "a", "--format", "nonsense", "--json"), "--format nonsense: must be one of"),
        (
            ("predict", "a", "--format", "tsv", "--json"),
            "--json: is JSON lines, and --format is tsv",
        ),
        (
            ("predict", "a", "--out", "y.tsv", "--json"),
            "--json: not with --out y.tsv, which is tsv",
        ),
        (
            (*TRAIN, "--rank", 999),
            "--rank: only LoRA has a rank, and --method is pfeiffer; leave it",
        ),
        (
            (*TRAIN, "--method", "ia3", "--rank", 0),
            "--rank: only LoRA has a rank, and --method is ia3",
        ),
        (
            (*TRAIN, "--embedding-rows-rate", 3),
            "--embedding-rows-rate: no rows are trained without",
        ),
        (
            (*TRAIN, "--embedding-rows-at-least", 0),
            "--embedding-rows-at-least: no rows are trained",
        ),
        ((*TASK, "--rank", 8), "--rank: only LoRA has a rank, and --method is pfeiffer; leave it"),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(
    run: Run,
    words: tuple[object, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*words, "--backbone", "./nowhere")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert message in err
    assert not list(tmp_path.iterdir())


@pytest.mark.long
def test_lora_takes_a_rank_and_embedding_rows_a_rate(
    run: Run, text: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    words = ("--backbone", tiny_folder, "--text", text, "--language", "cym")
    few = ("--steps", 1, "--batch-size", 4, "--block-length", 24)
    lora = ("--method", "lora", "--rank", 3, "--out", tmp_path / "a")
    rows = ("--embedding-rows", "--embedding-rows-rate", 3, "--embedding-rows-at-least", 2)
    assert run("train-language", *words, *few, *lora)[0] == 0
    assert run("train-language", *words, *few, *rows, "--out", tmp_path / "b")[0] == 0
    config = {
        name: json.loads((tmp_path / name / "adapterkit.json").read_text())["provenance"]["config"]
        for name in ("a", "b")
    }
    assert config["a"]["rank"] == 3
    assert config["a"]["embedding_rows_at_least"] == 5
    assert (config["b"]["embedding_rows_rate"], config["b"]["embedding_rows_at_least"]) == (3, 2)
    assert config["b"]["rank"] == 8


def test_a_table_of_many_columns_breaks_no_name_of_a_row_in_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    names = [f"TAG{number:02}" for number in range(17)]  # as many and as long as UPOS
    rows = [[name, *["12"] * len(names)] for name in names]
    print_table("who is taken for whom", ["", *names], rows, dense=True)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.strip("│").split("│")[0].strip() for line in lines if "12" in line] == names


@pytest.mark.long
def test_confusions_stand_in_the_json_that_was_asked_for(
    run: Run, labelled: Path, tmp_path: Path
) -> None:
    code, out, err = run("evaluate", "--test", labelled, "--confusion", "--json")
    assert code == 0, err
    found = json.loads(out)["confusion"]
    assert {"NOUN", "VERB"} <= set(found["labels"])
    words = sum(line.count("\t") > 0 for line in labelled.read_text().splitlines())
    assert sum(map(sum, found["counts"])) == words
    code, out, _ = run("evaluate", "--test", labelled, "--confusion", "--json", "--baselines")
    assert [name for name, one in json.loads(out).items() if "confusion" in one] == ["own"]
    code, out, _ = run("evaluate", "--test", labelled, "--json")
    assert "confusion" not in json.loads(out)


@pytest.mark.long
def test_predict_says_that_its_json_is_lines_and_prints_them(run: Run) -> None:
    assert "JSON lines, one a text" in " ".join(run("predict", "--help")[1].split())
    code, out, _ = run("predict", "The cat sleeps .", "A dog .", "--json")
    assert code == 0
    assert [json.loads(line)["text"] for line in out.splitlines()] == [
        "The cat sleeps .",
        "A dog .",
    ]


def test_another_stack_is_scored_on_the_same_examples_and_the_gain_over_it_shown(
    run: Run, labelled: Path, caplog: pytest.LogCaptureFixture
) -> None:
    both = ("--test", labelled, "--against", "mini:pos")
    code, out, err = run("evaluate", *both, "--against", "mini:eng, mini:pos", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert list(found) == sorted(["own", "mini:pos", "mini:eng, mini:pos"])
    assert found["mini:eng, mini:pos"]["gain"] == {"value": 0.0, "interval": [0.0, 0.0]}
    bare = found["mini:pos"]
    assert bare["gain"]["value"] == pytest.approx(found["own"]["accuracy"] - bare["accuracy"])
    labelled.write_text(labelled.read_text() + "1\ta\t_\tFOO" + "\t_" * 6 + "\n\n")
    code, out, err = run("evaluate", *both)
    assert code == 0
    assert "mini:pos" in out
    assert "gain over" in out
    assert caplog.text.count("does not know 'FOO': 1 of") == 1, err


def test_many_stacks_stand_below_each_other_so_that_no_cell_is_folded(
    run: Run, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    more = [("--against", name) for name in ("mini:pos", " mini:pos", "mini:eng,mini:pos")]
    code, out, err = run("evaluate", "--test", labelled, *(word for pair in more for word in pair))
    assert code == 0, err
    shown = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines()]
    rows = [row for row in shown if row]
    assert [row[0] for row in rows] == ["this stack", "mini:pos", "mini:pos", "mini:eng,mini:pos"]
    assert all(cell.endswith("]") for row in rows[1:] for cell in row[1:])
    assert rows[0][2] == ""


@pytest.mark.parametrize(
    ("rival", "reason"),
    [
        ("mini:eng", "is needed; put its task adapter last"),
        ("mini:topic", "a tagging head is needed"),
        ("own", "is what a baseline is called; write ./own"),
        ("nowhere", "there is no such folder"),
        ("mini:eng,mini:ner", "share no label"),
    ],
)
def test_a_stack_that_cannot_be_compared_is_refused_before_anything_is_scored(
    run: Run, labelled: Path, monkeypatch: pytest.MonkeyPatch, rival: str, reason: str
) -> None:
    monkeypatch.setattr("adapterkit.evaluation.answers", lambda *_, **__: pytest.fail("scored"))
    code, out, err = run("evaluate", "--test", labelled, "--against", rival)
    assert (code, out) == (1, "")
    assert reason in err


def test_names_that_no_label_marks_and_couplings_that_do_nothing_are_warned_of(
    run: Run, tmp_path: Path, labelled: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"tokens": ["Ann", "runs"], "tags": [1, 0]}\n')
    _, _, err = run("evaluate", "--task", "ner", "--test", path, "--stack", "mini:eng,mini:ner")
    assert "no label marks a name as B-PER does, only 0, 1: they are scored word by word" in err
    stack = "mini:eng,mini:eng,mini:pos"
    code, _, err = run("evaluate", "--test", labelled, "--stack", stack, "--against", "nowhere")
    assert code == 1
    assert err.count("has a coupling on the embeddings, and of a stack only the first") == 1


def test_lines_without_a_word_are_said_to_be_left_out(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a b\n\u200b\nc\n", encoding="utf-8")
    ask = ("predict", "--stack", "mini:pos", "--input", path)
    _, out, err = run(*ask, "--format", "tsv")
    assert out.count("\n\n") == 1
    assert "warning: 1 without a word left out (number 2); --format jsonl has a line" in err
    _, out, err = run(*ask, "--json")
    assert (out.count("\n"), "left out" in err) == (3, False)


def test_of_words_and_a_text_what_the_stack_labels_is_read(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"tokens": ["a", "b"], "text": "c d", "body": "e"}\n')
    for stack, option, read in (
        ("mini:pos", (), "a b"),
        ("mini:topic", (), "c d"),
        ("mini:topic", ("--text-field", "body"), "e"),
    ):
        code, out, err = run("predict", "--stack", stack, "--input", path, "--json", *option)
        assert code == 0, err
        assert json.loads(out)["text"] == read


@pytest.mark.parametrize("stack", ["", "mini:pos"])
def test_baselines_without_a_language_adapter_are_one_error(
    run: Run, labelled: Path, stack: str
) -> None:
    code, out, err = run("evaluate", "--stack", stack, "--baselines", "--test", labelled)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "name both, such as --stack mini:eng,mini:pos" in err


@pytest.mark.parametrize(
    ("said", "then"),
    [
        ({}, {"GOMP_SPINCOUNT": "20000"}),
        ({"GOMP_SPINCOUNT": "7"}, {"GOMP_SPINCOUNT": "7"}),
        ({"OMP_WAIT_POLICY": "active"}, {"OMP_WAIT_POLICY": "active"}),
    ],
)
def test_waiting_threads_sleep_soon_unless_the_user_says_how_they_wait(
    said: dict[str, str], then: dict[str, str]
) -> None:
    wait_asleep(said)
    assert said == then


def test_how_threads_wait_is_settled_before_torch_is_loaded() -> None:
    code = (
        "import os, sys; sys.argv = ['adapterkit', '--version']\n"
        "from adapterkit.cli import app\n"
        "try: app.main()\n"
        "except SystemExit: pass\n"
        "print(os.environ['GOMP_SPINCOUNT'], 'torch' in sys.modules)"
    )
    bare = {
        name: value
        for name, value in os.environ.items()
        if "GOMP" not in name and "OMP_W" not in name
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=bare, capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[-2:] == ["20000", "False"]


def test_two_digit_gains_beside_both_baselines_fit_eighty_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    metrics = {"accuracy": Score(0.452, 0.443, 0.462), "macro_f1": Score(0.352, 0.343, 0.362)}
    one = SimpleNamespace(scores=SimpleNamespace(main="accuracy", metrics=metrics, examples=500))
    gain = Score(0.138, 0.128, 0.146)
    print_scores(
        cast(Any, dict.fromkeys(("own", "source", "none"), one)),
        dict.fromkeys(("source", "none"), gain),
    )
    out = capsys.readouterr().out
    row = next(line for line in out.splitlines() if line.startswith("│ gain over"))
    assert [cell.strip() for cell in row.split("│")[2:-1]] == ["", *["+13.8 [+12.8, +14.6]"] * 2]
