"""Activation functions by the names that adapter folders use.

A table, so that a folder can never name anything but one of these.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from adapterkit.errors import ConfigError

Activation = Callable[[Tensor], Tensor]


def _gelu_tanh(x: Tensor) -> Tensor:
    return functional.gelu(x, approximate="tanh")


def _gelu_fast(x: Tensor) -> Tensor:
    # A rounded sqrt(2 / pi), as the name's owner has it.
    return 0.5 * x * (1.0 + torch.tanh(x * 0.7978845608 * (1.0 + 0.044715 * x * x)))


def _gelu_clipped(x: Tensor) -> Tensor:
    return functional.gelu(x).clip(-10, 10)


def _quick_gelu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(1.702 * x)


def _laplace(x: Tensor) -> Tensor:
    return 0.5 * (1.0 + torch.erf((x - 0.707107) / (0.282095 * math.sqrt(2.0))))


def _relu_squared(x: Tensor) -> Tensor:
    return torch.relu(x).square()


def _identity(x: Tensor) -> Tensor:
    return x


_ACTIVATIONS: dict[str, Activation] = {
    "gelu": functional.gelu,
    "gelu_10": _gelu_clipped,
    "gelu_accurate": _gelu_tanh,
    "gelu_fast": _gelu_fast,
    "gelu_new": _gelu_tanh,
    "gelu_python": functional.gelu,
    "gelu_python_tanh": _gelu_tanh,
    "gelu_pytorch_tanh": _gelu_tanh,
    "hardswish": functional.hardswish,
    "laplace": _laplace,
    "leaky_relu": functional.leaky_relu,
    "leakyrelu": functional.leaky_relu,
    "linear": _identity,
    "mish": functional.mish,
    "quick_gelu": _quick_gelu,
    "relu": torch.relu,
    "relu2": _relu_squared,
    "relu6": functional.relu6,
    "sigmoid": torch.sigmoid,
    "silu": functional.silu,
    "swish": functional.silu,
    "tanh": torch.tanh,
}
"""transformers' names; `prelu` and `xielu` are not here: they have weights that adapter files do not keep."""


def activation(name: str) -> Activation:
    """The activation called ``name`` (upper and lower case are the same).

    Raises:
        ConfigError: If the table has no such name.
    """
    try:
        return _ACTIVATIONS[name.lower()]
    except KeyError:
        known = ", ".join(sorted(_ACTIVATIONS))
        raise ConfigError(f"non_linearity {name!r} is not known; there are: {known}") from None


def activation_names() -> list[str]:
    """Every name in the table."""
    return sorted(_ACTIVATIONS)
