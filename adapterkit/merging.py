"""Arithmetic on weights: several adapters merged into one of the same shape.

Where `Average` runs all adapters and averages what they say, a merge averages (or adds, or subtracts) their weights, and
costs at run time what one adapter costs. Sources: Chronopoulou et al. (2023) "AdapterSoup"; Ilharco et al. (2023)
"Editing Models with Task Arithmetic"; Zhang et al. (2023) "Composing Parameter-Efficient Modules with Arithmetic Operations".
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from adapterkit.composition.adapter import Adapter
from adapterkit.config import BottleneckConfig, Linear, LowRankConfig
from adapterkit.errors import AdapterMismatch, ConfigError, found


def merge(
    adapters: Sequence[Adapter], weights: Sequence[float], *, name: str = "merged"
) -> Adapter:
    """The weighted sum of adapters' weights, the invertible parts and heads too.

    Weights need not sum to one: ``merge([a, b, c], [1, 1, -1])`` adds to ``a`` what makes ``b`` of ``c``.
    LoRAs are merged exactly: the change of the new one is the sum of their changes, its rank the sum of their
    ranks (a sum of the factors would be no sum of their products).

    Args:
        adapters: Adapters of one shape, for one backbone.
        weights: One for each.
        name: Of the new adapter.

    Returns:
        A new adapter; its provenance names the parts with their digests and weights.

    Raises:
        AdapterMismatch: If shapes, backbones or labels differ: every difference at once.
        ConfigError: If weights and adapters do not pair up.
    """
    shares = [float(weight) for weight in weights]
    if not adapters or len(shares) != len(adapters) or not all(map(math.isfinite, shares)):
        raise ConfigError(
            f"merging {len(adapters)} adapters needs as many weights, got {list(weights)}"
        )
    _check(adapters)
    merged = _copy(adapters[0], name, adapters, shares)
    with torch.no_grad():
        for key, tensor in merged.tensors().items():
            parts = [a.tensors()[key] for a in adapters]
            if _is_lora(merged) and key.startswith("patches."):
                tensor.copy_(_joined(key, parts, adapters, shares))
            else:
                tensor.copy_(_sum(parts, shares))
    return merged.eval()


def _is_lora(adapter: Adapter) -> bool:
    return isinstance(adapter.config, LowRankConfig) and adapter.config.method == "lora"


def _joined(
    key: str, parts: Sequence[Tensor], adapters: Sequence[Adapter], weights: Sequence[float]
) -> Tensor:
    """Factors side by side: ``[U1 w1 s1, U2 w2 s2] [D1; D2] = w1 s1 U1 D1 + w2 s2 U2 D2``."""
    if key.endswith("down.weight"):
        return torch.cat([part.to(parts[0].device) for part in parts], dim=0)
    path = key.split(".")[1].replace("/", ".")
    return torch.cat(
        [
            (part.double() * weight * _linear(adapter, path).scaling).to(parts[0])
            for part, adapter, weight in zip(parts, adapters, weights, strict=True)
        ],
        dim=1,
    )


def _linear(adapter: Adapter, path: str) -> Linear:
    assert isinstance(adapter.config, LowRankConfig)
    return next(linear for linear in adapter.config.modules if linear.path == path)


def _wider(adapters: Sequence[Adapter]) -> LowRankConfig:
    """The shape of several LoRAs side by side: ranks added, the scaling in the weights."""
    first = adapters[0].config
    assert isinstance(first, LowRankConfig)
    modules = []
    for linear in first.modules:
        rank = sum(_linear(adapter, linear.path).rank for adapter in adapters)
        modules.append(replace(linear, rank=rank, scaling=1.0))
    rank = max(linear.rank for linear in modules)
    return replace(first, modules=tuple(modules), rank=rank, alpha=float(rank))


def _sum(tensors: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    # In float64, so that the sum does not depend on the order of the adapters beyond one rounding.
    total = tensors[0].double() * weights[0]
    for tensor, weight in zip(tensors[1:], weights[1:], strict=True):
        total = total + tensor.double().to(total.device) * weight
    return total


def _copy(
    first: Adapter, name: str, adapters: Sequence[Adapter], weights: Sequence[float]
) -> Adapter:
    merged = copy.deepcopy(first)
    if _is_lora(first):
        merged = Adapter(
            name, _wider(adapters), backbone=first.backbone, kind=first.kind, head=merged.head
        )
    languages = {adapter.language for adapter in adapters}
    merged.name = name
    merged.language = languages.pop() if len(languages) == 1 else ""
    merged.provenance = {
        "merged": [
            {"name": adapter.name, "digest": adapter.digest(), "weight": weight}
            for adapter, weight in zip(adapters, weights, strict=True)
        ]
    }
    return merged


def _check(adapters: Sequence[Adapter]) -> None:
    first, *others = adapters
    problems = [problem for other in others for problem in _differences(first, other)]
    if problems:
        raise AdapterMismatch(
            f"these adapters cannot be merged into one:{found(problems)}\n"
            "Run them side by side instead: ak.Average(a, b, weights=(.5, .5))."
        )


def _differences(a: Adapter, b: Adapter) -> list[str]:
    problems = [
        f"{what}: {a.name!r} has {mine or 'none'}, {b.name!r} has {theirs or 'none'}"
        for what, mine, theirs in (
            ("backbone type", a.backbone.model_type, b.backbone.model_type),
            ("backbone weights", a.backbone.digest[:12], b.backbone.digest[:12]),
            ("labels", ", ".join(a.labels), ", ".join(b.labels)),
            ("invertible part", a.invertible is not None, b.invertible is not None),
        )
        if mine != theirs
    ]
    if _is_lora(a) and _is_lora(b):
        return problems + _path_differences(a, b)
    if _plain(a.config) != _plain(b.config):
        problems.append(f"shape: {a.name!r} is {a.config}, {b.name!r} is {b.config}")
    mine, theirs = a.tensors(), b.tensors()
    if {k: t.shape for k, t in mine.items()} != {k: t.shape for k, t in theirs.items()}:
        problems.append(f"tensors: {a.name!r} and {b.name!r} hold different ones")
    return problems


def _path_differences(a: Adapter, b: Adapter) -> list[str]:
    one = sorted(a.patched - b.patched)
    two = sorted(b.patched - a.patched)
    return [
        f"linear layers: only {adapter.name!r} changes {', '.join(paths[:3])}"
        + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
        for adapter, paths in ((a, one), (b, two))
        if paths
    ]


def _plain(config: BottleneckConfig | LowRankConfig) -> object:
    if not isinstance(config, BottleneckConfig):
        return config
    return replace(config, dropout=0.0, stochastic_depth=0.0, init_weights="bert")
