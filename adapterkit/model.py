"""A backbone with a stack on it. Every `AdaptedModel` hooks its own twin; the backbone stays pristine."""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapterkit.backbone.architectures import module_at
from adapterkit.backbone.load import Backbone, base_of
from adapterkit.composition.stack import Stack
from adapterkit.errors import ConfigError
from adapterkit.nn.sites import Coupling, PostNormSite, SublayerSite


class Batch(Protocol):
    """Examples as tensors; what `data` makes and `AdaptedModel.forward` trains on.

    Attributes:
        input_ids: Shape ``(batch, length)``.
        attention_mask: 1 where there is a token. Shape ``(batch, length)``.
        targets: What to predict: ``(batch, length)`` labels with -100 where there is none for
            tagging and masked language modelling, ``(batch,)`` for classification.
    """

    @property
    def input_ids(self) -> Tensor: ...  # noqa: D102
    @property
    def attention_mask(self) -> Tensor: ...  # noqa: D102
    @property
    def targets(self) -> Tensor: ...  # noqa: D102


class AdaptedModel(nn.Module):
    """A frozen backbone refined by a stack of adapters.

    Its parameters are its adapters' only. To move or cast, move the backbone and build the model
    again: models over one backbone share its tensors.

    Args:
        backbone: From `load_backbone`.
        stack: The adapters; ``Stack()`` is the bare backbone.
        allow_backbone: Name of this backbone, to accept adapters that were made for the one it
            is derived from.

    Raises:
        AdapterMismatch: If an adapter was not made for this backbone.
    """

    def __init__(
        self, backbone: Backbone, stack: Stack | None = None, *, allow_backbone: str | None = None
    ) -> None:
        super().__init__()
        stack = stack if stack is not None else Stack()
        stack.check_fits(backbone.facts, allow_backbone=allow_backbone)
        self.backbone = backbone
        self.stack = stack.placed(backbone.device, backbone.adapter_dtype)
        self.adapters = nn.ModuleList(self.stack)
        # Kept out of the module tree on purpose: frozen tensors are nobody's parameters here.
        self._frozen = _Frozen(self._hooked_encoder(), self._hooked_head())
        self.eval()

    def _hooked_encoder(self) -> Any:
        row = self.backbone.architecture
        base = base_of(self.backbone.twin(), row)
        layers = module_at(base, row.layers)
        assert isinstance(layers, nn.ModuleList)
        for number, layer in enumerate(layers):
            blocks = [
                adapter.blocks[str(number)]
                for adapter in self.stack
                if str(number) in adapter.blocks
            ]
            site = module_at(layer, row.site)
            assert site is not None
            if blocks and row.norm == "post":
                site.register_forward_pre_hook(PostNormSite(blocks))
            elif blocks:
                site.register_forward_hook(SublayerSite(blocks))
        embeddings = module_at(base, row.embeddings)
        if self.stack.invertible is not None and embeddings is not None:
            embeddings.register_forward_hook(Coupling(self.stack.invertible, inverse=False))
        return base

    def _hooked_head(self) -> Any:
        """The backbone's masked-LM model with its encoder replaced by what hands features on."""
        row = self.backbone.architecture
        model = self.backbone.twin()
        base = base_of(model, row)
        if base is model:
            return None
        model._modules[row.prefix] = _HandOn(base, row.embeddings)
        if self.stack.invertible is not None:
            features = [
                module for path in row.features if (module := module_at(model, path)) is not None
            ]
            features[0].register_forward_hook(Coupling(self.stack.invertible, inverse=True))
        return model

    def _apply(self, fn: Any, recurse: bool = True) -> "AdaptedModel":
        raise ConfigError(
            "an AdaptedModel cannot be moved or cast: it shares its tensors with other models. "
            "Load or move the backbone (load_backbone(..., device=, dtype=), backbone.to(device)) "
            "and build the model again."
        )

    def encode(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Last hidden state.

        Args:
            input_ids: Shape ``(batch, length)``.
            attention_mask: 1 where there is a token; by default everywhere. Shape ``(batch, length)``.

        Returns:
            Shape ``(batch, length, width)``.
        """
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        hidden: Tensor = self._frozen.encoder(
            input_ids=input_ids, attention_mask=mask
        ).last_hidden_state
        return hidden

    def logits(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Logits of the head that the last adapter of the stack carries.

        Returns:
            ``(batch, length, labels)`` for tagging, ``(batch, labels)`` for classification.

        Raises:
            ConfigError: If the last adapter carries no head.
        """
        head = self.stack.head
        if head is None:
            names = ", ".join(adapter.name for adapter in self.stack) or "no adapter"
            raise ConfigError(
                f"the stack ({names}) ends without a prediction head; put a task adapter last"
            )
        hidden = self.encode(input_ids, attention_mask)
        out: Tensor = head(hidden, self.stack.invertible, epsilon=self.backbone.norm_epsilon)
        return out

    def mlm_logits(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        *,
        positions: Tensor | None = None,
    ) -> Tensor:
        """Masked-LM logits through the backbone's own head, the coupling's inverse applied.

        Args:
            input_ids: Shape ``(batch, length)``.
            attention_mask: Shape ``(batch, length)``.
            positions: Where logits are wanted, as booleans; by default everywhere. Shape
                ``(batch, length)``.

        Returns:
            ``(batch, length, vocabulary)``, or ``(wanted, vocabulary)`` with ``positions``.

        Raises:
            ConfigError: If the backbone has no trained masked-LM head.
        """
        self.backbone.require_trained_head()
        hidden = self.encode(input_ids, attention_mask)
        if positions is None:
            return self._to_vocabulary(hidden)
        return self._to_vocabulary(hidden[positions].unsqueeze(0)).squeeze(0)

    def _to_vocabulary(self, features: Tensor) -> Tensor:
        if self._frozen.vocabulary_head is None:
            raise ConfigError(
                f"transformers has no masked-LM model for backbone {self.backbone.name!r}"
            )
        logits: Tensor = self._frozen.vocabulary_head(inputs_embeds=features).logits
        return logits

    def forward(self, batch: Batch) -> Tensor:
        """Mean cross entropy of ``batch`` in float32 (float64 over a float64 backbone), a scalar.

        With a head on the stack it is the task's loss; without one, the masked-LM loss at the
        positions that have a target.
        """
        if self.stack.head is None:
            wanted = batch.targets != -100
            logits = self.mlm_logits(batch.input_ids, batch.attention_mask, positions=wanted)
            return _cross_entropy(logits, batch.targets[wanted])
        logits = self.logits(batch.input_ids, batch.attention_mask)
        return _cross_entropy(logits.flatten(0, -2), batch.targets.flatten())


@dataclass(frozen=True)
class _Frozen:
    """The hooked twins. Not a module, so that `AdaptedModel` does not take them for its own."""

    encoder: Any
    vocabulary_head: Any


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
        """Wrap ``inputs_embeds`` ``(1, wanted, width)`` as a model output."""
        from adapterkit.backbone.load import as_output

        return as_output(inputs_embeds)


def _cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    wide = logits if logits.dtype == torch.float64 else logits.float()
    return functional.cross_entropy(wide, targets, ignore_index=-100)
