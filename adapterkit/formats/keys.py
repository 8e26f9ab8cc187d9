"""Names of tensors in AdapterHub's files against ours, as data. Needs no torch.

Ours are plain (``blocks.3.down.weight``); theirs say where in which model (``bert.encoder.layer.3.output.
adapters.cym.adapter_down.0.weight``), with or without the model's prefix, and went by other names in
adapter-transformers 1.x.
"""

import re
from collections.abc import Sequence

from adapterkit.backbone.layout import Architecture, Tower
from adapterkit.config import BackboneFacts, BottleneckConfig, HeadConfig

_LEGACY = (
    (re.compile(r"\battention_text_(?:task|lang)_adapters\."), "attention.output.adapters."),
    (re.compile(r"\blayer_text_(?:task|lang)_adapters\."), "adapters."),
    (re.compile(r"\binvertible_lang_adapters\."), "invertible_adapters."),
)
_ENDS = ("weight", "bias")
_NICE = tuple(f"{net}.{index}" for net in "FG" for index in "02")


def modern(key: str) -> str:
    """The key under which adapters 1.x looks for what adapter-transformers 1.x to 3.x called ``key``."""
    for pattern, name in _LEGACY:
        key = pattern.sub(name, key)
    return key


def parts_of(config: BottleneckConfig) -> dict[str, str]:
    """AdapterHub's name of every tensor of one bottleneck, by ours."""
    down = "adapter_down.1" if config.ln_before else "adapter_down.0"
    modules = {"down": down, "up": "adapter_up"}
    modules |= {"norm_before": "adapter_norm_before"} if config.ln_before else {}
    modules |= {"norm_after": "adapter_norm_after"} if config.ln_after else {}
    modules |= {"gate": "gate"} if config.use_gating else {}
    parts = {
        f"{ours}.{end}": f"{theirs}.{end}" for ours, theirs in modules.items() for end in _ENDS
    }
    return parts | ({"scale": "scaling"} if isinstance(config.scaling, str) else {})


def tower_of(row: Architecture, facts: BackboneFacts, layer: int) -> tuple[Tower, int]:
    """The tower in which layer ``layer`` stands, and its number there."""
    encoder = facts.layers - facts.decoder_layers
    if len(row.towers) > 1 and layer >= encoder:
        return row.towers[1], layer - encoder
    return row.towers[0], layer


def adapter_keys(
    row: Architecture,
    name: str,
    layers: Sequence[int],
    config: BottleneckConfig,
    facts: BackboneFacts,
) -> dict[str, str]:
    """Our name of every tensor of an adapter, by AdapterHub's key.

    Args:
        row: The architecture it was made for.
        name: What its files call it.
        layers: The layers with a bottleneck.
        config: Its shape.
        facts: The backbone it was made for.
    """
    keys = {}
    for layer in layers:
        tower, number = tower_of(row, facts, layer)
        places = {"attention": tower.attention} if config.mh_adapter else {}
        places |= {"blocks": tower.output} if config.output_adapter else {}
        for place, site in places.items():
            at = f"{row.prefix}.{tower.layers}.{number}.{site.key}.{name}"
            for ours, theirs in parts_of(config).items():
                keys[f"{at}.{theirs}"] = f"{place}.{layer}.{ours}"
    for part in _NICE if config.invertible else ():
        for end in _ENDS:
            keys[f"{row.coupling}.{name}.{part}.{end}"] = f"invertible.{part}.{end}"
    return keys


def alias_keys(
    row: Architecture,
    name: str,
    layers: Sequence[int],
    config: BottleneckConfig,
    facts: BackboneFacts,
) -> dict[str, str]:
    """Second keys of the same tensors: with a norm of its own, the library saves it twice."""
    if not config.ln_before:
        return {}
    return {
        key.replace(".adapter_norm_before.", ".adapter_down.0."): key
        for key in adapter_keys(row, name, layers, config, facts)
        if ".adapter_norm_before." in key
    }


def depths(
    row: Architecture, name: str, keys: Sequence[str], leave_out: Sequence[int]
) -> tuple[int, int]:
    """Layers in all, and in the decoder, of the backbone that adapter ``name`` was made for.

    Told by the layers for which ``keys`` hold a bottleneck and those left out; 0 if there are none.
    """
    there = [_numbers(row, tower, name, keys) for tower in row.towers]
    if not any(there):
        return 0, 0
    if len(there) == 1:
        return max([*there[0], *leave_out]) + 1, 0
    encoder = _encoder_depth(there[0], there[1], set(leave_out))
    last = max([encoder - 1, *(encoder + number for number in there[1]), *leave_out])
    return last + 1, last + 1 - encoder


def _encoder_depth(encoder: set[int], decoder: set[int], leave_out: set[int]) -> int:
    # Layers that are left out have no keys. They are numbered through both towers, so the encoder ends
    # where what is there and what is left out first tell the same of both.
    lowest = max(encoder, default=-1) + 1
    for depth in range(lowest, lowest + len(leave_out) + 1):
        shifted = {number + depth for number in decoder}
        if set(range(depth)) - encoder <= leave_out and not shifted & leave_out:
            return depth
    return lowest


def _numbers(row: Architecture, tower: Tower, name: str, keys: Sequence[str]) -> set[int]:
    sites = "|".join(re.escape(site.key) for site in (tower.attention, tower.output))
    start = rf"(?:{re.escape(row.prefix)}\.)?{re.escape(tower.layers)}"
    pattern = re.compile(rf"{start}\.([0-9]{{1,3}})\.(?:{sites})\.{re.escape(name)}\.")
    return {int(match[1]) for key in keys if (match := pattern.match(key))}


def head_keys(config: HeadConfig, name: str) -> dict[str, str]:
    """Our name of every tensor of a head, by AdapterHub's key."""
    return {f"heads.{name}.{part}": f"head.chain.{part}" for part in head_parts(config)}


def head_parts(config: HeadConfig) -> list[str]:
    """Places and ends of a head's tensors, e.g. ``1.weight``."""
    if config.head_type == "masked_lm":
        inner = [str(3 * i + j) for i in range(config.layers - 1) for j in (0, 2)]
        last = str(3 * (config.layers - 1))
    else:
        inner = [str(3 * i + 1) for i in range(config.layers - 1)]
        last = str(3 * config.layers - 2)
    ends = ["weight", "bias"] if config.bias else ["weight"]
    return [f"{place}.{end}" for place in inner for end in ("weight", "bias")] + [
        f"{last}.{end}" for end in ends
    ]


def with_prefix(key: str, row: Architecture) -> str:
    """``key`` with the model's prefix, which adapters saved from a bare base model lack."""
    return key if key.startswith(f"{row.prefix}.") else f"{row.prefix}.{key}"
