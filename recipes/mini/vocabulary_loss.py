"""Cross entropy over the whole vocabulary with one pass over the logits, where matrix and features are trained."""

from typing import Any

import torch
from torch import Tensor

PIECE = 128
"""Positions at a time, so that their logits stay in the cache."""


class VocabularyLoss(torch.autograd.Function):
    """Mean cross entropy in nats; probabilities are computed in float32, products in the features' dtype."""

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, matrix: Tensor, bias: Tensor, targets: Tensor
    ) -> Tensor:
        """Loss and the gradient of the logits, which backward multiplies with.

        Args:
            ctx: Of autograd.
            features: Shape ``(positions, width)``.
            matrix: Shape ``(vocabulary, width)``.
            bias: Shape ``(vocabulary,)``.
            targets: Shape ``(positions,)``.
        """
        positions = len(features)
        slopes = features.new_empty(positions, len(matrix))
        total = torch.zeros((), dtype=torch.float32)
        for begin in range(0, positions, PIECE):
            some = slice(begin, begin + PIECE)
            logits = torch.addmm(bias, features[some], matrix.t()).float()
            where = torch.arange(len(logits)), targets[some]
            highest = logits.amax(1, keepdim=True)
            picked = logits[where] - highest[:, 0]
            logits.sub_(highest).exp_()
            sums = logits.sum(1, keepdim=True)
            total += (sums[:, 0].log() - picked).sum()
            logits.mul_(1 / (sums * positions))
            logits[where] -= 1 / positions
            slopes[some] = logits
        ctx.save_for_backward(features, matrix, slopes)
        return total / positions

    @staticmethod
    def backward(ctx: Any, *slope: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """Gradients of features, matrix and bias."""
        features, matrix, slopes = ctx.saved_tensors
        factor = slope[0].to(features.dtype)
        slopes = slopes * factor
        return slopes @ matrix, slopes.t() @ features, slopes.sum(0), None
