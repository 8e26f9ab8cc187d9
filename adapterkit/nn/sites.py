"""Where a stack of bottlenecks meets a frozen layer: the few lines everything rests on.

For a post-norm layer, which ends in ``y = norm(s)`` with ``s = sublayer(x) + x``, a stack is

    for f in stack:
        s = s + f(norm(s))
    y = norm(s)

one forward pre-hook on one norm per layer. For a pre-norm layer the bottleneck stands on the sublayer's
output. Hooks are instances, not closures: they pickle, and they hold nothing but modules.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from adapterkit.nn.bottleneck import Nice


def refine(residual: Tensor, norm: nn.Module, adapters: Sequence[nn.Module]) -> Tensor:
    """Apply ``adapters`` in order to the residual sum that ``norm`` is about to see.

    Args:
        residual: The layer's residual sum. Shape ``(batch, length, width)``.
        norm: The frozen norm that closes the layer.
        adapters: One bottleneck per adapter in the stack, first to last.

    Returns:
        The refined sum, to be fed to ``norm``. Shape ``(batch, length, width)``.
        With no adapters it is ``residual`` itself.

    Source: Pfeiffer et al. (2020), "MAD-X", as AdapterHub implements it.
    """
    for adapter in adapters:
        # norm.forward, not norm(...): a call would run this very hook again.
        residual = residual + adapter(norm.forward(residual))
    return residual


class PostNormSite:
    """Forward pre-hook on the norm that closes a post-norm layer."""

    def __init__(self, adapters: Sequence[nn.Module]) -> None:
        self.adapters = tuple(adapters)

    def __call__(self, norm: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Refine the norm's input. Shape ``(batch, length, width)``."""
        return (refine(args[0], norm, self.adapters), *args[1:])


class SublayerSite:
    """Forward hook on a pre-norm layer's feed-forward: ``x = x + f(x + r)``, r the sublayer's input.

    Source: AdapterHub's model interface, Pfeiffer placement, without a norm of its own.
    """

    def __init__(self, adapters: Sequence[nn.Module]) -> None:
        self.adapters = tuple(adapters)

    def __call__(self, sublayer: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
        """Refine the sublayer's output. Shape ``(batch, length, width)``."""
        for adapter in self.adapters:
            output = output + adapter(output + args[0])
        return output


class Coupling:
    """Forward hook that sends a module's output through a coupling, forward or inverse."""

    def __init__(self, nice: Nice, *, inverse: bool) -> None:
        self.nice = nice
        self.inverse = inverse

    def __call__(self, module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
        """Map the output. Shape ``(..., width)``."""
        return self.nice.inverse(output) if self.inverse else self.nice(output)
