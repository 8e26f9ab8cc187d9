"""What a row of the table of architectures says: places in a layer, towers of layers, the model around them."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import nn

_ALTERNATIVES = re.compile(r"\.\*\\\.\(((?:[\w-]|\\\.)+(?:\|(?:[\w-]|\\\.)+)*)\)\$?")
POOLER = "pooler.dense"
"""A linear layer that some base models bring along; nothing that is computed here reads it."""


@dataclass(frozen=True)
class Place:
    """One of the two places in a layer where adapters stand. All paths are inside the layer.

    Attributes:
        output: Module whose output is the sublayer's output, before the residual is added.
        residual: Module that gets the residual as a positional argument; ``.`` is the layer itself.
        argument: Which argument that is.
        norm: The norm that an adapter's input passes; empty if none.
        closes: Whether that norm closes the sublayer (post-norm), so that its input is the residual sum.
        key: AdapterHub's name of the place.
    """

    output: str
    residual: str
    key: str
    argument: int = 0
    norm: str = ""
    closes: bool = False


@dataclass(frozen=True)
class Tower:
    """A list of layers, with its places. Layers are numbered through all towers, encoder first.

    Attributes:
        layers: Path of the list, inside the base model.
        attention: The place after self-attention, where Houlsby adapters have a second bottleneck.
        output: The place after the feed-forward part.
        depth: Name of its number of layers in transformers' configuration.
        narrow: Module of a layer that gets attention's output and the residual as its two positional
            arguments, and behind which nothing mixes positions; empty where there is none.
    """

    layers: str
    attention: Place
    output: Place
    depth: str = "num_hidden_layers"
    narrow: str = ""


@dataclass(frozen=True)
class Architecture:
    """One row of the table.

    Attributes:
        model_type: transformers' name.
        towers: The layers: one list, or an encoder's and a decoder's.
        embeddings: Path of the embeddings module, inside the base model.
        features: Paths, inside the masked-LM model, of the module whose output feeds the
            vocabulary matrix; the first that exists counts.
        vocabulary: Path, inside the same model, of the linear layer that is the vocabulary matrix;
            where there is none (newer DeBERTa heads multiply by hand) logits come from the model.
        by_hand: Module of the same model that multiplies with the embedding matrix itself, where
            no linear layer does (newer DeBERTa heads).
        prefix: Attribute of the base model inside the model with the vocabulary matrix, and first
            part of keys.
        low_rank: Linear layers, by the ends of their names, that LoRA adapts by default.
        offset_positions: Whether positions are counted from the padding id on (RoBERTa).
        kind: Whether it predicts masked tokens, the next one, or (``seq2seq``) the next one of a
            second text.
        unbatched: Module of a layer whose linear layers also run on what has no batch axis (DeBERTa's
            attention, on relative positions); by rows it runs once for each composition.
        own_base: Whether the model with the vocabulary matrix is itself the base (T5); ``prefix``
            is a part of AdapterHub's keys only, then.
    """

    model_type: str
    towers: tuple[Tower, ...]
    embeddings: str
    features: tuple[str, ...]
    prefix: str
    low_rank: tuple[str, ...]
    vocabulary: str = ""
    by_hand: str = ""
    offset_positions: bool = False
    kind: Literal["masked", "causal", "seq2seq"] = "masked"
    unbatched: str = ""
    own_base: bool = False

    @property
    def coupling(self) -> str:
        """AdapterHub's name of the place of invertible adapters: the encoder's, where there is one."""
        encoder = "encoder." if self.kind == "seq2seq" else ""
        return f"{self.prefix}.{encoder}invertible_adapters"

    def is_head(self, key: str) -> bool:
        """Whether a checkpoint's tensor stands outside the base model: in the vocabulary head."""
        if self.own_base:
            return key.startswith(self.features)
        return not key.startswith(f"{self.prefix}.")

    def depths(self, config: object) -> tuple[int, int]:
        """Layers in all, and how many of these are the decoder's, of a transformers configuration."""
        counts = [int(getattr(config, tower.depth)) for tower in self.towers]
        return sum(counts), sum(counts[1:])

    @property
    def norms_open(self) -> bool:
        """Whether an adapter's input passes a norm that does not close its sublayer (Gemma, ModernBERT)."""
        places = [place for tower in self.towers for place in (tower.attention, tower.output)]
        return any(place.norm and not place.closes for place in places)


def module_at(root: "nn.Module", path: str) -> "nn.Module | None":
    """The submodule at a dotted path, or None."""
    for name in path.split(".") if path != "." else ():
        child = root._modules.get(name)
        if child is None:
            return None
        root = child
    return root


def ends_of(targets: tuple[str, ...] | str) -> tuple[str, ...] | None:
    r"""The ends of names that PEFT's ``target_modules`` stand for; None where they do not tell.

    A regular expression comes from a stranger's folder, and can run for hours: none is evaluated. Only the
    form ``.*\.(query|value)``, which is a list of ends, is read as one.
    """
    if not isinstance(targets, str):
        return targets
    found = _ALTERNATIVES.fullmatch(targets)
    return tuple(found[1].replace("\\.", ".").split("|")) if found else None


def is_named(path: str, targets: tuple[str, ...] | str) -> bool:
    """Whether PEFT's ``target_modules`` are known to mean the module at ``path``."""
    ends = ends_of(targets)
    if ends is None:
        return targets == "all-linear"
    return any(path == end or path.endswith(f".{end}") for end in ends)
