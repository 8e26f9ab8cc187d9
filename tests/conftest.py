"""Fixtures: tiny random backbones, made here, so that no test needs a download."""

from pathlib import Path

import pytest

from tests.tiny import make_backbone


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved XLM-R-shaped masked LM with a word-level tokenizer."""
    return make_backbone(tmp_path_factory.mktemp("backbone") / "tiny", "xlm-roberta")
