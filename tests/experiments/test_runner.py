"""Running a grid: in the right order, each node once, whoever is killed, and with the same table."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from adapterkit.errors import ConfigError, CorpusError
from adapterkit.experiments import work
from adapterkit.experiments.nodes import Cell, Node
from adapterkit.experiments.run import run
from adapterkit.experiments.runner import run_cells, state_of
from adapterkit.experiments.store import Store
from adapterkit.table import TIMES, Row, read_table
from adapterkit.training import full
from tests.experiments.small import data_folder, recipe

ROOT = Path(__file__).parent.parent.parent


def cell(name: str, *needs: Node, kind: str = "language") -> Cell:
    """A cell over parts of its own and ``needs``."""
    part = Node(kind, {"name": name}, {}, f"part {name}")
    node = Node(
        "score",
        {"name": name},
        {"language": part, **{f"n{i}": need for i, need in enumerate(needs)}},
        f"cell {name}",
    )
    facts = {"task": "pos", "language": "cym", "method": name, "seed": 0}
    return Cell(node, facts)


def doing(store: Store, done: list[str], fails: str = "") -> Callable[[Node], None]:
    """Work that only writes down that it was done."""

    def do(node: Node) -> None:
        assert all(map(store.is_done, node.needs.values()))
        if node.label == fails:
            raise CorpusError("no text")
        done.append(node.label)
        if node.kind == "score":
            store.finish_cell(node, {"metric": "accuracy", "value": 0.5})
        else:
            store.part(node).mkdir(parents=True)
            store.finish_part(node, {"minutes": 2.0})

    return do


SHARED = Node("task", {"name": "shared"}, {}, "shared")


def test_needs_come_first_and_shared_parts_once(tmp_path: Path) -> None:
    store, done = Store(tmp_path), list[str]()
    cells = [cell("a", SHARED), cell("b", SHARED)]
    run_cells(store, cells, doing(store, done), tell=lambda _: None)
    assert done == ["part a", "shared", "cell a", "part b", "cell b"]
    assert [row.method for row in read_table(tmp_path / "table.csv")] == ["a", "b"]
    run_cells(store, cells, doing(store, done), tell=lambda _: None)
    assert len(done) == 5, "nothing is done again"


def test_two_recipes_in_one_folder_share_parts_and_have_a_table_each(tmp_path: Path) -> None:
    first, second, done = Store(tmp_path, "pos"), Store(tmp_path, "topic"), list[str]()
    run_cells(first, [cell("a", SHARED)], doing(first, done), tell=lambda _: None)
    run_cells(second, [cell("b", SHARED)], doing(second, done), tell=lambda _: None)
    assert done.count("shared") == 1
    assert [row.method for row in read_table(tmp_path / "pos.csv")] == ["a"]
    assert [row.method for row in read_table(tmp_path / "topic.csv")] == ["b"]
    assert not (tmp_path / "table.csv").exists()


def test_of_two_that_write_the_table_at_once_the_last_one_writes_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = Store(tmp_path), Store(tmp_path)
    cells = [cell("a"), cell("b")]
    run_cells(store, cells[:1], doing(store, []), tell=print, whole=cells)
    read, late = Store.rows, iter([True])

    def slow(self: Store, cells: list[Cell]) -> list[Row]:
        rows = read(self, cells)
        if self is store and next(late, False):  # while it was reading, the other one ended
            run_cells(other, cells[1:], doing(other, []), tell=print, whole=cells)
        return rows

    monkeypatch.setattr(Store, "rows", slow)
    store.write_tables(cells)
    assert [row.method for row in read_table(store.table)] == ["a", "b"]


def test_a_failure_keeps_only_its_own_cells_from_being_done(tmp_path: Path) -> None:
    store, done = Store(tmp_path), list[str]()
    cells = [cell("a", SHARED), cell("b", SHARED)]
    outcome = run_cells(store, cells, doing(store, done, fails="part a"), tell=lambda _: None)
    assert list(outcome.failed.values()) == ["part a: no text"]
    assert done == ["shared", "part b", "cell b"]
    assert len(read_table(tmp_path / "table.csv")) == 1


def test_an_error_that_nobody_meant_leaves_its_trace(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def do(node: Node) -> None:
        raise ZeroDivisionError

    outcome = run_cells(store, [cell("a")], do, tell=lambda _: None)
    assert "ZeroDivisionError" in next(iter(outcome.failed.values()))
    (trace,) = (tmp_path / "failures").iterdir()
    assert "Traceback" in trace.read_text()


def test_it_says_what_is_done_running_and_left_and_how_long(tmp_path: Path) -> None:
    store, done = Store(tmp_path), list[str]()
    cells = [cell("a", SHARED), cell("b", SHARED)]
    assert state_of(store, cells).minutes_left is None
    assert len(state_of(store, cells).left) == 5
    run_cells(store, cells[:1], doing(store, done), tell=lambda _: None)
    for one in cells:
        if store.is_done(one.node):
            store.note_seconds(one.node, 60)
    part = cells[1].node.needs["language"]
    with store.claims.taken(part.digest):
        state = state_of(store, cells)
    assert (len(state.done), state.running, len(state.left)) == (3, (part,), 1)
    assert state.minutes_left == 3.0


def test_nothing_new_is_begun_when_time_is_over(tmp_path: Path) -> None:
    store, done = Store(tmp_path), list[str]()
    outcome = run_cells(
        store, [cell("a")], doing(store, done), tell=lambda _: None, max_minutes=1e-9
    )
    assert outcome.out_of_time
    assert done == []


def test_a_whole_backbone_is_deleted_when_its_last_cell_is_done(tmp_path: Path) -> None:
    store, done = Store(tmp_path), list[str]()
    whole = Node("full", {"name": "full"}, {}, "full")
    cells = [cell("a", whole), cell("b", whole)]
    run_cells(store, cells[:1], doing(store, done), tell=lambda _: None, whole=cells)
    assert store.is_done(whole), "b still needs it"
    run_cells(store, cells, doing(store, done), tell=lambda _: None)
    assert not store.part(whole).exists()
    assert done.count("full") == 1
    assert not state_of(store, cells).left


WHOLE = Node("full", {"name": "full"}, {}, "full")


def done_but_not_cleared(store: Store) -> list[Cell]:
    """A grid whose process was killed between its last cell and the clearing."""
    cells = [cell("a", WHOLE)]
    do = doing(store, [])
    for node in cells[0].node.all():
        do(node)
    (store.part(WHOLE) / "model.safetensors").write_text("large")
    return cells


def left(store: Store) -> set[str]:
    """What is there of `WHOLE`."""
    return {path.name for path in (store.root / "parts").glob(f"{WHOLE.digest}*")}


def test_a_whole_backbone_of_another_table_is_left_to_its_own_recipe(tmp_path: Path) -> None:
    first, second, done = Store(tmp_path, "pos"), Store(tmp_path, "full"), list[str]()
    cells = [cell("a", WHOLE), cell("b", WHOLE)]
    run_cells(first, cells[:1], doing(first, done), tell=lambda _: None, whole=cells)
    run_cells(second, cells[:1], doing(second, done), tell=lambda _: None)
    assert first.is_done(WHOLE), "b of the first table still needs it"
    run_cells(first, cells, doing(first, done), tell=lambda _: None)
    assert left(first) == set()
    assert done.count("full") == 1


def test_a_cell_whose_backbone_is_deleted_while_it_is_scored_is_no_failure(tmp_path: Path) -> None:
    store, done, told = Store(tmp_path), list[str](), list[str]()
    do = doing(store, done)

    def unlucky(node: Node) -> None:
        if node.kind == "score" and done.count("full") == 1:
            store.drop(WHOLE)
            raise CorpusError("there is no such folder")
        do(node)

    outcome = run_cells(store, [cell("a", WHOLE)], unlucky, tell=told.append)
    assert outcome.failed == {}
    assert done.count("full") == 2
    assert len(store.rows([cell("a", WHOLE)])) == 1
    assert any("made again" in line for line in told)


def test_a_whole_backbone_that_a_killed_process_left_is_deleted_by_the_next(tmp_path: Path) -> None:
    store = Store(tmp_path)
    cells = done_but_not_cleared(store)
    run_cells(store, cells, doing(store, []), tell=lambda _: None)
    assert left(store) == set()
    store.part(WHOLE).mkdir()  # begun, or half deleted
    run_cells(store, cells, doing(store, []), tell=lambda _: None)
    assert left(store) == set()
    assert list((tmp_path / "claims").iterdir()) == []


def test_a_deletion_that_is_cut_off_leaves_no_half_part_and_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    cells = done_but_not_cleared(store)

    def killed(path: Path, **_: object) -> None:
        if path.exists():
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("adapterkit.experiments.store.shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            store.drop(WHOLE)
    assert not store.part(WHOLE).exists()
    assert left(store), "the room is still taken"
    run_cells(store, cells, doing(store, []), tell=lambda _: None)
    assert left(store) == set()


def test_a_whole_backbone_that_a_living_process_is_training_is_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    cells = done_but_not_cleared(store)
    store.part(WHOLE).with_suffix(".json").unlink()
    with store.claims.taken(WHOLE.digest):
        run_cells(store, cells, doing(store, []), tell=lambda _: None)
        assert left(store) == {WHOLE.digest}
    run_cells(store, cells, doing(store, []), tell=lambda _: None)
    assert left(store) == set()


def without_times(rows: list[Row]) -> list[dict[str, object]]:
    return [{k: v for k, v in asdict(row).items() if k not in TIMES} for row in rows]


def start(path: Path, data: Path, out: Path) -> "subprocess.Popen[str]":
    words = ["-m", "adapterkit", "run", str(path), "--data", str(data), "--out", str(out)]
    return subprocess.Popen(
        [sys.executable, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def wait_for_parts(out: Path, count: int) -> None:
    """Until a grid has so many parts, and has begun another."""
    for _ in range(6_000):
        if len(list((out / "parts").glob("*.json"))) >= count:
            return
        time.sleep(0.01)
    raise AssertionError(f"{out}: not {count} parts within a minute")


METHODS = ('methods = ["own", "source-kept", "removed"]', """methods = [
    "own", "source-kept", "no-language-adapter", "started-from-source", "target-ready", "lora",
    "average", "arithmetic", "lower-layers-only", "few-5", "self-trained", "full-fine-tuning",
    "full-fine-tuning-continued",
]
exclude = [{ method = "few-5", language = "bre" }]""")  # fmt: skip
SECTIONS = ("[text]", """[relatives]
cym = ["bre"]
bre = ["cym"]

[methods.few-5]
like = "few-shot"
labels = 5

[few_shot]
steps = 3
precision = "float32"

[self_training]
sentences = 8
epochs = 1
precision = "float32"

[full_fine_tuning]
learning_rate = [1e-4, 1e-3]
epochs = 1

[continued]
steps = 4
batch_size = 4
block_length = 24
heldout_blocks = 4

[text]""")  # fmt: skip


@pytest.mark.parametrize("name", ["", "..", "a/b"])
def test_a_table_in_another_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="without folders"):
        Store(tmp_path, name)


@pytest.mark.slow
def test_killed_again_and_again_by_two_processes_the_table_is_that_of_a_grid_never_killed(
    tmp_path: Path, tiny_folder: Path
) -> None:
    data = data_folder(tmp_path / "data")
    path = recipe(tmp_path, tiny_folder, METHODS, SECTIONS, ("seeds = [0, 1]", "seeds = [0]"))
    whole = run(path, data=data, out=tmp_path / "whole")
    assert whole.outcome.failed == {}
    assert len(whole.rows) == 2 * 13 - 1 + 2 * 2
    for parts in (2, 5):
        process = start(path, data, tmp_path / "cut")
        wait_for_parts(tmp_path / "cut", parts)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    pair = [start(path, data, tmp_path / "cut") for _ in range(2)]
    said = [process.communicate(timeout=300)[1] for process in pair]
    assert [process.returncode for process in pair] == [0, 0], said
    cut = read_table(tmp_path / "cut" / "table.csv")
    assert without_times(cut) == without_times(whole.rows)
    assert read_table(tmp_path / "cut" / "table.parquet") == cut
    for row in cut:
        theirs = (tmp_path / "whole" / row.predictions).read_bytes()
        assert (tmp_path / "cut" / row.predictions).read_bytes() == theirs
    begun = [
        line.split("]  ")[1] for text in said for line in text.splitlines() if line.startswith("[")
    ]
    assert begun
    assert len(begun) == len(set(begun)), "no part was done by both"
    # Who is killed between a part's end and letting go leaves a claim that nobody needs to take over.
    claims = Store(tmp_path / "cut").claims
    assert not [path for path in claims.folder.iterdir() if claims.is_held(path.stem)]


@pytest.mark.slow
def test_a_row_has_its_costs_and_where_it_comes_from(tmp_path: Path, tiny_folder: Path) -> None:
    data = data_folder(tmp_path / "data")
    path = recipe(tmp_path, tiny_folder, ('dev = ["cym", "bre"]', 'dev = ["cym"]'))
    found = run(path, data=data, out=tmp_path / "out", only=["seed=0"])
    assert found.state.left == ()
    rows = {row.method: row for row in found.rows}
    own, kept = rows["own"], rows["source-kept"]
    assert (own.task, own.dataset, own.language, own.group) == ("pos", "ud/cym_x", "cym", "dev")
    assert (own.split, own.source, own.metric, own.examples) == ("dev", "eng", "accuracy", 12)
    assert (own.steps, own.tokens) == (6, 6 * 4 * 24)
    assert own.trained_parameters is not None
    assert 0 < 4 * own.trained_parameters < (own.bytes or 0)
    assert own.low is not None
    assert own.high is not None
    assert own.low <= own.value <= own.high
    assert [look.split(":")[0] for look in own.looks.split()] == ["0", "2", "4", "6"]
    assert own.reduction_factor == 4
    assert own.text_bytes is not None
    assert abs(own.text_bytes - (data / "text" / "cym.txt").stat().st_size) < 200
    assert (own.pieces_per_word or 0) > 1
    assert (kept.steps, kept.tokens, kept.trained_parameters) == (0, 0, 0)
    assert kept.text_bytes is None
    assert kept.bytes == 0, "the source's adapter is there for all languages"
    lines = (tmp_path / "out" / own.predictions).read_text(encoding="utf-8").splitlines()
    assert len(lines) == 12
    right = [(g, p) for line in lines for r in [json.loads(line)] for g, p in zip(r["gold"], r["predicted"], strict=True)]  # fmt: skip
    assert own.value == pytest.approx(sum(g == p for g, p in right) / len(right), abs=1e-6)
    assert run(path, data=data, out=tmp_path / "out", only=["seed=0"]).rows == found.rows


@pytest.mark.long
def test_killed_before_it_was_noted_a_trained_backbone_is_not_trained_again(
    tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = [
        ('methods = ["own", "source-kept", "removed"]', 'methods = ["full-fine-tuning"]'),
        ("seeds = [0, 1]", "seeds = [0]"),
        ('dev = ["cym", "bre"]', 'dev = ["cym"]'),
        ("[text]", "[full_fine_tuning]\nsteps = 4\nbatch_size = 4\nevaluate_every = 2\n[text]"),
    ]
    data, path = data_folder(tmp_path / "data"), recipe(tmp_path, tiny_folder, *change)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(full, "load_whole", killed)
    with pytest.raises(KeyboardInterrupt):
        run(path, data=data, out=tmp_path / "out")
    monkeypatch.setattr(work, "fine_tune", killed)
    assert len(run(path, data=data, out=tmp_path / "out").rows) == 1


@pytest.mark.slow
def test_killed_before_they_were_noted_adapters_are_not_trained_again(
    tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = [
        ('methods = ["own", "source-kept", "removed"]', 'methods = ["self-trained"]'),
        ("seeds = [0, 1]", "seeds = [0]"),
        ('dev = ["cym", "bre"]', 'dev = ["cym"]'),
        ("[text]", "[self_training]\nsentences = 20\nrounds = 1\n[text]"),
    ]
    data, path = data_folder(tmp_path / "data"), recipe(tmp_path, tiny_folder, *change)
    note, noted = Store.finish_part, set[str]()

    def killed(store: Store, node: Node, record: dict[str, Any]) -> None:
        if node.digest not in noted:
            noted.add(node.digest)
            raise KeyboardInterrupt
        note(store, node, record)

    monkeypatch.setattr(Store, "finish_part", killed)
    trained: list[str] = []

    def counting(name: str) -> Callable[..., Any]:
        train = getattr(work, name)

        def counted(*given: Any, **named: Any) -> Any:
            trained.append(name)
            return train(*given, **named)

        return counted

    for name in ("train_language", "train_task", "self_train"):
        monkeypatch.setattr(work, name, counting(name))
    for _ in range(4):
        with pytest.raises(KeyboardInterrupt):
            run(path, data=data, out=tmp_path / "out")
    assert len(run(path, data=data, out=tmp_path / "out").rows) == 1
    assert trained == ["train_language", "train_language", "train_task", "self_train"]
