"""Fixtures: tiny random backbones, made here, so that no test needs a download."""

from pathlib import Path

import pytest
import torch

from tests.tiny import make_backbone


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved XLM-R-shaped masked LM with a word-level tokenizer."""
    return make_backbone(tmp_path_factory.mktemp("backbone") / "tiny", "xlm-roberta")


def pytest_configure() -> None:
    """Tiny models gain nothing from threads, and lose much where tests share a machine."""
    torch.set_num_threads(1)
