"""A model cut in two at the first place that training changes: what lies below gives the same in every pass.

Below that place everything is frozen: the backbone's layers, the language adapter and its coupling. `Halves`
computes up to there and from there on, over twins of the backbone: its layers stay where they are, and those that
a half does not need hand on what they get. Where the first trained bottleneck stands before the norm that closes a
layer (BERT, XLM-R, DistilBERT), the cut is right before that bottleneck; else before the layer.
"""

import re
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from adapterkit.backbone.frozen import Backbone, base_of
from adapterkit.backbone.layout import Architecture, module_at
from adapterkit.composition.base import Composition
from adapterkit.composition.stack import Stack
from adapterkit.hooking import hook, mixes, put
from adapterkit.model import AdaptedModel
from adapterkit.nn.sites import Catch, Caught, PostNormSite
from adapterkit.nn.twin import twin


@dataclass(frozen=True)
class Cut:
    """Where a model is cut.

    Attributes:
        layer: Number of the first layer that training changes.
        closing: Whether the cut is before that layer's closing norm; else before the layer.
    """

    layer: int
    closing: bool


@dataclass(frozen=True)
class Halves:
    """The two halves of an `AdaptedModel`.

    Attributes:
        cut: Where.
    """

    cut: Cut
    _lower: Any
    _upper: Any
    _caught: Caught
    _options: dict[str, bool]

    def below(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """What enters the first place that training changes, without a gradient.

        Args:
            input_ids: Shape ``(batch, length)``.
            attention_mask: Shape ``(batch, length)``.

        Returns:
            Shape ``(batch, length, width)``, in the backbone's dtype.
        """
        with torch.no_grad():
            self._lower(input_ids=input_ids, attention_mask=attention_mask, **self._options)
        state = self._caught.take()
        assert state is not None
        return state

    def above(self, state: Tensor, attention_mask: Tensor) -> Tensor:
        """Last hidden state from what `below` gave; where the mask is 0 it may be anything finite.

        Args:
            state: Shape ``(batch, length, width)``.
            attention_mask: Shape ``(batch, length)``.
        """
        out = self._upper(inputs_embeds=state, attention_mask=attention_mask, **self._options)
        hidden: Tensor = out.last_hidden_state
        return hidden


def halves_of(model: AdaptedModel) -> Halves | None:
    """Cut ``model``; None where nothing would be saved, or it cannot be cut.

    What the two halves give is compared with the whole on two short rows: an architecture whose layers are no plain
    chain (a convolution beside them) is not cut.
    """
    stack, row = model.stack, model.backbone.architecture
    if not isinstance(stack, Stack) or len(row.towers) > 1 or any(map(mixes, stack.adapters)):
        return None
    below, above = _frozen_and_trained(stack)
    cut = _cut_of(model.backbone, stack, above)
    if cut is None:
        return None
    halves = _halves(model.backbone, stack, cut, below, above)
    return halves if _agrees(model, halves) else None


def _frozen_and_trained(stack: Stack) -> tuple[Stack, Stack]:
    """The parts before the first that is trained, and the rest."""
    trained = [number for number, part in enumerate(stack.parts) if _is_trained(part)]
    first = trained[0] if trained else len(stack.parts)
    return Stack(*stack.parts[:first]), Stack(*stack.parts[first:])


def _is_trained(part: Composition) -> bool:
    modules = (*part.adapters, *part.fusions)
    return any(parameter.requires_grad for one in modules for parameter in one.parameters())


def _cut_of(backbone: Backbone, stack: Stack, above: Stack) -> Cut | None:
    (tower,) = backbone.architecture.towers
    if stack.parts and above.parts and stack.parts[0] is above.parts[0] and above.invertible:
        return None  # the coupling on the embeddings is trained itself
    number = re.compile(rf"{re.escape(tower.layers)}\.(\d+)\.")
    found = [number.match(path) for path in above.patched]
    if not all(found):
        return None  # a patch outside the layers
    patched = {int(match[1]) for match in found if match is not None}
    attention, output = (
        {layer for layer in range(backbone.layers) if above.node(place, layer) is not None}
        for place in ("attention", "output")
    )
    changed = patched | attention | output
    if not changed:
        return None
    layer = min(changed)
    closing = tower.output.closes and not stack.needs_parts and layer not in patched | attention
    return Cut(layer, closing) if closing or layer > 0 else None


def _halves(backbone: Backbone, stack: Stack, cut: Cut, below: Stack, above: Stack) -> Halves:
    row = backbone.architecture
    (tower,) = row.towers
    lower, upper = (hook(backbone, one, None, vocabulary=False).encoder for one in (below, stack))
    caught = Caught()
    shapes = _returned(backbone)
    for number, layer in enumerate(_layers(lower, tower.layers)):
        if number > cut.layer or (number == cut.layer and not cut.closing):
            put(lower, f"{tower.layers}.{number}", _handing_on(layer, shapes[number]))
    first = _layers(lower, tower.layers)[cut.layer]
    entered = module_at(first, tower.output.norm) if cut.closing else first
    assert entered is not None
    entered.register_forward_pre_hook(Catch(caught, 0))
    for number, layer in enumerate(_layers(upper, tower.layers)):
        if number < cut.layer:
            put(upper, f"{tower.layers}.{number}", _handing_on(layer, shapes[number]))
    if cut.closing:
        _close(upper, f"{tower.layers}.{cut.layer}", tower.output.norm, above, cut, shapes)
    put(upper, row.embeddings, _handing_on(upper.get_submodule(row.embeddings), 0))
    return Halves(cut, lower, upper, caught, _options(row))


def _close(
    upper: nn.Module, path: str, norm: str, above: Stack, cut: Cut, shapes: list[int]
) -> None:
    """Leave nothing of the layer at ``path`` but its closing norm, before which the trained part stands."""
    layer = upper.get_submodule(path)
    closing = twin(layer.get_submodule(norm))
    node = above.node("output", cut.layer)
    assert node is not None
    closing.register_forward_pre_hook(PostNormSite(node))
    put(upper, path, _handing_on(layer, shapes[cut.layer], closing))


def _options(row: Architecture) -> dict[str, bool]:
    return {"use_cache": False} if row.kind == "causal" else {}


class _HandOn:
    """A layer's ``forward`` that gives back the hidden state it got, through ``norm`` if there is one."""

    def __init__(self, returned: int, norm: nn.Module | None) -> None:
        self.returned = returned
        self.norm = norm

    # What transformers passes along differs by model; the hidden state is the first of its shape.
    def __call__(self, *args: Any, **options: Any) -> Any:
        """From ``(batch, length, width)`` to the same, in a tuple if the layer returns one."""
        given = (*args, *options.values())
        hidden = next(one for one in given if isinstance(one, Tensor) and one.dim() == 3)
        hidden = hidden if self.norm is None else self.norm(hidden)
        return (hidden, *[None] * (self.returned - 1)) if self.returned else hidden


def _handing_on(module: nn.Module, returned: int, norm: nn.Module | None = None) -> nn.Module:
    """A twin of ``module``, with all that others read from it, that computes nothing of its own."""
    still = twin(module)
    still.__dict__["forward"] = _HandOn(returned, norm)
    return still


def _layers(base: nn.Module, path: str) -> list[nn.Module]:
    return list(base.get_submodule(path).children())


def _returned(backbone: Backbone) -> list[int]:
    """How many values each layer returns in a tuple; 0 where it returns a tensor."""
    row = backbone.architecture
    base: Any = base_of(backbone.twin(), row)
    found: list[int] = []

    def look(module: nn.Module, args: Any, output: Any) -> None:
        found.append(len(output) if isinstance(output, tuple) else 0)

    for layer in _layers(base, row.towers[0].layers):
        layer.register_forward_hook(look)
    ids, mask = _trial(backbone)
    with torch.no_grad():
        base(input_ids=ids, attention_mask=mask, **_options(row))
    return found


def _trial(backbone: Backbone) -> tuple[Tensor, Tensor]:
    """Ids and mask of two short rows, the second with padding."""
    ids = torch.arange(8, device=backbone.device).view(2, 4) % backbone.vocabulary
    mask = torch.ones_like(ids)
    mask[1, 2:] = 0
    return ids, mask


def _agrees(model: AdaptedModel, halves: Halves) -> bool:
    """Whether both halves together give what the whole gives, to half the digits of its dtype."""
    ids, mask = _trial(model.backbone)
    with torch.no_grad():
        whole = model.encode(ids, mask)
        state = halves.below(ids, mask).masked_fill(mask.unsqueeze(-1) == 0, 0.0)
        both = halves.above(state, mask)
    there = mask != 0
    worst = (whole - both)[there].abs().max()
    return bool(worst <= torch.finfo(whole.dtype).eps ** 0.5 * whole[there].abs().max())
