"""Losses over logits."""

import torch
from torch import Tensor
from torch.nn import functional


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross entropy in float32 (float64 over float64 logits), a scalar.

    Args:
        logits: Shape ``(n, labels)``.
        targets: Label numbers, -100 where there is none. Shape ``(n,)``.
    """
    wide = logits if logits.dtype == torch.float64 else logits.float()
    return functional.cross_entropy(wide, targets, ignore_index=-100)
