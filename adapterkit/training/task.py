"""`train_task`: a task adapter from labelled data, over frozen language adapters.

The stack at step s is the language adapter of the batch under the task adapter that learns. Several sources,
and target-ready training (cycling through language adapters that will be stacked later), are lists of stacks.
Sources: Pfeiffer et al. (2020), "MAD-X"; Parovic et al. (2023), "Cross-Lingual Transfer with Target
Language-Ready Task Adapters".
"""

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from adapterkit.backbone.load import Backbone
from adapterkit.backbone.precision import choose_precision
from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.composition.base import Composition, frozen, placed
from adapterkit.composition.kinds import require_no_task
from adapterkit.composition.stack import Stack
from adapterkit.config import HeadConfig
from adapterkit.data.batches import POOL, Batch, Passes, Window, pad
from adapterkit.errors import AdapterMismatch, ConfigError
from adapterkit.formats.adapterhub import check_writable, save_adapter
from adapterkit.formats.values import check_name
from adapterkit.methods import shape_of_method
from adapterkit.model import AdaptedModel
from adapterkit.seeds import derive
from adapterkit.settings import TaskConfig, as_record, left_out
from adapterkit.tasks.base import Task, special_of
from adapterkit.training.checkpoint import kept
from adapterkit.training.judging import Judge, judge_of
from adapterkit.training.language import (
    NARROW,
    shapes,
    surroundings,
    work_folder,
)
from adapterkit.training.loop import settings_of, train
from adapterkit.training.progress import reporter, told
from adapterkit.training.record import reference_to, run_record, versions
from adapterkit.training.states import States, states_of
from adapterkit.training.telling import plan

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


def train_task(
    backbone: Backbone,
    task: Task[Any] | Sequence[Task[Any]],
    *,
    over: Composition | Sequence[Composition] | None,
    out: str | Path,
    config: TaskConfig | None = None,
    target_ready: Sequence[Adapter] = (),
    init: Adapter | None = None,
    name: str | None = None,
    fresh: bool = False,
    overwrite: bool = False,
    progress: bool | None = None,
) -> Adapter:
    """Train a task adapter over frozen language adapters and write its folder.

    Args:
        backbone: The frozen backbone.
        task: The labelled data; a list of tasks for several source languages.
        over: The source language adapter (or a stack of frozen adapters); a list of them, one a
            task; None to train without one.
        out: Folder of the adapter.
        config: How to train.
        target_ready: Language adapters to cycle through as well, so that the task adapter has
            seen them.
        init: A task adapter to go on from, e.g. with a few labels of the target language.
        name: What its files call it; by default the name of ``out``, with ``_`` for dots.
        fresh: Ignore a checkpoint that is there.
        overwrite: Replace an adapter that is already in ``out``.
        progress: Show a progress bar; by default if stderr is a terminal.

    Returns:
        The adapter with the best dev score seen; without a dev set, with the best score on the
        first 200 training examples.

    Raises:
        ConfigError: If tasks and adapters do not pair up, ``over`` has a task adapter in it, a checkpoint belongs to another run, or no
            folder could hold the adapter: its name, or the head of a LoRA or IA3.
        CorpusError: If there are no training examples.
        AdapterMismatch: If an adapter does not fit, or ``init`` has other labels.
    """
    config = decide(config or TaskConfig(), backbone)
    tasks: list[Task[Any]] = list(task) if isinstance(task, Sequence) else [task]
    lowers = _lowers(over, len(tasks))
    below = [adapter for lower in lowers for part in lower for adapter in part.adapters]
    require_no_task(
        [*below, *target_ready],
        but="a task adapter is trained over language adapters (over, target_ready); to go on from one, give it as init",
    )
    folder = Path(out)
    labels = tuple(sorted({label for one in tasks for label in one.labels()}))
    adapter = _start(backbone, config, tasks[0].head(labels), init, name or name_of(folder))
    with work_folder(folder, fresh=fresh, overwrite=overwrite) as work:
        precision = choose_precision(
            backbone.device, config.precision or kept(work, "precision"), backbone.dtype
        )
        backbone = backbone.for_training(precision)
        ready = [Stack(frozen(language), adapter) for language in target_ready]
        sources = tuple(
            _source(backbone, one, [Stack(*map(frozen, lower), adapter), *ready], config)
            for one, lower in zip(tasks, lowers, strict=True)
        )
        config = replace(decide_steps(config, sources), precision=precision)
        sources, judge = with_states(sources, config)
        same = _same(config, backbone, adapter, tasks, lowers, target_ready, init)
        problem = Supervised(sources, adapter, adapter.labels, config, judge)
        told.info("%s", plan(config, init))
        with reporter(
            f"task adapter {adapter.name}", f"{judge.split} {tasks[0].main_metric}", progress
        ) as report:
            settings = settings_of(config, start_counts=init is not None)
            run = train(problem, settings, work=work, same=same, report=report)
        adapter.provenance = {
            "task": tasks[0].column,
            "examples": [len(one.examples("train")) for one in tasks],
            "selection": {
                "split": judge.split,
                "metric": tasks[0].main_metric,
                "value": round(-run.best, 5),
            },
            "config": as_record(config),
            "run": run_record(run),
            "over": [
                reference_to(adapter)
                for stack in lowers
                for lower in stack
                for adapter in lower.adapters
            ],
            "target_ready": [reference_to(language) for language in target_ready],
            "init": reference_to(init),
            "versions": versions(),
        }
        save_adapter(adapter, folder)
    return adapter.eval()


def decide(config: TaskConfig, backbone: Backbone) -> TaskConfig:
    """Fill in what depends on the backbone: input length and learning rate."""
    length = config.max_length or min(128, backbone.max_length)
    if length > backbone.max_length:
        raise ConfigError(
            f"max_length {length}: backbone {backbone.name!r} reads at most {backbone.max_length} tokens"
        )
    rate = config.learning_rate or (1e-3 if backbone.width < NARROW else 1e-4)
    return replace(config, max_length=length, learning_rate=rate)


def _lowers(
    over: Composition | Sequence[Composition] | None, count: int
) -> list[tuple[Composition, ...]]:
    if over is None:
        return [()] * count
    if not isinstance(over, Sequence):
        return [over.parts if isinstance(over, Stack) else (over,)] * count
    if len(over) != count:
        raise ConfigError(f"{count} tasks and {len(over)} source adapters: give one adapter a task")
    return [(one,) for one in over]


def name_of(folder: Path) -> str:
    """An adapter's name from that of its folder: dots, which no name has, become underscores."""
    return folder.absolute().name.replace(".", "_")


def _start(
    backbone: Backbone, config: TaskConfig, head: HeadConfig, init: Adapter | None, name: str
) -> Adapter:
    check_name(name)
    shape = shape_of_method(
        backbone,
        config.method,
        reduction_factor=config.reduction_factor,
        rank=config.rank,
        leave_out=_left_out(config, backbone),
    )
    if init is not None:
        init.check_fits(backbone.facts)
        if not set(head.labels) <= set(init.labels) or init.head is None:
            raise AdapterMismatch(
                f"cannot go on from {init.name!r}: it knows the labels {', '.join(init.labels) or 'none'}, "
                f"the examples also have {', '.join(sorted(set(head.labels) - set(init.labels)))}"
            )
        if init.embedding_rows is not None:
            raise ConfigError(
                f"cannot go on from {init.name!r}: it has embedding rows, and a task adapter trains none; "
                "take init.without_embedding_rows()"
            )
        shape, head = init.config, init.head.config
    adapter = new_adapter(
        name,
        shape,
        backbone=backbone.facts,
        kind="task",
        head=head,
        seed=derive(config.seed, "init"),
    )
    check_writable(adapter)
    adapter = placed(adapter, backbone.device, backbone.adapter_dtype)
    if init is not None:
        adapter.load_state_dict(init.tensors())
    return adapter


def _left_out(config: TaskConfig, backbone: Backbone) -> tuple[int, ...]:
    """Layers without a bottleneck."""
    without = left_out(backbone.layers, drop_last=config.drop_last_layer, lower=config.lower_layers)
    left = tuple(sorted({*config.leave_out, *without}))
    strange = [layer for layer in config.leave_out if not 0 <= layer < backbone.layers]
    if strange or (config.leave_out and len(left) == backbone.layers):
        raise ConfigError(
            f"leave_out {', '.join(map(str, config.leave_out))}: backbone {backbone.name!r} has layers 0 to "
            f"{backbone.layers - 1}, and one of them must keep its bottleneck"
        )
    if config.leave_out and config.method in ("lora", "ia3"):
        raise ConfigError(f"leave_out: a {config.method} has no bottlenecks to leave out")
    return left


def _source(
    backbone: Backbone, task: Task[Any], stacks: Sequence[Stack], config: TaskConfig
) -> Source:
    windows = task.windows(
        task.examples("train"), backbone, limit=config.max_length or backbone.max_length
    )
    models = tuple(AdaptedModel(backbone, stack) for stack in stacks)
    return Source(task, models, tuple(windows), (None,) * len(models))


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


def _same(
    config: TaskConfig,
    backbone: Backbone,
    adapter: Adapter,
    tasks: Sequence[Task[Any]],
    lowers: Sequence[Sequence[Composition]],
    target_ready: Sequence[Adapter],
    init: Adapter | None,
) -> dict[str, Any]:
    return {
        **as_record(config),
        **surroundings(backbone),
        "examples": fingerprint_of(tasks),
        "tensors": shapes(adapter),
        "over": [[content_of(lower) for lower in stack] for stack in lowers],
        "target_ready": [language.digest() for language in target_ready],
        "init": init.digest() if init is not None else None,
    }


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
