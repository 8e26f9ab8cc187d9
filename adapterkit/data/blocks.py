"""From clean lines to masked blocks: tokenise, pack without padding, mask afresh each step.

A block is ``<s> line </s> line </s> ...``, cut to one length: no padding, so every block of a corpus has
the same shape. Masking draws from the run's seed and the step's number alone.

Source: Devlin et al. (2019) (15 %, of which 80/10/10); Liu et al. (2019) (dynamic masking, packing).
"""

import functools
import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adapterkit.data.batches import Batch
from adapterkit.errors import CorpusError
from adapterkit.files import sha256_of
from adapterkit.seeds import derive
from adapterkit.text.lines import Line
from adapterkit.text.profile import batches

Encode = Callable[[Sequence[str]], list[list[int]]]
_BLOCKS_AT_ONCE = 10_000


@dataclass(frozen=True)
class Vocabulary:
    """The token ids that packing and masking need.

    Attributes:
        size: Number of tokens.
        start: First token of a block.
        separator: After every line.
        mask: Stands for what is to be predicted; None for a decoder, which predicts the next token.
        special: Ids that are never masked and never drawn at random.
    """

    size: int
    start: int
    separator: int
    mask: int | None
    special: tuple[int, ...]


@dataclass(frozen=True)
class Blocks:
    """Packed blocks, on disk or in memory.

    Attributes:
        tokens: Shape ``(blocks, length)``, 32-bit ids.
        vocabulary: Special tokens.
    """

    tokens: NDArray[np.int32]
    vocabulary: Vocabulary

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def length(self) -> int:
        """Tokens a block."""
        return int(self.tokens.shape[1])

    def order(self, epoch: int, *, seed: int) -> NDArray[np.int64]:
        """The order of the blocks in pass ``epoch``. Shape ``(blocks,)``."""
        return _order(len(self), epoch, seed)

    def indices(self, step: int, batch_size: int, *, seed: int) -> list[int]:
        """Which blocks step ``step`` (from 0) reads; passes follow one another without a gap."""
        first = step * batch_size
        epochs = {place // len(self): None for place in range(first, first + batch_size)}
        orders = {epoch: self.order(epoch, seed=seed) for epoch in epochs}
        return [
            int(orders[place // len(self)][place % len(self)])
            for place in range(first, first + batch_size)
        ]

    def pieces(self, at_least: int = 1) -> Tensor:
        """The token ids that occur so often in the blocks, in rising order. Shape ``(pieces,)``."""
        count = np.zeros(self.vocabulary.size, dtype=np.int64)
        for start in range(0, len(self), _BLOCKS_AT_ONCE):  # they may be larger than memory
            part = self.tokens[start : start + _BLOCKS_AT_ONCE]
            count += np.bincount(part.ravel(), minlength=self.vocabulary.size)
        return torch.from_numpy((count >= at_least).nonzero()[0])

    def plain_pieces(self, at_least: int) -> Tensor:
        """`pieces` without special tokens."""
        found = self.pieces(at_least)
        return found[~torch.isin(found, torch.tensor(self.vocabulary.special, dtype=torch.long))]

    def masked(self, rows: Sequence[int], *, share: float, seed: int) -> Batch:
        """Mask the blocks ``rows``.

        Args:
            rows: Numbers of blocks.
            share: Share of the maskable tokens to predict; the same number in every batch.
            seed: Of this batch's masks.
        """
        ids = torch.from_numpy(np.asarray(self.tokens[list(rows)], dtype=np.int64))
        return mask_tokens(ids, self.vocabulary, share=share, seed=seed)


@functools.lru_cache(maxsize=4)
def _order(count: int, epoch: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(derive(seed, "order", epoch)).permutation(count)


def mask_tokens(ids: Tensor, vocabulary: Vocabulary, *, share: float, seed: int) -> Batch:
    """Choose tokens to predict: 80 % of them masked, 10 % replaced at random, 10 % left.

    Args:
        ids: Tokens. Shape ``(batch, length)``.
        vocabulary: Special tokens.
        share: Share of the maskable tokens to predict (at least one token).
        seed: Of the draw.
    """
    if vocabulary.mask is None:
        return next_tokens(ids)
    generator = torch.Generator().manual_seed(seed)
    special = torch.isin(ids, torch.tensor(vocabulary.special))
    scores = torch.rand(ids.shape, generator=generator).masked_fill(special, -1.0)
    count = max(1, round(share * int((~special).sum())))
    chosen = torch.zeros(ids.numel(), dtype=torch.bool)
    chosen[scores.flatten().topk(count).indices] = True
    chosen = chosen.view_as(ids)
    fate = torch.rand(ids.shape, generator=generator)
    noise = torch.randint(vocabulary.size, ids.shape, generator=generator)
    hidden = torch.where(chosen & (fate < 0.8), vocabulary.mask, ids)
    hidden = torch.where(
        chosen & (fate >= 0.9) & ~torch.isin(noise, torch.tensor(vocabulary.special)), noise, hidden
    )
    return Batch(hidden, torch.ones_like(ids), torch.where(chosen, ids, -100))


def next_tokens(ids: Tensor) -> Batch:
    """For a decoder: every position predicts the token after it. Shape ``(batch, length)``."""
    targets = torch.nn.functional.pad(ids[:, 1:], (0, 1), value=-100)
    return Batch(ids, torch.ones_like(ids), targets)


def pack_corpus(
    lines: Iterable[Line],
    encode: Encode,
    vocabulary: Vocabulary,
    *,
    length: int,
    folder: Path,
    heldout_blocks: int,
) -> tuple[Blocks, Blocks, int]:
    """Tokenise and pack a corpus in bounded memory.

    Args:
        lines: The corpus.
        encode: Token ids of lines, without special tokens.
        vocabulary: Special tokens.
        length: Tokens a block.
        folder: Where the training blocks are written.
        heldout_blocks: At most so many held-out blocks; which lines they hold does not depend on
            the order of lines.

    Returns:
        Training blocks, held-out blocks, and the number of training tokens.

    Raises:
        CorpusError: If there is not enough text for one block of each.
    """
    keeper = _Heldout(limit=heldout_blocks * length)
    stream = (line.text for line in lines if not keeper.takes(line))
    path = folder / "blocks.i32"
    # Who may be reading the file keeps it: its pages must not change under them.
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        count = sum(
            file.write(block.tobytes()) and 1
            for block in _blocks(_tokens(stream, encode), vocabulary, length)
        )
    heldout = list(_blocks(_tokens(keeper.texts(), encode), vocabulary, length))[:heldout_blocks]
    if not count or not heldout:
        raise CorpusError(
            f"too little text: it fills {count} training and {len(heldout)} held-out blocks of {length} tokens; "
            "at least one of each is needed. Add text, or use shorter blocks (block_length)."
        )
    tokens = np.memmap(path, dtype=np.int32, mode="r", shape=(count, length))
    return Blocks(tokens, vocabulary), Blocks(np.stack(heldout), vocabulary), count * length


def fingerprint(folder: Path) -> str:
    """sha256 of the packed training blocks in ``folder``: what a resumed run must find again."""
    return sha256_of(folder / "blocks.i32")


class _Heldout:
    """Keeps the held-out lines with the lowest hashes, at most about ``limit`` tokens of them.

    Which ones does not depend on the order of lines: of a line only so much counts that one alone cannot displace the
    others, and what a dropped line's hash was no later line may be above.
    """

    def __init__(self, limit: int) -> None:
        # A token is rarely shorter than one character and a half over a whole corpus; 8 is ample.
        self.limit = limit * 8
        self.most = limit * 2  # of one line
        self.size = 0
        self.heap: list[tuple[int, str]] = []
        self.bound: int | None = None

    def takes(self, line: Line) -> bool:
        if line.heldout:
            self._keep(derive(0, line.text), line.text[: self.most])
        return line.heldout

    def _keep(self, place: int, text: str) -> None:
        if self.bound is not None and place >= self.bound:
            return
        heapq.heappush(self.heap, (-place, text))
        self.size += len(text)
        while self.size > self.limit and len(self.heap) > 1:
            dropped, last = heapq.heappop(self.heap)
            self.bound, self.size = -dropped, self.size - len(last)

    def texts(self) -> list[str]:
        return [text for _, text in sorted(self.heap, reverse=True)]


def _tokens(lines: Iterable[str], encode: Encode) -> Iterator[list[int]]:
    for batch in batches(lines):
        yield from encode(batch)


def _blocks(
    lines: Iterable[list[int]], vocabulary: Vocabulary, length: int
) -> Iterator[NDArray[np.int32]]:
    """Cut the stream of lines into blocks; what does not fill the last one is dropped."""
    room = length - 1
    waiting: list[int] = []
    empty = True
    for line in lines:
        waiting += [*line, vocabulary.separator]
        while len(waiting) >= room:
            yield np.array([vocabulary.start, *waiting[:room]], dtype=np.int32)
            waiting = waiting[room:]
            empty = False
    if empty and len(waiting) > 1:  # a tiny text still gives one block: repeat it
        repeated = (waiting * (room // len(waiting) + 1))[:room]
        yield np.array([vocabulary.start, *repeated], dtype=np.int32)
