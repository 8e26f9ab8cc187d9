"""How long a language training will take here: a few steps timed on random blocks."""

import time
from dataclasses import dataclass

import numpy as np

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.precision import choose_precision
from adapterkit.composition.adapter import new_adapter
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig
from adapterkit.data.blocks import Blocks
from adapterkit.model import AdaptedModel
from adapterkit.settings import LanguageConfig
from adapterkit.training.defaults import block_length, reduction_factor, steps_for
from adapterkit.training.masked_lm import vocabulary_of

_TIMED = 2


@dataclass(frozen=True)
class Plan:
    """What `train_language` would do by default."""

    steps: int
    tokens_a_step: int


def estimate(backbone: Backbone, tokens: int, corpus_bytes: int) -> tuple[Plan, float]:
    """The default plan for a corpus, and the speed of this machine in tokens a second.

    Args:
        backbone: The backbone; it must have a trained head.
        tokens: Tokens of the corpus.
        corpus_bytes: Its size, which decides the width of the adapter.
    """
    config = LanguageConfig()
    length = block_length(config, backbone)
    a_step = config.batch_size * length
    factor = reduction_factor(corpus_bytes)
    return Plan(steps_for(tokens, a_step, backbone.width), a_step), _speed(
        backbone, config.batch_size, length, factor
    )


def _speed(backbone: Backbone, batch: int, length: int, factor: int) -> float:
    backbone = backbone.for_training(choose_precision(backbone.device, None, backbone.dtype))
    shape = BottleneckConfig(factor, invertible=True)
    adapter = new_adapter("timing", shape, backbone=backbone.facts, kind="language")
    model = AdaptedModel(backbone, Stack(adapter))
    rows = np.random.default_rng(0).integers(
        0, backbone.vocabulary, (batch, length), dtype=np.int32
    )
    masked = Blocks(rows, vocabulary_of(backbone)).masked(range(batch), share=0.15, seed=0)
    times = []
    for _ in range(_TIMED + 1):
        began = time.perf_counter()
        loss = model(masked.to(backbone.device))
        loss.backward()
        times.append(time.perf_counter() - began)
    return batch * length / min(times[1:])
