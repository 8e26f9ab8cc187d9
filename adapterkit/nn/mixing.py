"""What the rows of a mixed batch do at one place: each its own composition's part, and in common what they share.

Bottlenecks of one shape are multiplied side by side: norm, activation and sum run once for the whole batch, and only
the products are each row's own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapterkit.nn.bottleneck import Bottleneck
from adapterkit.nn.groups import Groups, Where, by_row
from adapterkit.nn.sites import Chain, Here, Node


@dataclass(frozen=True)
class ByRow:
    """Another node for each row of the batch; None is a node that changes nothing here.

    Attributes:
        nodes: One for each composition.
        groups: Which composition each row has.
    """

    nodes: tuple[Node | None, ...]
    groups: Groups

    def __call__(self, x: Tensor, here: Here) -> Tensor:
        """Refine ``x``, shape ``(batch, length, width)``."""

        def apply(number: int, rows: Where) -> Tensor:
            node = self.nodes[number]
            return x[rows] if node is None else node(x[rows], here.rows(rows))

        return by_row(x, self.groups, apply)


class GroupedLinear(nn.Module):
    """Linear layers of one shape, another one for each composition.

    Args:
        layers: One for each composition; None where a composition does not occur.
        groups: Which composition each row has; rows of one stand side by side.
    """

    def __init__(self, layers: Sequence[nn.Linear | None], groups: Groups) -> None:
        super().__init__()
        # A plain tuple on purpose: the weights belong to the adapters they came with.
        self.layers = tuple(layers)
        self.groups = groups
        first = self._layer(groups.used[0])
        self.weight, self.bias, self.out_features = first.weight, first.bias, first.out_features

    def forward(self, x: Tensor) -> Tensor:
        """From ``(batch, length, in)`` to ``(batch, length, out)``, in the dtype of ``x``."""
        if torch.is_grad_enabled():
            return by_row(x, self.groups, lambda number, rows: self._one(number, x[rows]))
        out = x.new_empty(*x.shape[:-1], self.out_features)
        for layer, mine, read in self._pieces(out, x):
            weight, bias = layer.weight.to(x.dtype), layer.bias.to(x.dtype)
            torch.addmm(bias, read, weight.t(), out=mine)
        return out

    def onto(self, other: Tensor, x: Tensor) -> Tensor:
        """``other`` plus what `forward` gives, without a gradient. Shape ``(batch, length, out)``."""
        out = torch.empty_like(other, memory_format=torch.contiguous_format)
        for layer, mine, read, before in self._pieces(out, x, other):
            torch.add(before, layer.bias, out=mine)
            mine.addmm_(read, layer.weight.t())
        return out

    def _pieces(self, *batches: Tensor) -> Iterator[tuple[Any, ...]]:
        """Each layer with its rows of ``batches``, as matrices: cut in one go, as there may be hundreds."""
        runs = self.groups.slices
        assert runs is not None
        tokens = batches[0].shape[1:-1].numel()  # of a row
        sizes = [(stop - start) * tokens for start, stop, _ in runs]
        layers = [self._layer(number) for _, _, number in runs]
        return zip(
            layers, *(torch.split(one.flatten(0, -2), sizes) for one in batches), strict=True
        )

    def _one(self, number: int, x: Tensor) -> Tensor:
        layer = self._layer(number)
        return functional.linear(x, layer.weight.to(x.dtype), layer.bias.to(x.dtype))

    def _layer(self, number: int) -> nn.Linear:
        layer = self.layers[number]
        assert layer is not None
        return layer


def by_composition(nodes: Sequence[Node | None], groups: Groups) -> Node | None:
    """A node for a mixed batch: what all rows share is done once, for all of them.

    Args:
        nodes: What each composition does here.
        groups: Which composition each row has.
    """
    used = [nodes[number] for number in groups.used]
    if all(node is used[0] for node in used):
        return used[0] if used else None
    chains = [node.nodes for node in used if isinstance(node, Chain)]
    if len(chains) == len(used) and len({len(chain) for chain in chains}) == 1:
        steps = []
        for step in range(len(chains[0])):
            column: list[Node | None] = [None] * len(nodes)
            for number, chain in zip(groups.used, chains, strict=True):
                column[number] = chain[step]
            node = by_composition(column, groups)
            assert node is not None
            steps.append(node)
        return Chain(tuple(steps))
    return _side_by_side(nodes, groups) or ByRow(tuple(nodes), groups)


def _side_by_side(nodes: Sequence[Node | None], groups: Groups) -> Node | None:
    """One bottleneck for rows of different adapters, if these have one shape; else None."""
    blocks = [nodes[number] for number in groups.used]
    first = blocks[0]
    if not isinstance(first, Bottleneck) or groups.slices is None:
        return None
    shape = _shape(first)
    if not _is_plain(first) or any(
        not isinstance(block, Bottleneck) or _shape(block) != shape for block in blocks
    ):
        return None
    pairs = [node.products if isinstance(node, Bottleneck) else (None, None) for node in nodes]
    return first.over(
        GroupedLinear([down for down, _ in pairs], groups),
        GroupedLinear([up for _, up in pairs], groups),
    )


def _shape(block: Bottleneck) -> tuple[object, ...]:
    down, _ = block.products
    return block.config.arithmetic, down.in_features, down.out_features, down.weight.dtype


def _is_plain(block: Bottleneck) -> bool:
    """Whether its two products are all that it has of its own."""
    own = (block.norm_before, block.norm_after, block.gate, block.scale)
    return all(part is None for part in own)
