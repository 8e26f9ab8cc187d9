"""Names of tensors in AdapterHub's files against ours, as data. Needs no torch.

Ours are plain (``blocks.3.down.weight``); theirs say where in which model (``bert.encoder.layer.3.output.
adapters.cym.adapter_down.0.weight``), with or without the model's prefix, and went by other names in
adapter-transformers 1.x.
"""

import re

from adapterkit.backbone.architectures import Architecture
from adapterkit.config import HeadConfig

_LEGACY = (
    (re.compile(r"\battention_text_(?:task|lang)_adapters\."), "attention.output.adapters."),
    (re.compile(r"\blayer_text_(?:task|lang)_adapters\."), "adapters."),
    (re.compile(r"\binvertible_lang_adapters\."), "invertible_adapters."),
)
_PARTS = (("down", "adapter_down.0"), ("up", "adapter_up"))
_NICE = tuple(f"{net}.{index}" for net in "FG" for index in "02")


def modern(key: str) -> str:
    """The key under which adapters 1.x looks for what adapter-transformers 1.x to 3.x called ``key``."""
    for pattern, name in _LEGACY:
        key = pattern.sub(name, key)
    return key


def adapter_keys(
    row: Architecture, name: str, layers: list[int], *, invertible: bool
) -> dict[str, str]:
    """Our name of every tensor of an adapter, by AdapterHub's key.

    Args:
        row: The architecture it was made for.
        name: What its files call it.
        layers: The layers with a bottleneck.
        invertible: Whether it has a coupling.
    """
    keys = {}
    for layer in layers:
        place = f"{row.prefix}.{row.key.format(layer=layer)}.{name}"
        for ours, theirs in _PARTS:
            for end in ("weight", "bias"):
                keys[f"{place}.{theirs}.{end}"] = f"blocks.{layer}.{ours}.{end}"
    for part in _NICE if invertible else ():
        for end in ("weight", "bias"):
            keys[f"{row.prefix}.invertible_adapters.{name}.{part}.{end}"] = (
                f"invertible.{part}.{end}"
            )
    return keys


def layer_numbers(row: Architecture, name: str, keys: list[str]) -> list[int]:
    """Numbers of the layers for which ``keys`` hold any bottleneck of adapter ``name``."""
    place = re.escape(row.key).replace(re.escape("{layer}"), r"(\d+)")
    pattern = re.compile(rf"(?:{re.escape(row.prefix)}\.)?{place}\.{re.escape(name)}\.")
    return sorted({int(match[1]) for key in keys if (match := pattern.match(key))})


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
