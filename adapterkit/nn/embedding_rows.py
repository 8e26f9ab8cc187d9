"""Embedding rows: what a language adapter changes in the rows of some pieces of the frozen vocabulary.

An adapter with embedding rows computes as if its deltas were added to these rows of the backbone's embedding matrix:
on the way in, where a piece is looked up, and, where the vocabulary matrix of the masked-LM head is the same matrix (tied),
in the logits too. An untied vocabulary matrix stays as it is. No copy of the matrix is ever made. Where the hooks go is
decided in `hooking`; the loss that trains deltas without all logits is in `losses`.

Related: Artetxe et al. (2020), "On the Cross-lingual Transferability of Monolingual Representations", and Pfeiffer et al.
(2021), "UNKs Everywhere", train whole new matrices; these are differences on the pieces that a corpus uses.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapterkit.errors import ConfigError
from adapterkit.nn.groups import Groups, Where, by_row
from adapterkit.nn.sites import Caught


class RowTable(NamedTuple):
    """Deltas by token id.

    Attributes:
        ids: Token ids, each once, in rising order, 64 bits. Shape ``(rows,)``.
        deltas: What is added to the row of each. Shape ``(rows, width)``.
    """

    ids: Tensor
    deltas: Tensor

    def places(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """The row of each token, and whether it has one (else the row means nothing), shaped as ``tokens``."""
        places = torch.searchsorted(self.ids, tokens.contiguous()).clamp_(max=len(self.ids) - 1)
        return places, self.ids[places] == tokens

    def of(self, tokens: Tensor) -> Tensor:
        """The delta of each token, zero where it has none. Shape ``(*tokens.shape, width)``."""
        places, there = self.places(tokens)
        return functional.embedding(places, self.deltas) * there.unsqueeze(-1)

    def onto(self, logits: Tensor, features: Tensor) -> Tensor:
        """Logits over the changed vocabulary, from those over the frozen one.

        Args:
            logits: Shape ``(..., vocabulary)``.
            features: What was multiplied with the vocabulary matrix. Shape ``(..., width)``.
        """
        change = functional.linear(features, self.deltas.to(features.dtype))
        return logits.index_add(-1, self.ids, change.to(logits.dtype))


class EmbeddingRows(nn.Module):
    """Token ids and the delta of each, starting at zero.

    ``rows.half()`` halves what its file takes; it runs in its model's precision all the same.

    Args:
        ids: Token ids, each once, in rising order. Shape ``(rows,)``.
        width: Width of the backbone.

    Raises:
        ConfigError: If there are none, or they are in another order.
    """

    ids: Tensor

    def __init__(self, ids: Tensor, width: int) -> None:
        super().__init__()
        if not len(ids) or int(ids[0]) < 0 or not bool((ids[1:] > ids[:-1]).all()):
            raise ConfigError(
                "embedding rows: token ids must be 0 or more, in rising order, each once, and at least one"
            )
        self.register_buffer("ids", ids.to(torch.int32))
        self.deltas = nn.Parameter(torch.zeros(len(ids), width, device=ids.device))

    def __len__(self) -> int:
        return len(self.ids)

    def table(self) -> RowTable:
        """Its deltas by token id."""
        return RowTable(self.ids.long(), self.deltas)

    @torch.no_grad()
    def take(self, table: RowTable) -> None:
        """Take over the deltas of those of its own ids that ``table`` has, and zero for the others."""
        self.deltas.copy_(RowTable(*(part.to(self.deltas.device) for part in table)).of(self.ids))


class MeanRows:
    """A weighted sum over the union of the parts' ids; a part without a row for an id counts there as no change.

    Args:
        parts: Embedding rows, or sums of them.
        weights: One for each.
    """

    def __init__(self, parts: Sequence["RowDeltas"], weights: Sequence[float]) -> None:
        self.parts = tuple(parts)
        self.weights = tuple(weights)

    def table(self) -> RowTable:
        """The sum, computed anew each time, so that gradients reach the parts."""
        return weighed([part.table() for part in self.parts], self.weights)


RowDeltas = EmbeddingRows | MeanRows


def weighed(tables: Sequence[RowTable], weights: Sequence[float]) -> RowTable:
    """The weighted sum of deltas over the union of ids.

    Args:
        tables: At least one.
        weights: One for each.
    """
    ids = torch.unique(torch.cat([table.ids for table in tables]))
    first = tables[0].deltas
    total = first.new_zeros(len(ids), first.shape[1])
    for table, weight in zip(tables, weights, strict=True):
        total = total.index_add(0, torch.searchsorted(ids, table.ids), table.deltas * weight)
    return RowTable(ids, total)


class LookupSite:
    """Forward hook on the word-embedding module: adds the delta of each token that has one, before any norm.

    Args:
        rows: One for each composition; None where one has none.
        groups: Which composition each row of the batch has; None where there is only one.
    """

    def __init__(self, rows: Sequence[RowDeltas | None], groups: Groups | None) -> None:
        self.rows = tuple(rows)
        self.groups = groups

    def __call__(self, module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
        """From token ids ``(batch, length)`` and their embeddings ``(batch, length, width)`` to changed ones."""
        # Some models (Gemma) look up multiples of the matrix's rows.
        scale = getattr(module, "embed_scale", 1.0)

        def one(number: int, tokens: Tensor, found: Tensor) -> Tensor:
            rows = self.rows[number]
            return found if rows is None else found + _scaled(rows.table().of(tokens), scale, found)

        if self.groups is None:
            return one(0, args[0], output)
        return by_row(output, self.groups, lambda n, where: one(n, args[0][where], output[where]))


def _scaled(deltas: Tensor, scale: Any, like: Tensor) -> Tensor:
    factor = scale.to(like.dtype) if isinstance(scale, Tensor) else float(scale)
    return (deltas * factor).to(like.dtype)


class LogitsSite:
    """Forward hook on what gives logits over the tied vocabulary: adds the features' products with the deltas.

    Args:
        rows: One for each composition; None where one has none.
        groups: Which composition each row of the batch has; None where there is only one.
        caught: Where the features come from; by default they are the hooked module's input.
    """

    def __init__(
        self, rows: Sequence[RowDeltas | None], groups: Groups | None, caught: Caught | None = None
    ) -> None:
        self.rows = tuple(rows)
        self.groups = groups
        self.caught = caught

    def __call__(self, module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
        """Change logits. Shape ``(batch, ..., vocabulary)``."""
        features = args[0] if self.caught is None else self.caught.take()
        assert features is not None

        def one(number: int, where: Where) -> Tensor:
            rows = self.rows[number]
            logits = output[where]
            return logits if rows is None else rows.table().onto(logits, features[where])

        if self.groups is None:
            return one(0, slice(None))
        return by_row(output, self.groups, one)


class CatchOutput:
    """Forward hook that catches a module's output, for a hook on a later module."""

    def __init__(self, caught: Caught) -> None:
        self.caught = caught

    def __call__(self, module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        """Keep the output. Shape ``(batch, ..., width)``."""
        self.caught.put(output)
