"""LoRA and IA3: changes of a frozen linear layer's output, as PEFT defines them.

Sources: Hu et al. (2022) "LoRA", equation 3; Liu et al. (2022) "Few-Shot Parameter-Efficient Fine-Tuning" (IA3).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapterkit.config import Linear
from adapterkit.nn.arithmetic import multiply


class Layer(Protocol):
    """A linear layer, frozen or with patches on it."""

    def __call__(self, x: Tensor) -> Tensor:
        """From an input ``(batch, ..., in)`` to an output ``(batch, ..., out)``."""
        ...


class Patch(Protocol):
    """What a composition makes of a linear layer: another one."""

    def __call__(self, x: Tensor, layer: Layer) -> Tensor:
        """From an input ``(batch, ..., in)`` to the new layer's output ``(batch, ..., out)``."""
        ...


class Frozen:
    """The backbone's own layer, which has computed once already.

    Args:
        x: The input it got. Shape ``(batch, ..., in)``.
        output: What it made of it. Shape ``(batch, ..., out)``.
        module: The layer.
    """

    def __init__(self, x: Tensor, output: Tensor, module: nn.Module) -> None:
        self.x, self.output, self.module = x, output, module

    def __call__(self, x: Tensor) -> Tensor:
        """Shape ``(batch, ..., in)`` to ``(batch, ..., out)``."""
        # module.forward, not module(...): a call would run the hook that this serves again.
        out: Tensor = self.output if x is self.x else self.module.forward(x)
        return out


class LowRank(nn.Module):
    """``output + scaling * up(down(dropout(x)))``.

    Args:
        linear: The layer's widths, the rank and the factor.
        dropout: On the input while training.
    """

    def __init__(self, linear: Linear, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.down = nn.Linear(linear.inputs, linear.rank, bias=False)
        self.up = nn.Linear(linear.rank, linear.outputs, bias=False)
        self.scaling = linear.scaling
        self.dropout = dropout

    def forward(self, x: Tensor, layer: Layer) -> Tensor:
        """Shape ``(batch, ..., in)`` to ``(batch, ..., out)``."""
        output = layer(x)
        inside = functional.dropout(x, self.dropout, self.training) if self.dropout else x
        change = multiply(self.up, multiply(self.down, inside)) * self.scaling
        return output + change.to(output.dtype)


class Rescale(nn.Module):
    """IA3: scales each unit of a linear layer's output, or of its input (``feedforward``).

    Args:
        linear: The layer's widths and which side is scaled.
    """

    def __init__(self, linear: Linear) -> None:
        super().__init__()
        self.feedforward = linear.feedforward
        self.scale = nn.Parameter(
            torch.ones(linear.inputs if linear.feedforward else linear.outputs)
        )

    def forward(self, x: Tensor, layer: Layer) -> Tensor:
        """Shape ``(batch, ..., in)`` to ``(batch, ..., out)``."""
        if self.feedforward:
            return layer((x.to(self.scale.dtype) * self.scale).to(x.dtype))
        output = layer(x)
        return (output.to(self.scale.dtype) * self.scale).to(output.dtype)


@dataclass(frozen=True)
class PatchChain:
    """Each patch on the layer that those before it made: LoRAs add up, IA3s multiply, on either side."""

    patches: tuple[Patch, ...]

    def __call__(self, x: Tensor, layer: Layer) -> Tensor:
        """Shape ``(batch, ..., in)`` to ``(batch, ..., out)``."""
        for patch in self.patches:
            layer = _Patched(patch, layer)
        return layer(x)


class _Patched:
    """A layer with a patch on it; asked for one input again, it computes once."""

    def __init__(self, patch: Patch, layer: Layer) -> None:
        self.patch, self.layer = patch, layer
        self._last: tuple[Tensor, Tensor] | None = None

    def __call__(self, x: Tensor) -> Tensor:
        if self._last is None or self._last[0] is not x:
            self._last = x, self.patch(x, self.layer)
        return self._last[1]


@dataclass(frozen=True)
class PatchMean:
    """The weighted average of what each patch makes of the layer; None changes nothing."""

    patches: Sequence[Patch | None]
    weights: tuple[float, ...]

    def __call__(self, x: Tensor, layer: Layer) -> Tensor:
        """Shape ``(batch, ..., in)`` to ``(batch, ..., out)``."""
        parts = [layer(x) if patch is None else patch(x, layer) for patch in self.patches]
        total = parts[0] * self.weights[0]
        for part, weight in zip(parts[1:], self.weights[1:], strict=True):
            total = total + part * weight
        return total
