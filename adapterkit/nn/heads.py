"""Prediction heads: tagging, classification (one label or several) and masked language modelling.

A head is a chain of linear layers whose indices are AdapterHub's, so that its weights need no renaming:
dropouts and activations count as places in the chain.
"""

import hashlib

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapterkit.config import HEAD_TYPES, HeadConfig
from adapterkit.errors import ConfigError
from adapterkit.nn.activations import activation
from adapterkit.nn.bottleneck import Coupling
from adapterkit.tensorfile import digest_of_tensors


class Head(nn.Module):
    """A head over the backbone's last hidden state.

    Args:
        config: Its kind, labels and layers.
        width: Width of the backbone.
    """

    def __init__(self, config: HeadConfig, width: int) -> None:
        super().__init__()
        self.config = config
        self.width = width
        self.act = activation(config.activation)
        if config.head_type not in HEAD_TYPES:
            raise ConfigError(
                f"head type {config.head_type!r} is not supported; there are: {', '.join(HEAD_TYPES)}"
            )
        build = _lm_layers if config.head_type == "masked_lm" else _task_layers
        self.chain = build(config, width)

    def digest(self) -> str:
        """sha256 over its kind, labels and weights."""
        facts = hashlib.sha256(repr(self.config).encode()).hexdigest()
        return f"{facts}{digest_of_tensors(dict(self.state_dict()))}"

    def forward(
        self,
        hidden: Tensor,
        invertible: Coupling | None = None,
        *,
        epsilon: float = 1e-12,
        places: Tensor | None = None,
    ) -> Tensor:
        """Compute logits.

        Args:
            hidden: Last hidden state. Shape ``(batch, length, width)``; for ``masked_lm`` any
                ``(..., width)``.
            invertible: The stack's coupling; a ``masked_lm`` head applies its inverse right
                before the vocabulary matrix, other heads ignore it.
            epsilon: Of the norm inside a ``masked_lm`` head: the backbone's own, which the
                head's files do not tell.
            places: Which token of each row a classification head reads; by default the first.
                Over a decoder, whose first token has seen nothing, the last (`last_places`).
                Shape ``(batch,)``.

        Returns:
            ``(batch, length, labels)`` for tagging, ``(batch, labels)`` for classification
            (``multilabel_classification`` too: take its sigmoid), ``(..., vocabulary)`` for masked language modelling.
        """
        everywhere = self.config.head_type in ("masked_lm", "tagging")
        x = hidden if everywhere else _at(hidden, places)
        dtype = x.dtype
        x = x.to(next(self.parameters()).dtype)
        if self.config.head_type == "masked_lm":
            out = self._vocabulary_logits(x, invertible, epsilon)
        else:
            out = self._label_logits(x)
        return out if out.dtype.itemsize > dtype.itemsize else out.to(dtype)

    def _label_logits(self, x: Tensor) -> Tensor:
        *inner, last = self.chain.values()
        for layer in inner:
            x = self.act(layer(self._drop(x)))
        out: Tensor = last(self._drop(x))
        return out

    def _drop(self, x: Tensor) -> Tensor:
        return (
            functional.dropout(x, self.config.dropout, self.training) if self.config.dropout else x
        )

    def _vocabulary_logits(self, x: Tensor, invertible: Coupling | None, epsilon: float) -> Tensor:
        *inner, last = self.chain.values()
        for layer in inner:
            if isinstance(layer, nn.LayerNorm):
                x = functional.layer_norm(
                    x, layer.normalized_shape, layer.weight, layer.bias, epsilon
                )
            else:
                x = self.act(layer(x))
        out: Tensor = last(invertible.inverse(x) if invertible is not None else x)
        return out


def last_places(attention_mask: Tensor) -> Tensor:
    """The place of each row's last token, padded on whichever side.

    Args:
        attention_mask: 1 where there is a token. Shape ``(batch, length)``.

    Returns:
        Shape ``(batch,)``.
    """
    numbers = torch.arange(attention_mask.shape[1], device=attention_mask.device)
    return ((attention_mask != 0) * numbers).argmax(-1)


def _at(hidden: Tensor, places: Tensor | None) -> Tensor:
    """One token of each row. Shape ``(batch, width)``."""
    if places is None:
        return hidden[:, 0]
    return hidden[torch.arange(len(hidden), device=hidden.device), places]


def _task_layers(config: HeadConfig, width: int) -> nn.ModuleDict:
    # The chain is [dropout, linear, activation] * (layers - 1) + [dropout, linear].
    chain = {str(3 * i + 1): nn.Linear(width, width) for i in range(config.layers - 1)}
    chain[str(3 * config.layers - 2)] = nn.Linear(width, len(config.labels), bias=config.bias)
    return nn.ModuleDict(chain)


def _lm_layers(config: HeadConfig, width: int) -> nn.ModuleDict:
    # The chain is [linear, activation, norm] * (layers - 1) + [linear].
    chain: dict[str, nn.Module] = {}
    for i in range(config.layers - 1):
        chain[str(3 * i)] = nn.Linear(width, width)
        chain[str(3 * i + 2)] = nn.LayerNorm(width)
    chain[str(3 * (config.layers - 1))] = nn.Linear(width, config.vocabulary, bias=config.bias)
    return nn.ModuleDict(chain)
