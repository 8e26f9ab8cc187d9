"""Reading ahead: what the next steps need is prepared in one background thread while the model computes.

Only where it pays: beside a GPU, which leaves the processor idle. On a CPU the masks of a batch take a hundredth
of a step, and the thread would take a core from the model (``docs/log.md``).
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Generic, TypeVar

Made = TypeVar("Made")
DEPTH = 2


class Ahead(Generic[Made]):
    """Gives what ``make`` makes of a step's number, and has the steps after it made meanwhile.

    Which thread makes it must not matter: ``make`` draws from the number alone. An error in it is raised where
    its step is asked for, and not before.

    Args:
        make: From a step's number to what the step needs.
        depth: At most so many are made or being made ahead.
        pool: A pool of one thread.
    """

    def __init__(
        self, make: Callable[[int], Made], *, depth: int, pool: ThreadPoolExecutor
    ) -> None:
        self._make, self._depth, self._pool = make, depth, pool
        self._waiting: dict[int, Future[Made]] = {}

    def __call__(self, step: int) -> Made:
        """What step ``step`` needs."""
        wanted = range(step, step + self._depth + 1)
        for number in set(self._waiting) - set(wanted):  # somebody jumped
            self._waiting.pop(number).cancel()
        for number in wanted:
            if number not in self._waiting:
                self._waiting[number] = self._pool.submit(self._make, number)
        return self._waiting.pop(step).result()


@contextmanager
def read_ahead(make: Callable[[int], Made], *, depth: int) -> Iterator[Callable[[int], Made]]:
    """``make``, reading ``depth`` steps ahead; itself, without a thread, if that is 0.

    However the block ends, by an error or by Ctrl-C too, the thread has ended behind it.
    """
    if depth == 0:
        yield make
        return
    pool = ThreadPoolExecutor(1, thread_name_prefix="adapterkit-ahead")
    try:
        yield Ahead(make, depth=depth, pool=pool)
    finally:
        pool.shutdown(cancel_futures=True)
