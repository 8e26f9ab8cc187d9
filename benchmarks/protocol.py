"""The worker's side of a contest: JSON lines in, JSON lines out, and its own clock and memory.

A worker says ``{"ready": true}`` once it is loaded, answers each message with one object, and at
``{"end": true}`` tells its peak memory and leaves. While it waits it is blocked on stdin: idle. Nothing but
the standard library is imported here, so that it runs in any environment.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Message = dict[str, Any]
_STATUS = Path("/proc/self/status")


class Done(Exception):  # noqa: N818 - it is no error: it leaves a loop that somebody else wrote
    """The parent needs no more rounds."""


class Line:
    """The line to the parent. What libraries print goes to stderr, never between the answers."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self._greeted = False

    def next(self) -> Message:
        """The parent's next message; blocks until there is one.

        Raises:
            Done: At the last one.
        """
        if not self._greeted:
            self._greeted = True
            self.answer({"ready": True, "peak_bytes": peak_bytes()})
        text = sys.stdin.readline()
        if not text:
            raise SystemExit("the parent of this benchmark worker is gone")
        message: Message = json.loads(text)
        if message.get("end"):
            self.answer({"peak_bytes": peak_bytes()})
            raise Done
        return message

    def answer(self, record: Message) -> None:
        """Send one object."""
        self._out.write(json.dumps(record) + "\n")
        self._out.flush()


def serve(line: Line, work: Callable[[Message], Message]) -> None:
    """Answer every message by ``work`` until the parent ends it."""
    try:
        while True:
            line.answer(work(line.next()))
    except Done:
        return


def timed(step: Callable[[], int], wait: Callable[[], None]) -> Callable[[Message], Message]:
    """Work for `serve`: run ``step`` as often as the message says.

    Args:
        step: Does one step and returns its tokens.
        wait: Waits for a device that computes on its own.
    """

    def work(message: Message) -> Message:
        began = time.perf_counter()
        tokens = sum(step() for _ in range(int(message["steps"])))
        wait()
        return {"seconds": time.perf_counter() - began, "tokens": tokens}

    return work


class Turnstile:
    """Lets a training loop that somebody else wrote run only when the parent says so.

    To be passed between its steps. Time runs from the parent's word to the end of the last step it
    allowed, so that everything the loop does for a step counts.

    Args:
        line: To the parent.
        wait: Waits for a device that computes on its own.
    """

    def __init__(self, line: Line, wait: Callable[[], None]) -> None:
        self._line, self._wait = line, wait
        self._began: float | None = None
        self._left = self._tokens = 0

    def passing(self, tokens: int) -> None:
        """The loop is between two steps; the one before read ``tokens`` tokens (0: there was none).

        Raises:
            Done: When the parent needs no more.
        """
        self._tokens += tokens
        self._left -= 1
        if self._left > 0:
            return
        if self._began is not None:
            self._wait()
            seconds = time.perf_counter() - self._began
            self._line.answer({"seconds": seconds, "tokens": self._tokens})
        self._left, self._tokens = int(self._line.next()["steps"]), 0
        self._began = time.perf_counter()


def peak_bytes() -> int:
    """The most memory this process ever held: of a GPU where it computes on one, else as the kernel counts it."""
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        return int(torch.cuda.max_memory_reserved())
    for text in _status_lines():
        if text.startswith("VmHWM:"):
            return int(text.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def resident_bytes() -> int:
    """The memory this process holds now; 0 where the system does not tell."""
    found = [text.split()[1] for text in _status_lines() if text.startswith("VmRSS:")]
    return int(found[0]) * 1024 if found else 0


def _status_lines() -> Iterator[str]:
    if _STATUS.is_file():
        yield from _STATUS.read_text(encoding="utf-8").splitlines()


def main(kinds: dict[str, Callable[[Line, Message], None]]) -> None:
    """Run the kind of worker that the first argument, a JSON object, asks for."""
    spec: Message = json.loads(sys.argv[1])
    kinds[spec["kind"]](Line(), spec)
