"""Which shape the settings of a training ask for, beside that of an adapter which is there."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from adapterkit.config import PRESETS, BottleneckConfig, LowRankConfig
from adapterkit.errors import ConfigError
from adapterkit.settings import LanguageConfig, TaskConfig


def left_out(
    layers: int, *, drop_last: bool, upper: int | None = None, lower: int | None = None
) -> tuple[int, ...]:
    """Layers without a bottleneck, counted from 0.

    Args:
        layers: How many the backbone has.
        drop_last: The last one has none (Pfeiffer et al., 2021, "UNKs Everywhere").
        upper: So many of the others have one, the uppermost; by default all.
        lower: None above so many has one.

    Raises:
        ConfigError: If there are not so many, or both of ``upper`` and ``lower`` are given.
    """
    if upper is not None and lower is not None:
        raise ConfigError("bottlenecks in upper_layers or in lower_layers: choose one")
    there = layers - 1 if drop_last else layers
    if upper is not None and upper > there:
        dropped = ", the last of which is left out (drop_last_layer)" if drop_last else ""
        raise ConfigError(f"upper_layers {upper}: the backbone has {layers} layers{dropped}")
    first = 0 if upper is None else there - upper
    last = there if lower is None else min(lower, there)
    return (*range(first), *range(last, layers))


def other_shape(
    asked: LanguageConfig | TaskConfig, there: BottleneckConfig | LowRankConfig, layers: int
) -> list[str]:
    """Settings that ask for another shape than that of an adapter which is there; defaults ask for none.

    Args:
        asked: How an adapter is to be trained.
        there: The shape of the adapter that is there.
        layers: Layers of the backbone.
    """
    plain = type(asked)()
    if isinstance(there, LowRankConfig):
        same = (there.method, plain.method)
        found = {"method": asked.method in same, "rank": asked.rank in (there.rank, plain.rank)}
        return [name for name, fits in found.items() if not fits]
    found = {
        "method": asked.method == plain.method or _is_preset(asked.method, there),
        "reduction_factor": asked.reduction_factor
        in (plain.reduction_factor, there.reduction_factor),
        "invertible": getattr(asked, "invertible", True) or not there.invertible,
    }
    others = [name for name, fits in found.items() if not fits]
    values = {name: getattr(asked, name, default) for name, default in _LAYERED.items()}
    named = [name for name, default in _LAYERED.items() if values[name] != default]
    return others if _layers_left_out(values, layers) == there.leave_out else others + named


_LAYERED = {"drop_last_layer": True, "upper_layers": None, "lower_layers": None, "leave_out": ()}
"""Settings of which layers have a bottleneck, and their defaults."""


def _layers_left_out(values: Mapping[str, Any], layers: int) -> tuple[int, ...]:
    left = left_out(
        layers,
        drop_last=values["drop_last_layer"],
        upper=values["upper_layers"],
        lower=values["lower_layers"],
    )
    return tuple(sorted({*left, *values["leave_out"]}))


def with_shape(
    config: TaskConfig, there: BottleneckConfig | LowRankConfig, layers: int
) -> TaskConfig:
    """The settings with the shape of an adapter that is there, for the record of what was trained.

    As far as settings can say it: factors by layer and what no preset has stand in the adapter's own configuration.
    """
    if isinstance(there, LowRankConfig):
        return replace(
            config, method=there.method, rank=there.rank or config.rank
        )  # an IA3 has none
    # Every shape is a pfeiffer to the last: the one that says most of it.
    method = [name for name in PRESETS if _is_preset(name, there)][-1]
    factor = there.reduction_factor
    if isinstance(factor, float | int):
        config = replace(config, reduction_factor=factor)
    if _layers_left_out({**_LAYERED, **vars(config)}, layers) == there.leave_out:
        return replace(config, method=method)
    return replace(
        config, method=method, drop_last_layer=False, lower_layers=None, leave_out=there.leave_out
    )


def _is_preset(method: str, there: BottleneckConfig) -> bool:
    return method in PRESETS and all(
        getattr(there, name) == value
        for name, value in PRESETS[method].items()
        if name not in ("reduction_factor", "invertible")
    )
