"""Rows: another composition for each row of a batch, in one pass through the backbone."""

from collections.abc import Sequence
from typing import Any

from adapterkit.composition.base import Composition, Value, check_children, shared_head
from adapterkit.errors import ConfigError
from adapterkit.nn.bottleneck import Coupling
from adapterkit.nn.embedding_rows import RowDeltas
from adapterkit.nn.groups import Groups
from adapterkit.nn.heads import Head
from adapterkit.nn.low_rank import Patch
from adapterkit.nn.mixing import by_composition
from adapterkit.nn.sites import Node


class Rows(Value):
    """Several compositions, of which each row of a batch names one: ``model.encode(..., rows=[0, 1, 1])``.

    Invertible part, embedding rows, bottlenecks, low-rank parts and head are each row's own; the result is the same as
    running the rows apart.

    Args:
        parts: Adapters, stacks, averages or fuses.
    """

    __slots__ = ()

    def __init__(self, parts: Sequence[Composition]) -> None:
        if isinstance(parts, Value) or not isinstance(parts, Sequence):
            raise ConfigError("Rows take a list: Rows([Stack(a, b), Stack(c, d)])")
        check_children("Rows", parts, ("Adapter", "Stack", "Average", "Fuse"))
        if not parts:
            raise ConfigError("Rows need at least one composition")
        self._set(tuple(parts))

    def __reduce__(self) -> tuple[Any, ...]:
        return (Rows, (list(self.parts),))

    @property
    def invertible(self) -> Coupling | None:
        """None: each row has its own (`invertibles`)."""
        return None

    @property
    def invertibles(self) -> tuple[Coupling | None, ...]:
        """The coupling of each composition."""
        return tuple(part.invertible for part in self.parts)

    @property
    def embedding_rows(self) -> RowDeltas | None:
        """None: each row of the batch has its own (`row_embeddings`)."""
        return None

    @property
    def row_embeddings(self) -> tuple[RowDeltas | None, ...]:
        """The embedding rows of each composition."""
        return tuple(part.embedding_rows for part in self.parts)

    @property
    def head(self) -> Head | None:
        """The head that all compositions share; None where they differ (`heads`)."""
        return shared_head(self.parts)

    @property
    def heads(self) -> tuple[Head | None, ...]:
        """The head of each composition."""
        return tuple(part.head for part in self.parts)

    def node(self, place: str, layer: int) -> Node | None:
        """Refused: without row numbers there is nothing to do (see `bound`)."""
        raise ConfigError(
            "this model has a composition per row: say rows=[...], a number for each row"
        )

    def bound(self, place: str, layer: int, groups: Groups) -> Node | None:
        """What its compositions do at ``place`` of ``layer`` for rows of these groups."""
        nodes: list[Node | None] = [None] * len(self.parts)
        for number in groups.used:
            nodes[number] = self.parts[number].node(place, layer)
        return by_composition(nodes, groups)

    def patch(self, path: str) -> Patch | None:
        """None: each row has its own (`row_patches`)."""
        return None

    def row_patches(self, path: str) -> tuple[Patch | None, ...]:
        """What each composition does to the linear layer at ``path``."""
        return tuple(part.patch(path) for part in self.parts)
