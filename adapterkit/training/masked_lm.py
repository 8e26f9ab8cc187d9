"""What the loop trains for a language adapter: masked tokens of packed blocks, the loss it is looked at by, the special tokens."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from adapterkit.backbone.frozen import Backbone
from adapterkit.composition.adapter import Adapter
from adapterkit.data.batches import Batch
from adapterkit.data.blocks import Blocks, Vocabulary
from adapterkit.errors import ConfigError
from adapterkit.model import AdaptedModel
from adapterkit.nn.losses import SomePieces
from adapterkit.seeds import derive
from adapterkit.settings import LanguageConfig


@dataclass(frozen=True)
class MaskedLanguageModelling:
    """The loop's problem: predict masked tokens of the corpus.

    Attributes:
        model: Backbone with the stack that is trained.
        adapter: The part that is trained.
        training: Blocks to train on.
        heldout: Blocks to look at.
        config: Batch size, masking, seed.
        pieces: Of the vocabulary, what the training loss goes over; None for all. Looks always go over all.
        batches: Gives a step's batch, if something reads ahead; by default `batch`.
    """

    model: AdaptedModel
    adapter: Adapter
    training: Blocks
    heldout: Blocks
    config: LanguageConfig
    pieces: SomePieces | None = None
    batches: Callable[[int], Batch] | None = None

    @property
    def trained(self) -> nn.Module:
        """The adapter."""
        return self.adapter

    def loss(self, step: int) -> tuple[Tensor, int]:
        """Masked-LM loss of step ``step``, a scalar, and the tokens it read."""
        batch = (self.batches or self.batch)(step)
        there = batch.to(self.model.backbone.device)
        return self.model(there, pieces=self.pieces), batch.input_ids.numel()

    def batch(self, step: int) -> Batch:
        """The masked blocks of step ``step``: drawn from the seed and the step alone, by any thread.

        For a GPU they lie in pinned memory, which it reads by itself.
        """
        seed, size = self.config.seed, self.config.batch_size
        rows = self.training.indices(step, size, seed=seed)
        batch = self.training.masked(
            rows, share=self.config.masking, seed=derive(seed, "mask", step)
        )
        return batch.pinned() if self.model.backbone.device.type == "cuda" else batch

    def look(self) -> float:
        """Held-out loss in nats a masked token; the masks are always the same."""
        return heldout_loss(self.model, self.heldout, self.config)


def heldout_loss(model: AdaptedModel, blocks: Blocks, config: LanguageConfig) -> float:
    """Mean masked-LM loss over ``blocks`` in nats a masked token, over the whole vocabulary, under fixed masks."""
    total, count = 0.0, 0
    with torch.no_grad():
        for start in range(0, len(blocks), config.batch_size):
            rows = range(start, min(start + config.batch_size, len(blocks)))
            # Fixed seed: losses of different runs over the same corpus can be compared.
            batch = blocks.masked(rows, share=config.masking, seed=derive(0, "heldout", start))
            asked = int((batch.targets != -100).sum())
            total += float(model(batch.to(model.backbone.device))) * asked
            count += asked
    return total / count


def vocabulary_of(backbone: Backbone) -> Vocabulary:
    """The special tokens that packing and masking need.

    Raises:
        ConfigError: If the tokenizer lacks one of them, or the backbone is an encoder-decoder.
    """
    t = backbone.tokenizer
    if backbone.architecture.kind == "causal":
        return _decoder_vocabulary(backbone)
    if backbone.architecture.kind == "seq2seq":
        raise ConfigError(
            f"backbone {backbone.name!r} is an encoder-decoder ({backbone.facts.model_type}): language adapters "
            "over these can be loaded, stacked and used, and trained by a loop of your own "
            "(AdaptedModel is a module whose call gives a loss), but there is no objective for raw text yet"
        )
    ids = {"cls_token": t.cls_token_id, "sep_token": t.sep_token_id, "mask_token": t.mask_token_id}
    missing = [name for name, value in ids.items() if value is None]
    if missing:
        raise ConfigError(
            f"the tokenizer of {backbone.name!r} has no {', '.join(missing)}; masked-LM training needs them"
        )
    special = tuple(sorted(set(t.all_special_ids)))
    return Vocabulary(
        backbone.vocabulary, ids["cls_token"], ids["sep_token"], ids["mask_token"], special
    )


def _decoder_vocabulary(backbone: Backbone) -> Vocabulary:
    t = backbone.tokenizer
    end = t.eos_token_id
    if end is None:
        raise ConfigError(f"the tokenizer of {backbone.name!r} has no eos_token; packing needs one")
    start = t.bos_token_id if t.bos_token_id is not None else end
    return Vocabulary(backbone.vocabulary, start, end, None, tuple(sorted(set(t.all_special_ids))))
