"""What trainings decide where their configuration leaves it open: lengths, shape, precision, rates, steps."""

from dataclasses import replace
from pathlib import Path

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.precision import choose_precision
from adapterkit.composition.adapter import Adapter
from adapterkit.config import BottleneckConfig
from adapterkit.data.corpus import Corpus
from adapterkit.errors import ConfigError
from adapterkit.settings import SMALL_CORPUS_BYTES, LanguageConfig, TaskConfig
from adapterkit.tasks.base import special_of
from adapterkit.training.checkpoint import kept
from adapterkit.training.shape import other_shape, with_shape

DEFAULT_BLOCK = 64
_SHORTEST_BLOCK = 3
NARROW = 512
_EPOCHS, _MOST_STEPS, _FEWEST_STEPS = 20, 50_000, 200
_MOST_STEPS_NARROW = 480


def decide_language(
    config: LanguageConfig, backbone: Backbone, corpus: Corpus, work: Path, init: Adapter | None
) -> LanguageConfig:
    """Fill in what depends on the backbone, the size of the text, and a checkpoint that is there."""
    length = block_length(config, backbone)
    shape = init.config if init is not None else None
    if isinstance(shape, BottleneckConfig) and isinstance(shape.reduction_factor, float | int):
        factor = float(shape.reduction_factor)
    else:
        factor = config.reduction_factor or reduction_factor(corpus.counts().bytes)
    precision = config.precision or kept(work, "precision")
    return replace(
        config,
        reduction_factor=factor,
        block_length=length,
        precision=choose_precision(backbone.device, precision, backbone.dtype),
        learning_rate=config.learning_rate
        or learning_rate(backbone.width, config.batch_size * length),
    )


def block_length(config: LanguageConfig, backbone: Backbone) -> int:
    """Tokens a block: as asked, or 64.

    Raises:
        ConfigError: If the backbone cannot read so many, or they hold no text.
    """
    length = config.block_length or min(DEFAULT_BLOCK, backbone.max_length)
    _check_length("block_length", length, _SHORTEST_BLOCK, backbone)
    return length


def reduction_factor(corpus_bytes: int) -> int:
    """Default width of a bottleneck: 2, and 16 for little text."""
    return 16 if corpus_bytes < SMALL_CORPUS_BYTES else 2


def learning_rate(width: int, tokens_a_step: int) -> float:
    """Default peak: 1e-4 from 16,384 tokens a step on, 5e-5 below; 6e-3 for backbones narrower than 512.

    Sources: Pfeiffer et al. (2020) and Parovic et al. (2023) for base-sized backbones; for narrow
    ones what won on dev sets (``docs/log.md``).
    """
    if width < NARROW:
        return 6e-3
    return 1e-4 if tokens_a_step >= 16_384 else 5e-5


def decide_language_steps(config: LanguageConfig, tokens: int, width: int) -> LanguageConfig:
    """Fill in what depends on the number of tokens: steps and looks."""
    per_step = config.batch_size * (config.block_length or 1)
    steps = config.steps or steps_for(tokens, per_step, width)
    every = config.evaluate_every or max(10, min(1000, steps // 10))
    return replace(config, steps=steps, evaluate_every=min(every, steps))


def steps_for(tokens: int, tokens_a_step: int, width: int) -> int:
    """Default steps: 20 passes over the text, at least 200 steps and at most 50,000.

    For backbones narrower than 512 at most 480: what the tables are made with; no more were compared
    (``docs/log.md``).
    """
    most = _MOST_STEPS_NARROW if width < NARROW else _MOST_STEPS
    return min(most, max(_FEWEST_STEPS, round(_EPOCHS * tokens / tokens_a_step)))


def decide_task(config: TaskConfig, backbone: Backbone, init: Adapter | None = None) -> TaskConfig:
    """Fill in what depends on the backbone and the adapter to start from: input length, learning rate, shape.

    Raises:
        ConfigError: If the backbone cannot read so many tokens, they hold no text, or another shape than
            that of ``init`` is asked for.
    """
    special = special_of(backbone)
    length = config.max_length or min(128, backbone.max_length)
    _check_length("max_length", length, len(special.opening) + 2, backbone)
    if init is not None:
        require_shape(config, init, backbone.layers)
        config = with_shape(config, init.config, backbone.layers)
    rate = config.learning_rate or (1e-3 if backbone.width < NARROW else 1e-4)
    return replace(config, max_length=length, learning_rate=rate)


def require_shape(config: LanguageConfig | TaskConfig, init: Adapter, layers: int) -> None:
    """Refuse settings that ask for another shape than that of the adapter to start from.

    Raises:
        ConfigError: That names them.
    """
    others = other_shape(config, init.config, layers)
    if others:
        raise ConfigError(
            f"adapter {init.name!r}, to start from (init), keeps its shape, and that is another than asked for by "
            f"{', '.join(others)}; leave these settings out, or start from random weights"
        )


def _check_length(setting: str, length: int, least: int, backbone: Backbone) -> None:
    if length > backbone.max_length:
        raise ConfigError(
            f"{setting} {length}: backbone {backbone.name!r} reads at most {backbone.max_length} tokens"
        )
    if length < least:
        raise ConfigError(
            f"{setting} {length}: leaves no room for text beside special tokens; at least {least}"
        )
