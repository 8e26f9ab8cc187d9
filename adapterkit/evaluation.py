"""`evaluate`: scores with intervals, and the comparison that every honest result needs.

Own language adapter / source adapter kept / language adapter removed at test time. A task adapter that was
trained without a language adapter is the fairer third rival; recipes train it.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapterkit.backbone.frozen import Backbone
from adapterkit.composition.base import Composition
from adapterkit.composition.stack import Stack
from adapterkit.data.writing import ScoredText, write_scored
from adapterkit.errors import ConfigError
from adapterkit.metrics import Confusion, Score, confusion, is_span_scheme, paired_difference
from adapterkit.model import AdaptedModel
from adapterkit.prediction import answers, require_head, require_model
from adapterkit.tasks.base import Answer, Task, require_task

logger = logging.getLogger("adapterkit")
CONDITIONS = ("own", "source", "none")


@dataclass(frozen=True)
class Scores:
    """Metrics of one model on one set of examples; all are fractions.

    Attributes:
        metrics: Value and 95 % bootstrap interval (over sentences) of each metric, by name.
        main: Name of the metric that counts.
        examples: How many sentences or texts.
    """

    metrics: dict[str, Score]
    main: str
    examples: int

    @property
    def value(self) -> float:
        """The main metric."""
        return self.metrics[self.main].value

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the main metric."""
        score = self.metrics[self.main]
        return (score.low, score.high)

    def as_dict(self) -> dict[str, Any]:
        """As ``--json`` prints it."""
        values: dict[str, Any] = {name: score.value for name, score in self.metrics.items()}
        intervals = {name: [score.low, score.high] for name, score in self.metrics.items()}
        return {
            **values,
            "interval": list(self.interval),
            "intervals": intervals,
            "main": self.main,
            "examples": self.examples,
        }


@dataclass(frozen=True)
class Evaluation:
    """Scores, and every example's answer behind them."""

    scores: Scores
    examples: tuple[Any, ...]
    answers: tuple[Answer, ...]
    gold: tuple[tuple[str, ...], ...]

    def confusion(self) -> Confusion:
        """How often which label was taken for which, over words or texts."""
        flat = [label for labels in self.gold for label in labels]
        return confusion(flat, [label for answer in self.answers for label in answer.labels])

    def gain_over(self, other: "Evaluation", *, seed: int = 0) -> Score:
        """How much better than ``other`` in the main metric, on the same examples, with its 95 % interval.

        A paired bootstrap (`metrics.paired_difference`): a gain whose interval holds 0 is no reliable one.

        Raises:
            ConfigError: If the other was scored on other examples, or by another metric.
        """
        if (self.gold, self.scores.main) != (other.gold, other.scores.main):
            raise ConfigError(
                "a gain is of two evaluations of the same examples by the same metric; these differ"
            )
        said, others = ([answer.labels for answer in side.answers] for side in (self, other))
        return paired_difference(self.scores.main, self.gold, said, others, seed=seed)

    def write(self, path: Path) -> None:
        """Write every example's gold and predicted labels as JSON lines."""
        write_scored(
            path,
            (
                ScoredText(
                    text=getattr(e, "text", None) or " ".join(getattr(e, "words", ())),
                    tokens=tuple(getattr(e, "words", ())),
                    gold=gold,
                    predicted=answer.labels,
                    id=e.id,
                    language=e.language,
                )
                for e, gold, answer in zip(self.examples, self.gold, self.answers, strict=True)
            ),
        )


def evaluate(
    model: AdaptedModel,
    task: Task[Any],
    *,
    split: str = "test",
    seed: int = 0,
    progress: bool | None = None,
) -> Scores:
    """Score ``model`` on a split of ``task``.

    Args:
        model: A backbone with a stack that ends in a task adapter.
        task: The examples.
        split: ``test`` or ``dev``.
        seed: Of the bootstrap.
        progress: Show a bar once it has taken two seconds; by default if stderr is a terminal.

    Raises:
        ConfigError: If the stack's head does not fit the task or knows none of its labels, or the seed is below 0.
        CorpusError: If the task has no examples of this split.
    """
    found = evaluation(model, task, split=split, seed=seed, progress=progress)
    warn_of_unknown(model.stack, found.gold)
    return found.scores


def evaluation(
    model: AdaptedModel,
    task: Task[Any],
    *,
    split: str = "test",
    seed: int = 0,
    progress: bool | None = False,
) -> Evaluation:
    """As `evaluate`, with the answers behind the scores; without a bar, if none is asked for."""
    if type(seed) is not int or seed < 0:
        raise ConfigError(f"seed = {seed!r:.40}: must be 0 or more, and whole")
    check_scorable(model, task, split=split)
    examples = task.examples(split)
    gold = tuple(task.gold(example) for example in examples)
    said = answers(model, task, examples, progress=progress)
    scores = Scores(task.scores(examples, said, seed=seed), task.main_metric, len(examples))
    return Evaluation(scores, examples, tuple(said), gold)


def check_scorable(model: AdaptedModel, task: Task[Any], *, split: str = "test") -> None:
    """Raise the errors of `evaluate` before anything is scored."""
    require_model(model)
    examples = require_task(task).examples(split)
    labels = require_head(model, task).labels
    _check_labels(model, labels, [task.gold(example) for example in examples])


def _check_labels(
    model: AdaptedModel, labels: Sequence[str], gold: Sequence[Sequence[str]]
) -> None:
    """Refuse examples of whose labels the head knows none; ``O``, which is no span, does not count beside spans."""
    there = {label for one in gold for label in one}
    plain = {"O"} if is_span_scheme([*labels, *there]) else set()
    known = set(labels) - plain
    if there - plain and not known & there:
        raise ConfigError(
            f"the task adapter {model.stack.adapters[-1].name!r} and the examples share no label\n"
            f"  the adapter knows: {', '.join(sorted(known))}\n  the examples have: {', '.join(sorted(there - plain)[:20])}"
        )


def warn_of_unknown(stack: Composition, gold: Sequence[Sequence[str]]) -> None:
    """Log which gold labels the stack's head cannot give: they count as wrong, whatever it says."""
    known = set(stack.head.config.labels) if stack.head is not None else set()
    counts = Counter(label for labels in gold for label in labels if label not in known)
    if counts:
        logger.warning(
            "warning: the task adapter does not know %s: %d of %d labels of the examples count as wrong, whatever it says; "
            "it knows: %s",
            ", ".join(repr(label) for label, _ in counts.most_common(5))
            + (f" and {len(counts) - 5} more" if len(counts) > 5 else ""),
            counts.total(),
            sum(map(len, gold)),
            ", ".join(sorted(known)[:20]),
        )


def compare(
    backbone: Backbone,
    stack: Stack,
    task: Task[Any],
    *,
    source: Composition | None,
    split: str = "test",
    seed: int = 0,
    progress: bool | None = None,
) -> dict[str, Evaluation]:
    """The three conditions of a stack (language adapter ..., task adapter).

    Args:
        backbone: The backbone.
        stack: Own language adapter (or an average of several) first, task adapter last.
        task: The examples, in the target language.
        source: The language adapter that the task adapter was trained over, which stands in the place of the
            stack's first part; or a Stack of it and of domain adapters, in the place of all under the task
            adapter. None leaves that condition out, as where it is the stack's own.
        split: ``test`` or ``dev``.
        seed: Of the bootstrap.
        progress: As for `evaluate`; a bar a condition.

    Returns:
        ``own``, ``source`` (the source adapter kept, unless that is None) and ``none`` (no language adapter).

    Raises:
        ConfigError: If the stack is shorter than two adapters.
    """
    found = {
        name: evaluation(
            AdaptedModel(backbone, made), task, split=split, seed=seed, progress=progress
        )
        for name, made in conditions_of(stack, source=source).items()
    }
    warn_of_unknown(stack, found["own"].gold)
    return found


def conditions_of(stack: Stack, *, source: Composition | None) -> dict[str, Stack]:
    """The stacks that `compare` scores, by the names of their conditions; arguments and errors are as there."""
    if not isinstance(stack, Stack) or len(stack.parts) < 2:
        raise ConfigError(
            f"{stack!r:.80}: a comparison needs a Stack of a language adapter and a task adapter on it"
        )
    rest = stack.parts[-1:] if isinstance(source, Stack) else stack.parts[1:]
    kept = {} if source is None else {"source": Stack(source, *rest)}
    return {"own": stack, **kept, "none": Stack(stack.parts[-1])}


def gains_of(found: Mapping[str, Evaluation], *, seed: int = 0) -> dict[str, Score]:
    """What the stack gains over each rival that `compare` measured, by its name; see `Evaluation.gain_over`."""
    return {
        name: found["own"].gain_over(one, seed=seed) for name, one in found.items() if name != "own"
    }
