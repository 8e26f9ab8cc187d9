"""The bottleneck adapter: down, activation, up. The residual is added by whoever calls it (`sites`).

Source: Houlsby et al. (2019) and, for the placement used here, Pfeiffer et al. (2020) "MAD-X", as
AdapterHub implements it. Weights start as BERT's do: N(0, 0.02), biases zero.
"""

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from adapterkit.nn.activations import activation


class Bottleneck(nn.Module):
    """``scaling * up(act(down(x)))``, computed in the adapter's own dtype.

    Args:
        width: Width of the backbone.
        bottleneck: Width inside.
        non_linearity: Name of the activation.
        scaling: Factor on the output.
        dropout: Dropout on the output while training.
    """

    def __init__(
        self,
        width: int,
        bottleneck: int,
        *,
        non_linearity: str = "relu",
        scaling: float = 1.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.down = nn.Linear(width, bottleneck)
        self.up = nn.Linear(bottleneck, width)
        self.act = activation(non_linearity)
        self.scaling = scaling
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., width)`` to ``(..., width)``; the result has the dtype of ``x``."""
        # The backbone may be bf16 while adapters stay float32: cast to the adapter's dtype and back.
        out = self.up(self.act(self.down(x.to(self.down.weight.dtype))))
        if self.scaling != 1.0:
            out = out * self.scaling
        if self.dropout > 0.0:
            out = functional.dropout(out, self.dropout, self.training)
        result: Tensor = out.to(x.dtype)
        return result


class Nice(nn.Module):
    """NICE coupling: an exactly invertible map of the embeddings.

    With ``a, b`` the halves of the input: ``y1 = a + F(b)``, ``y2 = b + G(y1)``.

    Args:
        width: Width of the backbone; must be even.
        bottleneck: Width inside F and G.
        non_linearity: Name of the activation inside F and G.

    Source: Dinh et al. (2015) "NICE"; Pfeiffer et al. (2020), section 4.1.3.
    """

    def __init__(self, width: int, bottleneck: int, *, non_linearity: str = "relu") -> None:
        super().__init__()
        half = width // 2
        # Indices 0 and 2 are AdapterHub's names; 1 is the activation.
        self.F = nn.ModuleDict({"0": nn.Linear(half, bottleneck), "2": nn.Linear(bottleneck, half)})
        self.G = nn.ModuleDict({"0": nn.Linear(half, bottleneck), "2": nn.Linear(bottleneck, half)})
        self.act = activation(non_linearity)

    def _dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    def _couple(self, net: nn.ModuleDict, x: Tensor) -> Tensor:
        out: Tensor = net["2"](self.act(net["0"](x)))
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., width)`` to ``(..., width)``."""
        a, b = x.to(self._dtype()).chunk(2, dim=-1)
        first = a + self._couple(self.F, b)
        second = b + self._couple(self.G, first)
        return torch.cat((first, second), dim=-1).to(x.dtype)

    def inverse(self, y: Tensor) -> Tensor:
        """Undo `forward`. Shape ``(..., width)``."""
        first, second = y.to(self._dtype()).chunk(2, dim=-1)
        b = second - self._couple(self.G, first)
        a = first - self._couple(self.F, b)
        return torch.cat((a, b), dim=-1).to(y.dtype)


@torch.no_grad()
def initialise(module: nn.Module, seed: int) -> None:
    """Draw every weight matrix from N(0, 0.02) and set every bias to zero, from ``seed`` alone."""
    generator = Generator().manual_seed(seed)
    for name, parameter in sorted(module.named_parameters()):
        if name.endswith("bias"):
            parameter.zero_()
        else:
            values = torch.empty(parameter.shape).normal_(0.0, 0.02, generator=generator)
            parameter.copy_(values)
