"""What every composition is: an immutable value that knows what to do at each place of a backbone."""

import copy
import math
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from adapterkit.composition.adapter import Adapter
from adapterkit.config import BackboneFacts
from adapterkit.errors import ConfigError
from adapterkit.nn.bottleneck import Coupling
from adapterkit.nn.embedding_rows import RowDeltas
from adapterkit.nn.heads import Head
from adapterkit.nn.low_rank import Patch
from adapterkit.nn.sites import Node
from adapterkit.nn.twin import copied

_MEANINGS = {
    "Rows": "Rows stand outermost: write Rows([Stack(a, b), Stack(a, c)]), one whole composition for each kind of row",
    "Stack": "a Stack of several adapters has no single output to weigh here; fuse or average its adapters, and stack outside",
    "Fuse": "the outputs of a Fuse are an attention over adapters already; put it into a Stack",
    "Average": "an Average is not one adapter; fuse its adapters themselves",
}


@runtime_checkable
class Composition(Protocol):
    """An adapter, or adapters put together."""

    @property
    def adapters(self) -> tuple[Adapter, ...]:
        """All adapters in it, in order."""

    @property
    def fusions(self) -> tuple[nn.Module, ...]:
        """The fusion layers in it."""

    @property
    def needs_parts(self) -> bool:
        """Whether an adapter in it must see a sublayer's output and residual apart."""

    @property
    def invertible(self) -> Coupling | None:
        """The coupling on the embeddings."""

    @property
    def embedding_rows(self) -> RowDeltas | None:
        """What it adds to rows of the vocabulary."""

    @property
    def head(self) -> Head | None:
        """The prediction head."""

    def node(self, place: str, layer: int) -> Node | None:
        """What it does at ``place`` (``attention`` or ``output``) of ``layer``; None for nothing."""

    @property
    def patched(self) -> frozenset[str]:
        """Paths of the linear layers that low-rank adapters in it change."""

    def patch(self, path: str) -> Patch | None:
        """What it does to the linear layer at ``path``; None for nothing."""

    def content(self) -> tuple[object, ...]:
        """What it is compared by: kinds, shapes and weights, not names."""

    def check_fits(self, facts: BackboneFacts, *, allow_backbone: str | None = None) -> None:
        """Refuse an adapter that was not made for this backbone."""


Kind = TypeVar("Kind", bound=Composition)


class Value:
    """An immutable composition with parts, compared by content."""

    __slots__ = ("parts",)
    parts: tuple[Any, ...]

    def _set(self, parts: tuple[Composition, ...]) -> None:
        object.__setattr__(self, "parts", parts)

    def __setattr__(self, name: str, value: object) -> None:
        kind = type(self).__name__
        raise AttributeError(f"a {kind} cannot be changed ({name}); make another {kind}")

    def __repr__(self) -> str:
        inside = [part.name if isinstance(part, Adapter) else repr(part) for part in self.parts]
        return f"{type(self).__name__}({', '.join(inside)})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.content() == other.content()

    def __hash__(self) -> int:
        return hash(self.content())

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), self.parts)

    @property
    def adapters(self) -> tuple[Adapter, ...]:
        """All adapters in it, in order."""
        return tuple(adapter for part in self.parts for adapter in part.adapters)

    @property
    def fusions(self) -> tuple[nn.Module, ...]:
        """The fusion layers in it."""
        return tuple(fusion for part in self.parts for fusion in part.fusions)

    @property
    def patched(self) -> frozenset[str]:
        """Paths of the linear layers that low-rank adapters in it change."""
        return frozenset(path for part in self.parts for path in part.patched)

    @property
    def needs_parts(self) -> bool:
        """Whether an adapter in it must see a sublayer's output and residual apart."""
        return any(part.needs_parts for part in self.parts)

    def content(self) -> tuple[object, ...]:
        """What it is compared by: kinds, shapes and weights, not names."""
        return (type(self).__name__, *(part.content() for part in self.parts))

    def check_fits(self, facts: BackboneFacts, *, allow_backbone: str | None = None) -> None:
        """Refuse an adapter that was not made for this backbone (see `Adapter.check_fits`)."""
        for part in self.parts:
            part.check_fits(facts, allow_backbone=allow_backbone)


def placed(composition: Kind, device: torch.device, dtype: torch.dtype) -> Kind:
    """The same composition in one place and precision.

    What is there already is shared, what is not is copied; an adapter that occurs several times still does.

    Args:
        composition: Adapters, put together or not.
        device: Where to.
        dtype: Of the weights.
    """

    def change(old: Tensor) -> Tensor:
        if not isinstance(old, nn.Parameter):
            return old.to(device)
        return nn.Parameter(old.detach().to(device, dtype), old.requires_grad)

    return _copied(composition, lambda old: old.device == device and old.dtype == dtype, change)


def frozen(composition: Kind) -> Kind:
    """The same composition over the same numbers, none of which asks for a gradient."""

    def change(old: Tensor) -> Tensor:
        is_parameter = isinstance(old, nn.Parameter)
        return nn.Parameter(old.detach(), requires_grad=False) if is_parameter else old

    return _copied(composition, lambda old: not old.requires_grad, change)


def _copied(
    composition: Kind,
    keeps: Callable[[nn.Parameter], bool],
    change: Callable[[Tensor], Tensor],
) -> Kind:
    parts = (*composition.adapters, *composition.fusions)
    memo: dict[int, Any] = {id(part): part for part in parts if all(map(keeps, part.parameters()))}
    others = [part for part in parts if id(part) not in memo]
    memo |= {id(old): new for old, new in zip(others, copied(others, change), strict=True)}
    return copy.deepcopy(composition, memo)


def shared_head(parts: Sequence[Composition]) -> Head | None:
    """The head that all of these carry; None where one has none, or they differ."""
    heads = {id(head): head for head in (part.head for part in parts)}
    if None in heads.values():
        return None
    first, *others = [head for head in heads.values() if head is not None]
    same = all(head.digest() == first.digest() for head in others)
    return first if same else None


def number_of(weight: object) -> float | None:
    """A weight as a plain number; None where it is no finite number."""
    if isinstance(weight, Tensor) and weight.ndim == 0:
        weight = weight.item()
    fits = isinstance(weight, Real) and not isinstance(weight, bool) and math.isfinite(weight)
    return float(weight) if fits else None  # type: ignore[arg-type]


def check_children(kind: str, parts: Sequence[object], allowed: Sequence[str]) -> None:
    """Refuse what has no meaning inside ``kind``.

    Raises:
        ConfigError: That says why, and what to write instead.
    """
    a_kind = f"{'an' if kind[0] in 'AEIOU' else 'a'} {kind}"
    for part in parts:
        name = "Adapter" if isinstance(part, Adapter) else type(part).__name__
        if name in allowed:
            continue
        if isinstance(part, Value):
            raise ConfigError(f"{a_kind} cannot hold {part!r:.100}: {_MEANINGS[name]}")
        raise ConfigError(
            f"{a_kind} holds adapters, not {name} ({part!r:.60}); load one with ak.load_adapter(folder)"
        )
