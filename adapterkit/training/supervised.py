"""What the loop trains for a task adapter: labels of several sources in turn, over what lies below computed once."""

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from adapterkit.composition.adapter import Adapter
from adapterkit.composition.base import Composition
from adapterkit.data.batches import POOL, Batch, Passes, Window, pad
from adapterkit.model import AdaptedModel
from adapterkit.settings import TaskConfig
from adapterkit.tasks.base import Task, special_of
from adapterkit.training.judging import Judge, judge_of
from adapterkit.training.states import States, states_of

_FEWEST_PASSES = 2
"""Below so many passes a state is hardly used again."""


@dataclass(frozen=True)
class Source:
    """One labelled set and the models that its batches train through, in turn.

    Attributes:
        task: The labelled set.
        models: The models.
        windows: The inputs of its training examples.
        states: For each model, what lies below the first place that training changes; None where it is
            computed anew with each batch.
    """

    task: Task[Any]
    models: tuple[AdaptedModel, ...]
    windows: tuple[Window, ...]
    states: tuple[States | None, ...]

    @functools.cached_property
    def lengths(self) -> tuple[int, ...]:
        """Tokens of each window."""
        return tuple(len(window.tokens) for window in self.windows)


@dataclass(frozen=True)
class Supervised:
    """The loop's problem: predict labels.

    Attributes:
        sources: Where batches come from, in turn.
        trained: What is trained: an adapter with its head, or fusion layers with theirs.
        labels: The head's labels.
        config: Batch size, seed.
        judge: What chooses the best weights.
        pool: Batches whose examples are sorted by length together.
    """

    sources: tuple[Source, ...]
    trained: nn.Module
    labels: tuple[str, ...]
    config: TaskConfig
    judge: Judge
    pool: int = POOL

    def loss(self, step: int) -> tuple[Tensor, int]:
        """Loss of step ``step``, a scalar, and the tokens it read (padding not counted)."""
        source = self.sources[step % len(self.sources)]
        turn = step // len(self.sources)
        number = turn % len(source.models)
        model, states = source.models[number], source.states[number]
        chosen = Passes(source.lengths, self.config.batch_size, self.config.seed, self.pool).batch(
            turn
        )
        batch = self._batch(source, chosen).to(model.backbone.device)
        loss = model(batch) if states is None else states.loss(chosen, batch)
        return loss, int(batch.attention_mask.sum())

    def _batch(self, source: Source, numbers: Sequence[int]) -> Batch:
        windows = [source.windows[i] for i in numbers]
        model = source.models[0]
        ids, mask = pad(windows, special_of(model.backbone))
        labels = {label: i for i, label in enumerate(self.labels)}
        targets = source.task.targets(windows, source.task.examples("train"), labels, ids.shape[1])
        return Batch(ids, mask, targets)

    def look(self) -> float:
        """The dev score, negated: lower is better."""
        return -self.judge.score()


def decide_steps(config: TaskConfig, sources: Sequence[Source]) -> TaskConfig:
    """Fill in what depends on the number of examples: steps and looks."""
    examples = sum(len(source.windows) for source in sources)
    steps = config.steps or max(1, round(config.epochs * examples / config.batch_size))
    every = config.evaluate_every or max(10, -(-steps // 10))
    return replace(config, steps=steps, evaluate_every=min(every, steps))


def with_states(sources: Sequence[Source], config: TaskConfig) -> tuple[tuple[Source, ...], Judge]:
    """Let models start where training first changes something, and choose who judges.

    Args:
        sources: The sources. Those that are read several times get states.
        config: In which steps and length are decided.

    Returns:
        The sources, and the judge by the first of them with a dev set; without any, by the first.
    """
    assert config.steps is not None
    assert config.max_length is not None
    chooses = next((source for source in sources if source.task.has("dev")), sources[0])
    users = 1 + sum(len(source.models) for source in sources)
    room = (config.cache_mib or 0) * 2**20 // users
    judge = judge_of(chooses.task, chooses.models[0], limit=config.max_length, room=room)
    found = []
    for source in sources:
        # How often each model meets each window.
        reads = config.steps * config.batch_size / len(sources) / len(source.models)
        if reads >= _FEWEST_PASSES * len(source.windows):
            states = [states_of(model, source.windows, room=room) for model in source.models]
            source = replace(source, states=tuple(states))
        found.append(source)
    return tuple(found), judge


def fingerprint_of(tasks: Sequence[Task[Any]]) -> str:
    """A digest of the examples that are trained on and chosen by."""
    text = repr(
        [[one.examples(split) for split in ("train", "dev") if one.has(split)] for one in tasks]
    )
    return hashlib.sha256(text.encode()).hexdigest()


def content_of(lower: Composition) -> str:
    """A digest of a frozen part, for telling one run from another."""
    if isinstance(lower, Adapter):
        return lower.digest()
    return hashlib.sha256(repr(lower.content()).encode()).hexdigest()
