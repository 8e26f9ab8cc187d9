"""A backbone in memory: frozen, and the few things the rest of the house asks of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from adapterkit.backbone.layout import Architecture, module_at
from adapterkit.backbone.precision import in_dtype, with_plain_attention
from adapterkit.backbone.words import word_pieces
from adapterkit.config import BackboneFacts
from adapterkit.errors import ConfigError
from adapterkit.nn.twin import twin
from adapterkit.tensorfile import digest_of_tensors
from adapterkit.text.cleaning import as_read
from adapterkit.text.words import whole

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True, repr=False)
class Backbone:
    """A frozen masked language model and its tokenizer. Never hooked: models hook their own twin.

    Attributes:
        model: transformers' masked-LM model (or its bare base, where no such class exists).
        tokenizer: Its fast tokenizer.
        architecture: Where adapters attach.
        facts: Name, digest, type, width and depth.
        untrained_head: Keys of the vocabulary head that the checkpoint did not bring; empty where
            it brought a trained head.
        max_length: Tokens the backbone can read at once, special tokens counted.
    """

    model: nn.Module
    tokenizer: "PreTrainedTokenizerFast"
    architecture: Architecture
    facts: BackboneFacts
    untrained_head: tuple[str, ...]
    max_length: int

    def __repr__(self) -> str:
        """What it is, in a line; its modules are those of ``model``."""
        return f"Backbone({self.name!r}: {self.facts.model_type}, {self.layers} layers of {self.width}, {self.device})"

    @property
    def name(self) -> str:
        """Canonical name, e.g. ``adapterkit/mini@2``."""
        return self.facts.name

    @property
    def width(self) -> int:
        """Hidden size."""
        return self.facts.width

    @property
    def layers(self) -> int:
        """Number of layers."""
        return self.facts.layers

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return next(self.model.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the weights."""
        return next(self.model.parameters()).dtype

    @property
    def adapter_dtype(self) -> torch.dtype:
        """The dtype of adapters over this backbone: float32, or float64 over float64."""
        return torch.float64 if self.dtype == torch.float64 else torch.float32

    @property
    def vocabulary(self) -> int:
        """Number of tokens, the size of masked-LM logits."""
        return int(self.embedding_matrix().shape[0])

    @property
    def norm_epsilon(self) -> float:
        """Epsilon of the backbone's norms."""
        return float(getattr(self.config, "layer_norm_eps", 1e-12))

    @property
    def config(self) -> Any:
        """Transformers' configuration."""
        return self.model.config

    @property
    def unk_id(self) -> int | None:
        """Id of the token for what cannot be read."""
        value: int | None = self.tokenizer.unk_token_id
        return value

    def to(self, device: str | torch.device) -> "Backbone":
        """Move all tensors, and with them every twin, to ``device``."""
        self.model.to(device)
        return self

    def for_training(self, precision: str) -> "Backbone":
        """What a training in ``precision`` runs on: itself, or a copy whose tensors are bfloat16.

        Identity and tokenizer stay the same; nothing of this backbone is changed.
        """
        if precision != "bfloat16" or self.dtype in (torch.float64, torch.float16):
            return self
        model = self.model if self.dtype == torch.bfloat16 else in_dtype(self.model, torch.bfloat16)
        return replace(self, model=with_plain_attention(model))

    def twin(self) -> nn.Module:
        """A new tree of modules over the same tensors, without hooks, in evaluation mode."""
        return twin(self.model)

    def embedding_matrix(self) -> Tensor:
        """Input embeddings. Shape ``(vocabulary, width)``."""
        embeddings = base_of(self.model, self.architecture).get_input_embeddings()
        weight: Tensor = embeddings.weight
        return weight

    def digest_in_memory(self) -> str:
        """Digest of the tensors as they are now: the same before and after any training."""
        return digest_of_tensors(dict(self.model.state_dict()))

    def pieces(self, lines: Sequence[str]) -> list[tuple[list[int], list[tuple[int, int]]]]:
        """Token ids and character spans of each line, without special tokens."""
        if not lines:
            return []
        encoded = self.tokenizer(
            [*map(whole, lines)],
            add_special_tokens=False,
            return_offsets_mapping=True,
            verbose=False,
        )
        return list(zip(encoded["input_ids"], encoded["offset_mapping"], strict=True))

    def token_ids(self, lines: Sequence[str]) -> list[list[int]]:
        """Token ids of each line, without special tokens."""
        if not lines:
            return []
        encoded = self.tokenizer([*map(as_read, lines)], add_special_tokens=False, verbose=False)
        ids: list[list[int]] = encoded["input_ids"]
        return ids

    def word_pieces(self, sentences: Sequence[Sequence[str]]) -> list[list[list[int]]]:
        """Token ids of each word of each sentence; a word that vanishes becomes one UNK."""
        return word_pieces(self.tokenizer, sentences)

    def require_trained_head(self) -> None:
        """Refuse tokens, and a loss over them, from a vocabulary head that was never trained.

        Raises:
            ConfigError: If the checkpoint brought no trained head.
        """
        if self.untrained_head:
            head = "masked-LM" if self.architecture.kind == "masked" else "language-model"
            raise ConfigError(
                f"backbone {self.name!r} has no trained {head} head, so it can write no token, and no language "
                f"adapter can be trained through it\n  missing from the checkpoint: {', '.join(self.untrained_head)}\n"
                "Use the checkpoint that was saved with its head (the pre-trained model itself, "
                "not the base model cut out of it)."
            )


def base_of(model: nn.Module, row: Architecture) -> Any:
    """The base model inside a masked-LM model (or a twin of one)."""
    base = None if row.own_base else module_at(model, row.prefix)
    return model if base is None else base
