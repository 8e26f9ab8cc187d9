"""Where adapters meet a frozen layer: the few lines everything rests on.

For a post-norm layer, which ends in ``y = norm(s)`` with ``s = sublayer(x) + x``, a stack is

    for f in stack:
        s = s + f(norm(s))
    y = norm(s)

one forward pre-hook on one norm per layer. Adapters that must see the sublayer's output and the residual apart
(Houlsby, parallel), and pre-norm layers, are hooked on the sublayer's output instead; the residual is caught on
its way in. Hooks are instances, not closures: they pickle, and hold nothing but modules and row numbers.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from adapterkit.nn.groups import Groups, Where, by_row
from adapterkit.nn.low_rank import Frozen, Patch


@dataclass(frozen=True)
class Here:
    """What stands at a place beside the output that adapters refine.

    Attributes:
        norm: The frozen norm that an adapter's input passes, or None.
        residual: The residual that will be added to the output; None where it is added already
            (at a norm), or where there is none. Shape ``(batch, length, width)``.
        last_norm: The last layer's norm at this place, where AdapterHub passes that one in every
            layer (pre-norm backbones).
    """

    norm: nn.Module | None
    residual: Tensor | None = None
    last_norm: nn.Module | None = None

    def total(self, x: Tensor) -> Tensor:
        """The residual sum. Shape ``(batch, length, width)``."""
        return x if self.residual is None else x + self.residual

    def normed(self, x: Tensor, *, own: bool = True) -> Tensor:
        """``x`` through this layer's own norm (or the last layer's), if there is one."""
        norm = self.norm if own or self.last_norm is None else self.last_norm
        # norm.forward, not norm(...): a call would run this very hook again.
        return x if norm is None else norm.forward(x)

    def rows(self, chosen: Where) -> "Here":
        """The same for some rows of the batch only."""
        residual = None if self.residual is None else self.residual[chosen]
        return Here(self.norm, residual, self.last_norm)


class Node(Protocol):
    """What a composition does at one place: an adapter's block, or several put together."""

    def __call__(self, x: Tensor, here: Here) -> Tensor:
        """Refine ``x``, shape ``(batch, length, width)``."""
        ...


@dataclass(frozen=True)
class Chain:
    """One node after the other.

    Source: Pfeiffer et al. (2020), "MAD-X".
    """

    nodes: tuple[Node, ...]

    def __call__(self, x: Tensor, here: Here) -> Tensor:
        """Refine ``x``, shape ``(batch, length, width)``."""
        for node in self.nodes:
            x = node(x, here)
        return x


@dataclass(frozen=True)
class Mean:
    """The weighted average of what each node makes of ``x``; None is a node that changes nothing here."""

    nodes: tuple[Node | None, ...]
    weights: tuple[float, ...]

    def __call__(self, x: Tensor, here: Here) -> Tensor:
        """Refine ``x``, shape ``(batch, length, width)``."""
        parts = [x if node is None else node(x, here) for node in self.nodes]
        total = parts[0] * self.weights[0]
        for part, weight in zip(parts[1:], self.weights[1:], strict=True):
            total = total + part * weight
        return total


class PostNormSite:
    """Forward pre-hook on the norm that closes a post-norm sublayer: refines the residual sum."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def __call__(self, norm: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Refine the norm's input. Shape ``(batch, length, width)``."""
        return (self.node(args[0], Here(norm)), *args[1:])


class Caught:
    """A residual on its way from the hook that catches it to the hook that needs it, by thread."""

    def __init__(self) -> None:
        self._values: dict[int, Tensor] = {}

    def put(self, value: Tensor) -> None:
        """Keep a value for this thread."""
        self._values[threading.get_ident()] = value

    def take(self) -> Tensor | None:
        """Give this thread's value away."""
        return self._values.pop(threading.get_ident(), None)

    def __getstate__(self) -> dict[str, Any]:
        return {"_values": {}}


class Catch:
    """Forward pre-hook that catches a positional argument: the residual of a sublayer."""

    def __init__(self, caught: Caught, argument: int) -> None:
        self.caught = caught
        self.argument = argument

    def __call__(self, module: nn.Module, args: tuple[Tensor, ...]) -> None:
        """Keep the argument, shape ``(batch, length, width)``."""
        self.caught.put(args[self.argument])


class Narrow:
    """Forward pre-hook behind which only some positions are computed, as one row.

    In the last layer nothing but attention mixes positions: what comes behind it need not be computed where nobody
    looks. Which positions is said for one call, by thread; unsaid, nothing changes.
    """

    def __init__(self) -> None:
        self._chosen = Caught()

    @contextmanager
    def to(self, numbers: Tensor) -> Iterator[None]:
        """Compute only these positions in the next call: numbers in the flat batch, shape ``(wanted,)``."""
        self._chosen.put(numbers)
        try:
            yield
        finally:
            self._chosen.take()

    def __call__(self, module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        """From ``(batch, length, width)`` to ``(1, wanted, width)``."""
        numbers = self._chosen.take()
        if numbers is None:
            return None
        return tuple(x.flatten(0, 1).index_select(0, numbers).unsqueeze(0) for x in args)


class OutputSite:
    """Forward hook on the module that gives a sublayer's output: refines it before the residual is added."""

    def __init__(
        self,
        node: Node,
        norm: nn.Module | None,
        caught: Caught,
        last_norm: nn.Module | None = None,
    ) -> None:
        self.node = node
        self.norm = norm
        self.caught = caught
        self.last_norm = last_norm

    def __call__(self, module: nn.Module, args: tuple[Tensor, ...], output: Any) -> Any:
        """Refine the output (the first of a tuple), shape ``(batch, length, width)``."""
        here = Here(self.norm, self.caught.take(), self.last_norm)
        if isinstance(output, tuple):
            return (self.node(output[0], here), *output[1:])
        return self.node(output, here)


class CouplingSite:
    """Forward hook that sends a module's output through a coupling, forward or inverse."""

    def __init__(
        self, couplings: Sequence[Any], groups: Groups | None = None, *, inverse: bool
    ) -> None:
        self.couplings = tuple(couplings)
        self.groups = groups
        self.inverse = inverse

    def __call__(self, module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
        """Map the output. Shape ``(batch, ..., width)``."""
        if self.groups is None:
            return self._one(0, output)
        return by_row(output, self.groups, lambda number, rows: self._one(number, output[rows]))

    def _one(self, number: int, x: Tensor) -> Tensor:
        coupling = self.couplings[number]
        if coupling is None:
            return x
        out: Tensor = coupling.inverse(x) if self.inverse else coupling(x)
        return out


class PatchSite:
    """Forward hook on a frozen linear layer: changes its output as low-rank adapters say, by row if need be."""

    def __init__(self, patches: Sequence[Patch | None], groups: Groups | None = None) -> None:
        self.patches = tuple(patches)
        self.groups = groups

    def __call__(self, module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
        """Change the output. Shape ``(batch, ..., out)``."""
        x = args[0]
        if self.groups is None:
            (patch,) = self.patches
            return output if patch is None else patch(x, Frozen(x, output, module))

        def apply(number: int, rows: Where) -> Tensor:
            patch = self.patches[number]
            if patch is None:
                return output[rows]
            return patch(x[rows], Frozen(x[rows], output[rows], module))

        return by_row(output, self.groups, apply)
