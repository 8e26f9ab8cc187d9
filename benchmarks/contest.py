"""The parent's side of a contest: one process a contender, all alive at once, one running at a time.

The workers are idle, blocked on stdin, while one of them runs; each round asks every one in turn. So slow
drifts of the machine touch all alike, and the ratio of a round is of two runs side by side.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.figures import Record, Round

ROOT = Path(__file__).resolve().parent.parent
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Contender:
    """One that takes part.

    Attributes:
        name: What tables call it.
        module: The worker's module, e.g. ``benchmarks.workers.ours_training``.
        spec: What the worker is told; JSON values.
        python: The interpreter of its environment; by default the parent's own.
    """

    name: str
    module: str
    spec: Mapping[str, Any] = field(default_factory=dict)
    python: Path | None = None


class Worker:
    """A contender's process. A context manager: leaving it ends the process."""

    def __init__(self, contender: Contender, threads: int) -> None:
        self.name = contender.name
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed on leaving, with the pipes
        python = str(contender.python or sys.executable)
        self._process = subprocess.Popen(
            [python, "-m", contender.module, json.dumps(dict(contender.spec))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=ROOT,
            env=surroundings(threads),
        )

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                stream.close()

    def ask(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Send a message and wait for the answer.

        Raises:
            RuntimeError: If the worker died; it repeats the end of its stderr.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(dict(message)) + "\n")
        self._process.stdin.flush()
        return self.hear()

    def hear(self) -> dict[str, Any]:
        """Wait for the next answer."""
        assert self._process.stdout is not None
        text = self._process.stdout.readline()
        if not text:
            code = self._process.wait()
            raise RuntimeError(f"worker {self.name!r} ended with exit code {code}\n{self._tail()}")
        answer: dict[str, Any] = json.loads(text)
        return answer

    def _tail(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace")[-3000:]


def surroundings(threads: int) -> dict[str, str]:
    """The same environment for every worker: this checkout first, no network, so many threads."""
    fixed = {
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
    }
    return {**os.environ, **fixed}


def contest(
    contenders: Sequence[Contender],
    *,
    rounds: int,
    threads: int,
    tell: Tell,
    messages: Sequence[Mapping[str, Any]] = ({"steps": 1},),
) -> dict[str, Record]:
    """Let the contenders run in turn, round after round.

    Args:
        contenders: Who takes part.
        rounds: How often each is asked; one more round before them is the warm-up.
        threads: Of each process.
        tell: Told about progress, in words.
        messages: What each contender is asked in a round, one after the other; each answer is a
            round of its own in the record.

    Returns:
        A record by contender's name, in their order.
    """
    records = {one.name: Record() for one in contenders}
    with ExitStack() as stack:
        workers = []
        for one in contenders:
            tell(f"starting {one.name}")
            workers.append(stack.enter_context(Worker(one, threads)))
            records[one.name].ready_bytes = int(workers[-1].hear()["peak_bytes"])
        for number in range(rounds + 1):
            # Another begins each round: whoever follows a hot or a lazy one, all follow all.
            first = number % len(workers)
            for worker in (*workers[first:], *workers[:first]):
                answers = [numbers(worker.ask(message)) for message in messages]
                records[worker.name].rounds += answers if number else []
                tell(
                    f"{f'round {number}' if number else 'warm-up'}: {worker.name} {_short(answers)}"
                )
        for worker in workers:
            records[worker.name].peak_bytes = int(worker.ask({"end": True})["peak_bytes"])
    return records


def single(contender: Contender, message: Mapping[str, Any], *, threads: int) -> dict[str, Any]:
    """Ask one contender one thing, alone, and end it; the answer with its peak memory."""
    with Worker(contender, threads) as worker:
        worker.hear()
        answer = worker.ask(message)
        return {**answer, **worker.ask({"end": True})}


def numbers(answer: Mapping[str, Any]) -> Round:
    """The numbers of an answer."""
    return {name: float(value) for name, value in answer.items() if isinstance(value, int | float)}


def _short(answers: Sequence[Round]) -> str:
    return ", ".join(f"{one['seconds']:.3f} s" if "seconds" in one else "" for one in answers)
