"""AdapterFusion: attention over what several adapters say, at every place where they stand.

Source: Pfeiffer et al. (2021), "AdapterFusion: Non-Destructive Task Composition", equation 2, as AdapterHub
implements it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapterkit.config import FusionConfig
from adapterkit.nn.bottleneck import Bottleneck
from adapterkit.nn.sites import Here


class FusionLayer(nn.Module):
    """Attention of one place over the outputs of its adapters.

    Args:
        config: Which of query, key and value are learned.
        width: Width of the backbone.
    """

    def __init__(self, config: FusionConfig, width: int) -> None:
        super().__init__()
        self.config = config
        self.query = nn.Linear(width, width) if config.query else None
        self.key = nn.Linear(width, width) if config.key else None
        self.value = nn.Linear(width, width, bias=False) if config.value else None

    def forward(self, query: Tensor, changes: Tensor, residual: Tensor) -> Tensor:
        """Weigh the adapters' outputs.

        Args:
            query: What attends. Shape ``(batch, length, width)``.
            changes: Each adapter's output. Shape ``(batch, length, adapters, width)``.
            residual: Added to the result. Shape ``(batch, length, width)``.

        Returns:
            Shape ``(batch, length, width)``.
        """
        if self.config.residual_before:
            changes = changes + residual.unsqueeze(2)
        keys = self.key(changes) if self.key is not None else changes
        asked = self.query(query) if self.query is not None else query
        scores = torch.einsum("blw,blaw->bla", asked, keys)
        scores = functional.dropout(scores, self.config.dropout_prob, self.training)
        weights = scores.softmax(-1)
        before = self.value is not None and self.config.value_before_softmax
        values = self.value(changes) if self.value is not None and before else changes
        out = torch.einsum("bla,blaw->blw", weights, values)
        if self.value is not None and not before:
            out = self.value(out)
        return out if self.config.residual_before else out + residual


class FusionLayers(nn.Module):
    """The fusion layers of a backbone: one at each place where the fused adapters stand.

    Args:
        config: Shape of each.
        width: Width of the backbone.
        places: ``(place, layer)`` of each.
    """

    def __init__(self, config: FusionConfig, width: int, places: Iterable[tuple[str, int]]) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleDict(
            {f"{place}/{layer}": FusionLayer(config, width) for place, layer in places}
        )

    def at(self, place: str, layer: int) -> FusionLayer | None:
        """The layer at a place, if there is one."""
        name = f"{place}/{layer}"
        if name not in self.layers:
            return None
        found = self.layers[name]
        assert isinstance(found, FusionLayer)
        return found

    @torch.no_grad()
    def initialise(self, seed: int) -> None:
        """Draw query and key from N(0, 0.02); values start as the identity (plus 1e-6, as AdapterHub has it)."""
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in sorted(self.named_parameters()):
            if name.endswith("bias"):
                parameter.zero_()
            elif name.endswith("value.weight") and self.config.value_initialized:
                parameter.copy_(torch.full(parameter.shape, 1e-6).fill_diagonal_(1.0))
            else:
                values = torch.empty(parameter.shape).normal_(0.0, 0.02, generator=generator)
                parameter.copy_(values)


@dataclass(frozen=True)
class Fused:
    """A node: several bottlenecks read the same input, a fusion layer weighs what they say."""

    blocks: Sequence[Bottleneck]
    layer: FusionLayer

    def __call__(self, x: Tensor, here: Here) -> Tensor:
        """Refine ``x``, shape ``(batch, length, width)``."""
        # How the input is read is the last adapter's affair: so AdapterHub has it.
        config = self.blocks[-1].config
        reading = here.total(x) if config.original_ln_before else x
        residual = reading if config.residual_before_ln == "post_add" else x
        if config.original_ln_before:
            reading = here.normed(reading, own=config.own_norms)
        residual = residual if config.residual_before_ln else reading
        dtype = self.blocks[-1].down.weight.dtype
        changes = torch.stack([block.change(reading).to(dtype) for block in self.blocks], dim=2)
        query = x if self.layer.config.query_before_ln else reading
        out: Tensor = self.layer(query.to(dtype), changes, residual.to(dtype))
        return out.to(x.dtype)
