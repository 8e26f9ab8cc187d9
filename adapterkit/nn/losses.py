"""Losses over logits, and over features whose logits would be too large to keep."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

ROWS, LOGITS = 1024, 2**21
"""Features and logits at once in `frozen_cross_entropy`: 8 MB of logits, most of which stay in a cache."""


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross entropy in float32 (float64 over float64 logits), a scalar.

    Args:
        logits: Shape ``(n, labels)``.
        targets: Label numbers, -100 where there is none. Shape ``(n,)``.
    """
    return functional.cross_entropy(_wide(logits), targets, ignore_index=-100)


def frozen_cross_entropy(
    features: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor
) -> Tensor:
    """Mean cross entropy of ``features @ weight.T + bias``, a scalar, without ever holding all logits.

    The matrix is frozen, so the gradient of the features is all that backward needs; it is summed up in the
    same pass over the vocabulary as the loss, with a running maximum (Milakov & Gimelshein, 2018, "Online
    normalizer calculation for softmax"). The peak grows with neither the vocabulary nor the batch.

    Args:
        features: Shape ``(n, width)``.
        weight: Frozen. Shape ``(vocabulary, width)``.
        bias: Frozen. Shape ``(vocabulary,)``.
        targets: Token ids. Shape ``(n,)``.
    """
    loss: Tensor = _FrozenCrossEntropy.apply(features, weight, bias, targets)  # type: ignore[no-untyped-call]
    return loss


@dataclass(frozen=True)
class SomePieces:
    """Some rows of a frozen vocabulary matrix, cut out once: a loss over these pieces only.

    Its softmax is that of all logits under the condition that the token is one of these pieces, so it is never
    above the loss over the whole vocabulary, and not comparable with it.

    Attributes:
        weight: Shape ``(pieces, width)``.
        bias: Shape ``(pieces,)``.
        places: Which row each token id has; ``pieces`` where it has none, so that asking for it is an
            error. Shape ``(vocabulary,)``.
    """

    weight: Tensor
    bias: Tensor | None
    places: Tensor

    @classmethod
    def of(cls, weight: Tensor, bias: Tensor | None, ids: Tensor) -> "SomePieces":
        """Cut out the rows of ``ids``.

        Args:
            weight: The whole matrix. Shape ``(vocabulary, width)``.
            bias: Shape ``(vocabulary,)``.
            ids: Each token id once. Shape ``(pieces,)``.
        """
        ids = ids.to(weight.device)
        places = torch.full((len(weight),), len(ids), device=weight.device)
        places[ids] = torch.arange(len(ids), device=weight.device)
        return cls(weight[ids], None if bias is None else bias[ids], places)

    def cross_entropy(self, features: Tensor, targets: Tensor) -> Tensor:
        """`frozen_cross_entropy` over these pieces, a scalar.

        Args:
            features: Shape ``(n, width)``.
            targets: Token ids, all of them among the pieces. Shape ``(n,)``.
        """
        return frozen_cross_entropy(features, self.weight, self.bias, self.places[targets])


class _FrozenCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, features: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor
    ) -> Tensor:
        wanted = ctx.needs_input_grad[0]
        losses, gradients = [], []
        for start in range(0, len(features), ROWS):
            rows = slice(start, start + ROWS)
            loss, gradient = _rows(features[rows], weight, bias, targets[rows], gradient=wanted)
            losses.append(loss)
            gradients.append(gradient)
        if wanted:
            whole = torch.cat(gradients) / len(features)
            ctx.save_for_backward(whole.to(features.dtype))
        return torch.cat(losses).mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * grad.to(gradient.dtype), None, None, None


def _rows(
    h: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, *, gradient: bool
) -> tuple[Tensor, Tensor]:
    """Loss of each row, shape ``(n,)``, and its gradient, ``(n, width)``."""
    wide = _wide(h).dtype
    top = torch.full((len(h), 1), -torch.inf, dtype=wide, device=h.device)
    total = torch.zeros_like(top)
    mean = torch.zeros(h.shape, dtype=wide, device=h.device)
    columns = min(16384, max(1024, LOGITS // len(h)))
    rough, exact = (
        torch.empty(len(h) * columns, dtype=d, device=h.device) for d in (h.dtype, wide)
    )
    for start in range(0, len(weight), columns):
        part = weight[start : start + columns]
        size = len(h), len(part)
        # Into the same memory each time: fresh pages cost as much as the sums themselves.
        low, logits = (flat[: size[0] * size[1]].view(size) for flat in (rough, exact))
        logits.copy_(torch.mm(h, part.t(), out=low))
        if bias is not None:
            logits.add_(bias[start : start + columns])
        above = torch.maximum(top, logits.amax(-1, keepdim=True))
        shrink = (top - above).exp_()
        logits.sub_(above).exp_()
        total.mul_(shrink).add_(logits.sum(-1, keepdim=True))
        if gradient:
            mean.mul_(shrink).add_(low.copy_(logits) @ part)
        top = above
    rows = weight[targets]
    right = (_wide(h) * _wide(rows)).sum(-1)
    right = right if bias is None else right + _wide(bias[targets])
    loss = (top + total.log()).squeeze(-1) - right
    return loss, mean.div_(total).sub_(rows) if gradient else mean


def _wide(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()
