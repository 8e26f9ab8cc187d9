import numpy as np
import pytest

from adapterkit.data import blocks
from adapterkit.data.blocks import Blocks, Vocabulary


def test_pieces_are_all_tokens_of_all_blocks_once_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "_BLOCKS_AT_ONCE", 2)
    tokens = np.array([[0, 7, 7], [0, 3, 9], [0, 9, 8], [0, 4, 7], [0, 19, 1]], dtype=np.int32)
    found = Blocks(tokens, Vocabulary(20, 0, 1, 2, (0, 1, 2))).pieces()
    assert found.tolist() == [0, 1, 3, 4, 7, 8, 9, 19]
