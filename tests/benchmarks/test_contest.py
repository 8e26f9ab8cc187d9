import sys
from types import SimpleNamespace

import pytest

from benchmarks.contest import Contender, Worker, contest, single
from benchmarks.protocol import peak_bytes

MODULE = "tests.benchmarks.worker"


def contender(kind: str, name: str = "one", tokens: int = 7) -> Contender:
    return Contender(name, MODULE, {"kind": kind, "tokens": tokens})


@pytest.mark.parametrize("kind", ["counting", "looping"])
def test_a_worker_runs_as_many_steps_as_it_is_told(kind: str) -> None:
    with Worker(contender(kind), threads=1) as worker:
        assert worker.hear()["ready"] is True
        assert worker.ask({"steps": 3})["tokens"] == 21
        assert worker.ask({"steps": 1})["tokens"] == 7
        assert worker.ask({"end": True})["peak_bytes"] > 1_000_000


def test_contenders_take_turns_and_the_warm_up_does_not_count() -> None:
    told: list[str] = []
    records = contest(
        [contender("counting", "a", 1), contender("looping", "b", 2)],
        rounds=2,
        threads=1,
        tell=told.append,
        messages=[{"steps": 2}],
    )
    assert [records["a"].values("tokens"), records["b"].values("tokens")] == [[2, 2], [4, 4]]
    runs = "".join(line.split(": ")[1][0] for line in told if ": " in line)
    assert runs == "abbaab", "another begins each round"
    assert records["a"].peak_bytes >= records["a"].ready_bytes > 0


def test_a_worker_that_dies_is_an_error_that_repeats_what_it_said() -> None:
    with pytest.raises(RuntimeError, match=r"(?s)'one' ended with exit code 1.*out of something"):
        contest([contender("dying")], rounds=1, threads=1, tell=lambda _: None)


def test_one_question_gets_the_answer_with_the_peak_memory() -> None:
    answer = single(contender("counting"), {"steps": 2}, threads=1)
    assert answer["tokens"] == 14
    assert answer["peak_bytes"] > 0


def test_the_peak_never_falls() -> None:
    before = peak_bytes()
    block = bytearray(50_000_000)
    block[::4096] = b"x" * len(block[::4096])
    assert peak_bytes() >= before
    del block
    assert peak_bytes() >= before


def test_on_a_gpu_the_peak_is_that_of_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    class Cuda:
        used = False

        def is_available(self) -> bool:
            return True

        def is_initialized(self) -> bool:
            return self.used

        def max_memory_reserved(self) -> int:
            return 7

    fake = SimpleNamespace(cuda=Cuda())
    monkeypatch.setitem(sys.modules, "torch", fake)
    assert peak_bytes() > 7
    fake.cuda.used = True
    assert peak_bytes() == 7
