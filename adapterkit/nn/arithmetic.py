"""In which precision adapters multiply: their own, or bfloat16 where the backbone computes in it.

Weights, their gradients and the optimizer stay float32; only the factors of a product are rounded, as autocast does, and
the sum inside a product is float32. float16 has too few exponents for this: there adapters compute in float32.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


def multiply(layer: nn.Linear, x: Tensor) -> Tensor:
    """``layer(x)`` in bfloat16 if ``x`` is, else in the layer's own dtype.

    Args:
        layer: Weights in float32 (float64 over a float64 backbone).
        x: Shape ``(..., in)``.

    Returns:
        Shape ``(..., out)``, in the dtype that was multiplied in.
    """
    dtype = torch.bfloat16 if x.dtype == torch.bfloat16 else layer.weight.dtype
    bias = None if layer.bias is None else layer.bias.to(dtype)
    return functional.linear(x.to(dtype), layer.weight.to(dtype), bias)
