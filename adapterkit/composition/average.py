"""An average: what several adapters make of the same input, weighed."""

from collections.abc import Iterable
from typing import Any

from adapterkit.composition.base import Composition, Value, check_children, number_of, shared_head
from adapterkit.errors import ConfigError
from adapterkit.nn.bottleneck import Coupling, MeanCoupling
from adapterkit.nn.embedding_rows import MeanRows, RowDeltas
from adapterkit.nn.heads import Head
from adapterkit.nn.low_rank import Patch, PatchMean
from adapterkit.nn.sites import Mean, Node


class Average(Value):
    """Outputs of adapters or stacks, averaged at every place, with weights that sum to one.

    Invertible parts are averaged inside the coupling, so that the inverse stays exact; embedding rows are
    averaged as values, over all pieces that any part has a row for. A part that has nothing at some layer,
    or no row for a piece, counts there with no change.

    Args:
        parts: Adapters, stacks or averages.
        weights: One for each; by default equal.

    Raises:
        ConfigError: If the weights do not match the parts, are not finite, or do not sum to one.

    Source: Wang et al. (2021), "Efficient Test Time Adapter Ensembling"; unlike AdapterHub, which divides by
    the number of adapters twice.
    """

    __slots__ = ("weights",)
    weights: tuple[float, ...]

    def __init__(self, *parts: Composition, weights: tuple[float, ...] | None = None) -> None:
        check_children("Average", parts, ("Adapter", "Stack", "Average"))
        if not parts:
            raise ConfigError("an Average needs at least one adapter")
        shares = (1 / len(parts),) * len(parts) if weights is None else _shares(weights)
        if len(shares) != len(parts):
            raise ConfigError(
                f"an Average of {len(parts)} parts needs as many weights, got {shares}"
            )
        if abs(sum(shares) - 1) > 1e-6:
            raise ConfigError(
                f"the weights of an Average must sum to one, {shares} sum to {sum(shares):g}"
            )
        self._set(tuple(parts))
        object.__setattr__(self, "weights", shares)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (self.parts, self.weights))

    @property
    def invertible(self) -> Coupling | None:
        """The averaged coupling; None if no part has one."""
        there = [
            (part.invertible, weight)
            for part, weight in zip(self.parts, self.weights, strict=True)
            if part.invertible is not None
        ]
        return MeanCoupling(*zip(*there, strict=True)) if there else None

    @property
    def embedding_rows(self) -> RowDeltas | None:
        """The weighted sum of the parts' rows; None if no part has any."""
        there = [
            (part.embedding_rows, weight)
            for part, weight in zip(self.parts, self.weights, strict=True)
            if part.embedding_rows is not None
        ]
        return MeanRows(*zip(*there, strict=True)) if there else None

    @property
    def head(self) -> Head | None:
        """The parts' head, where all carry the same one; else None."""
        return shared_head(self.parts)

    def node(self, place: str, layer: int) -> Node | None:
        """The average of what its parts do at ``place`` of ``layer``."""
        nodes = tuple(part.node(place, layer) for part in self.parts)
        return Mean(nodes, self.weights) if any(node is not None for node in nodes) else None

    def patch(self, path: str) -> Patch | None:
        """The average of what its parts do to the linear layer at ``path``."""
        found = tuple(part.patch(path) for part in self.parts)
        return PatchMean(found, self.weights) if any(patch is not None for patch in found) else None

    def content(self) -> tuple[object, ...]:
        """What it is compared by: weights too."""
        return (*super().content(), self.weights)


def _shares(weights: object) -> tuple[float, ...]:
    given = list(weights) if isinstance(weights, Iterable) else [weights]
    shares = [share for share in map(number_of, given) if share is not None]
    if len(shares) < len(given) or not isinstance(weights, Iterable):
        raise ConfigError(
            f"the weights of an Average are finite numbers, one a part, got {weights!r:.120}"
        )
    return tuple(shares)


def _rebuild(parts: tuple[Composition, ...], weights: tuple[float, ...]) -> Average:
    return Average(*parts, weights=weights)
