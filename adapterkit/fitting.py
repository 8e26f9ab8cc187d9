"""Do a composition and token ids fit this very backbone: its layers, its vocabulary? What only a live model tells.

Type, width, depth and identity are compared by `Adapter.check_fits`, from facts alone.
"""

import torch
from torch import Tensor, nn

from adapterkit.backbone.frozen import Backbone, base_of
from adapterkit.backbone.layout import POOLER, is_named, module_at
from adapterkit.composition.adapter import Adapter
from adapterkit.composition.base import Composition
from adapterkit.config import Linear, LowRankConfig
from adapterkit.errors import AdapterMismatch, ConfigError, found
from adapterkit.nn.embedding_rows import EmbeddingRows


def check_parts(backbone: Backbone, stack: Composition) -> None:
    """Refuse low-rank adapters of other linear layers than ``backbone`` has, and heads or rows of another vocabulary.

    Raises:
        AdapterMismatch: With every difference.
    """
    base = base_of(backbone.model, backbone.architecture)
    for adapter in stack.adapters:
        problems = _head_problems(adapter, backbone)
        if adapter.embedding_rows is not None:
            problems += row_problems(adapter.embedding_rows, backbone)
        if isinstance(adapter.config, LowRankConfig):
            problems += _prefix_problems(adapter.config, backbone)
            problems += _linear_problems(base, adapter.config)
        if problems:
            shown = problems[:8] + [f"... and {len(problems) - 8} more"] * (len(problems) > 8)
            raise AdapterMismatch(
                f"adapter {adapter.name!r} does not fit backbone {backbone.name!r}:{found(shown)}"
            )


def _head_problems(adapter: Adapter, backbone: Backbone) -> list[str]:
    if adapter.head is None:
        return []
    config, width = adapter.head.config, adapter.head.width
    problems = [f"width: its head reads {width} units, the backbone has {backbone.width}"]
    problems = problems if width != backbone.width else []
    if config.vocabulary not in (0, backbone.vocabulary):
        problems.append(
            f"vocabulary: its {config.head_type} head has {config.vocabulary} tokens, "
            f"the backbone has {backbone.vocabulary}"
        )
    return problems


def row_problems(rows: EmbeddingRows, backbone: Backbone) -> list[str]:
    """Why embedding rows do not fit ``backbone``, a line each."""
    if backbone.architecture.kind == "seq2seq":
        return [
            "embedding rows: over an encoder-decoder, whose two sides share their embeddings, there are none; "
            "take adapter.without_embedding_rows()"
        ]
    vocabulary, width = backbone.embedding_matrix().shape
    problems = []
    if rows.deltas.shape[1] != width:
        problems.append(
            f"embedding rows: they are {rows.deltas.shape[1]} wide, the backbone's embeddings {width}"
        )
    if len(rows) and int(rows.ids[-1]) >= vocabulary:
        problems.append(
            f"embedding rows: of token {int(rows.ids[-1])}, the backbone's go up to {vocabulary - 1}"
        )
    return problems


def _prefix_problems(config: LowRankConfig, backbone: Backbone) -> list[str]:
    mine, other = config.prefix, backbone.architecture.prefix
    if mine in ("", other):
        return []
    return [f"type: its parts are of a {mine!r} model, the backbone is a {other!r} one"]


def _linear_problems(base: nn.Module, config: LowRankConfig) -> list[str]:
    problems = []
    for wanted in config.modules:
        there = module_at(base, wanted.path)
        if not isinstance(there, nn.Linear):
            problems.append(f"{wanted.path}: the backbone has no such linear layer")
        elif (wanted.inputs or there.in_features, wanted.outputs or there.out_features) != (
            there.in_features,
            there.out_features,
        ):
            problems.append(
                f"{wanted.path}: made for {wanted.inputs} to {wanted.outputs}, "
                f"the backbone has {there.in_features} to {there.out_features}"
            )
    given = {linear.path for linear in config.modules}
    named = linears(base, config.targets, prefix=config.prefix)
    missing = [linear.path for linear in named if linear.path not in given]
    return problems + [f"{path}: it has no part for this layer" for path in missing]


def linears(base: nn.Module, targets: tuple[str, ...] | str, *, prefix: str = "") -> list[Linear]:
    """The linear layers of a base model that ``targets`` name, as PEFT reads them; never the pooler's.

    Args:
        base: The base model.
        targets: Ends of paths, or ``all-linear``.
        prefix: Where the base model stands in the model that they speak of.
    """
    start = f"{prefix}." if prefix else ""
    return [
        Linear(path, module.in_features, module.out_features)
        for path, module in base.named_modules()
        if isinstance(module, nn.Linear) and path != POOLER and is_named(start + path, targets)
    ]


def require_ids(
    backbone: Backbone,
    input_ids: Tensor,
    attention_mask: Tensor | None = None,
    *,
    name: str = "input_ids",
) -> None:
    """Refuse token ids that ``backbone`` cannot read, before torch fails somewhere inside of it.

    Args:
        backbone: What is to read them.
        input_ids: Shape ``(batch, length)``.
        attention_mask: Shape ``(batch, length)``.
        name: What the caller calls the ids.

    Raises:
        ConfigError: If they are no batch of ids, too long, or out of range, or the mask is of another shape.
    """
    if not isinstance(input_ids, Tensor):
        raise ConfigError(
            f"{name} are a tensor of shape (batch, length), got {input_ids!r:.80}; texts go into ak.predict"
        )
    if input_ids.ndim != 2 or not input_ids.numel() or input_ids.dtype not in _WHOLE:
        raise ConfigError(
            f"{name} are whole numbers of shape (batch, length), a token or more in each row, "
            f"got {_kind(input_ids)}"
        )
    if attention_mask is not None and not _alike(attention_mask, input_ids):
        raise ConfigError(
            f"attention_mask has a number for each of input_ids, {_kind(input_ids)}, got {_kind(attention_mask)}"
        )
    # Where positions are only relative (mT5), a longer text is unusual and can be read.
    counted = getattr(backbone.model.config, "max_position_embeddings", None) is not None
    if counted and input_ids.shape[1] > backbone.max_length:
        raise ConfigError(
            f"backbone {backbone.name!r} reads {backbone.max_length} tokens at most, got {input_ids.shape[1]}; "
            "ak.predict cuts long texts into windows"
        )
    if input_ids.is_cpu:  # elsewhere it would be waited for
        least, most = (int(value) for value in torch.aminmax(input_ids))
        if least < 0 or most >= backbone.vocabulary:
            raise ConfigError(
                f"backbone {backbone.name!r} has the token ids 0 to {backbone.vocabulary - 1}, got {least} to {most}"
            )


_WHOLE = (torch.int64, torch.int32)


def require_positions(positions: Tensor | None, ids: Tensor) -> None:
    """Refuse positions that do not say of each token whether it is wanted: numbers would pick rows of the batch.

    Args:
        positions: Booleans; None where all are wanted. Shape ``(batch, length)``.
        ids: The tokens. Shape ``(batch, length)``.

    Raises:
        ConfigError: If they are something else.
    """
    if positions is None or (_alike(positions, ids) and positions.dtype == torch.bool):
        return
    raise ConfigError(
        f"positions are booleans, one for each token of {_kind(ids)}, got {_kind(positions)}"
    )


def _alike(given: object, ids: Tensor) -> bool:
    return isinstance(given, Tensor) and given.shape == ids.shape


def _kind(tensor: object) -> str:
    if not isinstance(tensor, Tensor):
        return f"{type(tensor).__name__} ({tensor!r:.60})"
    return f"{tensor.dtype} of shape {tuple(tensor.shape)}".removeprefix("torch.")
