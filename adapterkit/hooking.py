"""Hooks a composition onto a twin of the backbone: which hook goes where is decided here, by the table's row.

The twin shares every tensor with the backbone; only modules and hooks are its own. For `Rows` the row numbers are
bound to the hooks of one call's twin.
"""

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from adapterkit.backbone.frozen import Backbone, base_of
from adapterkit.backbone.layout import Architecture, Place, module_at
from adapterkit.backbone.load import as_output
from adapterkit.composition.adapter import Adapter
from adapterkit.composition.base import Composition
from adapterkit.composition.rows import Rows
from adapterkit.config import BottleneckConfig
from adapterkit.nn.apart import Apart
from adapterkit.nn.embedding_rows import CatchOutput, LogitsSite, LookupSite, RowDeltas
from adapterkit.nn.groups import Groups
from adapterkit.nn.sites import (
    Catch,
    Caught,
    CouplingSite,
    Narrow,
    Node,
    OutputSite,
    PatchSite,
    PostNormSite,
)
from adapterkit.nn.twin import twin


@dataclass(frozen=True)
class Hooked:
    """The hooked twins. Not a module, so that a model does not take frozen tensors for its own.

    Attributes:
        encoder: The base model; of an encoder-decoder, its encoder. None where there is a head only.
        vocabulary_head: The masked-LM model without its encoder; None where there is no such model.
            Of an encoder-decoder, the whole model.
        vocabulary: The vocabulary matrix, if the head stops before it; None if the head gives logits.
        rows: What the composition adds to rows of that matrix, for a loss that multiplies with it by itself.
        narrow: Tells the encoder's last layer which positions to compute; None where it computes all.
    """

    encoder: Any
    vocabulary_head: Any
    vocabulary: nn.Linear | None = None
    rows: RowDeltas | None = None
    narrow: Narrow | None = None


def hook(
    backbone: Backbone, stack: Composition, groups: Groups | None, *, vocabulary: bool = True
) -> Hooked:
    """Make twins of ``backbone`` that compute ``stack``.

    Args:
        backbone: Stays as it is.
        stack: What to compute.
        groups: For `Rows`, the composition of each row; else None.
        vocabulary: Whether the vocabulary head is needed.
    """
    if backbone.architecture.kind == "seq2seq":
        model = whole(backbone, stack, groups)
        return Hooked(module_at(base_of(model, backbone.architecture), "encoder"), model)
    base = base_of(backbone.twin(), backbone.architecture)
    narrow = _hook_narrow(backbone.architecture, base, stack)
    _hook_base(backbone.architecture, base, _Bound(stack, groups))
    hooked = hook_head(backbone, stack, groups) if vocabulary else Hooked(None, None)
    return replace(hooked, encoder=base, narrow=narrow)


def hook_head(backbone: Backbone, stack: Composition, groups: Groups | None) -> Hooked:
    """The vocabulary head of `hook` alone, for features that were computed before: no encoder is made.

    Args:
        backbone: Stays as it is.
        stack: What to compute.
        groups: For `Rows`, the composition of each row of the features; else None.
    """
    row, bound = backbone.architecture, _Bound(stack, groups)
    base = base_of(backbone.model, row)
    if base is backbone.model:
        return Hooked(None, None)
    model = twin(backbone.model, instead={base: _HandOn(base, row.embeddings)})
    found = _matrix(row, model)
    matrix = found if isinstance(found, nn.Linear) and not _capped(base) else None
    if matrix is not None:
        put(model, row.vocabulary, nn.Identity())
    _hook_features(row, model, bound)
    tied = _hook_logits(backbone, model, found, bound)
    return Hooked(None, model, matrix, stack.embedding_rows if tied else None)


def whole(backbone: Backbone, stack: Composition, groups: Groups | None, *, beams: int = 1) -> Any:
    """A twin of the whole model, hooked, e.g. for transformers' own ``generate``.

    Args:
        backbone: Stays as it is.
        stack: What to compute.
        groups: For `Rows`, the composition of each row; else None.
        beams: How many times each row stands in the batch, side by side, where tokens are
            generated: all of a decoder, and not an encoder-decoder's encoder.
    """
    model = backbone.twin()
    row, bound = backbone.architecture, _Bound(stack, groups, beams)
    _hook_base(row, base_of(model, row), bound)
    _hook_features(row, model, bound)
    _hook_logits(backbone, model, _matrix(row, model), bound)
    return model


@dataclass(frozen=True)
class _Bound:
    """A composition, and for `Rows` the composition of each row."""

    stack: Composition
    groups: Groups | None
    beams: int = 1

    def at(self, row: Architecture, path: str) -> "_Bound":
        """The same for modules at ``path``, where each row may stand in the batch once for every beam."""
        once = row.kind == "seq2seq" and path.startswith("encoder.")
        if self.groups is None or once:
            return self
        return _Bound(self.stack, self.groups.repeated(self.beams))

    def node(self, place: str, layer: int) -> Node | None:
        """What stands at ``place`` of ``layer``."""
        if isinstance(self.stack, Rows):
            assert self.groups is not None
            return self.stack.bound(place, layer, self.groups)
        return self.stack.node(place, layer)

    def coupling(self, *, inverse: bool) -> CouplingSite | None:
        """The hook of the couplings, if there are any."""
        if isinstance(self.stack, Rows):
            there = any(one is not None for one in self.stack.invertibles)
            site = CouplingSite(self.stack.invertibles, self.groups, inverse=inverse)
            return site if there else None
        one = self.stack.invertible
        return CouplingSite([one], inverse=inverse) if one is not None else None

    def rows(self) -> tuple[RowDeltas | None, ...]:
        """The embedding rows of each composition; empty if there are none."""
        stack = self.stack
        found = stack.row_embeddings if isinstance(stack, Rows) else (stack.embedding_rows,)
        return found if any(one is not None for one in found) else ()


def _hook_narrow(row: Architecture, base: nn.Module, stack: Composition) -> Narrow | None:
    """Before the other hooks, which then see only the positions that are computed."""
    tower = row.towers[-1]
    if not tower.narrow or isinstance(stack, Rows) or any(map(mixes, stack.adapters)):
        return None
    layers = module_at(base, tower.layers)
    assert isinstance(layers, nn.ModuleList)
    place = module_at(layers[-1], tower.narrow)
    assert place is not None
    narrow = Narrow()
    place.register_forward_pre_hook(narrow)
    return narrow


def mixes(adapter: Adapter) -> bool:
    """Whether what an adapter does at one position depends on others, or on how they are laid out in rows."""
    config = adapter.config
    return isinstance(config, BottleneckConfig) and (
        config.use_gating or config.stochastic_depth > 0.0
    )


def _hook_base(row: Architecture, base: nn.Module, bound: _Bound) -> None:
    _hook_patches(row, base, bound)
    number, apart = 0, bound.stack.needs_parts
    for tower in row.towers:
        layers = module_at(base, tower.layers)
        assert isinstance(layers, nn.ModuleList)
        here = bound.at(row, tower.layers)
        for layer in layers:
            for name, place in (("attention", tower.attention), ("output", tower.output)):
                node = here.node(name, number)
                if node is not None:
                    _hook_place(layer, layers[-1], place, node, apart=apart)
            number += 1
    here = bound.at(row, row.embeddings)
    site, rows = here.coupling(inverse=False), here.rows()
    if site is None and not rows:
        return
    own = _own_module(base, row.embeddings)
    if rows:  # before the coupling: over a decoder both hang on one module
        words = base.get_input_embeddings()  # type: ignore[operator]
        words.register_forward_hook(LookupSite(rows, here.groups))
    if site is not None:
        own.register_forward_hook(site)


def _own_module(base: nn.Module, path: str) -> nn.Module:
    """The module at ``path``, made one of its own: an encoder's embeddings may be the decoder's too."""
    own = twin(base.get_submodule(path))
    put(base, path, own)
    return own


def _hook_patches(row: Architecture, base: nn.Module, bound: _Bound) -> None:
    # Before the sites: where both hang on one module, a site must see the changed output.
    stack = bound.stack
    apart = _apart(row, base, stack, bound.groups) if isinstance(stack, Rows) else set()
    for path in sorted(stack.patched - apart):
        linear = module_at(base, path)
        assert linear is not None
        patches = stack.row_patches(path) if isinstance(stack, Rows) else (stack.patch(path),)
        linear.register_forward_hook(PatchSite(patches, bound.at(row, path).groups))


def _apart(row: Architecture, base: nn.Module, stack: Rows, groups: Groups | None) -> set[str]:
    """Let modules that run on more than rows run once for each composition, and say which paths that settles."""
    inside: dict[str, list[str]] = {}
    for path in stack.patched:
        owner, found, _ = path.partition(f".{row.unbatched}.")
        if row.unbatched and found:
            inside.setdefault(f"{owner}.{row.unbatched}", []).append(path)
    assert groups is not None
    numbers = groups.used
    for owner, paths in inside.items():
        parts = {number: twin(base.get_submodule(owner)) for number in numbers}
        for path in paths:
            patches = stack.row_patches(path)
            for number, part in parts.items():
                linear = part.get_submodule(path[len(owner) + 1 :])
                if patches[number] is not None:
                    linear.register_forward_hook(PatchSite(patches[number : number + 1]))
        put(base, owner, Apart(parts, groups))
    return {path for paths in inside.values() for path in paths}


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


def _matrix(row: Architecture, model: nn.Module) -> nn.Module | None:
    return module_at(model, row.vocabulary) if row.vocabulary else None


def _hook_logits(
    backbone: Backbone, model: nn.Module, matrix: nn.Module | None, bound: _Bound
) -> bool:
    """Put embedding rows behind the vocabulary matrix if it is the embeddings' own, and say whether it is."""
    row, rows = backbone.architecture, bound.rows()
    if not rows:
        return False
    if matrix is not None:
        tied = matrix._parameters.get("weight") is backbone.embedding_matrix()
        if tied:
            matrix.register_forward_hook(LogitsSite(rows, bound.at(row, row.vocabulary).groups))
        return tied
    by_hand = module_at(model, row.by_hand) if row.by_hand else None
    if by_hand is None:
        return False
    caught = Caught()  # behind the coupling's inverse, which hangs on the same module
    features = next(found for path in row.features if (found := module_at(model, path)) is not None)
    features.register_forward_hook(CatchOutput(caught))
    by_hand.register_forward_hook(LogitsSite(rows, bound.groups, caught))
    return True


def _capped(base: nn.Module) -> bool:
    """Whether the model bends its logits behind the matrix (Gemma's option)."""
    return bool(getattr(base.config, "final_logit_softcapping", None))


def put(root: nn.Module, path: str, module: nn.Module) -> None:
    """Let ``module`` stand at a dotted path of a twin."""
    parent, _, name = path.rpartition(".")
    owner = module_at(root, parent or ".")
    assert owner is not None
    owner._modules[name] = module


def _hook_features(row: Architecture, model: nn.Module, bound: _Bound) -> None:
    """Put the inverse right before the vocabulary matrix."""
    site = bound.at(row, row.features[0]).coupling(inverse=True)
    if site is None:
        return
    found = [module for path in row.features if (module := module_at(model, path)) is not None]
    if row.kind == "masked":
        found[0].register_forward_hook(site)
    else:  # the matrix itself is named, for want of a module before it
        found[0].register_forward_pre_hook(_Before(site))


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
