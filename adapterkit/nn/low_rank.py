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


class Patch(Protocol):
    """What a composition does to a linear layer."""

    def __call__(self, x: Tensor, output: Tensor, frozen: nn.Module) -> Tensor:
        """From the layer's input ``(batch, ..., in)`` and output ``(batch, ..., out)`` to a new output."""
        ...


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

    def forward(self, x: Tensor, output: Tensor, frozen: nn.Module) -> Tensor:
        """Shapes ``(batch, ..., in)`` and ``(batch, ..., out)`` to ``(batch, ..., out)``."""
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

    def forward(self, x: Tensor, output: Tensor, frozen: nn.Module) -> Tensor:
        """Shapes ``(batch, ..., in)`` and ``(batch, ..., out)`` to ``(batch, ..., out)``."""
        if not self.feedforward:
            return (output.to(self.scale.dtype) * self.scale).to(output.dtype)
        assert isinstance(frozen, nn.Linear)
        # The layer is linear: scaling its input adds what the scaled part gives, without the bias.
        change = (x.to(self.scale.dtype) * (self.scale - 1)).to(x.dtype)
        return output + functional.linear(change, frozen.weight)


@dataclass(frozen=True)
class PatchChain:
    """One patch after the other; LoRAs of a stack add up."""

    patches: tuple[Patch, ...]

    def __call__(self, x: Tensor, output: Tensor, frozen: nn.Module) -> Tensor:
        """Apply all of them to the same input."""
        for patch in self.patches:
            output = patch(x, output, frozen)
        return output


@dataclass(frozen=True)
class PatchMean:
    """The weighted average of what each patch makes of the output; None changes nothing."""

    patches: Sequence[Patch | None]
    weights: tuple[float, ...]

    def __call__(self, x: Tensor, output: Tensor, frozen: nn.Module) -> Tensor:
        """Apply all of them to the same input and output."""
        parts = [output if patch is None else patch(x, output, frozen) for patch in self.patches]
        total = parts[0] * self.weights[0]
        for part, weight in zip(parts[1:], self.weights[1:], strict=True):
            total = total + part * weight
        return total
