"""Settings as frozen dataclasses: the shape of an adapter, a language training, a task training.

Only facts and their checks live here; what they mean in numbers is in `nn`, what they do in `training`.
Defaults and their sources: Pfeiffer et al. (2020) "MAD-X"; Pfeiffer et al. (2021) "UNKs Everywhere"
(the last layer dropped); Parovic et al. (2023) (steps and learning rates); `docs/log.md` (what we measured).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from adapterkit.errors import ConfigError, found

Precision = Literal["float32", "bfloat16"]

SMALL_CORPUS_BYTES = 1_000_000
"""Below about this much text a narrow bottleneck (reduction factor 16) is preferred."""


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
class LanguageConfig:
    """How a language adapter is trained. ``None`` means: decided from the corpus or the backbone.

    Attributes:
        method: One of `METHODS`.
        rank: Of LoRA.
        reduction_factor: 2, or 16 under about 1 MB of text.
        invertible: Train a NICE coupling with it.
        drop_last_layer: Leave the last layer without a bottleneck (MAD-X 2.0).
        upper_layers: So many bottlenecks only, in the uppermost of the layers that would have one; by default
            all have. Without a coupling nothing below the lowest one asks for a gradient.
        restrict_vocabulary: The training loss goes over the corpus' own pieces only; looks go over all.
        embedding_rows: Train a delta on the row of each piece that the corpus uses (no special tokens), in the
            embeddings and, where it is tied to them, in the vocabulary matrix.
        embedding_rows_at_least: A piece that occurs less often in the corpus has none.
        embedding_rows_rate: Factor on these deltas' learning rate; they have no weight decay.
        steps: Optimizer steps; by default by the size of the corpus.
        max_minutes: Stop after this much training time (added over resumed runs).
        batch_size: Blocks a step.
        block_length: Tokens a block.
        learning_rate: Peak of AdamW; by default by tokens a step and by width.
        warmup: Share of the steps with a rising learning rate; then linear to zero.
        weight_decay: Of AdamW.
        clip: Largest norm of all gradients of a step together; larger ones are scaled down.
        masking: Share of tokens to predict; of these 80 % masked, 10 % random, 10 % kept.
        evaluate_every: Steps between looks at the held-out loss (a checkpoint each).
        patience: Looks without a new best before stopping.
        heldout_blocks: At most so many blocks in the held-out loss.
        precision: Arithmetic of the frozen backbone while training; adapters are always float32.
        seed: Of everything random.
    """

    method: str = "pfeiffer"
    rank: int = 8
    reduction_factor: float | None = None
    invertible: bool = True
    drop_last_layer: bool = True
    upper_layers: int | None = None
    restrict_vocabulary: bool = False
    embedding_rows: bool = False
    embedding_rows_at_least: int = 5
    embedding_rows_rate: float = 1.0
    steps: int | None = None
    max_minutes: float | None = None
    batch_size: int = 32
    block_length: int | None = None
    learning_rate: float | None = None
    warmup: float = 0.06
    weight_decay: float = 0.0
    clip: float | None = None
    masking: float = 0.15
    evaluate_every: int | None = None
    patience: int = 5
    heldout_blocks: int = 128
    precision: Precision | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        _check(
            self,
            positive=(
                "rank reduction_factor upper_layers embedding_rows_at_least embedding_rows_rate steps "
                "max_minutes batch_size block_length learning_rate clip evaluate_every patience heldout_blocks"
            ),
            shares=("warmup", "masking"),
        )


@dataclass(frozen=True)
class TaskConfig:
    """How a task adapter is trained.

    Attributes:
        method: One of `METHODS`.
        rank: Of LoRA.
        reduction_factor: Of the task adapter's bottlenecks.
        drop_last_layer: Leave the last layer without a bottleneck (MAD-X 2.0).
        epochs: Passes over the training examples.
        steps: Optimizer steps instead of epochs.
        max_minutes: Stop after this much training time.
        batch_size: Examples a step.
        max_length: Tokens an input window; by default 128 or what the backbone can read.
        learning_rate: Peak of AdamW for adapter and head; by default by the width of the backbone.
        warmup: Share of the steps with a rising learning rate; then linear to zero.
        weight_decay: Of AdamW.
        clip: Largest norm of all gradients of a step together; larger ones are scaled down.
        evaluate_every: Steps between looks at the dev set; by default ten looks a run.
        patience: Looks without a new best before stopping.
        seed: Of everything random.
        precision: Arithmetic of the frozen backbone while training.
    """

    method: str = "pfeiffer"
    rank: int = 8
    reduction_factor: float = 16
    drop_last_layer: bool = True
    epochs: float = 10
    steps: int | None = None
    max_minutes: float | None = None
    batch_size: int = 16
    max_length: int | None = None
    learning_rate: float | None = None
    warmup: float = 0.06
    weight_decay: float = 0.0
    clip: float | None = None
    evaluate_every: int | None = None
    patience: int = 5
    seed: int = 0
    precision: Precision | None = None

    def __post_init__(self) -> None:
        _check(
            self,
            positive=(
                "rank reduction_factor epochs steps max_minutes batch_size max_length "
                "learning_rate clip evaluate_every patience"
            ),
            shares=("warmup",),
        )


@dataclass(frozen=True)
class BackboneFacts:
    """What an adapter remembers of the backbone it was made for; empty or 0 means unknown.

    Attributes:
        name: Canonical name, e.g. ``FacebookAI/xlm-roberta-base`` or ``adapterkit/mini@1``.
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


def as_record(config: LanguageConfig | TaskConfig) -> dict[str, Any]:
    """The settings as plain JSON values, by name."""
    return asdict(config)


def _check(config: Any, *, positive: str, shares: tuple[str, ...]) -> None:
    values = {f.name: getattr(config, f.name) for f in fields(config)}
    problems = [
        f"{name} = {values[name]}: must be above 0"
        for name in positive.split()
        if values[name] is not None and values[name] <= 0
    ]
    problems += [
        f"{name} = {values[name]}: must be between 0 and 1"
        for name in shares
        if not 0 <= values[name] <= 1
    ]
    low = config.method not in PRESETS
    if config.method not in METHODS:
        problems.append(f"method = {config.method}: there are {', '.join(METHODS)}")
    elif low and values.get("upper_layers") is not None:
        layers = values["upper_layers"]
        problems.append(f"upper_layers = {layers}: {config.method} has no bottlenecks to leave out")
    elif low and values.get("embedding_rows"):
        problems.append(f"embedding_rows: a {config.method} adapter's folder has no place for them")
    if problems:
        raise ConfigError(f"{type(config).__name__} cannot be used:{found(problems)}")
