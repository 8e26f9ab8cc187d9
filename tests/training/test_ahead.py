"""Reading ahead: the same things, made by one other thread, a bounded number of steps early, and no thread left."""

import threading
import time
from pathlib import Path

import pytest

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.training import language
from adapterkit.training.ahead import read_ahead
from tests.training.test_training import LANGUAGE, corpus


def threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("adapterkit-ahead")]


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_every_step_gets_what_was_made_of_its_number(depth: int) -> None:
    with read_ahead(lambda step: step * step, depth=depth) as made:
        assert [made(step) for step in (*range(5, 9), 20, 21, 3)] == [25, 36, 49, 64, 400, 441, 9]
    assert threads() == []


def test_the_next_steps_are_made_by_another_thread_while_nobody_asks() -> None:
    makers: dict[int, str] = {}
    second = threading.Event()

    def make(step: int) -> int:
        makers[step] = threading.current_thread().name
        if step == 1:
            second.set()
        return step

    with read_ahead(make, depth=1) as made:
        made(0)
        assert second.wait(10), "step 1 was not made before it was asked for"
    assert set(makers) == {0, 1}
    assert all(name.startswith("adapterkit-ahead") for name in makers.values())


def test_no_more_steps_are_made_ahead_than_was_said() -> None:
    there = []
    with read_ahead(lambda step: there.append(step), depth=2) as made:
        made(0)
        made(1)
        deadline = time.monotonic() + 10
        while len(there) < 4 and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.02)
        assert there == [0, 1, 2, 3]


def test_an_error_is_raised_at_its_own_step_and_the_thread_ends() -> None:
    def make(step: int) -> int:
        if step == 2:
            raise OSError("the disk is gone")
        return step

    with read_ahead(make, depth=2) as made:
        assert (made(0), made(1)) == (0, 1)
        with pytest.raises(OSError, match="the disk is gone"):
            made(2)
    assert threads() == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_no_thread_is_left_behind_when_the_block_ends_by(error: type[BaseException]) -> None:
    def run() -> None:
        with read_ahead(lambda step: step, depth=2) as made:
            made(0)
            assert len(threads()) == 1
            raise error

    with pytest.raises(error):
        run()
    assert threads() == []


@pytest.mark.long
def test_a_training_that_reads_ahead_ends_with_the_same_bytes(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone: Backbone = load_backbone(tiny_folder, device="cpu")
    alone = language.train_language(backbone, corpus(), out=tmp_path / "alone", config=LANGUAGE)
    depths = []

    def three_ahead(make: object, *, depth: int) -> object:
        depths.append(depth)
        return read_ahead(make, depth=3)  # type: ignore[arg-type]

    monkeypatch.setattr(language, "read_ahead", three_ahead)
    ahead = language.train_language(backbone, corpus(), out=tmp_path / "ahead", config=LANGUAGE)
    assert depths == [0], "on a CPU nothing reads ahead by itself"
    assert ahead.digest() == alone.digest()
    assert ahead.provenance["run"]["training_losses"] == alone.provenance["run"]["training_losses"]
    assert threads() == []
