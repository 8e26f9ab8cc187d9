"""A head may learn at a rate of its own; without one, nothing changes, in bytes and in records."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.data.examples import TaggedSentence
from adapterkit.errors import ConfigError
from adapterkit.settings import TaskConfig, as_record
from adapterkit.tasks.tagging import Tagging
from adapterkit.training.full import fine_tune
from adapterkit.training.task import train_task
from tests.tiny import lines
from tests.training.stopping import stopped_before

CONFIG = TaskConfig(steps=2, batch_size=4, learning_rate=0.01, precision="float32")
FASTER = replace(CONFIG, head_rate=10)


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder)


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch) -> list[list[tuple[int, float]]]:
    """Of each step and group: how many tensors, and their learning rate."""
    seen: list[list[tuple[int, float]]] = []
    step = torch.optim.AdamW.step

    def spied(self: torch.optim.AdamW, *args: object) -> object:
        seen.append([(len(g["params"]), g["lr"]) for g in self.param_groups])
        return step(self, *args)

    monkeypatch.setattr(torch.optim.AdamW, "step", spied)
    return seen


def tagging() -> Tagging:
    made = [tuple(line.split()) for line in lines(20, seed=9)]
    labelled = [TaggedSentence(w, tuple("V" if x[0] in "aeiou" else "O" for x in w)) for w in made]
    return Tagging({"train": tuple(labelled[5:]), "dev": tuple(labelled[:5])})


def test_the_head_alone_learns_faster(
    backbone: Backbone, tmp_path: Path, rates: list[list[tuple[int, float]]]
) -> None:
    train_task(backbone, tagging(), over=None, out=tmp_path / "pos", config=FASTER)
    (others, rate), (head, faster) = rates[0]
    assert (head, others) == (2, 2 * 4)  # weight and bias; down and up in two of three layers
    assert faster == 10 * rate > 0
    fine_tune(backbone, tagging(), out=tmp_path / "whole", config=FASTER)
    (others, rate), (head, faster) = rates[-1]
    assert head == 2
    assert others > 30
    assert faster == 10 * rate


def test_without_one_there_is_one_group_and_no_record_of_it(
    backbone: Backbone, tmp_path: Path, rates: list[list[tuple[int, float]]]
) -> None:
    made = train_task(backbone, tagging(), over=None, out=tmp_path / "pos", config=CONFIG)
    assert [len(groups) for groups in rates] == [1, 1]
    assert "head_rate" not in made.provenance["config"]
    assert TaskConfig(**as_record(CONFIG)) == CONFIG
    assert TaskConfig(**as_record(FASTER)) == FASTER


@pytest.mark.long
def test_a_training_with_two_groups_resumes_to_the_same_bytes(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(FASTER, steps=8, evaluate_every=3)
    whole = train_task(
        backbone, tagging(), over=None, out=tmp_path / "whole", config=config, name="pos"
    )
    with stopped_before(5, monkeypatch):
        train_task(backbone, tagging(), over=None, out=tmp_path / "cut", config=config, name="pos")
    slower = replace(config, head_rate=1)
    with pytest.raises(ConfigError, match="head_rate"):
        train_task(backbone, tagging(), over=None, out=tmp_path / "cut", config=slower, name="pos")
    resumed = train_task(
        backbone, tagging(), over=None, out=tmp_path / "cut", config=config, name="pos"
    )
    assert resumed.digest() == whole.digest()
    assert resumed.provenance["run"]["started_at_steps"] == [0, 5]


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="head_rate = 0: must be above 0"):
        TaskConfig(head_rate=0)
