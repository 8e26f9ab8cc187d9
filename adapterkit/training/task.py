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

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from adapterkit.backbone.load import Backbone
from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.composition.base import Composition, frozen, placed
from adapterkit.composition.stack import Stack
from adapterkit.config import HeadConfig, TaskConfig, as_record
from adapterkit.data.batches import Batch, Window, pad
from adapterkit.errors import AdapterMismatch, ConfigError
from adapterkit.formats.adapterhub import check_writable, save_adapter
from adapterkit.formats.values import check_name
from adapterkit.methods import shape_of_method
from adapterkit.model import AdaptedModel
from adapterkit.prediction import answers
from adapterkit.seeds import derive
from adapterkit.tasks.base import Task, special_of
from adapterkit.training.checkpoint import kept
from adapterkit.training.language import (
    NARROW,
    reference_to,
    run_record,
    shapes,
    surroundings,
    versions,
    work_folder,
)
from adapterkit.training.loop import choose_precision, settings_of, train
from adapterkit.training.progress import reporter

_TRAIN_LOOK = 200


@dataclass(frozen=True)
class Source:
    """One labelled set and the models that its batches train through, in turn."""

    task: Task[Any]
    models: tuple[AdaptedModel, ...]
    windows: tuple[Window, ...]


@dataclass(frozen=True)
class Supervised:
    """The loop's problem: predict labels.

    Attributes:
        sources: Where batches come from, in turn.
        trained: What is trained: an adapter with its head, or fusion layers with theirs.
        labels: The head's labels.
        config: Batch size, seed.
        decides: The task and model whose dev examples choose the best weights.
    """

    sources: tuple[Source, ...]
    trained: nn.Module
    labels: tuple[str, ...]
    config: TaskConfig
    decides: tuple[Task[Any], AdaptedModel, str]

    def loss(self, step: int) -> tuple[Tensor, int]:
        """Loss of step ``step``, a scalar, and the tokens it read (padding not counted)."""
        source = self.sources[step % len(self.sources)]
        turn = step // len(self.sources)
        model = source.models[turn % len(source.models)]
        batch = self._batch(source, turn)
        return model(batch.to(model.backbone.device)), int(batch.attention_mask.sum())

    def _batch(self, source: Source, turn: int) -> Batch:
        numbers = shuffled(
            len(source.windows),
            turn * self.config.batch_size,
            self.config.batch_size,
            self.config.seed,
        )
        windows = [source.windows[i] for i in numbers]
        model = source.models[0]
        ids, mask = pad(windows, special_of(model.backbone))
        labels = {label: i for i, label in enumerate(self.labels)}
        targets = source.task.targets(windows, source.task.examples("train"), labels, ids.shape[1])
        return Batch(ids, mask, targets)

    def look(self) -> float:
        """The dev score, negated: lower is better."""
        task, model, split = self.decides
        examples = task.examples(split)
        if split == "train":
            examples = examples[:_TRAIN_LOOK]
        said = answers(model, task, examples, limit=self.config.max_length)
        return -task.scores(examples, said, seed=0)[task.main_metric].value


def shuffled(count: int, start: int, size: int, seed: int) -> list[int]:
    """Which of ``count`` examples the places ``start`` to ``start + size`` of endless passes hold."""
    places = [divmod(place, count) for place in range(start, start + size)]
    return [int(_order(count, epoch, seed)[place]) for epoch, place in places]


@functools.lru_cache(maxsize=8)
def _order(count: int, epoch: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(derive(seed, "examples", epoch)).permutation(count)


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
        ConfigError: If tasks and adapters do not pair up, a checkpoint belongs to another run, or no
            folder could hold the adapter: its name, or the head of a LoRA or IA3.
        CorpusError: If there are no training examples.
        AdapterMismatch: If an adapter does not fit, or ``init`` has other labels.
    """
    config = decide(config or TaskConfig(), backbone)
    tasks: list[Task[Any]] = list(task) if isinstance(task, Sequence) else [task]
    lowers = _lowers(over, len(tasks))
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
        chosen = decides(sources)
        same = _same(config, backbone, adapter, tasks, lowers, target_ready, init)
        problem = Supervised(sources, adapter, adapter.labels, config, chosen)
        with reporter(
            f"task adapter {adapter.name}", f"{chosen[2]} {tasks[0].main_metric}", progress
        ) as report:
            run = train(problem, settings_of(config), work=work, same=same, report=report)
        adapter.provenance = {
            "task": tasks[0].column,
            "examples": [len(one.examples("train")) for one in tasks],
            "selection": {
                "split": chosen[2],
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
        leave_out=(backbone.layers - 1,) if config.drop_last_layer else (),
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


def _source(
    backbone: Backbone, task: Task[Any], stacks: Sequence[Stack], config: TaskConfig
) -> Source:
    windows = task.windows(
        task.examples("train"), backbone, limit=config.max_length or backbone.max_length
    )
    return Source(task, tuple(AdaptedModel(backbone, stack) for stack in stacks), tuple(windows))


def decides(sources: Sequence[Source]) -> tuple[Task[Any], AdaptedModel, str]:
    """The first source with a dev set; without any, the loop's looks are at 200 training examples."""
    for source in sources:
        if source.task.has("dev"):
            return source.task, source.models[0], "dev"
    return sources[0].task, sources[0].models[0], "train"


def decide_steps(config: TaskConfig, sources: Sequence[Source]) -> TaskConfig:
    """Fill in what depends on the number of examples: steps and looks."""
    examples = sum(len(source.windows) for source in sources)
    steps = config.steps or max(1, round(config.epochs * examples / config.batch_size))
    every = config.evaluate_every or max(10, -(-steps // 10))
    return replace(config, steps=steps, evaluate_every=min(every, steps))


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
