"""Hooks a composition onto a twin of the backbone: which hook goes where is decided here, by the table's row.

The twin shares every tensor with the backbone; only modules and hooks are its own. For `Rows` the row numbers are
bound to the hooks of one call's twin.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from adapterkit.backbone.architectures import Place, module_at
from adapterkit.backbone.load import Backbone, as_output, base_of
from adapterkit.composition.base import Composition
from adapterkit.composition.rows import Rows
from adapterkit.config import Linear, LowRankConfig
from adapterkit.errors import AdapterMismatch, found
from adapterkit.nn.sites import (
    Catch,
    Caught,
    CouplingSite,
    Node,
    OutputSite,
    PatchSite,
    PostNormSite,
)


@dataclass(frozen=True)
class Hooked:
    """The hooked twins. Not a module, so that a model does not take frozen tensors for its own.

    Attributes:
        encoder: The base model.
        vocabulary_head: The masked-LM model without its encoder; None where there is no such model.
    """

    encoder: Any
    vocabulary_head: Any


def hook(backbone: Backbone, stack: Composition, groups: Tensor | None) -> Hooked:
    """Make twins of ``backbone`` that compute ``stack``.

    Args:
        backbone: Stays as it is.
        stack: What to compute.
        groups: For `Rows`, the composition of each row, shape ``(batch,)``; else None.
    """
    return Hooked(_encoder(backbone, stack, groups), _head(backbone, stack, groups))


def whole(backbone: Backbone, stack: Composition, groups: Tensor | None) -> Any:
    """A twin of the whole model, hooked, e.g. for transformers' own ``generate``."""
    model = backbone.twin()
    _hook_base(backbone, base_of(model, backbone.architecture), stack, groups)
    _hook_features(backbone, model, stack, groups)
    return model


def _encoder(backbone: Backbone, stack: Composition, groups: Tensor | None) -> Any:
    base = base_of(backbone.twin(), backbone.architecture)
    _hook_base(backbone, base, stack, groups)
    return base


def _hook_base(
    backbone: Backbone, base: nn.Module, stack: Composition, groups: Tensor | None
) -> None:
    row = backbone.architecture
    _hook_patches(base, stack, groups)
    number = 0
    for tower in row.towers:
        layers = module_at(base, tower.layers)
        assert isinstance(layers, nn.ModuleList)
        for layer in layers:
            for name, place in (("attention", tower.attention), ("output", tower.output)):
                node = _node(stack, name, number, groups)
                if node is not None:
                    _hook_place(layer, layers[-1], place, node, apart=stack.needs_parts)
            number += 1
    embeddings = module_at(base, row.embeddings)
    site = _coupling(stack, groups, inverse=False)
    if site is not None and embeddings is not None:
        embeddings.register_forward_hook(site)


def _hook_patches(base: nn.Module, stack: Composition, groups: Tensor | None) -> None:
    # Before the sites: where both hang on one module, a site must see the changed output.
    for path in sorted(stack.patched):
        linear = module_at(base, path)
        assert linear is not None
        patches = stack.row_patches(path) if isinstance(stack, Rows) else (stack.patch(path),)
        linear.register_forward_hook(PatchSite(patches, groups))


def check_linears(backbone: Backbone, stack: Composition) -> None:
    """Refuse low-rank adapters whose linear layers are not exactly those of ``backbone``.

    Raises:
        AdapterMismatch: With every difference.
    """
    base = base_of(backbone.model, backbone.architecture)
    for adapter in stack.adapters:
        if isinstance(adapter.config, LowRankConfig):
            problems = _linear_problems(base, adapter.config)
            if problems:
                shown = problems[:8] + [f"... and {len(problems) - 8} more"] * (len(problems) > 8)
                raise AdapterMismatch(
                    f"adapter {adapter.name!r} does not fit backbone {backbone.name!r}:{found(shown)}"
                )


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


def _node(stack: Composition, place: str, layer: int, groups: Tensor | None) -> Node | None:
    if isinstance(stack, Rows):
        assert groups is not None
        return stack.bound(place, layer, groups)
    return stack.node(place, layer)


def _hook_place(
    layer: nn.Module, last: nn.Module, place: Place, node: Node, *, apart: bool
) -> None:
    norm = module_at(layer, place.norm) if place.norm else None
    if place.closes and not apart:
        assert norm is not None
        norm.register_forward_pre_hook(PostNormSite(node))
        return
    output, catching = module_at(layer, place.output), module_at(layer, place.residual)
    assert output is not None
    assert catching is not None
    caught = Caught()
    catching.register_forward_pre_hook(Catch(caught, place.argument))
    last_norm = module_at(last, place.norm) if place.norm and not place.closes else None
    output.register_forward_hook(OutputSite(node, norm, caught, last_norm))


def _coupling(stack: Composition, groups: Tensor | None, *, inverse: bool) -> CouplingSite | None:
    if isinstance(stack, Rows):
        there = any(one is not None for one in stack.invertibles)
        return CouplingSite(stack.invertibles, groups, inverse=inverse) if there else None
    one = stack.invertible
    return CouplingSite([one], inverse=inverse) if one is not None else None


def _head(backbone: Backbone, stack: Composition, groups: Tensor | None) -> Any:
    """The masked-LM model with its encoder replaced by what hands features on."""
    row = backbone.architecture
    model = backbone.twin()
    base = base_of(model, row)
    if base is model:
        return None
    model._modules[row.prefix] = _HandOn(base, row.embeddings)
    _hook_features(backbone, model, stack, groups)
    return model


def _hook_features(
    backbone: Backbone, model: nn.Module, stack: Composition, groups: Tensor | None
) -> None:
    """Put the inverse right before the vocabulary matrix."""
    row = backbone.architecture
    site = _coupling(stack, groups, inverse=True)
    if site is None:
        return
    found = [module for path in row.features if (module := module_at(model, path)) is not None]
    if row.kind == "causal":  # the matrix itself is named, for want of a module before it
        found[0].register_forward_pre_hook(_Before(site))
    else:
        found[0].register_forward_hook(site)


class _Before:
    """Turns a hook on an output into one on the next module's input."""

    def __init__(self, site: CouplingSite) -> None:
        self.site = site

    def __call__(self, module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (self.site(module, args, args[0]), *args[1:])


class _HandOn(nn.Module):
    """Stands in for the base model inside a masked-LM model: hands its input on as the last hidden state.

    So the model's own head, whatever it is, runs on features that were computed before (and only
    at the positions that matter) without a line of code per model.
    """

    def __init__(self, base: nn.Module, embeddings: str) -> None:
        super().__init__()
        self.config = base.config
        self.embeddings = module_at(base, embeddings)

    # The keywords are transformers' own, which differ by model; all but one are None here.
    def forward(
        self, input_ids: Any = None, *ignored: Any, inputs_embeds: Any = None, **unused: Any
    ) -> Any:
        """Wrap ``inputs_embeds`` ``(wanted, 1, width)`` as a model output."""
        return as_output(inputs_embeds)
