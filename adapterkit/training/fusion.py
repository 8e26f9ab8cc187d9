"""`train_fusion`: attention over several frozen adapters, learned from labelled data (AdapterFusion).

Only the fusion layers and the head are trained; the fused adapters, and those of the stack below, stay as they are.
Source: Pfeiffer et al. (2021), "AdapterFusion", section 3.2.
"""

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.precision import choose_precision
from adapterkit.composition.base import Composition, frozen, placed
from adapterkit.composition.fuse import Fuse
from adapterkit.composition.stack import Stack
from adapterkit.errors import ConfigError
from adapterkit.files import write_json
from adapterkit.formats.adapterhub import check_writable
from adapterkit.formats.compositions import save_composition
from adapterkit.model import AdaptedModel
from adapterkit.nn.bottleneck import initialise
from adapterkit.nn.heads import Head
from adapterkit.seeds import derive
from adapterkit.settings import TaskConfig, as_record
from adapterkit.tasks.base import Task, require_task
from adapterkit.tensorfile import digest_of_tensors
from adapterkit.training.checkpoint import kept
from adapterkit.training.defaults import decide_task
from adapterkit.training.given import require_backbone, require_config, under_of
from adapterkit.training.loop import settings_of, train
from adapterkit.training.progress import reporter
from adapterkit.training.record import run_record, versions
from adapterkit.training.runs import shapes, surroundings, work_folder
from adapterkit.training.supervised import (
    Source,
    Supervised,
    content_of,
    decide_steps,
    fingerprint_of,
    with_states,
)

RECORD = "adapterkit.json"


class FusionPart(nn.Module):
    """What is trained: the fusion layers and the head."""

    def __init__(self, fuse: Fuse) -> None:
        super().__init__()
        assert fuse.head is not None
        self.layers = fuse.layers
        self.head = fuse.head


def train_fusion(
    backbone: Backbone,
    task: Task[Any],
    fuse: Fuse,
    *,
    out: str | Path,
    under: Composition | Sequence[Composition] | None = None,
    config: TaskConfig | None = None,
    fresh: bool = False,
    overwrite: bool = False,
    progress: bool | None = None,
) -> Fuse:
    """Train the fusion layers of ``fuse`` and a head, and write a composition folder.

    Args:
        backbone: The frozen backbone.
        task: The labelled data.
        fuse: Frozen adapters to weigh, e.g. ``ak.Fuse(pos, ner, topic)``.
        out: Folder of the composition.
        under: Frozen adapters below it, e.g. the source language's.
        config: How to train; the settings of bottlenecks are not used.
        fresh: Ignore a checkpoint that is there.
        overwrite: Replace what is already in ``out``.
        progress: Show a progress bar; by default if stderr is a terminal.

    Returns:
        The fuse with its trained layers and head.

    Raises:
        ConfigError: If a checkpoint belongs to another run, ``out`` holds something, or an adapter's
            name has no place in a folder.
        CorpusError: If there are no training examples.
        AdapterMismatch: If an adapter does not fit the backbone.
    """
    require_backbone(backbone)
    require_task(task)
    require_config(config, TaskConfig)
    if not isinstance(fuse, Fuse):
        raise ConfigError(f"train_fusion trains a Fuse, not {fuse!r:.60}: ak.Fuse(pos, ner)")
    for adapter in fuse.adapters:
        check_writable(adapter)
    config = decide_task(config or TaskConfig(), backbone)
    lower = under_of(under)
    folder = Path(out).expanduser()
    with work_folder(folder, fresh=fresh, overwrite=overwrite) as work:
        precision = choose_precision(
            backbone.device, config.precision or kept(work, "precision"), backbone.dtype
        )
        backbone = backbone.for_training(precision)
        fuse = _start(backbone, task, fuse, config)
        part = FusionPart(fuse)
        windows = task.windows(
            task.examples("train"), backbone, limit=config.max_length or backbone.max_length
        )
        model = AdaptedModel(backbone, Stack(*map(frozen, lower), fuse))
        sources: tuple[Source, ...] = (Source(task, (model,), tuple(windows), (None,)),)
        config = replace(decide_steps(config, sources), precision=precision)
        sources, judge = with_states(sources, config)
        same = {
            **as_record(config),
            **surroundings(backbone),
            "examples": fingerprint_of([task]),
            "tensors": shapes(part),
            "fused": [adapter.digest() for adapter in fuse.adapters],
            "start": digest_of_tensors(dict(part.state_dict())),
            "under": [content_of(one) for one in lower],
        }
        problem = Supervised(sources, part, part.head.config.labels, config, judge)
        with reporter(
            f"fusion {folder.name}", f"{judge.split} {task.main_metric}", progress
        ) as report:
            settings = settings_of(config, start_counts=False)
            run = train(problem, settings, work=work, same=same, report=report)
        save_composition(fuse, folder)
        record = {
            "format": 1,
            "kind": "fusion",
            "provenance": {
                "task": task.column,
                "config": as_record(config),
                "run": run_record(run),
                "selection": {"split": judge.split, "value": round(-run.best, 5)},
                "versions": versions(),
            },
        }
        write_json(folder / RECORD, record)
    part.eval()
    return fuse


def _start(backbone: Backbone, task: Task[Any], fuse: Fuse, config: TaskConfig) -> Fuse:
    fuse.check_fits(backbone.facts)
    head = Head(task.head(task.labels()), backbone.width)
    initialise(head, derive(config.seed, "init"))
    # The caller's layers stay as they are: the same fuse again is the same start.
    still = Fuse(*map(frozen, fuse.parts), layers=copy.deepcopy(fuse.layers))
    return placed(still.with_head(head), backbone.device, backbone.adapter_dtype)
