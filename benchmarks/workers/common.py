"""What workers of every environment share: threads, random tokens, the wait for a device. No adapterkit here."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
FIRST_WORD = 5
"""Ids below are special tokens in every backbone here; the last id is one in some."""


def prepare() -> None:
    """The thread count of all workers alike."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))


def waiting(device: str) -> Callable[[], None]:
    """What waits until ``device`` has computed all it was given."""
    return torch.cuda.synchronize if device.startswith("cuda") else lambda: None


def random_rows(rows: int, length: int, vocabulary: int, *, seed: int = 0) -> NDArray[np.int32]:
    """Ordinary tokens. Shape ``(rows, length)``."""
    generator = np.random.default_rng(seed)
    return generator.integers(FIRST_WORD, vocabulary - 1, (rows, length), dtype=np.int32)


def random_ids(spec: dict[str, Any], vocabulary: int) -> torch.Tensor:
    """A batch of ordinary tokens on the device of ``spec``. Shape ``(batch, length)``."""
    rows = random_rows(spec["batch"], spec["length"], vocabulary)
    return torch.from_numpy(rows.astype(np.int64)).to(spec.get("device", "cpu"))


def mask_at_random(
    ids: torch.Tensor, vocabulary: int, mask: int, generator: torch.Generator, share: float = 0.15
) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids with ``share`` of them hidden (80 % masked, 10 % random, 10 % kept), and targets.

    Args:
        ids: Ordinary tokens. Shape ``(batch, length)``.
        vocabulary: Number of tokens.
        mask: Id of the mask token.
        generator: Draws.
        share: Of tokens to predict; the same number in every batch.
    """
    count = round(share * ids.numel())
    chosen = torch.zeros(ids.numel(), dtype=torch.bool)
    chosen[torch.rand(ids.numel(), generator=generator).topk(count).indices] = True
    chosen = chosen.view_as(ids)
    fate = torch.rand(ids.shape, generator=generator)
    noise = torch.randint(FIRST_WORD, vocabulary - 1, ids.shape, generator=generator)
    hidden = torch.where(chosen & (fate < 0.8), mask, ids)
    hidden = torch.where(chosen & (fate >= 0.9), noise, hidden)
    return hidden, torch.where(chosen, ids, -100)
