"""A stack: adapters in the order in which a layer's output passes them."""

from collections.abc import Iterator

import torch

from adapterkit.composition.adapter import Adapter
from adapterkit.config import BackboneFacts
from adapterkit.errors import ConfigError
from adapterkit.nn.bottleneck import Nice
from adapterkit.nn.heads import Head


class Stack:
    """An immutable sequence of adapters: first the language, then (a domain, then) the task.

    ``Stack()`` is the bare backbone. Another language is another ``Stack``; nothing is switched.
    Two stacks are equal when their adapters' weights and shapes are.

    Source: Pfeiffer et al. (2020), "MAD-X".
    """

    __slots__ = ("adapters",)
    adapters: tuple[Adapter, ...]

    def __init__(self, *adapters: Adapter) -> None:
        for item in adapters:
            if not isinstance(item, Adapter):
                raise ConfigError(
                    f"a Stack holds adapters, not {type(item).__name__} ({item!r:.60}); "
                    "load one with ak.load_adapter(folder)"
                )
        object.__setattr__(self, "adapters", tuple(adapters))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a Stack cannot be changed; make another one")

    def __iter__(self) -> Iterator[Adapter]:
        return iter(self.adapters)

    def __len__(self) -> int:
        return len(self.adapters)

    def __repr__(self) -> str:
        return f"Stack({', '.join(adapter.name for adapter in self.adapters)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stack) and self._content() == other._content()

    def __hash__(self) -> int:
        return hash(self._content())

    def __reduce__(self) -> tuple[type["Stack"], tuple[Adapter, ...]]:
        return (Stack, self.adapters)

    def _content(self) -> tuple[tuple[str, str], ...]:
        return tuple((repr(adapter.config), adapter.digest()) for adapter in self.adapters)

    @property
    def invertible(self) -> Nice | None:
        """The coupling on the embeddings: the first adapter's, as AdapterHub has it."""
        return self.adapters[0].invertible if self.adapters else None

    @property
    def head(self) -> Head | None:
        """The head that the last adapter carries."""
        return self.adapters[-1].head if self.adapters else None

    def placed(self, device: torch.device, dtype: torch.dtype) -> "Stack":
        """The same stack with every adapter in one place and precision."""
        return Stack(*(adapter.placed(device, dtype) for adapter in self.adapters))

    def check_fits(self, facts: BackboneFacts, *, allow_backbone: str | None = None) -> None:
        """Refuse an adapter that was not made for this backbone (see `Adapter.check_fits`)."""
        for adapter in self.adapters:
            adapter.check_fits(facts, allow_backbone=allow_backbone)
