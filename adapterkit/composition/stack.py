"""A stack: adapters in the order in which a layer's output passes them."""

from collections.abc import Iterator

from adapterkit.composition.adapter import Adapter
from adapterkit.composition.base import Composition, Value, check_children
from adapterkit.errors import ConfigError
from adapterkit.nn.bottleneck import Coupling
from adapterkit.nn.embedding_rows import RowDeltas
from adapterkit.nn.heads import Head
from adapterkit.nn.low_rank import Patch, PatchChain
from adapterkit.nn.sites import Chain, Node


class Stack(Value):
    """An immutable sequence: first the language, then (a domain, then) the task.

    ``Stack()`` is the bare backbone. Its parts are adapters, an `Average` or a `Fuse`; a `Stack`
    inside a `Stack` is the same as its parts in its place. Another language is another ``Stack``;
    nothing is switched. Two stacks are equal when their adapters' weights and shapes are.

    Raises:
        ConfigError: If something else stands in it, or more than one of its parts has embedding rows.

    Source: Pfeiffer et al. (2020), "MAD-X".
    """

    __slots__ = ()

    def __init__(self, *parts: Composition) -> None:
        check_children("Stack", parts, ("Adapter", "Stack", "Average", "Fuse"))
        flat: list[Composition] = []
        for part in parts:
            flat.extend(part.parts if isinstance(part, Stack) else (part,))
        _check_rows(flat)
        self._set(tuple(flat))

    def __iter__(self) -> Iterator[Adapter]:
        return iter(self.adapters)

    def __len__(self) -> int:
        return len(self.adapters)

    @property
    def invertible(self) -> Coupling | None:
        """The coupling on the embeddings: the first part's, as AdapterHub has it."""
        return self.parts[0].invertible if self.parts else None

    @property
    def embedding_rows(self) -> RowDeltas | None:
        """The rows of the one part that has some."""
        return next((p.embedding_rows for p in self.parts if p.embedding_rows is not None), None)

    @property
    def head(self) -> Head | None:
        """The head that the last part carries."""
        return self.parts[-1].head if self.parts else None

    def node(self, place: str, layer: int) -> Node | None:
        """What its parts do at ``place`` of ``layer``; those that have nothing there are passed over."""
        nodes = tuple(node for part in self.parts if (node := part.node(place, layer)) is not None)
        return Chain(nodes) if nodes else None

    def patch(self, path: str) -> Patch | None:
        """What its parts do to the linear layer at ``path``, one after the other."""
        found = tuple(patch for part in self.parts if (patch := part.patch(path)) is not None)
        return PatchChain(found) if found else None


def _check_rows(parts: list[Composition]) -> None:
    having = [
        ", ".join(repr(adapter.name) for adapter in part.adapters)
        for part in parts
        if part.embedding_rows is not None
    ]
    if len(having) > 1:
        raise ConfigError(
            f"a Stack can hold one part with embedding rows, here are {len(having)}: {'; '.join(having)}\n"
            "Each was trained on the backbone's own rows. Take adapter.without_embedding_rows() of all but one, "
            "or average the adapters: Average(a, b)."
        )
