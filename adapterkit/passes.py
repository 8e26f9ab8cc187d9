"""One pass of a batch through hooked twins: the last hidden state, and the losses that trainings ask for."""

import torch
from torch import Tensor

from adapterkit.backbone.frozen import Backbone
from adapterkit.data.batches import Batch
from adapterkit.errors import ConfigError
from adapterkit.hooking import Hooked
from adapterkit.nn.losses import (
    SomePieces,
    binary_cross_entropy,
    cross_entropy,
    frozen_cross_entropy,
)


def last_hidden(
    backbone: Backbone, hooked: Hooked, input_ids: Tensor, attention_mask: Tensor | None
) -> Tensor:
    """Last hidden state of the encoder (or the decoder of a causal model).

    Args:
        backbone: What ``hooked`` are twins of.
        hooked: The twins.
        input_ids: Shape ``(batch, length)``.
        attention_mask: By default 1 everywhere. Shape ``(batch, length)``.

    Returns:
        Shape ``(batch, length, width)``; with positions set in ``hooked.narrow``, of these only: ``(1, wanted, width)``.
    """
    mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
    # A cache of keys and values is for `generate`; here it would only cost memory.
    options = {"use_cache": False} if backbone.architecture.kind == "causal" else {}
    out = hooked.encoder(input_ids=input_ids, attention_mask=mask, **options)
    hidden: Tensor = out.last_hidden_state
    return hidden


def language_loss(
    backbone: Backbone, hooked: Hooked, batch: Batch, pieces: SomePieces | None
) -> Tensor:
    """Mean masked-LM loss where ``batch`` has a target, without ever holding all logits. A scalar.

    Args:
        backbone: What ``hooked`` are twins of.
        hooked: The twins, with a vocabulary matrix.
        batch: Inputs and targets.
        pieces: Part of that matrix: the loss goes over these pieces only.
    """
    assert hooked.vocabulary is not None
    wanted = batch.targets != -100
    targets = batch.targets[wanted]
    hidden = _wanted(backbone, hooked, batch, wanted)
    features = hooked.vocabulary_head(inputs_embeds=hidden.unsqueeze(1)).logits.squeeze(1)
    rows = None if hooked.rows is None else hooked.rows.table()
    if pieces is not None:
        return pieces.cross_entropy(features, targets, rows)
    matrix = hooked.vocabulary
    return frozen_cross_entropy(features, matrix.weight, matrix.bias, targets, rows)


def _wanted(backbone: Backbone, hooked: Hooked, batch: Batch, wanted: Tensor) -> Tensor:
    """Last hidden state at the wanted positions. Shape ``(wanted, width)``."""
    if hooked.narrow is None:
        return last_hidden(backbone, hooked, batch.input_ids, batch.attention_mask)[wanted]
    with hooked.narrow.to(wanted.flatten().nonzero().squeeze(-1)):
        return last_hidden(backbone, hooked, batch.input_ids, batch.attention_mask)[0]


def second_text_loss(hooked: Hooked, batch: Batch) -> Tensor:
    """Mean cross entropy of an encoder-decoder's second text, which the targets are. A scalar.

    Args:
        hooked: The twins.
        batch: Inputs and targets.
    """
    # The model itself shifts the targets into the decoder's inputs.
    out = hooked.vocabulary_head(
        input_ids=batch.input_ids,
        attention_mask=batch.attention_mask,
        labels=batch.targets,
        use_cache=False,
    )
    return task_loss(out.logits, batch)


def task_loss(logits: Tensor, batch: Batch) -> Tensor:
    """Mean cross entropy of logits, shape ``(batch, ..., labels)``, a scalar."""
    return cross_entropy(logits.flatten(0, -2), batch.targets.flatten())


def several_labels_loss(logits: Tensor, batch: Batch) -> Tensor:
    """Mean binary cross entropy of a multi-label head's logits, shape ``(batch, labels)``, a scalar.

    Raises:
        ConfigError: If the targets are not a 1 or 0 for each label.
    """
    targets = batch.targets
    if targets.shape != logits.shape or not ((targets == 0) | (targets == 1)).all():
        raise ConfigError(
            f"a multi-label head learns from a 1 or a 0 for each label, targets of shape {tuple(logits.shape)}; "
            f"found shape {tuple(targets.shape)}"
        )
    return binary_cross_entropy(logits, targets)
