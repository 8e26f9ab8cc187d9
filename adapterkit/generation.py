"""Generating text with a decoder or an encoder-decoder, by transformers' own ``generate`` on a hooked twin."""

from dataclasses import dataclass
from numbers import Integral

import torch
from torch import Tensor

from adapterkit.backbone.frozen import Backbone
from adapterkit.composition.base import Composition
from adapterkit.errors import ConfigError, found
from adapterkit.hooking import whole
from adapterkit.nn.groups import Groups


@dataclass(frozen=True)
class Generation:
    """How to generate.

    Attributes:
        max_new_tokens: How many tokens at most.
        num_beams: Beams of the search; 1 is greedy.
        use_cache: Keep keys and values from step to step.
        first: First token that an encoder-decoder writes; None leaves it to the model.
    """

    max_new_tokens: int = 32
    num_beams: int = 1
    use_cache: bool = True
    first: int | None = None


def generate(
    backbone: Backbone,
    stack: Composition,
    groups: Groups | None,
    input_ids: Tensor,
    attention_mask: Tensor | None,
    options: Generation,
) -> Tensor:
    """Generate with the likeliest tokens.

    Args:
        backbone: A decoder or an encoder-decoder.
        stack: What stands on it.
        groups: For `Rows`, the composition of each row; else None.
        input_ids: Shape ``(batch, length)``, padded on the left over a decoder.
        attention_mask: Shape ``(batch, length)``; by default all ones.
        options: How.

    Returns:
        Shape ``(batch, length + new)``; of an encoder-decoder ``(batch, new)``.

    Raises:
        ConfigError: If the backbone has no decoder or no trained head, a setting cannot be right, or texts
            that a decoder shall continue are padded on the right.
    """
    _check(backbone, options)
    _check_ends(backbone, attention_mask)
    first = {} if options.first is None else {"forced_bos_token_id": options.first}
    out: Tensor = whole(backbone, stack, groups, beams=options.num_beams).generate(
        input_ids=input_ids,
        attention_mask=torch.ones_like(input_ids) if attention_mask is None else attention_mask,
        max_new_tokens=_most(backbone, options),
        num_beams=options.num_beams,
        use_cache=options.use_cache,
        do_sample=False,
        **first,
    )
    return out


def _check(backbone: Backbone, options: Generation) -> None:
    kind = backbone.architecture.kind
    if kind == "masked":
        raise ConfigError(f"backbone {backbone.name!r} is no decoder: it cannot generate")
    backbone.require_trained_head()
    problems = [
        f"{name} = {value!r}: must be a whole number above 0"
        for name, value in (
            ("max_new_tokens", options.max_new_tokens),
            ("num_beams", options.num_beams),
        )
        if not _whole(value) or value < 1
    ]
    first = options.first
    if first is not None and kind != "seq2seq":
        problems.append(
            f"forced_bos_token_id = {first!r}: only an encoder-decoder begins a text of its own"
        )
    elif first is not None and (not _whole(first) or not 0 <= first < backbone.vocabulary):
        problems.append(
            f"forced_bos_token_id = {first!r}: tokens go from 0 to {backbone.vocabulary - 1}"
        )
    if problems:
        raise ConfigError(f"backbone {backbone.name!r} cannot generate so:{found(problems)}")


def _check_ends(backbone: Backbone, attention_mask: Tensor | None) -> None:
    if backbone.architecture.kind != "causal" or attention_mask is None:
        return
    if bool((attention_mask[:, -1] == 0).any()):
        raise ConfigError(
            "texts that a decoder continues are padded on the left, and some of these end in padding "
            "(attention_mask is 0 there), from which it would go on; a tokenizer does it with padding_side='left'"
        )


def _most(backbone: Backbone, options: Generation) -> int:
    """Tokens at most; of a second text only those that the decoder has positions for (mBART fails beyond)."""
    positions: int | None = getattr(backbone.config, "max_position_embeddings", None)
    if backbone.architecture.kind != "seq2seq" or positions is None:
        return options.max_new_tokens
    return min(options.max_new_tokens, positions)


def _whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
