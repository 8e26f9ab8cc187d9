"""In which precision adapters multiply: their own, or bfloat16 where the backbone computes in it.

Weights, their gradients and the optimizer stay float32; only the factors of a product are rounded, as autocast does, and
the sum inside a product is float32. float16 has too few exponents for this: there adapters that are trained compute in
float32. Adapters of a frozen model are kept in the backbone's precision, whatever it is.
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional


def multiply(layer: nn.Module, x: Tensor) -> Tensor:
    """``layer(x)`` in bfloat16 if ``x`` is, else in the layer's own dtype.

    Args:
        layer: Weights in float32 (float64 over a float64 backbone).
        x: Shape ``(..., in)``.

    Returns:
        Shape ``(..., out)``, in the dtype that was multiplied in.
    """
    own = layer.weight
    assert isinstance(own, Tensor)
    dtype = torch.bfloat16 if x.dtype == torch.bfloat16 else own.dtype
    if isinstance(layer, nn.Linear):
        bias = None if layer.bias is None else layer.bias.to(dtype)
        return functional.linear(x.to(dtype), own.to(dtype), bias)
    grouped: Tensor = layer(x.to(dtype))  # several side by side
    return grouped


def activated(act: Callable[[Tensor], Tensor], fresh: Tensor) -> Tensor:
    """``act(fresh)``, in the same memory where nobody needs ``fresh`` again."""
    if act is torch.relu and not torch.is_grad_enabled():
        return fresh.relu_()
    return act(fresh)


def plus(fresh: Tensor, other: Tensor) -> Tensor:
    """``fresh + other`` in the dtype of ``other``, in the same memory where nobody needs ``fresh`` again."""
    if fresh.dtype == other.dtype and not torch.is_grad_enabled():
        return fresh.add_(other)
    return other + fresh.to(other.dtype)


@runtime_checkable
class SideBySide(Protocol):
    """Several linear layers as one, each for its rows."""

    def onto(self, other: Tensor, x: Tensor) -> Tensor:
        """What `onto` gives, without a gradient."""
        ...


def onto(other: Tensor, layer: nn.Module, x: Tensor) -> Tensor:
    """``other + layer(x)`` in the dtype of ``other``.

    Without a gradient the product is added where ``other`` and the bias have been added up: a pass over memory less
    than a product with a bias, and a sum. As many roundings in half precision, in another order.

    Args:
        other: What is added to. Shape ``(..., out)``.
        layer: As `multiply` takes it.
        x: Shape ``(..., in)``.
    """
    own = layer.weight
    assert isinstance(own, Tensor)
    if not torch.is_grad_enabled() and x.dtype == other.dtype == own.dtype:
        if isinstance(layer, nn.Linear) and layer.bias is not None:
            out = (other + layer.bias).contiguous()
            out.view(-1, own.shape[0]).addmm_(x.flatten(0, -2), own.t())
            return out
        if isinstance(layer, SideBySide):
            return layer.onto(other, x)
    return plus(multiply(layer, x), other)
