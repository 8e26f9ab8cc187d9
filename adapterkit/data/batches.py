"""From labelled examples to padded batches: words aligned to their first pieces, long inputs in windows.

A sentence longer than the backbone can read is cut between words into windows; every word stands in
exactly one of them and is scored there, none is lost.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adapterkit.seeds import derive

POOL = 32
"""Batches whose examples are sorted by length together, in a random order of all."""

WordPieces = Callable[[Sequence[Sequence[str]]], list[list[list[int]]]]


@dataclass(frozen=True)
class Special:
    """Token ids around and beside a text: first (None where texts have none), last, padding."""

    start: int | None
    end: int
    padding: int

    @property
    def opening(self) -> list[int]:
        """What stands before a text."""
        return [] if self.start is None else [self.start]

    def room(self, limit: int) -> int:
        """How many of ``limit`` tokens are left for the text."""
        return limit - len(self.opening) - 1


@dataclass(frozen=True)
class Window:
    """One input of the backbone.

    Attributes:
        tokens: Ids, special tokens included.
        first_pieces: Place in ``tokens`` of each word's first piece (tagging), else empty.
        example: Number of the example it belongs to.
        first_word: Number, in the example, of the window's first word.
    """

    tokens: tuple[int, ...]
    first_pieces: tuple[int, ...]
    example: int
    first_word: int = 0


@dataclass(frozen=True)
class Batch:
    """What a model trains on: packed blocks with tokens hidden, or padded windows with labels.

    Attributes:
        input_ids: Shape ``(batch, length)``.
        attention_mask: 1 where there is a token. Shape ``(batch, length)``.
        targets: ``(batch, length)``, -100 where nothing is asked; ``(batch,)`` for classification, and
            ``(batch, labels)``, 1 or 0, for a multi-label head.
    """

    input_ids: Tensor
    attention_mask: Tensor
    targets: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same batch on ``device``."""
        # Into a GPU only: what comes out of one must be there before it is read.
        aside = device.type == "cuda"
        return Batch(*(t.to(device, non_blocking=aside) for t in self._tensors()))

    def pinned(self) -> "Batch":
        """The same batch in pinned memory, from which a GPU copies while everything else goes on."""
        return Batch(*(t.pin_memory() for t in self._tensors()))

    def _tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.input_ids, self.attention_mask, self.targets


def word_windows(
    words: Sequence[Sequence[list[int]]], special: Special, *, limit: int
) -> list[Window]:
    """Cut sentences between words into windows of at most ``limit`` tokens.

    Args:
        words: Token ids of each word of each sentence.
        special: Special tokens.
        limit: Tokens a window, special tokens included. A single word with more pieces than fit
            is cut; its first piece, which carries its label, stays.
    """
    windows = []
    for number, sentence in enumerate(words):
        first = 0
        while first < len(sentence):
            window, first = _window(sentence, first, special, limit, number)
            windows.append(window)
    return windows


def _window(
    sentence: Sequence[list[int]], first: int, special: Special, limit: int, number: int
) -> tuple[Window, int]:
    tokens: list[int] = special.opening
    places, word = [], first
    while word < len(sentence):
        pieces = sentence[word][: special.room(limit)]
        if len(tokens) + len(pieces) + 1 > limit:
            break
        places.append(len(tokens))
        tokens += pieces
        word += 1
    return Window((*tokens, special.end), tuple(places), number, first), word


def text_windows(texts: Sequence[list[int]], special: Special, *, limit: int) -> list[Window]:
    """One window for each text, several for a text of more than ``limit`` tokens (at least one)."""
    room = special.room(limit)
    return [
        Window((*special.opening, *ids[first : first + room], special.end), (), number)
        for number, ids in enumerate(texts)
        for first in range(0, max(1, len(ids)), room)
    ]


def pad(windows: Sequence[Window], special: Special) -> tuple[Tensor, Tensor]:
    """Token ids and attention mask of ``windows``. Both ``(batch, length)``, length the longest's."""
    length = max(len(window.tokens) for window in windows)
    ids = torch.full((len(windows), length), special.padding)
    mask = torch.zeros((len(windows), length), dtype=torch.long)
    for row, window in enumerate(windows):
        ids[row, : len(window.tokens)] = torch.tensor(window.tokens)
        mask[row, : len(window.tokens)] = 1
    return ids, mask


def by_length(windows: Sequence[Window], batch_size: int) -> list[list[int]]:
    """Numbers of windows, grouped into batches of similar length (longest first)."""
    order = sorted(range(len(windows)), key=lambda i: (-len(windows[i].tokens), i))
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


@dataclass(frozen=True)
class Passes:
    """Endless passes over examples, each in a random order of its own that keeps similar lengths together.

    Every pass reads every example once and follows the one before without a gap. What a batch holds depends
    on these four values and its number alone.

    Attributes:
        lengths: Of the examples, in tokens.
        size: Examples a batch.
        seed: Of the orders.
        pool: Batches that are sorted together; with 1 lengths do not count.
    """

    lengths: tuple[int, ...]
    size: int
    seed: int
    pool: int = POOL

    def batch(self, number: int) -> list[int]:
        """Which examples batch ``number`` (from 0) holds."""
        first = number * self.size
        places = [divmod(place, len(self.lengths)) for place in range(first, first + self.size)]
        orders = {epoch: _order(self, epoch) for epoch, _ in places}
        return [int(orders[epoch][place]) for epoch, place in places]


@functools.lru_cache(maxsize=8)
def _order(passes: Passes, epoch: int) -> NDArray[np.int64]:
    """The order of one pass: its batches stand where `Passes.batch` cuts them."""
    count, size = len(passes.lengths), passes.size
    draw = np.random.default_rng(derive(passes.seed, "examples", epoch))
    order = draw.permutation(count)
    if passes.pool == 1:
        return order
    # The last batch of the pass before ends with the first examples of this one.
    begun = min(-epoch * count % size, count)
    lengths = np.asarray(passes.lengths)
    pools = np.split(order[begun:], range(size * passes.pool, count - begun, size * passes.pool))
    spread = np.concatenate([pool[lengths[pool].argsort(kind="stable")] for pool in pools])
    whole = len(spread) // size * size
    batches = draw.permutation(spread[:whole].reshape(-1, size))
    return np.concatenate((order[:begun], batches.ravel(), spread[whole:]))
