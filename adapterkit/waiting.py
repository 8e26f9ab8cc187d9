"""A bar on stderr for work that turns out to be long: it comes after two seconds and goes when it is done."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE_SECONDS = 2.0
"""What ends sooner shows nothing."""


def is_watched() -> bool:
    """Whether stderr is a terminal, where somebody may look; some programs have none at all."""
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):  # None, a plain writer, or closed
        return False


@contextmanager
def waiting(
    title: str, total: int, *, show: bool | None = None, patience: float = PATIENCE_SECONDS
) -> Iterator[Callable[[int], None]]:
    """Count what is done of ``total``, and show it once ``patience`` seconds are over.

    Args:
        title: What is done.
        total: How many there are to do.
        show: Whether anything may be shown; by default if stderr is a terminal.
        patience: Seconds without a bar.

    Yields:
        What to call with how many more are done.
    """
    if not (is_watched() if show is None else show):
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,  # what others write there meanwhile is theirs
    )
    task = bar.add_task(title, total=total)
    began = time.monotonic()

    def done(more: int) -> None:
        bar.advance(task, more)
        if time.monotonic() - began >= patience:
            bar.start()

    try:
        yield done
    finally:
        if bar.live.is_started:
            bar.stop()
