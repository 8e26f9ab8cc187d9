"""A backbone with a composition on it. Every `AdaptedModel` hooks its own twin; the backbone stays pristine."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from adapterkit.backbone.frozen import Backbone
from adapterkit.composition.adapter import Adapter
from adapterkit.composition.base import Composition, placed
from adapterkit.composition.numbers import row_numbers
from adapterkit.composition.rows import Rows
from adapterkit.composition.stack import Stack
from adapterkit.data.batches import Batch
from adapterkit.errors import ConfigError
from adapterkit.fitting import check_parts, require_ids, require_positions
from adapterkit.generation import Generation, generate
from adapterkit.hooking import Hooked, hook, hook_head
from adapterkit.nn.bottleneck import Coupling
from adapterkit.nn.groups import Groups
from adapterkit.nn.heads import Head, last_places
from adapterkit.nn.losses import SomePieces, cross_entropy
from adapterkit.passes import (
    language_loss,
    last_hidden,
    second_text_loss,
    several_labels_loss,
    task_loss,
)

Thing = TypeVar("Thing")


class AdaptedModel(nn.Module):
    """A frozen backbone refined by a composition of adapters.

    Its parameters are its adapters' only. To move or cast, move the backbone and build the model
    again: models over one backbone share its tensors.

    Args:
        backbone: From `load_backbone`.
        stack: An adapter or a composition of them; ``Stack()`` is the bare backbone. With `Rows`
            every call says ``rows=[...]``, a composition's number for each row of the batch.
        allow_backbone: Name of this backbone, to accept adapters that were made for the one it
            is derived from.

        frozen: Never to be trained: adapters are kept in the backbone's own precision, too, which
            saves memory and time over a bfloat16 backbone.

    Raises:
        AdapterMismatch: If an adapter was not made for this backbone.
    """

    def __init__(
        self,
        backbone: Backbone,
        stack: Composition | None = None,
        *,
        allow_backbone: str | None = None,
        frozen: bool = False,
    ) -> None:
        super().__init__()
        if not isinstance(backbone, Backbone):
            raise ConfigError(
                f"an AdaptedModel needs a backbone, got {backbone!r:.80}; load one with ak.load_backbone(name)"
            )
        stack = stack if stack is not None else Stack()
        stack = Stack(stack) if isinstance(stack, Adapter) else stack
        if not isinstance(stack, Composition):
            raise ConfigError(
                f"an AdaptedModel takes a Stack or another composition, got {stack!r:.80}"
            )
        stack.check_fits(backbone.facts, allow_backbone=allow_backbone)
        self.backbone = backbone
        check_parts(backbone, stack)
        dtype = backbone.dtype if frozen else backbone.adapter_dtype
        self.stack = placed(stack, backbone.device, dtype)
        self.adapters = nn.ModuleList(unique(self.stack.adapters))
        self.fusions = nn.ModuleList(unique(self.stack.fusions))
        # Kept out of the module tree on purpose: frozen tensors are nobody's parameters here.
        self._frozen = None if isinstance(self.stack, Rows) else hook(backbone, self.stack, None)
        self.eval()

    def _apply(self, fn: Any, recurse: bool = True) -> "AdaptedModel":
        raise ConfigError(
            "an AdaptedModel cannot be moved or cast: it shares its tensors with other models. "
            "Load or move the backbone (load_backbone(..., device=, dtype=), backbone.to(device)) "
            "and build the model again."
        )

    def _groups(
        self, input_ids: Tensor, attention_mask: Tensor | None, rows: Sequence[int] | None
    ) -> Groups | None:
        """The composition of each row; None where there is only one, which is hooked already."""
        require_ids(self.backbone, input_ids, attention_mask)
        if isinstance(self.stack, Rows):
            count = len(self.stack.parts)
            numbers = row_numbers(rows, batch=len(input_ids), count=count, each="row")
            return Groups(numbers, self.backbone.device)
        if rows is not None:
            raise ConfigError("rows= needs a model built from Rows; this one has one composition")
        return None

    def _hooked(self, groups: Groups | None, *, vocabulary: bool = True) -> Hooked:
        """The twins that compute each row by its composition."""
        if groups is None:
            assert self._frozen is not None
            return self._frozen
        # A twin for each call, with the row numbers bound to it, costs a few milliseconds; a number
        # kept anywhere else is wrong under threads and under gradient checkpointing.
        return hook(self.backbone, self.stack, groups, vocabulary=vocabulary)

    def encode(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        *,
        rows: Sequence[int] | None = None,
    ) -> Tensor:
        """Last hidden state.

        Args:
            input_ids: Shape ``(batch, length)``.
            attention_mask: 1 where there is a token; by default everywhere. Shape ``(batch, length)``.
            rows: With `Rows`, the number of each row's composition; ``batch`` of them.

        Returns:
            Shape ``(batch, length, width)``.

        Raises:
            ConfigError: If ``input_ids`` are no batch of ids that the backbone can read, or ``rows`` do not fit it.
        """
        return self._hidden(
            input_ids, attention_mask, self._groups(input_ids, attention_mask, rows)
        )

    def _hidden(
        self, input_ids: Tensor, attention_mask: Tensor | None, groups: Groups | None
    ) -> Tensor:
        """Last hidden state. Shape ``(batch, length, width)``."""
        if groups is None:
            return last_hidden(self.backbone, self._hooked(None), input_ids, attention_mask)
        # In the order of their compositions rows are cut into slices, not copied at every layer.
        order = sorted(range(len(input_ids)), key=groups.numbers.__getitem__)
        hooked = self._hooked(groups.of(order), vocabulary=False)
        mask = None if attention_mask is None else attention_mask[order]
        hidden = last_hidden(self.backbone, hooked, input_ids[order], mask)
        back = torch.tensor(order, device=hidden.device).argsort()
        return hidden[back]

    def logits(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        *,
        rows: Sequence[int] | None = None,
    ) -> Any:
        """Logits of the head that the last adapter of the stack carries.

        Returns:
            ``(batch, length, labels)`` for tagging, ``(batch, labels)`` for classification, which
            reads the first token; over a decoder, the last one under ``attention_mask``. With
            `Rows` whose heads differ, a list of tensors, one a row, without the batch axis.

        Raises:
            ConfigError: If the last adapter carries no head, or as `encode` does.
        """
        self._require_heads()
        groups = self._groups(input_ids, attention_mask, rows)
        hidden = self._hidden(input_ids, attention_mask, groups)
        if groups is None:
            return self.head_logits(hidden, input_ids, attention_mask)
        places = self._places(input_ids, attention_mask)
        assert isinstance(self.stack, Rows)
        parts = self.stack.parts
        if self.stack.head is not None and self.stack.head.config.head_type != "masked_lm":
            return self._through(self.stack.head, hidden, None, places)
        out = [
            self._through(
                parts[group].head,
                hidden[row : row + 1],
                parts[group].invertible,
                None if places is None else places[row : row + 1],
            )[0]
            for row, group in enumerate(groups.numbers)
        ]
        return torch.stack(out) if self.stack.head is not None else out

    def head_logits(
        self, hidden: Tensor, input_ids: Tensor, attention_mask: Tensor | None
    ) -> Tensor:
        """As `logits`, of a last hidden state that was computed before; not with `Rows`.

        Args:
            hidden: As `encode` gives it. Shape ``(batch, length, width)``.
            input_ids: Shape ``(batch, length)``.
            attention_mask: Shape ``(batch, length)``.
        """
        self._require_heads()
        assert self.stack.head is not None
        places = self._places(input_ids, attention_mask)
        return self._through(self.stack.head, hidden, self.stack.invertible, places)

    def _require_heads(self) -> None:
        stack = self.stack
        parts = stack.parts if isinstance(stack, Rows) else (stack,)
        bare = [repr(part) for part in parts if part.head is None]
        if bare:
            raise ConfigError(
                f"{', '.join(bare)} ends without a prediction head of its own; put a task adapter last"
            )
        kinds = {part.head.config.head_type for part in parts if part.head is not None}
        if self.backbone.architecture.kind == "seq2seq" and kinds != {"tagging"}:
            # AdapterHub's read the decoder's last token there, which is none of the text's.
            raise ConfigError(
                f"heads of kind {', '.join(sorted(kinds))} are not supported over an encoder-decoder "
                f"({self.backbone.facts.model_type}); tagging heads are, over its encoder"
            )

    def _places(self, input_ids: Tensor, attention_mask: Tensor | None) -> Tensor | None:
        """Which token of each row a classification head reads, shape ``(batch,)``; None for the first."""
        if self.backbone.architecture.kind != "causal":
            return None
        return last_places(torch.ones_like(input_ids) if attention_mask is None else attention_mask)

    def _through(
        self, head: Head, hidden: Tensor, invertible: Coupling | None, places: Tensor | None
    ) -> Tensor:
        out: Tensor = head(hidden, invertible, epsilon=self.backbone.norm_epsilon, places=places)
        return out

    def mlm_logits(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        *,
        decoder_input_ids: Tensor | None = None,
        positions: Tensor | None = None,
        rows: Sequence[int] | None = None,
    ) -> Tensor:
        """Language-model logits through the backbone's own head, the coupling's inverse applied.

        Of the token at each position; over a decoder, of the token that follows it; over an
        encoder-decoder, of the token that follows each one of ``decoder_input_ids``.

        Args:
            input_ids: Shape ``(batch, length)``.
            attention_mask: Shape ``(batch, length)``.
            decoder_input_ids: The second text so far, for an encoder-decoder, which has logits at its
                tokens: ``length`` is its length, then.
            positions: Where logits are wanted, as booleans; by default everywhere. Shape
                ``(batch, length)``.
            rows: With `Rows`, the number of each row's composition; ``batch`` of them.

        Returns:
            ``(batch, length, vocabulary)``, or ``(wanted, vocabulary)`` with ``positions``.

        Raises:
            ConfigError: If the backbone has no trained vocabulary head, or ``decoder_input_ids`` are
                given to another than an encoder-decoder, or not given to one, or cannot be read, or
                ``positions`` are no booleans of their shape, or as `encode` does.
        """
        self.backbone.require_trained_head()
        groups = self._groups(input_ids, attention_mask, rows)
        texts = input_ids if decoder_input_ids is None else decoder_input_ids
        if self._is_seq2seq(decoder_input_ids):
            require_ids(self.backbone, texts, name="decoder_input_ids")
            if len(texts) != len(input_ids):
                raise ConfigError(
                    f"decoder_input_ids are a row for each of input_ids, {len(input_ids)}, got {len(texts)}"
                )
        require_positions(positions, texts)
        if decoder_input_ids is not None:
            hooked = self._hooked(groups)
            inputs = {"input_ids": input_ids, "decoder_input_ids": decoder_input_ids}
            mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
            out = hooked.vocabulary_head(**inputs, attention_mask=mask, use_cache=False).logits
            every: Tensor = out if positions is None else out[positions]
            return every
        hidden = self._hidden(input_ids, attention_mask, groups)
        if positions is None:
            return self._to_vocabulary(groups, hidden)
        if groups is not None:
            # The batch axis is gone here: each wanted position brings its row's group along.
            groups = groups.of(positions.nonzero()[:, 0].tolist())
        return self._to_vocabulary(groups, hidden[positions].unsqueeze(1)).squeeze(1)

    def generate(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        *,
        rows: Sequence[int] | None = None,
        max_new_tokens: int = 32,
        num_beams: int = 1,
        use_cache: bool = True,
        forced_bos_token_id: int | None = None,
    ) -> Tensor:
        """Continue texts with the likeliest tokens, by transformers' own ``generate``.

        An encoder-decoder writes a second text (a translation, say) instead.

        Args:
            input_ids: Shape ``(batch, length)``, padded on the left over a decoder.
            attention_mask: Shape ``(batch, length)``.
            rows: With `Rows`, the number of each row's composition; ``batch`` of them.
            max_new_tokens: How many tokens at most.
            num_beams: Beams of the search; 1 is greedy.
            use_cache: Keep keys and values from step to step.
            forced_bos_token_id: First token that an encoder-decoder writes, e.g. the target
                language's (NLLB, mBART).

        Returns:
            Shape ``(batch, length + new)``; of an encoder-decoder ``(batch, new)``.

        Raises:
            ConfigError: If the backbone has no decoder or no trained head, or a setting cannot be right, or as `encode` does.
        """
        groups = self._groups(input_ids, attention_mask, rows)
        options = Generation(max_new_tokens, num_beams, use_cache, forced_bos_token_id)
        return generate(self.backbone, self.stack, groups, input_ids, attention_mask, options)

    def _is_seq2seq(self, decoder_input_ids: Tensor | None) -> bool:
        kind = self.backbone.architecture.kind
        if (kind == "seq2seq") != (decoder_input_ids is not None):
            wrong = "needs decoder_input_ids" if kind == "seq2seq" else "takes no decoder_input_ids"
            raise ConfigError(
                f"backbone {self.backbone.name!r} ({self.backbone.facts.model_type}) {wrong}"
            )
        return kind == "seq2seq"

    def _to_vocabulary(self, groups: Groups | None, features: Tensor) -> Tensor:
        """Logits of features whose first axis has these compositions. Shape ``(..., vocabulary)``."""
        if groups is None:
            hooked = self._hooked(None)
        else:
            hooked = hook_head(self.backbone, self.stack, groups)
        if hooked.vocabulary_head is None:
            raise ConfigError(
                f"transformers has no masked-LM model for backbone {self.backbone.name!r}"
            )
        logits: Tensor = hooked.vocabulary_head(inputs_embeds=features).logits
        return logits if hooked.vocabulary is None else hooked.vocabulary(logits)

    def some_pieces(self, ids: Tensor) -> SomePieces:
        """The rows of the backbone's vocabulary matrix for some token ids, for a loss over these only.

        Args:
            ids: Each once. Shape ``(pieces,)``.

        Raises:
            ConfigError: As `vocabulary_matrix` does.
        """
        matrix = self.vocabulary_matrix()
        return SomePieces.of(matrix.weight, matrix.bias, ids)

    def vocabulary_matrix(self) -> nn.Linear:
        """The backbone's frozen vocabulary matrix. Its weight is of shape ``(vocabulary, width)``.

        Raises:
            ConfigError: If the backbone's head gives logits only, and no features that a part of the
                matrix could be multiplied with.
        """
        if self._frozen is None or self._frozen.vocabulary is None:
            raise ConfigError(
                f"the masked-LM head of backbone {self.backbone.name!r} ({self.backbone.facts.model_type}) multiplies "
                "by its whole vocabulary matrix itself, so the vocabulary cannot be restricted (restrict_vocabulary)"
            )
        return self._frozen.vocabulary

    def forward(self, batch: Batch, *, pieces: SomePieces | None = None) -> Tensor:
        """Mean cross entropy of ``batch`` in float32 (float64 over a float64 backbone), a scalar.

        With a head on the stack it is the task's loss (binary cross entropy of a multi-label head);
        without one, the masked-LM loss at the positions that have a target; over an encoder-decoder
        the loss of the second text, which the targets are.

        Args:
            batch: Inputs and targets.
            pieces: From `some_pieces`: the masked-LM loss goes over these only.
        """
        if (head := self.stack.head) is not None:
            logits = self.logits(batch.input_ids, batch.attention_mask)
            several = head.config.head_type == "multilabel_classification"
            return (several_labels_loss if several else task_loss)(logits, batch)
        self.backbone.require_trained_head()
        if self.backbone.architecture.kind == "seq2seq":
            groups = self._groups(batch.input_ids, batch.attention_mask, None)
            return second_text_loss(self._hooked(groups), batch)
        if self._frozen is not None and self._frozen.vocabulary is not None:
            return language_loss(self.backbone, self._frozen, batch, pieces)
        wanted = batch.targets != -100
        logits = self.mlm_logits(batch.input_ids, batch.attention_mask, positions=wanted)
        return cross_entropy(logits, batch.targets[wanted])


def unique(things: Iterable[Thing]) -> list[Thing]:
    """Each of ``things`` once, by identity, in order."""
    return list({id(thing): thing for thing in things}.values())
