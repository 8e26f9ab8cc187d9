"""Activation functions by the names that adapter folders use.

A table, so that a folder can never name anything but one of these.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from adapterkit.errors import ConfigError

Activation = Callable[[Tensor], Tensor]


def _gelu_tanh(x: Tensor) -> Tensor:
    return functional.gelu(x, approximate="tanh")


def _quick_gelu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(1.702 * x)


_ACTIVATIONS: dict[str, Activation] = {
    "relu": torch.relu,
    "gelu": functional.gelu,
    "gelu_new": _gelu_tanh,
    "gelu_pytorch_tanh": _gelu_tanh,
    "quick_gelu": _quick_gelu,
    "leakyrelu": functional.leaky_relu,
    "leaky_relu": functional.leaky_relu,
    "mish": functional.mish,
    "relu6": functional.relu6,
    "sigmoid": torch.sigmoid,
    "silu": functional.silu,
    "swish": functional.silu,
    "tanh": torch.tanh,
}


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
