import random
from pathlib import Path

import numpy as np
import pytest

from adapterkit.data import blocks
from adapterkit.data.blocks import Blocks, Vocabulary, pack_corpus
from adapterkit.seeds import derive
from adapterkit.text.lines import Line


def test_pieces_are_all_tokens_of_all_blocks_once_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "_BLOCKS_AT_ONCE", 2)
    tokens = np.array([[0, 7, 7], [0, 3, 9], [0, 9, 8], [0, 4, 7], [0, 19, 1]], dtype=np.int32)
    found = Blocks(tokens, Vocabulary(20, 0, 1, 2, (0, 1, 2))).pieces()
    assert found.tolist() == [0, 1, 3, 4, 7, 8, 9, 19]


def test_which_lines_are_held_out_does_not_depend_on_their_order_however_long_one_is() -> None:
    short = [f"line number {number} with some words" for number in range(300)]
    first = min(short, key=lambda text: derive(0, text))
    longest = next(
        text
        for number in range(100_000)
        if derive(0, text := f"{number} " + "word " * 2000) < derive(0, first)
    )

    def kept(texts: list[str]) -> list[str]:
        keeper = blocks._Heldout(512)
        for text in texts:
            assert keeper.takes(Line(text, heldout=True))
        return keeper.texts()

    last = kept([*short, longest])
    assert last == kept([longest, *short]) == kept([*short[:150], longest, *short[150:]])
    assert last[0] == longest[:1024]
    assert len(last) > 50
    assert sum(map(len, last)) <= 8 * 512


def test_a_short_line_never_takes_the_room_that_a_longer_one_before_it_left() -> None:
    draw = random.Random(0)
    texts = [f"{number} " + "w" * draw.randint(1, 120) for number in range(60)]

    def kept(order: list[str]) -> list[str]:
        keeper = blocks._Heldout(64)
        for text in order:
            keeper.takes(Line(text, heldout=True))
        return keeper.texts()

    expected = kept(sorted(texts, key=lambda text: derive(0, text)))
    assert 3 < len(expected) < 30
    for _ in range(50):
        draw.shuffle(texts)
        assert kept(texts) == expected


def test_a_second_run_in_the_folder_does_not_change_the_blocks_of_the_first(tmp_path: Path) -> None:
    def packed(token: int, count: int) -> Blocks:
        lines = [Line(f"{n} words", heldout=n == 0) for n in range(count)]
        training, _, _ = pack_corpus(
            lines,
            lambda texts: [[token] * 7 for _ in texts],
            Vocabulary(20, 0, 1, 2, (0, 1, 2)),
            length=8,
            folder=tmp_path,
            heldout_blocks=1,
        )
        return training

    first = packed(5, 50)
    before = first.tokens.copy()
    packed(9, 3)
    assert (first.tokens == before).all()
    assert [path.name for path in tmp_path.iterdir()] == ["blocks.i32"]
