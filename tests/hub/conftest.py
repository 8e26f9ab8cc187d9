"""Fixtures: a Hub on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.hub import LocalHub


@pytest.fixture(scope="session")
def _hub_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHub]:
    hub = LocalHub(tmp_path_factory.mktemp("hub"))
    yield hub
    hub.stop()


@pytest.fixture
def hub(_hub_process: LocalHub) -> LocalHub:
    """The session's Hub, emptied. With a new HF_HOME each time it is as good as a new one."""
    _hub_process.reset()
    return _hub_process


@pytest.fixture
def new_hub(tmp_path: Path) -> Iterator[LocalHub]:
    """A Hub of this test's own, on ports of its own."""
    hub = LocalHub(tmp_path / "hub")
    yield hub
    hub.stop()
