"""What a training was given: what is of another kind is refused by name, before anything starts.

People pass the name of an adapter where the adapter itself is meant, or a stack where one adapter can stand.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from adapterkit.backbone.frozen import Backbone
from adapterkit.composition.adapter import Adapter
from adapterkit.composition.base import Composition, Value
from adapterkit.composition.stack import Stack
from adapterkit.data.corpus import Corpus
from adapterkit.errors import ConfigError
from adapterkit.metrics import is_span_scheme
from adapterkit.settings import LanguageConfig, SelfTrainingConfig, TaskConfig
from adapterkit.tasks.base import Task, require_task

logger = logging.getLogger("adapterkit")


def require_backbone(backbone: object) -> None:
    """Refuse what is no backbone.

    Raises:
        ConfigError: That says how to load one.
    """
    if not isinstance(backbone, Backbone):
        raise ConfigError(
            f"a backbone is needed, not {_kind(backbone)}; load one with ak.load_backbone(name)"
        )


def require_corpus(corpus: object) -> None:
    """Refuse what is no corpus.

    Raises:
        ConfigError: That says how to make one.
    """
    if not isinstance(corpus, Corpus):
        raise ConfigError(
            f"raw text is needed as a corpus, not {type(corpus).__name__}: ak.Corpus.from_lines(lines, language='cym')"
        )


def require_adapter(adapter: object, role: str) -> None:
    """Refuse what is neither an adapter nor None.

    Args:
        adapter: What was given.
        role: As what, e.g. ``init``.

    Raises:
        ConfigError: That says how to load one.
    """
    if adapter is not None and not isinstance(adapter, Adapter):
        raise ConfigError(
            f"{role}= takes an adapter, not {_kind(adapter)}; load one with ak.load_adapter(folder)"
        )


def require_config(
    config: object, kind: type[LanguageConfig | TaskConfig | SelfTrainingConfig]
) -> None:
    """Refuse what is neither settings of this kind nor None.

    Raises:
        ConfigError: That says which are needed.
    """
    if config is not None and not isinstance(config, kind):
        name = kind.__name__
        raise ConfigError(f"config= takes a {name}, not {_kind(config)}: ak.{name}(...)")


def adapters_of(adapters: object, role: str) -> tuple[Adapter, ...]:
    """A list of adapters as a tuple.

    Raises:
        ConfigError: If it is something else.
    """
    if not isinstance(adapters, Sequence) or isinstance(adapters, str):
        raise ConfigError(f"{role}= takes a list of adapters, not {_kind(adapters)}")
    for one in adapters:
        if not isinstance(one, Adapter):
            raise ConfigError(f"{role}= takes a list of adapters, and {_kind(one)} is none")
    return tuple(adapters)


def tasks_of(task: Task[Any] | Sequence[Task[Any]]) -> list[Task[Any]]:
    """One task or several as a list.

    Raises:
        ConfigError: If there is none, one is no task, or they are of several kinds (one head serves all).
            Tags of spans and tags of words are two kinds.
    """
    several = task if isinstance(task, Sequence) and not isinstance(task, str) else [task]
    tasks = [require_task(one) for one in several]
    if not tasks:
        raise ConfigError("there is no task to train on; the list is empty")
    kinds = sorted({one.kind for one in tasks})
    if len(kinds) > 1:
        raise ConfigError(
            f"these tasks are of different kinds, {' and '.join(kinds)}: one head cannot serve both; "
            "train an adapter for each"
        )
    if kinds == ["tagging"] and len(tasks) > 1 and _are_mixed(tasks):
        raise ConfigError(
            "some of these tasks tag spans and some tag words: one head cannot serve both; train an adapter for each"
        )
    return tasks


def _are_mixed(tasks: Sequence[Task[Any]]) -> bool:
    """Whether some tag spans and some words; examples with no label but ``O`` go with both."""
    labels = [set(one.labels()) - {"O"} for one in tasks]
    return len({is_span_scheme(one) for one in labels if one}) > 1


def warn_of_labels(labels: Sequence[str]) -> None:
    """Log what is probably a slip: one label only, or labels that differ in case or spaces only."""
    if len(labels) == 1:
        logger.warning(
            "warning: every example has the label %r; there is nothing to learn", labels[0]
        )
    alike: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        alike["".join(label.split()).casefold()].append(label)
    for same in alike.values():
        if len(same) > 1:
            logger.warning(
                "warning: %s are labels of their own; if they mean the same, spell them alike",
                " and ".join(map(repr, same)),
            )


def warn_of_dev_labels(tasks: Sequence[Task[Any]], labels: Sequence[str]) -> None:
    """Log which labels of the dev sets no training example has: no adapter can learn them, and the best weights are chosen by them."""
    dev = {
        label
        for one in tasks
        if one.has("dev")
        for example in one.examples("dev")
        for label in one.gold(example)
    }
    unknown = sorted(dev - set(labels))
    if unknown:
        logger.warning(
            "warning: labels of the dev set that no training example has: %s; they count as wrong",
            ", ".join(map(repr, unknown[:10])),
        )


def lowers_of(over: object, count: int) -> list[tuple[Composition, ...]]:
    """What lies under the task adapter, for each of ``count`` tasks: frozen parts, first to last.

    Args:
        over: One composition for all tasks, a list of them, one a task, or None for none; in the list too.
        count: How many tasks.

    Raises:
        ConfigError: If they do not pair up, or something else was given.
    """
    if over is None or isinstance(over, Adapter | Value):
        return [_parts(over, "over")] * count
    if not isinstance(over, Sequence) or isinstance(over, str):
        raise _no_lower(over, "over")
    if len(over) != count:
        raise ConfigError(f"{count} tasks and {len(over)} source adapters: give one adapter a task")
    return [_parts(one, "over") for one in over]


def under_of(under: object) -> tuple[Composition, ...]:
    """What lies under a fuse: frozen parts, first to last.

    Args:
        under: One composition, a list of them, or None.

    Raises:
        ConfigError: If it is something else.
    """
    if under is None or isinstance(under, Adapter | Value):
        return _parts(under, "under")
    if not isinstance(under, Sequence) or isinstance(under, str):
        raise _no_lower(under, "under")
    return tuple(part for one in under for part in _parts(one, "under"))


def _parts(lower: object, role: str) -> tuple[Composition, ...]:
    if lower is None:
        return ()
    if not isinstance(lower, Adapter | Value):
        raise _no_lower(lower, role)
    parts: tuple[Composition, ...] = lower.parts if isinstance(lower, Stack) else (lower,)
    return parts


def _no_lower(given: object, role: str) -> ConfigError:
    return ConfigError(
        f"{role}= takes an adapter, a stack of them or None, or a list of such, not {_kind(given)}; load an adapter "
        "with ak.load_adapter(folder)"
    )


def _kind(value: object) -> str:
    return f"{type(value).__name__} ({value!r:.60})"
