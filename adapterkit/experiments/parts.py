"""The parts that methods are made of, as nodes: language adapters, task adapters, whole backbones.

A `Bench` stands for one task, target, seed and backbone of a recipe. It decides every setting, so that equal
parts are equal nodes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapterkit.config import BackboneFacts, BottleneckConfig, LowRankConfig
from adapterkit.errors import ConfigError
from adapterkit.experiments.data import DataFolder, Reference
from adapterkit.experiments.nodes import Node
from adapterkit.experiments.recipe import Labelled, Method, Recipe
from adapterkit.formats.inspection import inspect
from adapterkit.formats.places import folder_of
from adapterkit.settings import LanguageConfig, SelfTrainingConfig, TaskConfig, as_record
from adapterkit.training.shape import other_shape

SPLITS = ("train", "dev")


@dataclass(frozen=True)
class Bench:
    """One task, target, seed and backbone.

    Attributes:
        recipe: The recipe.
        data: Where its data is.
        backbone: As the recipe names it.
        facts: Its canonical name, digest and depth.
        labelled: The task.
        target: The target language.
        seed: Of everything random.
    """

    recipe: Recipe
    data: DataFolder
    backbone: str
    facts: BackboneFacts
    labelled: Labelled
    target: str
    seed: int

    @property
    def layers(self) -> int:
        """Layers of the backbone."""
        return self.facts.layers

    @property
    def relatives(self) -> tuple[str, ...]:
        """The target's relatives, nearest first.

        Raises:
            ConfigError: If the recipe names none.
        """
        found = self.recipe.relatives.get(self.target, ())
        if not found:
            raise ConfigError(f"[relatives] names none of {self.target}")
        return found

    def named(self, name: str) -> tuple[str, ...]:
        """The languages that ``own``, ``source``, ``relative``, ``relatives`` or a code mean."""
        if name == "own":
            return (self.target,)
        if name == "source":
            return (self.labelled.source,)
        if name in ("relative", "relatives"):
            return self.relatives if name == "relatives" else self.relatives[:1]
        return (name,)

    def named_adapter(self, code: str, method: Method) -> Node:
        """The adapter of a language: what is there already, or one to be trained."""
        if code == self.target:
            return self.own(method)
        return self._given(code, method) or self.started(code, method)

    def own(self, method: Method) -> Node:
        """The target's adapter: what is there already, where the method asks for no training of its own kind."""
        asks = method.language_adapter or method.start or method.megabytes is not None
        given = None if asks else self._given(self.target, method)
        return given or self.started(self.target, method)

    def started(self, code: str, method: Method, *, texts: Sequence[str] = ()) -> Node:
        """A language adapter to be trained, from what the method or else the recipe starts it from.

        That of the source language is what it starts from itself.
        """
        whole = code != self.target and not texts
        start = method.start or self.recipe.start
        if start != "source":
            return self.language(code, method, texts=texts, whole=whole)
        source = self.source(method)
        if code == self.labelled.source and not texts:
            return source
        return self.language(code, method, init=source, texts=texts, whole=whole)

    def source(self, method: Method) -> Node:
        """The source language's adapter."""
        return self._source_of(self.labelled.source, method)

    def _source_of(self, code: str, method: Method) -> Node:
        # What a method changes of the target's adapter, it changes of the source's: they are swapped.
        # But for what is about the target's text.
        given = self._given(code, method)
        if given is not None or code == self.labelled.source:
            return given or self.language(code, method, whole=True)
        return self.started(code, method)

    def _given(self, code: str, method: Method) -> Node | None:
        """The adapter that the recipe names, where the method asks for no other shape."""
        name = self.recipe.adapters.get(self.backbone, {}).get(code)
        if name is None:
            return None
        told = inspect(folder_of(name))
        if other_shape(LanguageConfig(**method.language_adapter), _shape(told), self.layers):
            return None
        settings = {"adapter": name, "digest": told["digest"]}
        return Node("given", settings, label=f"{name} as it is")

    def language(
        self,
        code: str,
        method: Method,
        *,
        init: Node | None = None,
        texts: Sequence[str] = (),
        whole: bool = False,
    ) -> Node:
        """A language adapter to be trained.

        Args:
            code: Its language.
            method: Brings settings and, for the target, how much text.
            init: An adapter to go on from.
            texts: Languages of its text; by default its own.
            whole: On all of the text, whatever the method says.

        Raises:
            ConfigError: If there is no text.
        """
        asked = {**self.recipe.language_adapter, **method.language_adapter, "seed": self.seed}
        if init is None:
            asked["keep_start"] = 0  # of random weights
        config = LanguageConfig(**asked)
        settings = {
            **self._common(),
            "language": code,
            "texts": [self._text(one) for one in texts or (code,)],
            "megabytes": None if whole else method.megabytes,
            "config": as_record(config),
        }
        needs = {} if init is None else {"init": init}
        start = "" if init is None else f", from {init.label}"
        return Node(
            "language", settings, needs, f"language adapter {code}, seed {self.seed}{start}"
        )

    def task(
        self,
        method: Method,
        *,
        over: str | None = "source",
        sources: Sequence[str] = (),
        ready: Sequence[Node] = (),
    ) -> Node:
        """A task adapter to be trained on the sources' labels, over their adapters (or None)."""
        sources = tuple(sources) or (self.labelled.source,)
        config = TaskConfig(
            **{**self.recipe.task_adapter, **method.task_adapter, "seed": self.seed}
        )
        needs = {f"ready{i}": node for i, node in enumerate(ready)}
        if over is not None:
            needs |= {f"over{i}": self._source_of(code, method) for i, code in enumerate(sources)}
        settings = {**self._common(), **self._labels(sources), "config": as_record(config)}
        words = [", ".join(sources), *(() if over is not None else ("no language adapter",))]
        if ready:
            names = [one.settings.get("language") or one.settings["adapter"] for one in ready]
            words.append(f"ready for {', '.join(names)}")
        label = f"task adapter {self.labelled.name}, seed {self.seed} ({'; '.join(words)})"
        return Node("task", settings, needs, label)

    def few_shot(self, method: Method, language: Node, labels: int) -> Node:
        """The task adapter, going on with ``labels`` labelled sentences of the target."""
        config = TaskConfig(**{**self.recipe.few_shot, **method.task_adapter, "seed": self.seed})
        settings = {
            **self._common(),
            **self._labels((self.target,), splits=("train",)),
            "labels": labels,
            "config": as_record(config),
        }
        needs = {"over0": language, "init": self.task(method)}
        label = (
            f"task adapter {self.labelled.name}, seed {self.seed}, {labels} labels of {self.target}"
        )
        return Node("task", settings, needs, label)

    def self_trained(
        self, method: Method, over: Mapping[str, Node], layers: Sequence[dict[str, Any]] = ()
    ) -> Node:
        """The task adapter, going on with what it says of the target's text.

        Args:
            method: Brings settings.
            over: The adapter under it, as ``over0``; or several, by role.
            layers: How several stand under it.
        """
        config = SelfTrainingConfig(
            **{**self.recipe.self_training, **method.self_training, "seed": self.seed}
        )
        settings = {
            **self._common(),
            "task": self.labelled.name,
            "language": self.target,
            "texts": [self._text(self.target)],
            "megabytes": method.megabytes,
            "config": as_record(config),
        }
        # What else the method says is about the language adapter and the task adapter that this one goes on from.
        if layers:
            settings["layers"] = list(layers)
        needs = {**over, "init": self.task(method)}
        label = f"task adapter {self.labelled.name}, seed {self.seed}, self-trained on {self.target} text"
        return Node("self", settings, needs, label)

    def continued(self, method: Method) -> Node:
        """The whole backbone, pre-trained further on the target's text."""
        chosen = {**self.recipe.continued, **method.language_adapter}
        config = LanguageConfig(**{**chosen, "seed": self.seed, "keep_start": 0})
        settings = {
            **self._common(),
            "language": self.target,
            "texts": [self._text(self.target)],
            "megabytes": method.megabytes,
            "config": as_record(config),
        }
        return Node("continued", settings, {}, f"backbone on {self.target} text, seed {self.seed}")

    def full(
        self, method: Method, rate: float, epochs: float, *, start: Node | None = None
    ) -> Node:
        """The whole backbone, fine-tuned on the source's labels."""
        chosen = {"learning_rate": rate, "epochs": epochs, "seed": self.seed}
        config = TaskConfig(**{**self.recipe.full_fine_tuning, **method.task_adapter, **chosen})
        settings = {
            **self._common(),
            **self._labels((self.labelled.source,)),
            "config": as_record(config),
        }
        needs = {} if start is None else {"start": start}
        after = "" if start is None else f" after {self.target} text"
        label = f"fine-tuned {self.labelled.name}, rate {rate:g}, {epochs:g} epochs, seed {self.seed}{after}"
        return Node("full", settings, needs, label)

    def _common(self) -> dict[str, Any]:
        return {"backbone": self.facts.name, "digest": self.facts.digest}

    def _text(self, code: str) -> Reference:
        found = self.data.text(self.recipe.text, code)
        if found is None:
            raise ConfigError(f"there is no text of {code} ({self.recipe.text.files})")
        return found

    def _labels(self, sources: Sequence[str], splits: Sequence[str] = SPLITS) -> dict[str, Any]:
        found = []
        for code in sources:
            there = {split: self.data.labelled(self.labelled, code, split) for split in splits}
            if there["train"] is None:
                raise ConfigError(
                    f"[tasks.{self.labelled.name}] has no training examples of {code}"
                )
            found.append({"language": code, **there})
        return {
            "task": self.labelled.name,
            "kind": self.labelled.kind,
            "columns": [self.labelled.column, self.labelled.text],
            "sources": found,
            "train_examples": self.labelled.train_examples,
            "dev_examples": self.labelled.dev_examples,
        }


def _shape(told: dict[str, Any]) -> BottleneckConfig | LowRankConfig:
    """What `inspect` tells of an adapter's shape."""
    if "leave_out" not in told:
        return LowRankConfig(method=told["method"], modules=(), rank=told["rank"] or 0)
    return BottleneckConfig(
        reduction_factor=told["reduction_factor"],
        non_linearity=told["non_linearity"],
        invertible=told["method"].endswith("invertible"),
        leave_out=tuple(told["leave_out"]),
    )
