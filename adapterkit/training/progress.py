"""A progress bar on stderr: loss, tokens a second, time left. Silent where nobody looks.

A few lines a training are logged besides, to `told`; the command line shows them.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from adapterkit.waiting import is_watched

told = logging.getLogger("adapterkit.training")
"""Where a training says what it does: its plan, where it goes on, how it ended."""


class Reporter(Protocol):
    """What the loop tells while it runs."""

    def start(self, step: int, total: int) -> None: ...  # noqa: D102
    def step(self, step: int, loss: float, tokens: int) -> None: ...  # noqa: D102
    def look(self, step: int, value: float, best: bool) -> None: ...  # noqa: D102
    def say(self, line: str) -> None: ...  # noqa: D102


class Silent:
    """No bar: only lines are logged."""

    def start(self, step: int, total: int) -> None:
        """Nothing."""

    def step(self, step: int, loss: float, tokens: int) -> None:
        """Nothing."""

    def look(self, step: int, value: float, best: bool) -> None:
        """Nothing."""

    def say(self, line: str) -> None:
        """Log a line."""
        told.info("%s", line)


class Bar:
    """A bar by rich. ``quantity`` names what a look measures."""

    def __init__(self, title: str, quantity: str) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self.console = Console(stderr=True)
        self.quantity = quantity
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}  {task.fields[speed]:,.0f} tokens/s"),
            TimeRemainingColumn(),
            console=self.console,
            redirect_stdout=False,
        )
        self.task = self.bar.add_task(title, total=None, loss="–", speed=0.0)
        self.began = time.monotonic()
        self.tokens = 0

    def start(self, step: int, total: int) -> None:
        """Begin at ``step`` of ``total``; above 0 means a resumed run."""
        self.bar.update(self.task, completed=step, total=total)
        self.began = time.monotonic()

    def step(self, step: int, loss: float, tokens: int) -> None:
        """One optimizer step was made on ``tokens`` tokens."""
        self.tokens += tokens
        speed = self.tokens / max(1e-9, time.monotonic() - self.began)
        self.bar.update(self.task, completed=step, loss=f"{loss:.3f}", speed=speed)

    def look(self, step: int, value: float, best: bool) -> None:
        """The held-out loss or dev score was measured."""
        mark = "  (best so far)" if best else ""
        self.console.print(f"  step {step}: {self.quantity} {abs(value):.4f}{mark}")

    def say(self, line: str) -> None:
        """A line above the bar."""
        self.console.print(line, markup=False, highlight=False)


@contextmanager
def reporter(title: str, quantity: str, show: bool | None) -> Iterator[Reporter]:
    """A bar if ``show`` (by default: if stderr is a terminal), else silence."""
    if not (is_watched() if show is None else show):
        yield Silent()
        return
    bar = Bar(title, quantity)
    with bar.bar:
        yield bar
