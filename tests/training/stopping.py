"""Stopping a training as Ctrl-C does, at a step of one's choice."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from adapterkit.training import loop


@contextmanager
def stopped_before(step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The training inside is interrupted before ``step``, and the test fails if it is not."""
    plain = loop._Run.step

    def stopping(run: loop._Run) -> None:
        if run.progress.step == step:
            raise KeyboardInterrupt
        plain(run)

    with monkeypatch.context() as patch:
        patch.setattr(loop._Run, "step", stopping)
        with pytest.raises(KeyboardInterrupt):
            yield
