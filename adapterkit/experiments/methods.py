"""Methods: from a name to what is trained and how it is put together.

Each built-in method is a function from a `Bench` (one task, target, seed and backbone) to a `Plan`. All stand on
the same few parts, so methods share whatever is equal. To add a method, write such a function and its line in
`BUILT_IN`. Sources: Pfeiffer et al. (2020) "MAD-X" (own), (2021) "UNKs Everywhere" (last layer dropped); Parovic et
al. (2023) (target-ready); Klimaszewski et al. (2025) "No Train but Gain" (arithmetic); Faisal & Anastasopoulos
(2022) (family).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from adapterkit.errors import ConfigError
from adapterkit.experiments.nodes import Node
from adapterkit.experiments.parts import Bench
from adapterkit.experiments.recipe import Method

Layer = dict[str, Any]
"""``{"how": "stack" | "average" | "merge", "of": [roles], "weights": [...]}``."""


@dataclass(frozen=True)
class Plan:
    """What a cell runs.

    Attributes:
        task: The task adapter, or the fine-tuned backbone.
        parts: What else is needed, by role.
        layers: How these stand under the task adapter.
        own: Roles of what is trained for this target alone, ``task`` included where it is.
        facts: Columns of the table that only the method knows.
    """

    task: Node
    parts: Mapping[str, Node] = field(default_factory=dict)
    layers: tuple[Layer, ...] = ()
    own: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class BuiltIn:
    """A built-in method.

    Attributes:
        plan: Makes its plans; more than one where settings are lists.
        text: Whether it trains on raw text of the target.
        relatives: Whether the recipe must name relatives of the target.
        several: Whether the task must name more sources.
        labels: Whether it needs labelled sentences of the target.
        at_home: Whether its score in the language of its labels says how far the targets are behind.
        what: In a few words.
    """

    plan: Callable[[Bench, Method], Iterator[Plan]]
    what: str
    text: bool = True
    relatives: bool = False
    several: bool = False
    labels: bool = False
    at_home: bool = False


def own(bench: Bench, method: Method) -> Iterator[Plan]:
    """MAD-X: the target's adapter, started as the recipe says, in place of the source's."""
    yield _stacked(bench, method, bench.own(method))


def source_kept(bench: Bench, method: Method) -> Iterator[Plan]:
    """The source's adapter stays."""
    source = bench.source(method)
    yield Plan(bench.task(method), {"source": source}, (_one("source"),))


def removed(bench: Bench, method: Method) -> Iterator[Plan]:
    """Trained over the source's adapter, run without any."""
    yield Plan(bench.task(method))


def no_language_adapter(bench: Bench, method: Method) -> Iterator[Plan]:
    """Trained and run without any: the rival to fear."""
    yield Plan(bench.task(method, over=None))


def last_layer_dropped(bench: Bench, method: Method) -> Iterator[Plan]:
    """No bottlenecks in the last layer; like all other shapes than the source's, started from scratch."""
    yield from own(bench, _with(method, drop_last_layer=True))


def every_layer(bench: Bench, method: Method) -> Iterator[Plan]:
    """Bottlenecks in the last layer, too."""
    yield from own(bench, _with(method, drop_last_layer=False))


def lower_layers_only(bench: Bench, method: Method) -> Iterator[Plan]:
    """Bottlenecks in the lower half of the layers only."""
    yield from own(bench, _with(method, lower_layers=bench.layers // 2))


def target_ready(bench: Bench, method: Method) -> Iterator[Plan]:
    """The task adapter has seen the target's adapter while it was trained."""
    language = bench.own(method)
    ready = [bench.named_adapter(code, method) for code in method.ready or (bench.target,)]
    task = bench.task(method, ready=ready)
    yield _stacked(
        bench, method, language, task, ("language",) if method.ready else ("language", "task")
    )


def several_sources(bench: Bench, method: Method) -> Iterator[Plan]:
    """The task adapter is trained on several languages, each over its own adapter."""
    task = bench.task(method, sources=(bench.labelled.source, *bench.labelled.more_sources))
    yield _stacked(bench, method, bench.own(method), task)


def started_from_source(bench: Bench, method: Method) -> Iterator[Plan]:
    """The target's adapter goes on from the source's."""
    yield from own(bench, replace(method, start="source"))


def started_from_relative(bench: Bench, method: Method) -> Iterator[Plan]:
    """The target's adapter goes on from its nearest relative's."""
    relative = bench.named_adapter(bench.relatives[0], method)
    yield _stacked(bench, method, bench.language(bench.target, method, init=relative))


def relative_as_is(bench: Bench, method: Method) -> Iterator[Plan]:
    """The nearest relative's adapter, with no text of the target."""
    relative = bench.named_adapter(bench.relatives[0], method)
    yield Plan(bench.task(method), {"kept": relative}, (_one("kept"),))


def family(bench: Bench, method: Method) -> Iterator[Plan]:
    """One adapter for the target and its relatives, trained on all their texts."""
    codes = tuple(sorted({bench.target, *bench.relatives}))
    yield _stacked(bench, method, bench.started(codes[0], method, texts=codes))


def average(bench: Bench, method: Method) -> Iterator[Plan]:
    """What several adapters make of the text, averaged; by default the relatives'."""
    yield _mixed(bench, method, "average", method.of or ("relatives",))


def arithmetic(bench: Bench, method: Method) -> Iterator[Plan]:
    """Weights of several adapters, added up; by default half source, half nearest relative."""
    yield _mixed(bench, method, "merge", method.of or ("source", "relative"))


def lora(bench: Bench, method: Method) -> Iterator[Plan]:
    """A LoRA as language adapter."""
    language = {"method": "lora", **method.language_adapter}
    yield from own(bench, replace(method, start="scratch", language_adapter=language))


def few_shot(bench: Bench, method: Method) -> Iterator[Plan]:
    """Own adapter, and the task adapter goes on with a few labelled sentences of the target."""
    language = bench.own(method)
    task = bench.few_shot(method, language, method.labels or 0)
    yield _stacked(bench, method, language, task, ("language", "task"))


def self_trained(bench: Bench, method: Method) -> Iterator[Plan]:
    """Own adapter, or several merged, and the task adapter goes on with its own labels of the target's text."""
    if method.of:
        mixed = _mixed(bench, method, "merge", method.of)
        task = bench.self_trained(method, mixed.parts, mixed.layers)
        yield replace(mixed, task=task, own=(*mixed.own, "task"))
        return
    language = bench.own(method)
    task = bench.self_trained(method, {"over0": language})
    yield _stacked(bench, method, language, task, ("language", "task"))


def source_kept_self_trained(bench: Bench, method: Method) -> Iterator[Plan]:
    """The source's adapter stays, and the task adapter goes on with its own labels: its rival."""
    source = bench.source(method)
    task = bench.self_trained(method, {"over0": source})
    yield Plan(task, {"source": source}, (_one("source"),), ("task",))


def full_fine_tuning(bench: Bench, method: Method) -> Iterator[Plan]:
    """The whole backbone is trained on the source's labels: no adapters, no text of the target."""
    for rate, epochs in _choices(bench, method):
        node = bench.full(method, rate, epochs)
        yield Plan(node, facts={"learning_rate": rate, "epochs": epochs})


def full_fine_tuning_continued(bench: Bench, method: Method) -> Iterator[Plan]:
    """The same, after more pre-training of the whole backbone on the target's text."""
    start = bench.continued(method)
    for rate, epochs in _choices(bench, method):
        node = bench.full(method, rate, epochs, start=start)
        facts = {"learning_rate": rate, "epochs": epochs}
        yield Plan(node, {"language": start}, own=("language", "task"), facts=facts)


BUILT_IN: dict[str, BuiltIn] = {
    "own": BuiltIn(own, "the target's adapter (MAD-X)"),
    "source-kept": BuiltIn(source_kept, "the source's adapter stays", text=False, at_home=True),
    "removed": BuiltIn(removed, "no language adapter at test time", text=False),
    "no-language-adapter": BuiltIn(
        no_language_adapter, "trained without one, too", text=False, at_home=True
    ),
    "last-layer-dropped": BuiltIn(last_layer_dropped, "no bottleneck in the last layer"),
    "every-layer": BuiltIn(every_layer, "one in the last layer, too"),
    "lower-layers-only": BuiltIn(lower_layers_only, "bottlenecks in the lower half only"),
    "target-ready": BuiltIn(target_ready, "the task adapter has seen the target's adapter"),
    "several-sources": BuiltIn(several_sources, "labels of several languages", several=True),
    "started-from-source": BuiltIn(started_from_source, "goes on from the source's adapter"),
    "started-from-relative": BuiltIn(
        started_from_relative, "goes on from the nearest relative's", relatives=True
    ),
    "relative-as-is": BuiltIn(
        relative_as_is, "the nearest relative's adapter", text=False, relatives=True
    ),
    "family": BuiltIn(family, "one adapter for target and relatives", relatives=True),
    "average": BuiltIn(average, "outputs of several adapters averaged", text=False),
    "arithmetic": BuiltIn(arithmetic, "weights of several adapters added up", text=False),
    "lora": BuiltIn(lora, "a LoRA as language adapter"),
    "few-shot": BuiltIn(few_shot, "own, and a few labels of the target", labels=True),
    "self-trained": BuiltIn(self_trained, "own, and labels of its own for the target's text"),
    "source-kept-self-trained": BuiltIn(
        source_kept_self_trained, "the source's adapter stays, and labels of its own"
    ),
    "full-fine-tuning": BuiltIn(full_fine_tuning, "the whole backbone", text=False, at_home=True),
    "full-fine-tuning-continued": BuiltIn(
        full_fine_tuning_continued, "after more pre-training on the target's text"
    ),
}

SELF_TRAINED = ("self-trained", "source-kept-self-trained")
"""Those that go on with labels of their own."""


def _one(role: str) -> Layer:
    return {"how": "stack", "of": [role]}


def _stacked(
    bench: Bench,
    method: Method,
    language: Node,
    task: Node | None = None,
    own: tuple[str, ...] = ("language",),
) -> Plan:
    if language.kind == "given":  # what is there already costs nothing here
        own = tuple(role for role in own if role != "language")
    return Plan(task or bench.task(method), {"language": language}, (_one("language"),), own)


def _mixed(bench: Bench, method: Method, how: str, of: tuple[str, ...]) -> Plan:
    codes = [code for name in of for code in bench.named(name)]
    roles = ["source" if code == bench.labelled.source else f"part-{code}" for code in codes]
    if len(set(roles)) < len(roles):
        raise ConfigError(f"{how} of {', '.join(codes)}: one of them stands in it twice")
    parts = {
        role: bench.named_adapter(code, method) for role, code in zip(roles, codes, strict=True)
    }
    weights = list(method.weights) or [1 / len(codes)] * len(codes)
    # What is there already costs nothing here.
    own = tuple(
        role
        for (role, node), code in zip(parts.items(), codes, strict=True)
        if code == bench.target and node.kind != "given"
    )
    layer = {"how": how, "of": roles, "weights": weights}
    return Plan(bench.task(method), parts, (layer,), own)


def _with(method: Method, **settings: Any) -> Method:
    """The method with ``settings`` for both adapters, below those that it brings; started from scratch."""
    return replace(
        method,
        start="scratch",
        language_adapter={**settings, **method.language_adapter},
        task_adapter={**settings, **method.task_adapter},
    )


def _choices(bench: Bench, method: Method) -> Iterator[tuple[float, float]]:
    """Every learning rate with every number of epochs; a variation may bring its own."""
    settings = {
        "learning_rate": 2e-5,
        "epochs": 3,
        **bench.recipe.full_fine_tuning,
        **method.task_adapter,
    }
    lists = [settings[key] for key in ("learning_rate", "epochs")]
    yield from product(*(one if isinstance(one, list) else [one] for one in lists))
