"""adapterkit's task training, through the product's loop and problem, stopped between steps."""

import random
import tempfile
from pathlib import Path

from adapterkit.composition.adapter import new_adapter
from adapterkit.composition.base import frozen, placed
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig
from adapterkit.data.batches import POOL
from adapterkit.data.examples import TaggedSentence
from adapterkit.demo.grammar import demo_data
from adapterkit.methods import shape_of_method
from adapterkit.model import AdaptedModel
from adapterkit.settings import TaskConfig
from adapterkit.tasks.tagging import Tagging
from adapterkit.training.loop import settings_of, train
from adapterkit.training.supervised import Source, Supervised, with_states
from benchmarks.protocol import Done, Line, Message, Turnstile, main
from benchmarks.workers.common import prepare, waiting
from benchmarks.workers.ours_training import NEVER, Stopping, loaded

_LONGEST = 6
"""Demo sentences that are joined to one example at most: lengths as mixed as those of real text."""


def training(line: Line, spec: Message) -> None:
    """Train a task adapter over a frozen language adapter, step by step as the parent says."""
    prepare()
    problem = problem_of(spec)
    stile = Turnstile(line, waiting(spec["device"]))
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_of(problem.config)
        try:
            train(problem, settings, work=Path(folder), same={}, report=Stopping(stile))
        except Done:
            return


def problem_of(spec: Message) -> Supervised:
    """What the product's loop trains: part of speech on examples of the demo."""
    backbone = loaded(spec)
    task = Tagging({"train": examples_of(spec["examples"], spec["seed"])})
    config = TaskConfig(
        steps=NEVER,
        batch_size=spec["batch"],
        max_length=128,
        learning_rate=1e-3,
        evaluate_every=NEVER,
        leave_out=tuple(spec["leave_out"]),
        precision=spec["precision"],
        cache_mib=512 if spec["cache"] else None,
    )
    language = new_adapter(
        "l", BottleneckConfig(2, invertible=True), backbone=backbone.facts, kind="language"
    )
    left_out = (*config.leave_out, backbone.layers - 1)
    shape = shape_of_method(
        backbone, "pfeiffer", reduction_factor=16, rank=8, leave_out=tuple(sorted(left_out))
    )
    head = task.head(task.labels())
    made = new_adapter("t", shape, backbone=backbone.facts, kind="task", head=head)
    adapter, below = (
        placed(one, backbone.device, backbone.adapter_dtype) for one in (made, frozen(language))
    )
    windows = task.windows(task.examples("train"), backbone, limit=128)
    model = AdaptedModel(backbone, Stack(below, adapter))
    sources, judge = with_states([Source(task, (model,), tuple(windows), (None,))], config)
    pool = POOL if spec["by_length"] else 1
    return Supervised(sources, adapter, adapter.labels, config, judge, pool)


def examples_of(count: int, seed: int) -> tuple[TaggedSentence, ...]:
    """Labelled examples of one to six sentences of the demo's English."""
    draw = random.Random(seed)
    joined = [draw.randint(1, _LONGEST) for _ in range(count)]
    sentences = iter(demo_data("eng", seed=seed, lines=0, train=sum(joined)).train)
    found = []
    for number in joined:
        parts = [next(sentences) for _ in range(number)]
        words = tuple(word for part in parts for word in part.words)
        labels = tuple(label for part in parts for label in part.tags)
        found.append(TaggedSentence(words, labels))
    return tuple(found)


if __name__ == "__main__":
    main({"training": training})
