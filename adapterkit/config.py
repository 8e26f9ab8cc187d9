"""Shapes as frozen dataclasses: of an adapter, a fusion, a head, and what is known of a backbone.

Only facts and their checks live here; what they mean in numbers is in `nn`. How they are trained: `settings`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from adapterkit.errors import ConfigError


@dataclass(frozen=True)
class BottleneckConfig:
    """The shape of a bottleneck adapter, in the field's (AdapterHub's) names. The defaults are Pfeiffer's.

    Attributes:
        reduction_factor: Width of the backbone over width of the bottleneck; a number, or a number by layer (``{"0": 8, "default": 16}``).
        non_linearity: Name of the activation inside the bottleneck.
        invertible: Whether a NICE coupling stands on the embeddings (and its inverse before the vocabulary matrix).
        invertible_reduction_factor: Half the width over the width inside the couplings.
        invertible_non_linearity: Activation inside the couplings; by default the bottleneck's.
        leave_out: Layers without a bottleneck, counted from 0.
        dropout: Dropout on the bottleneck's output while training.
        scaling: Factor on the bottleneck's output: a number, ``learned`` (one), or ``channel`` (one for each unit).
        mh_adapter: A bottleneck after attention (Houlsby has both).
        output_adapter: A bottleneck after the feed-forward part.
        is_parallel: Reads the sublayer's input instead of its output.
        original_ln_before: Its input passes the residual sum and the backbone's own norm.
        residual_before_ln: What its output is added to: the sublayer's output (True), the
            bottleneck's input after the norm (False) or before it (``post_add``).
        ln_before: A norm of its own on its input.
        ln_after: A norm of its own on its output.
        adapter_residual_before_ln: Whether ``ln_after`` stands behind the residual sum.
        use_gating: A gate on its output, averaged over the length (padding included, as AdapterHub has it).
        stochastic_depth: Share of rows that skip it while training.
        init_weights: How fresh weights are drawn: ``bert``, ``mam_adapter`` or ``houlsby``.
        own_norms: On backbones with a norm behind each sublayer (Gemma): whether each layer
            passes its own norm, or all the last layer's, as AdapterHub trained them.
    """

    reduction_factor: float | dict[str, float] = 16
    non_linearity: str = "relu"
    invertible: bool = False
    invertible_reduction_factor: float = 2
    leave_out: tuple[int, ...] = ()
    dropout: float = 0.0
    scaling: float | Literal["learned", "channel"] = 1.0
    invertible_non_linearity: str = ""
    mh_adapter: bool = False
    output_adapter: bool = True
    is_parallel: bool = False
    original_ln_before: bool = True
    residual_before_ln: bool | Literal["post_add"] = True
    ln_before: bool = False
    ln_after: bool = False
    adapter_residual_before_ln: bool = False
    use_gating: bool = False
    stochastic_depth: float = 0.0
    init_weights: Literal["bert", "mam_adapter", "houlsby"] = "bert"
    own_norms: bool = True

    @property
    def needs_parts(self) -> bool:
        """Whether it must see a sublayer's output and residual apart, not only their sum."""
        return (
            self.is_parallel
            or not self.original_ln_before
            or self.residual_before_ln is not True
            or (self.ln_after and self.adapter_residual_before_ln)
        )

    @cached_property
    def arithmetic(self) -> str:
        """What a bottleneck computes, whatever its width and wherever it stands: those that say the same can be computed in common."""
        return repr(replace(self, reduction_factor=1, leave_out=(), invertible=False))

    def bottleneck_width(self, width: int, layer: int) -> int:
        """Width of layer ``layer``'s bottleneck over a backbone of ``width`` units (at least 1).

        Raises:
            ConfigError: If the reduction factors name neither the layer nor a default.
        """
        factor = self.reduction_factor
        if isinstance(factor, dict):
            if str(layer) not in factor and "default" not in factor:
                raise ConfigError(
                    f"reduction_factor names layers {sorted(factor)} and no default; layer {layer} is missing"
                )
            factor = factor.get(str(layer), factor.get("default", 0))
        return max(1, int(width // factor))


PRESETS: dict[str, dict[str, Any]] = {
    "pfeiffer": {},
    "houlsby": {
        "mh_adapter": True,
        "original_ln_before": False,
        "non_linearity": "swish",
    },
    "parallel": {
        "is_parallel": True,
        "original_ln_before": False,
        "reduction_factor": 2,
        "scaling": 4.0,
        "init_weights": "mam_adapter",
    },
}
PRESETS["scaled_parallel"] = {**PRESETS["parallel"], "scaling": "learned"}


METHODS = (*PRESETS, "lora", "ia3")
"""What can be trained: bottlenecks of a preset's shape, LoRA, IA3."""


def preset(
    name: str, reduction_factor: float | None = None, *, invertible: bool = False
) -> BottleneckConfig:
    """A shape by its common name: ``pfeiffer``, ``houlsby``, ``parallel`` or ``scaled_parallel``.

    Args:
        name: The name.
        reduction_factor: By default the preset's own.
        invertible: With a NICE coupling (AdapterHub's ``_inv``).

    Raises:
        ConfigError: If there is no such preset.
    """
    if name not in PRESETS:
        raise ConfigError(f"there is no preset {name!r}; there are: {', '.join(PRESETS)}")
    settings = {**PRESETS[name], "invertible": invertible}
    if reduction_factor is not None:
        settings["reduction_factor"] = reduction_factor
    return BottleneckConfig(**settings)


@dataclass(frozen=True)
class Linear:
    """A frozen linear layer that a low-rank adapter changes.

    Attributes:
        path: Where it is, inside the base model, e.g. ``encoder.layer.0.attention.self.query``.
        inputs: Its input width; 0 where an adapter's files do not tell.
        outputs: Its output width; likewise.
        rank: Rank of the change (LoRA).
        scaling: Factor on the change (LoRA).
        feedforward: Whether the input is scaled instead of the output (IA3).
    """

    path: str
    inputs: int
    outputs: int
    rank: int = 0
    scaling: float = 1.0
    feedforward: bool = False


@dataclass(frozen=True)
class LowRankConfig:
    """The shape of a LoRA or IA3 adapter, in PEFT's names where they are general.

    Attributes:
        method: ``lora`` or ``ia3``.
        modules: The linear layers it changes.
        rank: PEFT's ``r``.
        alpha: PEFT's ``lora_alpha``.
        dropout: On the input of a LoRA while training.
        targets: PEFT's ``target_modules``: ends of names, or one regular expression.
        feedforward: IA3: ends of names of the layers whose input is scaled.
        prefix: First part of the paths in its file, e.g. ``roberta`` (none for a bare base model).
    """

    method: Literal["lora", "ia3"]
    modules: tuple[Linear, ...]
    rank: int = 8
    alpha: float = 16
    dropout: float = 0.0
    targets: tuple[str, ...] | str = ()
    feedforward: tuple[str, ...] = ()
    prefix: str = ""

    @property
    def needs_parts(self) -> bool:
        """Never: it does not stand at a sublayer's output."""
        return False


@dataclass(frozen=True)
class FusionConfig:
    """The shape of AdapterFusion layers, in AdapterHub's names; the defaults are its ``dynamic`` ones.

    Attributes:
        query: A learned query.
        key: Learned keys.
        value: Learned values, starting as the identity.
        query_before_ln: The query is read before the norm.
        residual_before: The residual is added to keys and values instead of to the result.
        value_before_softmax: Values are mapped before they are weighed.
        value_initialized: Whether values start as the identity.
        regularization: Whether training pulled the values towards the identity (kept, not used).
        dropout_prob: On the attention while training.
    """

    query: bool = True
    key: bool = True
    value: bool = True
    query_before_ln: bool = False
    residual_before: bool = False
    value_before_softmax: bool = True
    value_initialized: bool = True
    regularization: bool = True
    dropout_prob: float = 0.0


def fusion_places(shapes: Sequence[BottleneckConfig], layers: int) -> list[tuple[str, int]]:
    """Where fusion layers stand: in each of ``layers``, at the places that all of ``shapes`` use."""
    places = ["attention"] if all(shape.mh_adapter for shape in shapes) else []
    places += ["output"] if all(shape.output_adapter for shape in shapes) else []
    return [(place, layer) for place in places for layer in range(layers)]


@dataclass(frozen=True)
class BackboneFacts:
    """What an adapter remembers of the backbone it was made for; empty or 0 means unknown.

    Attributes:
        name: Canonical name, e.g. ``FacebookAI/xlm-roberta-base`` or ``adapterkit/mini@2``.
        digest: sha256 over the checkpoint's tensors (`tensorfile.digest`).
        model_type: transformers' name of the architecture, e.g. ``xlm-roberta``.
        width: Hidden size.
        layers: Number of layers, an encoder's and a decoder's together; numbered encoder first.
        decoder_layers: How many of them are the decoder's, in an encoder-decoder; else 0.
    """

    name: str = ""
    digest: str = ""
    model_type: str = ""
    width: int = 0
    layers: int = 0
    decoder_layers: int = 0


HEAD_TYPES = ("tagging", "classification", "multilabel_classification", "masked_lm")


@dataclass(frozen=True)
class HeadConfig:
    """A prediction head, in AdapterHub's names.

    Attributes:
        head_type: One of `HEAD_TYPES`.
        labels: Names of the labels in the order of the outputs; empty for ``masked_lm``.
        layers: Linear layers.
        activation: Between them.
        bias: Whether the last layer has a bias.
        vocabulary: Outputs of a ``masked_lm`` head, else 0.
        dropout: While training.
    """

    head_type: str
    labels: tuple[str, ...] = ()
    layers: int = 1
    activation: str = "tanh"
    bias: bool = True
    vocabulary: int = 0
    dropout: float = 0.0
