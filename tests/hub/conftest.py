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


@pytest.fixture
def local(hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalHub:
    """The Hub, and this very process uses it: as alice, with a new HF_HOME, and hardly waiting."""
    import huggingface_hub
    from huggingface_hub import constants

    from adapterkit.hub import web
    from tests.hub.makers import forget_sessions

    home = tmp_path / "home"
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HF_HOME", str(home))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_alice")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setattr(web, "PAUSE", 0.005)
    if not hasattr(huggingface_hub, "close_session"):
        forget_sessions()  # before 1.0 a session remembers that it was made offline
    return hub
