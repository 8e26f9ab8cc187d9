"""Bottleneck adapters and invertible couplings: everything with weights of the bottleneck family.

Sources: Houlsby et al. (2019); Pfeiffer et al. (2020) "MAD-X"; He et al. (2022) "Towards a Unified View" (parallel,
scaled); as AdapterHub implements them. Where in a layer a bottleneck stands is in `sites`.
"""

import copy
import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from adapterkit.config import BottleneckConfig
from adapterkit.nn.activations import activation
from adapterkit.nn.arithmetic import activated, multiply, onto, plus
from adapterkit.nn.low_rank import LowRank
from adapterkit.nn.sites import Here


class Bottleneck(nn.Module):
    """Down, activation, up, added to what it refines; multiplied as `arithmetic` says.

    Args:
        width: Width of the backbone.
        bottleneck: Width inside.
        config: Placement of norms, gate, scaling and residual.
    """

    def __init__(self, width: int, bottleneck: int, config: BottleneckConfig) -> None:
        super().__init__()
        self.config = config
        self.down = nn.Linear(width, bottleneck)
        self.up = nn.Linear(bottleneck, width)
        self.act = activation(config.non_linearity)
        self.norm_before = nn.LayerNorm(width) if config.ln_before else None
        self.norm_after = nn.LayerNorm(width) if config.ln_after else None
        self.gate = nn.Linear(width, 1) if config.use_gating else None
        self.scale: nn.Parameter | None = None
        if isinstance(config.scaling, str):
            self.scale = nn.Parameter(torch.ones(1 if config.scaling == "learned" else width))

    @property
    def products(self) -> tuple[nn.Linear, nn.Linear]:
        """``down`` and ``up``, at once: torch searches long for a module's parts, and a mixed batch has hundreds."""
        down, up = self._modules["down"], self._modules["up"]
        assert isinstance(down, nn.Linear)
        assert isinstance(up, nn.Linear)
        return down, up

    def over(self, down: nn.Module, up: nn.Module) -> "Bottleneck":
        """The same with other products (`mixing.GroupedLinear`)."""
        clone = copy.copy(self)
        clone.__dict__ = {**self.__dict__, "_modules": {**self._modules, "down": down, "up": up}}
        return clone

    def forward(self, x: Tensor, here: Here) -> Tensor:
        """Refine a sublayer's output.

        Args:
            x: The output (or, at a norm, the residual sum) so far. Shape ``(batch, length, width)``.
            here: What else stands at this place.

        Returns:
            Shape ``(batch, length, width)``, with the dtype of ``x``.
        """
        config = self.config
        if config.is_parallel:
            assert here.residual is not None
            change = self._finish(self._change(here.residual), here.residual)
            return x + (self._normed(change) if self.norm_after else change).to(x.dtype)
        reading = here.total(x) if config.original_ln_before else x
        residual = reading if config.residual_before_ln == "post_add" else x
        if config.original_ln_before:
            reading = here.normed(reading, own=config.own_norms)
        residual = residual if config.residual_before_ln else reading
        if self._only_adds:
            return onto(residual, self.up, self._inside(reading))
        change = self._finish(self._change(reading), reading)
        if self.norm_after is None:
            return plus(change, residual)
        wide = residual.to(self.norm_after.weight.dtype)
        if config.adapter_residual_before_ln:
            return self._to(self._normed(change + wide), x)
        return self._to(self._normed(change) + wide, x)

    def change(self, reading: Tensor) -> Tensor:
        """The scaled output of ``up``, which AdapterFusion attends over. Shape ``(..., width)``."""
        return self._to(self._change(reading), reading)

    @property
    def _only_adds(self) -> bool:
        """Whether nothing stands between ``up`` and the sum."""
        config = self.config
        chance = self.training and (config.dropout > 0.0 or config.stochastic_depth > 0.0)
        between = self.norm_after is not None or self.gate is not None or config.scaling != 1.0
        return not between and not chance

    def _inside(self, reading: Tensor) -> Tensor:
        if self.norm_before is not None:
            normed: Tensor = self.norm_before(reading.to(self.down.weight.dtype))
            reading = normed.to(reading.dtype)
        return activated(self.act, multiply(self.down, reading))

    def _change(self, reading: Tensor) -> Tensor:
        out = multiply(self.up, self._inside(reading))
        if self.config.stochastic_depth > 0.0 and self.training:
            keep = 1.0 - self.config.stochastic_depth
            out = (
                out
                * (torch.rand(out.shape[0], 1, 1, device=out.device) < keep).to(out.dtype)
                / keep
            )
        if self.scale is not None:
            return out * self.scale
        assert not isinstance(self.config.scaling, str)
        return out * self.config.scaling if self.config.scaling != 1.0 else out

    def _finish(self, change: Tensor, reading: Tensor) -> Tensor:
        if self.config.dropout > 0.0:
            change = functional.dropout(change, self.config.dropout, self.training)
        if self.gate is not None:
            # AdapterHub averages the gate over the length, padding included.
            change = change * torch.sigmoid(multiply(self.gate, reading)).mean(1, keepdim=True)
        return change

    def _normed(self, change: Tensor) -> Tensor:
        assert self.norm_after is not None
        out: Tensor = self.norm_after(change.to(self.norm_after.weight.dtype))
        return out

    @staticmethod
    def _to(value: Tensor, like: Tensor) -> Tensor:
        return value.to(like.dtype)


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

    def first_half(self, b: Tensor) -> Tensor:
        """``F(b)``, what is added to the first half. Shape ``(..., width / 2)``."""
        return self._couple(self.F, b)

    def second_half(self, a: Tensor) -> Tensor:
        """``G(a)``, what is added to the second half. Shape ``(..., width / 2)``."""
        return self._couple(self.G, a)

    def _couple(self, net: nn.ModuleDict, x: Tensor) -> Tensor:
        first, second = net["0"], net["2"]
        assert isinstance(first, nn.Linear)
        assert isinstance(second, nn.Linear)
        return multiply(second, activated(self.act, multiply(first, x)))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., width)`` to ``(..., width)``."""
        return couple(self, x)

    def inverse(self, y: Tensor) -> Tensor:
        """Undo `forward`. Shape ``(..., width)``."""
        return uncouple(self, y)


class MeanCoupling(nn.Module):
    """A weighted average of couplings that stays exactly invertible.

    ``y1 = a + sum w F_i(b)``, ``y2 = b + sum w G_i(y1)``: the couplings are averaged, not their outputs.
    A part without a coupling is the identity, and so counts with its weight and no change.

    Args:
        parts: The couplings.
        weights: One for each.
    """

    def __init__(self, parts: Sequence["Coupling"], weights: Sequence[float]) -> None:
        super().__init__()
        # A plain list on purpose: the weights belong to the adapters they came with.
        self.parts = _Unowned(parts)
        self.weights = tuple(weights)

    def first_half(self, b: Tensor) -> Tensor:
        """The weighted sum of F. Shape ``(..., width / 2)``."""
        return _weighted([part.first_half(b) for part in self.parts.modules], self.weights)

    def second_half(self, a: Tensor) -> Tensor:
        """The weighted sum of G. Shape ``(..., width / 2)``."""
        return _weighted([part.second_half(a) for part in self.parts.modules], self.weights)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., width)`` to ``(..., width)``."""
        return couple(self, x)

    def inverse(self, y: Tensor) -> Tensor:
        """Undo `forward`. Shape ``(..., width)``."""
        return uncouple(self, y)


Coupling = Nice | MeanCoupling


class _Unowned:
    """Modules that somebody else owns, out of the module tree."""

    def __init__(self, modules: Sequence[Coupling]) -> None:
        self.modules = tuple(modules)


def _weighted(values: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    total = values[0] * weights[0]
    for value, weight in zip(values[1:], weights[1:], strict=True):
        total = total + value * weight
    return total


def couple(coupling: Coupling, x: Tensor) -> Tensor:
    """``y1 = a + F(b)``, ``y2 = b + G(y1)``. Shape ``(..., width)``."""
    a, b = _halves(x)
    first = a + coupling.first_half(b.to(x.dtype))
    second = b + coupling.second_half(first.to(x.dtype))
    return torch.cat((first, second), dim=-1).to(x.dtype)


def uncouple(coupling: Coupling, y: Tensor) -> Tensor:
    """``b = y2 - G(y1)``, ``a = y1 - F(b)``. Shape ``(..., width)``."""
    first, second = _halves(y)
    b = second - coupling.second_half(first.to(y.dtype))
    a = first - coupling.first_half(b.to(y.dtype))
    return torch.cat((a, b), dim=-1).to(y.dtype)


def _halves(x: Tensor) -> tuple[Tensor, Tensor]:
    # Sums in float32 at least: half-precision ones would lose what the inverse must give back.
    wide = x if x.dtype == torch.float64 else x.float()
    a, b = wide.chunk(2, dim=-1)
    return a, b


@torch.no_grad()
def initialise(module: nn.Module, seed: int) -> None:
    """Draw fresh weights from ``seed`` alone, as each bottleneck's configuration says.

    Matrices are N(0, 0.02) and biases zero (``bert``); norms and learned scalings start as the identity;
    a LoRA starts at no change, as PEFT's does.
    """
    generator = Generator().manual_seed(seed)
    norms = {name for name, part in module.named_modules() if isinstance(part, nn.LayerNorm)}
    schemes = {
        name: part.config.init_weights if isinstance(part, Bottleneck) else "mam_adapter"
        for name, part in module.named_modules()
        if isinstance(part, Bottleneck | LowRank)
    }
    for name, parameter in sorted(module.named_parameters()):
        owner, _, end = name.rpartition(".")
        if end == "scale" or (owner in norms and end == "weight"):
            parameter.fill_(1.0)
        elif end == "bias":
            parameter.zero_()
        else:
            scheme = schemes.get(owner.rpartition(".")[0], "bert")
            _draw(parameter, owner.rpartition(".")[2], scheme, generator)


def _draw(parameter: Tensor, part: str, scheme: str, generator: Generator) -> None:
    values = torch.empty(parameter.shape)
    if scheme == "mam_adapter" and part == "up":
        values.zero_()
    elif scheme == "mam_adapter" and part == "down":
        nn.init.kaiming_uniform_(values, a=math.sqrt(5), generator=generator)
    elif scheme == "houlsby":
        nn.init.trunc_normal_(values, 0.0, 0.01, -0.02, 0.02, generator=generator)
    else:
        values.normal_(0.0, 0.02, generator=generator)
    parameter.copy_(values)
