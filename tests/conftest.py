"""Fixtures: tiny random backbones, made here, so that no test needs a download."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved XLM-R-shaped masked LM with a word-level tokenizer."""
    from tests.tiny import make_backbone

    return make_backbone(tmp_path_factory.mktemp("backbone") / "tiny", "xlm-roberta")


def pytest_configure(config: pytest.Config) -> None:
    """Tiny models gain nothing from threads, and lose much where tests share a machine."""
    if os.environ.get("PYTEST_XDIST_WORKER") or not config.getoption("numprocesses", None):
        import torch  # the process that only hands out tests does without

        torch.set_num_threads(1)
