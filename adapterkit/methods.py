"""From a method's name to the shape of an adapter over a certain backbone."""

from dataclasses import replace

from adapterkit.backbone.frozen import Backbone, base_of
from adapterkit.config import METHODS, BottleneckConfig, LowRankConfig, preset
from adapterkit.errors import ConfigError
from adapterkit.fitting import linears


def shape_of_method(
    backbone: Backbone,
    method: str,
    *,
    reduction_factor: float,
    rank: int,
    invertible: bool = False,
    leave_out: tuple[int, ...] = (),
) -> BottleneckConfig | LowRankConfig:
    """The shape of a fresh adapter.

    Args:
        backbone: What it is for.
        method: One of `METHODS`: a bottleneck preset, ``lora`` or ``ia3``.
        reduction_factor: Of bottlenecks.
        rank: Of LoRA; its ``alpha`` is twice that.
        invertible: With a NICE coupling; LoRA and IA3 never have one, their format has no place for it.
        leave_out: Layers without a bottleneck.

    Raises:
        ConfigError: If there is no such method.
    """
    if method not in METHODS:
        raise ConfigError(f"method {method!r} is not known; there are: {', '.join(METHODS)}")
    if method in ("lora", "ia3"):
        return low_rank(backbone, method, rank=rank)
    shape = preset(method, reduction_factor, invertible=invertible)
    return replace(shape, leave_out=leave_out)


def low_rank(
    backbone: Backbone,
    method: str = "lora",
    *,
    rank: int = 8,
    alpha: float | None = None,
    dropout: float = 0.0,
    targets: tuple[str, ...] = (),
) -> LowRankConfig:
    """The shape of a LoRA or IA3 adapter.

    Args:
        backbone: What it is for.
        method: ``lora`` or ``ia3``.
        rank: Rank of each change.
        alpha: PEFT's ``lora_alpha``; by default twice the rank.
        dropout: On the input while training.
        targets: Ends of the names of linear layers; by default the architecture's (attention's
            query and value).

    Raises:
        ConfigError: If no linear layer has such a name.
    """
    ends = targets or backbone.architecture.low_rank
    base = base_of(backbone.model, backbone.architecture)
    there = linears(base, ends)
    if not there:
        raise ConfigError(f"backbone {backbone.name!r} has no linear layer named {', '.join(ends)}")
    scale = 2.0 * rank if alpha is None else float(alpha)
    lora = method == "lora"
    modules = tuple(
        type(one)(one.path, one.inputs, one.outputs, rank, scale / rank)
        if lora
        else type(one)(one.path, 0, one.outputs)
        for one in there
    )
    return LowRankConfig(
        method="lora" if lora else "ia3",
        modules=modules,
        rank=rank if lora else 0,
        alpha=scale if lora else 0.0,
        dropout=dropout if lora else 0.0,
        targets=ends,
        prefix=backbone.architecture.prefix if base is not backbone.model else "",
    )
