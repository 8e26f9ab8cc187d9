"""Arithmetic on weights: several adapters merged into one of the same shape.

Where `Average` runs all adapters and averages what they say, a merge averages (or adds, or subtracts) their weights, and
costs at run time what one adapter costs. Sources: Chronopoulou et al. (2023) "AdapterSoup"; Ilharco et al. (2023)
"Editing Models with Task Arithmetic"; Zhang et al. (2023) "Composing Parameter-Efficient Modules with Arithmetic Operations".
"""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from adapterkit.composition.adapter import Adapter
from adapterkit.composition.base import number_of
from adapterkit.config import BackboneFacts, BottleneckConfig, Linear, LowRankConfig
from adapterkit.errors import AdapterMismatch, ConfigError, found
from adapterkit.nn.embedding_rows import EmbeddingRows, RowTable, weighed


def merge(
    adapters: Sequence[Adapter], weights: Sequence[float], *, name: str = "merged"
) -> Adapter:
    """The weighted sum of adapters' weights, the invertible parts and heads too.

    Embedding rows are summed over all pieces that one of them has a row for; without one it counts as zero.

    Weights need not sum to one: ``merge([a, b, c], [1, 1, -1])`` adds to ``a`` what makes ``b`` of ``c``.
    LoRAs are merged exactly: the change of the new one is the sum of their changes, its rank the sum of their
    ranks (a sum of the factors would be no sum of their products).

    Args:
        adapters: Adapters of one shape, for one backbone.
        weights: One for each.
        name: Of the new adapter.

    Returns:
        A new adapter; its provenance names the parts with their digests and weights. A derived backbone on which all
        of them were allowed is allowed for it too.

    Raises:
        AdapterMismatch: If shapes, backbones or labels differ: every difference at once.
        ConfigError: If they are no adapters and finite numbers, or do not pair up.
    """
    adapters, shares = _checked(adapters, weights)
    _check(adapters)
    merged = _copy(adapters[0], name, adapters, shares)
    with torch.no_grad():
        for key, tensor in merged.tensors().items():
            if key.startswith("embedding_rows."):
                continue
            parts = [a.tensors()[key] for a in adapters]
            if _is_lora(merged) and key.startswith("patches."):
                tensor.copy_(_joined(key, parts, adapters, shares))
            else:
                tensor.copy_(_sum(parts, shares))
        merged.embedding_rows = _rows(adapters, shares)
    return merged.eval()


def _rows(adapters: Sequence[Adapter], weights: Sequence[float]) -> EmbeddingRows | None:
    there = [
        (adapter.embedding_rows.table(), weight)
        for adapter, weight in zip(adapters, weights, strict=True)
        if adapter.embedding_rows is not None
    ]
    if not there:
        return None
    first = there[0][0].deltas
    tables = [
        RowTable(t.ids.to(first.device), t.deltas.double().to(first.device)) for t, _ in there
    ]
    total = weighed(tables, [weight for _, weight in there])
    rows = EmbeddingRows(total.ids, first.shape[1]).to(first.dtype)
    rows.deltas.copy_(total.deltas)
    return rows


def _checked(
    adapters: Iterable[object], weights: Iterable[object]
) -> tuple[list[Adapter], list[float]]:
    """Adapters, and a plain number for each."""
    try:
        parts, given = list(adapters), list(weights)
    except TypeError:
        raise ConfigError("merge takes a list of adapters and a list of weights") from None
    for one in parts:
        if not isinstance(one, Adapter):
            raise ConfigError(
                f"merge takes adapters, not {type(one).__name__} ({one!r:.60}); "
                "load one with ak.load_adapter(folder)"
            )
    numbers = [number for number in map(number_of, given) if number is not None]
    if len(numbers) < len(given):
        raise ConfigError(f"the weights of a merge are finite numbers, got {given!r:.120}")
    if not parts or len(numbers) != len(parts):
        raise ConfigError(
            f"merging {len(parts)} adapters needs as many weights, got {given!r:.120}"
        )
    return [one for one in parts if isinstance(one, Adapter)], numbers


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
    kinds = {adapter.kind for adapter in adapters}
    languages = {adapter.language for adapter in adapters}
    allowed = {adapter.allowed for adapter in adapters}
    merged.allowed = allowed.pop() if len(allowed) == 1 else ""
    merged.name = name
    merged.kind = kinds.pop() if len(kinds) == 1 else ""
    merged.language = languages.pop() if len(languages) == 1 else ""
    merged.provenance = {
        "merged": [
            {"name": adapter.name, "digest": adapter.digest(), "weight": weight}
            for adapter, weight in zip(adapters, weights, strict=True)
        ]
    }
    if merged.allowed:
        merged.provenance["allowed_backbone"] = merged.allowed
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
            *_identities(a.backbone, b.backbone),
            ("head", _head(a), _head(b)),
            ("labels", ", ".join(a.labels), ", ".join(b.labels)),
            ("invertible part", a.invertible is not None, b.invertible is not None),
            ("method", _method(a), _method(b)),
        )
        if mine != theirs
    ]
    if _method(a) != _method(b):
        return problems
    if _is_lora(a):
        return problems + _path_differences(a, b)
    if _plain(a.config) != _plain(b.config):
        problems.append(f"shape: {a.name!r} is {a.config!r:.300}, {b.name!r} is {b.config!r:.300}")
    if _shapes(a) != _shapes(b):
        problems.append(f"tensors: {a.name!r} and {b.name!r} hold different ones")
    return problems


def _shapes(adapter: Adapter) -> dict[str, tuple[int, ...]]:
    """Of all tensors but the embedding rows, which need not be of the same pieces."""
    tensors = adapter.without_embedding_rows().tensors()
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _identities(a: BackboneFacts, b: BackboneFacts) -> list[tuple[str, str, str]]:
    """Who the backbones are: by digest where both are known, else by name where both are."""
    if a.digest and b.digest:
        return [("backbone weights", a.digest[:12], b.digest[:12])]
    return [("backbone", a.name, b.name)] if a.name and b.name else []


def _method(adapter: Adapter) -> str:
    config = adapter.config
    return config.method if isinstance(config, LowRankConfig) else "bottleneck"


def _head(adapter: Adapter) -> str:
    if adapter.head is None:
        return ""
    config = adapter.head.config
    inside = f", {config.activation} between them" if config.layers > 1 else ""
    return (
        f"{config.head_type} of {config.layers} layer(s) of {adapter.head.width} units{inside}"
        f"{'' if config.bias else ', no bias'}"
        f"{f', {config.vocabulary} tokens' if config.vocabulary else ''}"
    )


def _path_differences(a: Adapter, b: Adapter) -> list[str]:
    one, two = sorted(a.patched - b.patched), sorted(b.patched - a.patched)
    problems = [
        f"linear layers: only {adapter.name!r} changes {', '.join(paths[:3])}"
        + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
        for adapter, paths in ((a, one), (b, two))
        if paths
    ]
    for path in sorted(a.patched & b.patched):
        mine, theirs = _linear(a, path), _linear(b, path)
        if (mine.inputs, mine.outputs) != (theirs.inputs, theirs.outputs):
            problems.append(
                f"{path}: {a.name!r} goes from {mine.inputs} to {mine.outputs}, "
                f"{b.name!r} from {theirs.inputs} to {theirs.outputs}"
            )
    return problems


def _plain(config: BottleneckConfig | LowRankConfig) -> object:
    if not isinstance(config, BottleneckConfig):
        return config
    return replace(config, dropout=0.0, stochastic_depth=0.0, init_weights="bert")
