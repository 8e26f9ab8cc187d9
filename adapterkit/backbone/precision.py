"""A frozen backbone made ready for training in bfloat16: its tensors cast once, its attention one that trains fast.

Needs no transformers: `load`, its door, puts `plain_attention` into its table of attention functions.
"""

import copy
import logging
import sys
import time
from typing import Any

import torch
from torch import Tensor, nn

from adapterkit.nn.twin import copied, twin
from adapterkit.settings import Precision

PLAIN = "adapterkit_plain"
logger = logging.getLogger("adapterkit")


def in_dtype(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A copy of ``model`` with its floating-point parameters in ``dtype``; tied ones stay tied."""

    def change(old: Tensor) -> Tensor:
        if not isinstance(old, nn.Parameter):
            return old
        cast = old.detach().to(dtype) if old.is_floating_point() else old
        return nn.Parameter(cast, requires_grad=False)

    return copied([model], change)[0]


def with_plain_attention(model: nn.Module) -> nn.Module:
    """A twin of ``model`` that attends by `plain_attention`, where its code asks transformers' table.

    On a CPU the backward pass of torch's fused attention is several times slower in bfloat16 than that of
    the two products and the softmax it stands for (``docs/log.md``); on a GPU the fused one stays.
    """
    code = sys.modules[type(model).__module__]
    asks = hasattr(code, "ALL_ATTENTION_FUNCTIONS")  # not every architecture of 4.57 does
    if next(model.parameters()).device.type != "cpu" or not asks:
        return model
    plain = twin(model)
    configs: dict[int, Any] = {}
    for module in plain.modules():
        config = module.__dict__.get("config")
        if getattr(config, "_attn_implementation", None) == "sdpa":
            if id(config) not in configs:
                configs[id(config)] = copy.deepcopy(config)
                configs[id(config)]._attn_implementation = PLAIN
            module.__dict__["config"] = configs[id(config)]
    return plain


def plain_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    position_bias: Tensor | None = None,
    **unused: Any,
) -> tuple[Tensor, None]:
    """Softmax of scaled products, as transformers' table of attention functions has it.

    The query is scaled instead of the products, which are larger, and the softmax keeps its input's dtype
    (inside it computes in float32). Frozen backbones never drop.

    Args:
        module: The attention; says how many queries share a key.
        query: Shape ``(batch, heads, length, width of a head)``.
        key: Shape ``(batch, heads or fewer, length, width of a head)``.
        value: Likewise.
        attention_mask: Added to the products; None where there is no padding.
        scaling: Of the products; by default one over the root of a head's width.
        dropout: Not used.
        position_bias: Added to the products as well (mT5's relative positions).
        unused: What transformers tells its other attention functions.

    Returns:
        Shape ``(batch, length, heads, width of a head)``, and no weights.
    """
    shared = query.shape[1] // key.shape[1]
    if shared > 1:
        key, value = (part.repeat_interleave(shared, dim=1) for part in (key, value))
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    products = torch.matmul(query * scale, key.transpose(2, 3))
    if position_bias is not None:
        products = products + position_bias
    if attention_mask is not None:
        products = products + attention_mask[..., : key.shape[-2]]
    mixed = torch.matmul(torch.softmax(products, dim=-1), value)
    return mixed.transpose(1, 2).contiguous(), None


def choose_precision(
    device: torch.device, asked: Precision | None, weights: torch.dtype
) -> Precision:
    """``asked``, or what this machine multiplies clearly faster, by a measurement of some milliseconds.

    The answer is kept in the checkpoint, so a resumed run does not ask again. bfloat16 asked for, or kept by another
    machine, where the processor has no instructions for it, is taken with a warning.
    """
    if weights != torch.float32:
        held: Precision = "bfloat16" if weights == torch.bfloat16 else "float32"
        if asked not in (None, held):
            logger.warning(
                "the backbone is loaded in %s, so this runs in that and not in %s as asked for; load it in float32",
                str(weights).removeprefix("torch."),
                asked,
            )
        return held
    if asked == "bfloat16" and not multiplies_bfloat16(device):
        logger.warning(
            "bfloat16, as asked for or as the checkpoint has it, is up to a hundred times slower than float32 on this "
            "processor; where it was not asked for, start over with --fresh or go on where the run began"
        )
    if asked is not None:
        return asked
    return "bfloat16" if faster_dtype(device) == torch.bfloat16 else "float32"


def faster_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where ``device`` multiplies it clearly faster, else float32: a measurement of some milliseconds."""
    faster = multiplies_bfloat16(device) and _gain(device, size=768) > 1.5
    return torch.bfloat16 if faster else torch.float32


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether ``device`` has instructions for bfloat16: a measurement on small matrices.

    Processors without them multiply it up to a hundred times slower than float32, and would take half a minute over
    the matrices by which `faster_dtype` tells the others apart.
    """
    return _gain(device, size=128) >= 0.1


def _gain(device: torch.device, size: int) -> float:
    """How many times as fast as in float32 square matrices are multiplied in bfloat16."""
    return _matrix_seconds(device, torch.float32, size) / _matrix_seconds(
        device, torch.bfloat16, size
    )


def _matrix_seconds(device: torch.device, dtype: torch.dtype, size: int) -> float:
    a = torch.ones(size, size, device=device, dtype=dtype)
    best = float("inf")
    for _ in range(6):
        began = time.perf_counter()
        for _ in range(4):
            b = a @ a
        float(b[0, 0])  # waits for a GPU
        best = min(best, time.perf_counter() - began)
    return best
