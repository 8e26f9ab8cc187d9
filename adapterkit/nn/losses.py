"""Losses over logits, and over features whose logits would be too large to keep."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from adapterkit.nn.embedding_rows import RowTable

ROWS, LOGITS = 1024, 2**21
"""Features and logits at once in `frozen_cross_entropy`: 8 MB of logits, most of which stay in a cache."""
KEPT = 2**24
"""Logits of pieces with a trained row that are kept at once: 64 MB."""


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross entropy in float32 (float64 over float64 logits), a scalar; of no targets it is 0.

    Args:
        logits: Shape ``(n, labels)``.
        targets: Label numbers, -100 where there is none. Shape ``(n,)``.
    """
    if not len(logits):
        return _wide(logits).sum()
    total = functional.cross_entropy(_wide(logits), targets, ignore_index=-100, reduction="sum")
    return total / (targets != -100).sum().clamp(min=1)  # torch's own mean of none is no number


def binary_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean binary cross entropy in float32 (float64 over float64 logits), a scalar.

    Args:
        logits: Any shape.
        targets: 1 or 0 for each logit. The same shape.
    """
    wide = _wide(logits)
    return functional.binary_cross_entropy_with_logits(wide, targets.to(wide.dtype))


def frozen_cross_entropy(
    features: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    rows: RowTable | None = None,
) -> Tensor:
    """Mean cross entropy of ``features @ weight.T + bias``, a scalar, without ever holding all logits.

    The matrix is frozen, so the gradient of the features is all that backward needs; it is summed up in the
    same pass over the vocabulary as the loss, with a running maximum (Milakov & Gimelshein, 2018, "Online
    normalizer calculation for softmax"). The peak grows with neither the vocabulary nor the batch.

    With ``rows`` the loss is that over the matrix with these deltas added to its rows, and backward gives
    theirs too. Neither a changed matrix nor a gradient of its shape is made; what is kept beside are the
    logits of the pieces that have a delta, at most `KEPT` at once.

    Args:
        features: Shape ``(n, width)``; of none the loss is 0.
        weight: Frozen. Shape ``(vocabulary, width)``.
        bias: Frozen. Shape ``(vocabulary,)``.
        targets: Token ids. Shape ``(n,)``.
        rows: Deltas on some rows of ``weight``; their ids are rows of it.
    """
    ids, deltas = (None, None) if rows is None or not len(rows.ids) else rows
    if not len(features):  # nothing to learn from, and still a loss with a gradient: of zeros
        return _wide(features).sum() + (0 if deltas is None else 0 * _wide(deltas).sum())
    with torch.autocast(features.device.type, enabled=False):  # it chooses dtypes itself
        features = features.to(weight.dtype)
        loss: Tensor = _FrozenCrossEntropy.apply(features, weight, bias, targets, ids, deltas)  # type: ignore[no-untyped-call]
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

    def cross_entropy(
        self, features: Tensor, targets: Tensor, rows: RowTable | None = None
    ) -> Tensor:
        """`frozen_cross_entropy` over these pieces, a scalar.

        Args:
            features: Shape ``(n, width)``.
            targets: Token ids, all of them among the pieces. Shape ``(n,)``.
            rows: Deltas by token id; those of other pieces do not count.
        """
        here = None if rows is None else self._own(rows)
        return frozen_cross_entropy(features, self.weight, self.bias, self.places[targets], here)

    def _own(self, rows: RowTable) -> RowTable:
        """Deltas by the number of the piece."""
        places, order = self.places[rows.ids].sort()
        count = int((places < len(self.weight)).sum())
        return RowTable(places[:count], rows.deltas.index_select(0, order[:count]))


class _FrozenCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        ids: Tensor | None,
        deltas: Tensor | None,
    ) -> Tensor:
        wanted, trained = ctx.needs_input_grad[0], ctx.needs_input_grad[5]
        table = None if ids is None or deltas is None else RowTable(ids, deltas)
        total = None if table is None or not trained else torch.zeros_like(table.deltas)
        size = ROWS if table is None else max(1, min(ROWS, KEPT // len(table.ids)))
        losses, gradients = [], []
        for start in range(0, len(features), size):
            h = features[start : start + size]
            change = None if table is None else _Change(h, table, len(weight), keep=trained)
            loss, gradient = _rows(
                h, weight, bias, targets[start : start + size], change, total, gradient=wanted
            )
            losses.append(loss)
            gradients.append(gradient)
        whole = (torch.cat(gradients) / len(features)).to(features.dtype) if wanted else None
        ctx.save_for_backward(whole, None if total is None else total / len(features))
        return torch.cat(losses).mean()

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor | None, None, None, None, None, Tensor | None]:
        gradient, deltas = (
            None if one is None else one * grad.to(one.dtype) for one in ctx.saved_tensors
        )
        return gradient, None, None, None, None, deltas


class _Change:
    """Deltas on some rows of the matrix, in one pass over it.

    Args:
        h: Features. Shape ``(n, width)``.
        table: The deltas.
        vocabulary: Rows of the matrix.
        keep: Whether the logits of the changed rows are kept, for the deltas' gradient.
    """

    def __init__(self, h: Tensor, table: RowTable, vocabulary: int, *, keep: bool) -> None:
        self.h, self.table = h, table
        self.deltas = table.deltas.to(h.dtype)
        self.columns = _columns(h)
        starts = torch.arange(0, vocabulary + self.columns, self.columns, device=h.device)
        self.bounds: list[int] = torch.searchsorted(table.ids, starts).tolist()
        shape = len(h), len(table.ids) if keep else 0
        self.logits = torch.empty(shape, dtype=_wide(h).dtype, device=h.device)

    def _here(self, start: int) -> tuple[slice, Tensor]:
        """Which deltas the piece of the vocabulary from ``start`` on has, and in which of its columns."""
        number = start // self.columns
        here = slice(self.bounds[number], self.bounds[number + 1])
        return here, self.table.ids[here] - start

    def onto(self, logits: Tensor, start: int) -> None:
        """Add what the deltas change in a piece of the logits, shape ``(n, columns)``."""
        here, columns = self._here(start)
        logits.index_add_(1, columns, (self.h @ self.deltas[here].t()).to(logits.dtype))
        if self.logits.numel():
            self.logits[:, here] = logits.index_select(1, columns)

    def mean(self, shares: Tensor, start: int) -> Tensor:
        """The sum of deltas, by the shares of their pieces, shape ``(n, columns)``. Shape ``(n, width)``."""
        here, columns = self._here(start)
        return shares.index_select(1, columns) @ self.deltas[here]

    def gradient(self, top: Tensor, total: Tensor, targets: Tensor) -> Tensor:
        """The deltas' gradient of the summed loss, from the softmax's maximum and sum. Shape ``(rows, width)``."""
        shares = self.logits.sub_(top).exp_().div_(total)
        places, there = self.table.places(targets)
        # Each feature has one target, so no place is met twice.
        shares[there.nonzero().squeeze(-1), places[there]] -= 1
        return shares.to(self.h.dtype).t() @ self.h


def _columns(h: Tensor) -> int:
    """Rows of the vocabulary in one piece."""
    return min(16384, max(1024, LOGITS // len(h)))


def _rows(
    h: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    change: _Change | None,
    trained: Tensor | None,
    *,
    gradient: bool,
) -> tuple[Tensor, Tensor]:
    """Loss of each row, shape ``(n,)``, and its gradient, ``(n, width)``; adds the deltas' to ``trained``."""
    wide = _wide(h).dtype
    top = torch.full((len(h), 1), -torch.inf, dtype=wide, device=h.device)
    total = torch.zeros_like(top)
    mean = torch.zeros(h.shape, dtype=wide, device=h.device)
    columns = _columns(h)
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
        if change is not None:
            change.onto(logits, start)
        above = torch.maximum(top, logits.amax(-1, keepdim=True))
        shrink = (top - above).exp_()
        logits.sub_(above).exp_()
        total.mul_(shrink).add_(logits.sum(-1, keepdim=True))
        if gradient:
            mean.mul_(shrink).add_(low.copy_(logits) @ part)
            mean = mean if change is None else mean.add_(change.mean(low, start))
        top = above
    rows = _wide(weight[targets])
    rows = rows if change is None else rows + change.table.of(targets).to(wide)
    right = (_wide(h) * rows).sum(-1)
    right = right if bias is None else right + _wide(bias[targets])
    loss = (top + total.log()).squeeze(-1) - right
    if change is not None and trained is not None:
        trained.add_(change.gradient(top, total, targets))
    return loss, mean.div_(total).sub_(rows) if gradient else mean


def _wide(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()
