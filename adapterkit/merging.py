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
from adapterkit.config import BottleneckConfig, LowRankConfig
from adapterkit.errors import AdapterMismatch, ConfigError, found


def merge(
    adapters: Sequence[Adapter], weights: Sequence[float], *, name: str = "merged"
) -> Adapter:
    """The weighted sum of adapters' weights, the invertible parts and heads too.

    Weights need not sum to one: ``merge([a, b, c], [1, 1, -1])`` adds to ``a`` what makes ``b`` of ``c``.

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
            tensor.copy_(_sum([a.tensors()[key] for a in adapters], shares))
    return merged.eval()


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
    if _plain(a.config) != _plain(b.config):
        problems.append(f"shape: {a.name!r} is {a.config}, {b.name!r} is {b.config}")
    mine, theirs = a.tensors(), b.tensors()
    if {k: t.shape for k, t in mine.items()} != {k: t.shape for k, t in theirs.items()}:
        problems.append(f"tensors: {a.name!r} and {b.name!r} hold different ones")
    if isinstance(a.config, LowRankConfig) and a.config.method == "lora":
        problems.append(
            "method: the factors of a LoRA cannot be added (a sum of products is no product of sums)"
        )
    return problems


def _plain(config: BottleneckConfig | LowRankConfig) -> object:
    if not isinstance(config, BottleneckConfig):
        return config
    return replace(config, dropout=0.0, stochastic_depth=0.0, init_weights="bert")
