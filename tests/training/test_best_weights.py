"""Which weights a training keeps: never those of a random head, and none that only look best on examples of one label."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import new_adapter
from adapterkit.composition.stack import Stack
from adapterkit.config import HeadConfig, preset
from adapterkit.data.examples import LabelledText, TaggedSentence
from adapterkit.model import AdaptedModel
from adapterkit.settings import TaskConfig
from adapterkit.tasks.classification import Classification
from adapterkit.tasks.tagging import Tagging
from adapterkit.training import loop
from adapterkit.training.checkpoint import Progress, read_checkpoint
from adapterkit.training.judging import FEW, judge_of
from adapterkit.training.loop import settings_of, train
from adapterkit.training.progress import Silent
from adapterkit.training.task import train_task
from tests.tiny import lines
from tests.training.stopping import stopped_before

CONFIG = TaskConfig(steps=8, learning_rate=0.1, evaluate_every=1, patience=2, precision="float32")


class Told(nn.Module):
    """Its looks are told beforehand, the one before the first step first; its weight falls by each step."""

    def __init__(self, *looks: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.looks = list(looks)

    @property
    def trained(self) -> nn.Module:
        return self

    def loss(self, step: int) -> tuple[Tensor, int]:
        return self.weight.sum(), 1

    def look(self) -> float:
        return self.looks.pop(0) if self.looks else -0.9


def run(folder: Path, *looks: float, start_counts: bool) -> tuple[Progress, float]:
    problem = Told(*looks)
    settings = settings_of(CONFIG, start_counts=start_counts)
    progress = train(problem, settings, work=folder, same={}, report=Silent())
    return progress, float(problem.weight.detach())


def test_random_weights_are_never_the_best(tmp_path: Path) -> None:
    progress, weight = run(tmp_path, -0.8, -0.2, -0.3, -0.1, -0.1, start_counts=False)
    assert (progress.best_step, progress.best) == (2, -0.3)
    assert progress.step == 4, "patience counts from the first look that is"
    assert weight < 0


def test_a_training_whose_time_is_over_before_its_first_step_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_of(replace(CONFIG, max_minutes=1e-9), start_counts=False)
    progress = train(Told(), settings, work=tmp_path, same={}, report=Silent())
    assert (progress.step, progress.best_step) == (0, 0)
    assert "over before the first step" in caplog.text
    assert "nothing was learned" in caplog.text


def test_a_long_look_before_the_first_step_takes_no_warm_up_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]

    class Slow(Told):
        def __init__(self) -> None:
            super().__init__()
            self.weights: list[float] = []

        def loss(self, step: int) -> tuple[Tensor, int]:
            clock[0] += 1
            self.weights.append(float(self.weight.detach()))
            return super().loss(step)

        def look(self) -> float:
            clock[0] += 0 if self.weights else 40
            return 0.5 - len(self.weights)

    monkeypatch.setattr("adapterkit.training.loop.time.monotonic", lambda: clock[0])
    problem = Slow()
    config = replace(CONFIG, steps=1000, max_minutes=1, evaluate_every=1000, weight_decay=0.0)
    settings = replace(settings_of(config), warmup=0.25, clip=None)
    progress = train(problem, settings, work=tmp_path, same={}, report=Silent())
    assert (progress.step, progress.before) == (20, 40)
    # Adam's steps on a constant gradient are the learning rate: it rises for a quarter of 20 seconds, then falls.
    moved = [(a - b) / settings.learning_rate for a, b in pairwise(problem.weights)]
    assert moved[0] < 0.01
    assert moved == sorted(moved[:6]) + sorted(moved[6:], reverse=True)
    assert max(moved) == pytest.approx(1, abs=0.05)
    assert moved[-1] < 0.15


def test_what_was_of_use_before_may_stay_the_best_and_it_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    progress, weight = run(tmp_path, -0.8, -0.2, -0.3, start_counts=True)
    assert (progress.best_step, progress.best, progress.step) == (0, -0.8, 2)
    assert weight == 0
    assert "no step of this training made it better" in caplog.text


def test_patience_does_not_run_out_while_the_score_is_zero(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    zeros = (-0.0,) * 5
    progress, _ = run(tmp_path, -0.1, *zeros, -0.2, -0.1, -0.1, start_counts=False)
    assert (progress.best_step, progress.best, progress.step) == (6, -0.2, 8)
    assert "no step of this training" not in caplog.text


def test_a_run_that_never_gets_anything_right_keeps_its_last_weights(tmp_path: Path) -> None:
    progress, weight = run(tmp_path, *(-0.0,) * 9, start_counts=False)
    assert (progress.best_step, progress.step) == (8, 8)
    assert weight < 0


def test_a_checkpoint_is_written_between_looks_that_are_far_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rare = settings_of(replace(CONFIG, evaluate_every=8))
    whole = Told(3.0)
    expected = train(whole, rare, work=tmp_path / "whole", same={}, report=Silent())
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", -1.0)
    with stopped_before(5, monkeypatch):
        train(Told(3.0), rare, work=tmp_path / "cut", same={}, report=Silent())
    kept = read_checkpoint(tmp_path / "cut", {})
    assert kept is not None
    assert kept.progress.step == 5
    resumed = Told()
    found = train(resumed, rare, work=tmp_path / "cut", same={}, report=Silent())
    assert torch.equal(resumed.weight, whole.weight)
    assert found.losses == expected.losses, "what was lost before the stop is in the mean, too"


def test_without_dev_examples_the_judge_takes_some_from_all_over_the_set(
    tiny_folder: Path,
) -> None:
    backbone = load_backbone(tiny_folder)
    texts = [
        LabelledText(line, "late" if number >= 300 else "early")
        for number, line in enumerate(lines(600))
    ]
    task = Classification({"train": tuple(texts)})
    head = HeadConfig("classification", task.labels())
    adapter = new_adapter("t", preset("pfeiffer"), backbone=backbone.facts, kind="task", head=head)
    judge = judge_of(task, AdaptedModel(backbone, Stack(adapter)), limit=32, room=0)
    labels = [one.label for one in judge.examples]
    assert len(labels) == FEW
    assert labels.count("early") == labels.count("late")
    few = Classification({"train": tuple(texts[:FEW])})
    whole = judge_of(few, AdaptedModel(backbone, Stack(adapter)), limit=32, room=0)
    assert whole.examples == tuple(texts[:FEW])


def test_the_record_names_the_metric_of_the_task_that_chose(
    tiny_folder: Path, tmp_path: Path
) -> None:
    named = TaggedSentence(("ab", "cd"), ("B-PER", "O"))
    plain = TaggedSentence(("ab", "cd"), ("O", "O"))
    tasks = [Tagging({"train": (named,)}), Tagging({"train": (plain,), "dev": (plain,)})]
    backbone = load_backbone(tiny_folder)
    made = train_task(backbone, tasks, over=None, out=tmp_path / "t", config=CONFIG)
    assert tasks[0].main_metric == "span_f1"
    chosen = made.provenance["selection"]
    assert (chosen["split"], chosen["metric"]) == ("dev", "accuracy")
