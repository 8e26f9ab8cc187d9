"""Does a composition fit this very backbone: its linear layers, its vocabulary? What only a live model tells.

Type, width, depth and identity are compared by `Adapter.check_fits`, from facts alone.
"""

from torch import nn

from adapterkit.backbone.layout import module_at
from adapterkit.backbone.load import Backbone, base_of
from adapterkit.composition.adapter import Adapter
from adapterkit.composition.base import Composition
from adapterkit.config import Linear, LowRankConfig
from adapterkit.errors import AdapterMismatch, found


def check_parts(backbone: Backbone, stack: Composition) -> None:
    """Refuse low-rank adapters of other linear layers than ``backbone`` has, and heads of another vocabulary.

    Raises:
        AdapterMismatch: With every difference.
    """
    base = base_of(backbone.model, backbone.architecture)
    for adapter in stack.adapters:
        problems = _vocabulary_problems(adapter, backbone)
        if isinstance(adapter.config, LowRankConfig):
            problems += _linear_problems(base, adapter.config)
        if problems:
            shown = problems[:8] + [f"... and {len(problems) - 8} more"] * (len(problems) > 8)
            raise AdapterMismatch(
                f"adapter {adapter.name!r} does not fit backbone {backbone.name!r}:{found(shown)}"
            )


def _vocabulary_problems(adapter: Adapter, backbone: Backbone) -> list[str]:
    config = adapter.head.config if adapter.head is not None else None
    if config is None or config.vocabulary in (0, backbone.vocabulary):
        return []
    return [
        f"vocabulary: its {config.head_type} head has {config.vocabulary} tokens, "
        f"the backbone has {backbone.vocabulary}"
    ]


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
    missing = [linear.path for linear in linears(base, config.targets) if linear.path not in given]
    return problems + [f"{path}: it has no part for this layer" for path in missing]


def linears(base: nn.Module, targets: tuple[str, ...] | str) -> list[Linear]:
    """The linear layers of a base model that ``targets`` name, as PEFT reads them.

    Args:
        base: The base model.
        targets: Ends of paths, or ``all-linear``.
    """
    return [
        Linear(path, module.in_features, module.out_features)
        for path, module in base.named_modules()
        if isinstance(module, nn.Linear) and names(path, targets)
    ]


def names(path: str, targets: tuple[str, ...] | str) -> bool:
    """Whether PEFT's ``target_modules`` mean the module at ``path``.

    A regular expression means nothing here: it comes from a stranger's folder, and can run for hours.
    """
    if isinstance(targets, str):
        return targets == "all-linear"
    return any(path == end or path.endswith(f".{end}") for end in targets)
