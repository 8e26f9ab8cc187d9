"""A task adapter stands last, over language adapters; anywhere else it is refused before any work."""

from pathlib import Path

import pytest

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.cli.options import load_stack
from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.composition.average import Average
from adapterkit.composition.kinds import is_task
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig, HeadConfig
from adapterkit.errors import ConfigError
from adapterkit.model import AdaptedModel
from adapterkit.prediction import fill
from adapterkit.training.language import train_language
from adapterkit.training.task import train_task
from tests.training.test_training import LANGUAGE, TASK, corpus, tagging


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder, device="cpu")


def made(backbone: Backbone, kind: str, *, head: bool = False) -> Adapter:
    labels = HeadConfig("tagging", ("NOUN", "VERB")) if head else None
    shape = BottleneckConfig(4)
    return new_adapter(kind or "old", shape, backbone=backbone.facts, kind=kind, head=labels)


def test_only_what_says_that_it_is_a_task_adapter_counts_as_one(backbone: Backbone) -> None:
    assert is_task(made(backbone, "task", head=True))
    assert is_task(made(backbone, "", head=True))
    assert is_task(made(backbone, "task"))
    assert not any(is_task(made(backbone, kind)) for kind in ("language", "domain", ""))


def test_a_language_adapter_of_old_with_a_masked_lm_head_is_none(backbone: Backbone) -> None:
    head = HeadConfig("masked_lm", vocabulary=backbone.vocabulary)
    old = new_adapter(
        "sw", BottleneckConfig(4), backbone=backbone.facts, kind="", language="swh", head=head
    )
    assert not is_task(old)


@pytest.mark.parametrize("role", ["init", "over"])
def test_a_language_training_takes_no_task_adapter(
    backbone: Backbone, tmp_path: Path, role: str
) -> None:
    pos = made(backbone, "task", head=True)
    start, under = (pos, None) if role == "init" else (None, pos)
    with pytest.raises(ConfigError, match=rf"'task' is a task adapter; .*\({role}\)"):
        train_language(
            backbone, corpus(), out=tmp_path / "a", config=LANGUAGE, init=start, over=under
        )
    assert list(tmp_path.iterdir()) == []


def test_a_task_training_goes_over_no_task_adapter(backbone: Backbone, tmp_path: Path) -> None:
    pos, eng = made(backbone, "task", head=True), made(backbone, "language")
    for over in (pos, Stack(eng, pos), [pos], Average(eng, made(backbone, "task"))):
        with pytest.raises(ConfigError, match=r"'task' is a task adapter; .* give it as init"):
            train_task(backbone, tagging(), over=over, out=tmp_path / "t", config=TASK)
    with pytest.raises(ConfigError, match="'task' is a task adapter"):
        train_task(
            backbone, tagging(), over=eng, out=tmp_path / "t", config=TASK, target_ready=[pos]
        )
    assert list(tmp_path.iterdir()) == []


def test_a_mask_is_not_filled_through_a_task_adapter(backbone: Backbone) -> None:
    old = made(backbone, "")
    assert fill(AdaptedModel(backbone, Stack(old)), "abc <mask>", guesses=1)
    with pytest.raises(ConfigError, match="'task' is a task adapter; fill asks"):
        fill(AdaptedModel(backbone, Stack(old, made(backbone, "task"))), "abc <mask>")


def test_a_stack_of_the_command_line_has_its_task_adapter_last() -> None:
    assert [adapter.name for adapter in load_stack("mini:eng,mini:pos")] == ["eng", "pos"]
    with pytest.raises(ConfigError, match=r"'pos' is a task adapter; .* last: mini:eng,mini:pos,"):
        load_stack("mini:eng,mini:pos,mini:ner")
    with pytest.raises(ConfigError, match="'pos' is a task adapter"):
        load_stack("mini:pos,mini:eng")
