"""Doing one node's work: training a part, or scoring a cell."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.precision import choose_precision
from adapterkit.composition.adapter import Adapter
from adapterkit.composition.average import Average
from adapterkit.composition.base import Composition
from adapterkit.composition.stack import Stack
from adapterkit.evaluation import evaluation
from adapterkit.experiments.costs import costs_of
from adapterkit.experiments.data import DataFolder, few, half, made
from adapterkit.experiments.grid import HALF
from adapterkit.experiments.nodes import Node
from adapterkit.experiments.recipe import Labelled
from adapterkit.experiments.store import Store
from adapterkit.formats.adapterhub import load_adapter
from adapterkit.formats.guard import CONFIG, WORK
from adapterkit.merging import merge
from adapterkit.model import AdaptedModel
from adapterkit.settings import LanguageConfig, SelfTrainingConfig, TaskConfig, from_record
from adapterkit.tasks.base import Task
from adapterkit.training.full import continue_pretraining, fine_tune
from adapterkit.training.language import train_language
from adapterkit.training.record import versions
from adapterkit.training.self_training import self_train
from adapterkit.training.task import train_task
from adapterkit.training.whole import WHOLE, Whole, load_whole


class Worker:
    """Does nodes of one backbone.

    Args:
        store: Where parts and cells are.
        data: Where texts and labels are.
        backbone: The backbone.
        fresh: Ignore checkpoints that are there.
        progress: Show bars.
    """

    def __init__(
        self,
        store: Store,
        data: DataFolder,
        backbone: Backbone,
        *,
        fresh: bool = False,
        progress: bool | None = False,
    ) -> None:
        self.store = store
        self.data = data
        self.backbone = backbone
        self.fresh = fresh
        self.progress = progress

    def do(self, node: Node) -> None:
        """Do the work of ``node``, whose needs are done."""
        doing: dict[str, Callable[[Node], None]] = {
            "language": self._language,
            "task": self._task,
            "self": self._self_trained,
            "continued": self._continued,
            "full": self._full,
            "score": self._score,
        }
        doing[node.kind](node)

    @cached_property
    def precision(self) -> str:
        """What this folder's adapters are trained in where the recipe does not say: measured once."""
        return self.store.settled(
            "precision",
            lambda: choose_precision(self.backbone.device, None, self.backbone.dtype),
        )

    def _config(self, kind: Any, node: Node) -> Any:
        values = dict(node.settings["config"])
        return from_record(kind, {**values, "precision": values["precision"] or self.precision})

    def _language(self, node: Node) -> None:
        settings = node.settings
        init = node.needs.get("init")
        adapter = self._kept_adapter(node) or train_language(
            self.backbone,
            self.data.corpus(settings["texts"], settings["language"], settings["megabytes"]),
            out=self.store.part(node),
            config=self._config(LanguageConfig, node),
            init=self._adapter(init) if init else None,
            name=settings["language"],
            fresh=self.fresh,
            overwrite=True,
            progress=self.progress,
        )
        self._finish(node, adapter.provenance)

    def _task(self, node: Node) -> None:
        settings = node.settings
        tasks = [self._sources(settings, one) for one in settings["sources"]]
        over = [n for role, n in node.needs.items() if role.startswith("over")]
        ready = [n for role, n in node.needs.items() if role.startswith("ready")]
        init = node.needs.get("init")
        adapter = self._kept_adapter(node) or train_task(
            self.backbone,
            tasks,
            over=[self._adapter(one) for one in over] or None,
            out=self.store.part(node),
            config=self._config(TaskConfig, node),
            target_ready=[self._adapter(one) for one in ready],
            init=self._adapter(init) if init else None,
            name=settings["task"],
            fresh=self.fresh,
            overwrite=True,
            progress=self.progress,
        )
        self._finish(node, adapter.provenance)

    def _self_trained(self, node: Node) -> None:
        settings = node.settings
        adapter = self._kept_adapter(node) or self_train(
            self.backbone,
            self.data.corpus(settings["texts"], settings["language"], settings["megabytes"]),
            over=Stack(*(self._layer(layer, node) for layer in settings.get("layers", [_PLAIN]))),
            init=self._adapter(node.needs["init"]),
            out=self.store.part(node),
            config=self._config(SelfTrainingConfig, node),
            name=settings["task"],
            fresh=self.fresh,
            overwrite=True,
            progress=self.progress,
        )
        self._finish(node, adapter.provenance)

    def _continued(self, node: Node) -> None:
        settings = node.settings
        whole = self._kept(node) or continue_pretraining(
            self.backbone,
            self.data.corpus(settings["texts"], settings["language"], settings["megabytes"]),
            out=self.store.part(node),
            config=from_record(LanguageConfig, settings["config"]),
            fresh=self.fresh,
            progress=self.progress,
        )
        self._finish(node, whole.provenance)

    def _full(self, node: Node) -> None:
        start = node.needs.get("start")
        whole = self._kept(node) or fine_tune(
            self._whole(start).backbone if start else self.backbone,
            self._sources(node.settings, node.settings["sources"][0]),
            out=self.store.part(node),
            config=from_record(TaskConfig, node.settings["config"]),
            fresh=self.fresh,
            progress=self.progress,
        )
        self._finish(node, whole.provenance)

    def _kept_adapter(self, node: Node) -> Adapter | None:
        """An adapter whose training had ended when a process was killed before it could note that."""
        return self._adapter(node) if self._ended(node, CONFIG) else None

    def _kept(self, node: Node) -> Whole | None:
        """The same of a trained backbone."""
        return self._whole(node) if self._ended(node, WHOLE) else None

    def _ended(self, node: Node, file: str) -> bool:
        folder = self.store.part(node)
        return (folder / file).is_file() and not (folder / WORK).exists()

    def _finish(self, node: Node, provenance: dict[str, Any]) -> None:
        minutes = round(provenance["run"]["seconds"] / 60, 3)
        self.store.finish_part(node, {"minutes": minutes, "provenance": provenance})

    def _sources(self, settings: dict[str, Any], source: dict[str, Any]) -> Task[Any]:
        """Labelled examples to train on, cut as the settings say."""
        labelled = _labelled(settings)
        splits = {
            split: self.data.examples(labelled, source["language"], source[split], split)
            for split in ("train", "dev")
            if source.get(split) is not None
        }
        if settings.get("labels"):
            seed = settings["config"]["seed"]
            return made(labelled, {"train": few(splits["train"], settings["labels"], seed)})
        limits = {"train": settings["train_examples"], "dev": settings["dev_examples"]}
        return made(labelled, {split: found[: limits[split]] for split, found in splits.items()})

    def _adapter(self, node: Node) -> Adapter:
        place = node.settings["adapter"] if node.kind == "given" else self.store.part(node)
        return load_adapter(place)

    def _whole(self, node: Node) -> Whole:
        return load_whole(self.store.part(node), self.backbone)

    def _score(self, node: Node) -> None:
        began, settings = time.monotonic(), node.settings
        started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        labelled, split = _labelled(settings), settings["split"]
        read = "test" if split == HALF else split
        examples = self.data.examples(labelled, settings["language"], settings["data"], read)
        examples = (half(examples) if split == HALF else examples)[: settings["examples"]]
        model = self._whole(node.needs["task"]).model() if _is_whole(node) else self._stack(node)
        found = evaluation(model, made(labelled, {"test": examples}))
        place = self.store.predictions(node)
        found.write(self.store.root / place)
        score = found.scores.metrics[found.scores.main]
        self.store.finish_cell(
            node,
            {
                "metric": found.scores.main,
                "value": round(score.value, 6),
                "low": round(score.low, 6),
                "high": round(score.high, 6),
                "examples": len(examples),
                "predictions": str(place),
                "started": started,
                **{k: v for k, v in versions().items() if k in _VERSIONS},
                **costs_of(self.store, node),
            },
        )
        self.store.note_seconds(node, time.monotonic() - began)

    def _stack(self, node: Node) -> AdaptedModel:
        layers = [self._layer(layer, node) for layer in node.settings["layers"]]
        return AdaptedModel(self.backbone, Stack(*layers, self._adapter(node.needs["task"])))

    def _layer(self, layer: dict[str, Any], node: Node) -> Composition:
        adapters = [self._adapter(node.needs[role]) for role in layer["of"]]
        if layer["how"] == "average":
            return Average(*adapters, weights=tuple(layer["weights"]))
        if layer["how"] == "merge":
            return merge(adapters, layer["weights"])
        return adapters[0]


_PLAIN = {"how": "stack", "of": ["over0"]}
_VERSIONS = ("torch", "transformers", "adapterkit")


def _labelled(settings: dict[str, Any]) -> Labelled:
    column, text = settings["columns"]
    return Labelled(settings.get("task", ""), settings["kind"], column=column, text=text)


def _is_whole(node: Node) -> bool:
    return node.needs["task"].kind == "full"
