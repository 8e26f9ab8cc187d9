"""Names of tensors in AdapterHub's files against ours, as data. Needs no torch.

Ours are plain (``blocks.3.down.weight``); theirs say where in which model (``bert.encoder.layer.3.output.
adapters.cym.adapter_down.0.weight``), with or without the model's prefix, and went by other names in
adapter-transformers 1.x.
"""

import re
from collections.abc import Sequence

from adapterkit.backbone.architectures import Architecture
from adapterkit.config import BottleneckConfig, HeadConfig

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


def places_of(row: Architecture, config: BottleneckConfig) -> list[tuple[str, str, str]]:
    """For each place with bottlenecks: our name of it, the path of its layers, AdapterHub's name."""
    places = []
    for tower in row.towers:
        places += [("attention", tower.layers, tower.attention.key)] if config.mh_adapter else []
        places += [("blocks", tower.layers, tower.output.key)] if config.output_adapter else []
    return places


def adapter_keys(
    row: Architecture, name: str, layers: Sequence[int], config: BottleneckConfig
) -> dict[str, str]:
    """Our name of every tensor of an adapter, by AdapterHub's key.

    Args:
        row: The architecture it was made for.
        name: What its files call it.
        layers: The layers with a bottleneck.
        config: Its shape.
    """
    keys = {}
    for place, path, key in places_of(row, config):
        for layer in layers:
            at = f"{row.prefix}.{path}.{layer}.{key}.{name}"
            for ours, theirs in parts_of(config).items():
                keys[f"{at}.{theirs}"] = f"{place}.{layer}.{ours}"
    for part in _NICE if config.invertible else ():
        for end in _ENDS:
            at = f"{row.prefix}.invertible_adapters.{name}"
            keys[f"{at}.{part}.{end}"] = f"invertible.{part}.{end}"
    return keys


def alias_keys(
    row: Architecture, name: str, layers: Sequence[int], config: BottleneckConfig
) -> dict[str, str]:
    """Second keys of the same tensors: with a norm of its own, the library saves it twice."""
    if not config.ln_before:
        return {}
    return {
        key.replace(".adapter_norm_before.", ".adapter_down.0."): key
        for key in adapter_keys(row, name, layers, config)
        if ".adapter_norm_before." in key
    }


def layer_numbers(row: Architecture, name: str, keys: Sequence[str]) -> list[int]:
    """Numbers of the layers for which ``keys`` hold any bottleneck of adapter ``name``."""
    both = BottleneckConfig(mh_adapter=True)
    places = "|".join(
        rf"{re.escape(path)}\.([0-9]{{1,3}})\.{re.escape(key)}"
        for _, path, key in places_of(row, both)
    )
    pattern = re.compile(rf"(?:{re.escape(row.prefix)}\.)?(?:{places})\.{re.escape(name)}\.")
    found = (match for key in keys if (match := pattern.match(key)))
    return sorted({int(next(number for number in match.groups() if number)) for match in found})


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
