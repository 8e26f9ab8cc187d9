"""A training says what it is about to do and how it ended, also where there is no bar."""

import io
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import new_adapter
from adapterkit.config import BottleneckConfig
from adapterkit.settings import LanguageConfig, TaskConfig
from adapterkit.training.checkpoint import Progress
from adapterkit.training.language import train_language
from adapterkit.training.progress import Bar
from adapterkit.training.task import train_task
from adapterkit.training.telling import ending, plan
from tests.training.test_training import LANGUAGE, TASK, corpus, tagging


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder, device="cpu")


def test_a_plan_names_steps_batch_precision_and_start(backbone: Backbone) -> None:
    eng = new_adapter("eng", BottleneckConfig(4), backbone=backbone.facts, kind="language")
    language = LanguageConfig(
        steps=480, block_length=64, precision="bfloat16", keep_start=0.4, max_minutes=1.5
    )
    assert plan(language, eng) == (
        "plan: 480 steps or 1.5 minutes, 32 blocks of 64 tokens a step, bfloat16, from adapter 'eng', "
        "of which 40 % stays in the result"
    )
    assert plan(TaskConfig(steps=9, precision="float32"), None) == (
        "plan: 9 steps, 16 examples a step, float32, from random weights"
    )


@pytest.mark.parametrize(
    ("step", "waited", "why"),
    [
        (50, 1, ""),
        (50, 5, ""),
        (40, 5, ", as 5 looks in a row found nothing better"),
        (40, 1, ", as its 2 minutes (max_minutes) were over"),
    ],
)
def test_an_ending_names_its_reason_and_the_best_step(step: int, waited: int, why: str) -> None:
    run = Progress(step=step, waited=waited, best_step=30)
    line = ending(run, steps=50, patience=5, max_minutes=2.0)
    assert line == f"ended at step {step} of 50{why}; best: step 30"


@pytest.mark.long
def test_trainings_log_their_plan_and_their_end(
    backbone: Backbone, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = replace(LANGUAGE, steps=1000, max_minutes=1e-6)
    with caplog.at_level(logging.INFO, logger="adapterkit.training"):
        train_language(backbone, corpus(), out=tmp_path / "a", config=config)
        train_task(backbone, tagging(), over=None, out=tmp_path / "t", config=TASK)
    said = [r.getMessage() for r in caplog.records if r.name == "adapterkit.training"]
    assert [line.split()[0] for line in said] == ["plan:", "ended", "plan:", "ended"]
    assert said[0].startswith("plan: 1000 steps or 1e-06 minutes, ")
    assert "(max_minutes) were over; best: step " in said[1]
    assert f" {TASK.batch_size} examples a step, " in said[2]


def test_a_bar_shows_no_loss_before_there_is_one() -> None:
    bar = Bar("training", "loss")

    def shown() -> str:
        console = Console(file=io.StringIO(), width=120)
        console.print(bar.bar.get_renderable())
        assert isinstance(console.file, io.StringIO)
        return console.file.getvalue()

    bar.start(0, 10)
    assert "loss – " in shown()
    bar.step(1, 2.5, 100)
    assert "loss 2.500 " in shown()
