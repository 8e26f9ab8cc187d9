"""What chooses the best weights of a task training: the score on dev examples, or on a few to train on."""

from dataclasses import dataclass
from typing import Any

from adapterkit.data.batches import Window
from adapterkit.model import AdaptedModel
from adapterkit.prediction import window_logits
from adapterkit.tasks.base import Task
from adapterkit.training.states import States, states_of

FEW = 200
"""Examples to look at, of those to train on, where there are no dev examples."""


@dataclass(frozen=True)
class Judge:
    """Examples, and the model that is scored on them again and again.

    Attributes:
        task: The task.
        model: The model.
        split: ``dev``, or ``train`` where there are none.
        examples: The examples.
        windows: Their inputs.
        states: What lies below the first place that training changes; None where it is computed each time.
    """

    task: Task[Any]
    model: AdaptedModel
    split: str
    examples: tuple[Any, ...]
    windows: tuple[Window, ...]
    states: States | None

    def score(self) -> float:
        """The task's main metric, a fraction."""
        labels = self.model.stack.head.config.labels if self.model.stack.head else ()
        read = None if self.states is None else self.states.logits
        logits = window_logits(self.model, self.windows, read=read)
        said = self.task.answers(self.windows, logits, len(self.examples), labels)
        # Weights are chosen by the score alone: one resample, since nobody reads its interval.
        scores = self.task.scores(self.examples, said, seed=0, resamples=1)
        return scores[self.task.main_metric].value


def judge_of(task: Task[Any], model: AdaptedModel, *, limit: int, room: int) -> Judge:
    """The judge by ``task``'s dev examples, or by 200 of those to train on.

    They are taken from all over the set, at equal distances: a file may be sorted by label.

    Args:
        task: The task.
        model: The model that is trained.
        limit: Tokens an input.
        room: Bytes that states may take.
    """
    split = "dev" if task.has("dev") else "train"
    examples = task.examples(split)
    if split == "train" and len(examples) > FEW:
        examples = tuple(examples[number * len(examples) // FEW] for number in range(FEW))
    windows = tuple(task.windows(examples, model.backbone, limit=limit))
    states = states_of(model, windows, room=room)
    return Judge(task, model, split, examples, windows, states)
