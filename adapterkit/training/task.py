"""`train_task`: a task adapter from labelled data, over frozen language adapters.

The stack at step s is the language adapter of the batch under the task adapter that learns. Several sources,
and target-ready training (cycling through language adapters that will be stacked later), are lists of stacks.
Sources: Pfeiffer et al. (2020), "MAD-X"; Parovic et al. (2023), "Cross-Lingual Transfer with Target
Language-Ready Task Adapters".
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.precision import choose_precision
from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.composition.base import Composition, frozen, placed
from adapterkit.composition.kinds import require_no_task
from adapterkit.composition.stack import Stack
from adapterkit.config import HeadConfig
from adapterkit.errors import AdapterMismatch, ConfigError
from adapterkit.formats.adapterhub import check_writable, save_adapter
from adapterkit.formats.values import check_name
from adapterkit.methods import shape_of_method
from adapterkit.model import AdaptedModel
from adapterkit.seeds import derive
from adapterkit.settings import TaskConfig, as_record
from adapterkit.tasks.base import Task
from adapterkit.training.checkpoint import kept
from adapterkit.training.defaults import decide_task
from adapterkit.training.given import (
    adapters_of,
    lowers_of,
    require_adapter,
    require_backbone,
    require_config,
    tasks_of,
    warn_of_dev_labels,
    warn_of_labels,
)
from adapterkit.training.loop import settings_of, train
from adapterkit.training.progress import reporter, told
from adapterkit.training.record import reference_to, run_record, versions
from adapterkit.training.runs import shapes, surroundings, work_folder
from adapterkit.training.shape import left_out
from adapterkit.training.supervised import (
    Source,
    Supervised,
    content_of,
    decide_steps,
    fingerprint_of,
    with_states,
)
from adapterkit.training.telling import plan


def train_task(
    backbone: Backbone,
    task: Task[Any] | Sequence[Task[Any]],
    *,
    over: Composition | Sequence[Composition | None] | None,
    out: str | Path,
    config: TaskConfig | None = None,
    target_ready: Sequence[Adapter] = (),
    init: Adapter | None = None,
    name: str | None = None,
    keep_last: bool = False,
    fresh: bool = False,
    overwrite: bool = False,
    progress: bool | None = None,
) -> Adapter:
    """Train a task adapter over frozen language adapters and write its folder.

    Args:
        backbone: The frozen backbone.
        task: The labelled data; a list of tasks for several source languages.
        over: The source language adapter (or a stack of frozen adapters); a list of them, one a
            task; None, also in the list, to train without one.
        out: Folder of the adapter.
        config: How to train.
        target_ready: Language adapters to cycle through as well, so that the task adapter has
            seen them.
        init: A task adapter to go on from, e.g. with a few labels of the target language; its shape is
            taken over.
        name: What its files call it; by default the name of ``out``, with ``_`` for dots.
        keep_last: Keep the weights of the last step, instead of the best: for labels that say nothing of which
            those are.
        fresh: Ignore a checkpoint that is there.
        overwrite: Replace an adapter that is already in ``out``.
        progress: Show a progress bar; by default if stderr is a terminal.

    Returns:
        The adapter with the best dev score seen, on the first task that has a dev set; without any, with the best
        score on 200 training examples from all over the first task's; with ``keep_last`` that of the last step.

    Raises:
        ConfigError: If tasks and adapters do not pair up or something else was given, ``over`` has a task adapter in it, ``config`` asks for
            another shape than that of ``init``, a checkpoint belongs to another run, or no folder could hold the adapter: its name, or the
            head of a LoRA or IA3.
        CorpusError: If there are no training examples.
        AdapterMismatch: If an adapter does not fit, or ``init`` has other labels.
    """
    require_backbone(backbone)
    require_adapter(init, "init")
    require_config(config, TaskConfig)
    target_ready = adapters_of(target_ready, "target_ready")
    tasks = tasks_of(task)
    lowers = lowers_of(over, len(tasks))
    config = decide_task(config or TaskConfig(), backbone, init)
    below = [adapter for lower in lowers for part in lower for adapter in part.adapters]
    require_no_task(
        [*below, *target_ready],
        but="a task adapter is trained over language adapters (over, target_ready); to go on from one, give it as init",
    )
    folder = Path(out).expanduser()
    labels = tuple(sorted({label for one in tasks for label in one.labels()}))
    warn_of_labels(labels)
    warn_of_dev_labels(tasks, labels)
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
        if keep_last:
            config = replace(config, evaluate_every=config.steps)
        sources, judge = with_states(sources, config)
        same = _same(config, backbone, adapter, tasks, lowers, target_ready, init)
        problem = Supervised(sources, adapter, adapter.labels, config, judge)
        told.info("%s", plan(config, init))
        with reporter(
            f"task adapter {adapter.name}", f"{judge.split} {judge.task.main_metric}", progress
        ) as report:
            settings = settings_of(config, start_counts=init is not None and not keep_last)
            run = train(problem, settings, work=work, same=same, report=report)
        adapter.provenance = {
            "task": tasks[0].column,
            "examples": [len(one.examples("train")) for one in tasks],
            "selection": {
                "split": judge.split,
                "metric": judge.task.main_metric,
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
        if init.head.config.head_type != head.head_type:
            raise AdapterMismatch(
                f"cannot go on from {init.name!r}: it has a {init.head.config.head_type} head, and these examples "
                f"need a {head.head_type} head"
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
            f"{backbone.layers - 1}, and one of them must keep its bottleneck{_already(without)}"
        )
    if config.leave_out and config.method in ("lora", "ia3"):
        raise ConfigError(f"leave_out: a {config.method} has no bottlenecks to leave out")
    return left


def _already(without: Sequence[int]) -> str:
    """What other settings leave out, such as the last layer."""
    return f" (without one already: {', '.join(map(str, without))})" if without else ""


def _source(
    backbone: Backbone, task: Task[Any], stacks: Sequence[Stack], config: TaskConfig
) -> Source:
    windows = task.windows(
        task.examples("train"), backbone, limit=config.max_length or backbone.max_length
    )
    models = tuple(AdaptedModel(backbone, stack) for stack in stacks)
    return Source(task, models, tuple(windows), (None,) * len(models))


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
