"""What could not be written or read again is refused before any work, and leaves nothing behind."""

from pathlib import Path

import pytest

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import new_adapter
from adapterkit.composition.fuse import Fuse
from adapterkit.config import BottleneckConfig, HeadConfig
from adapterkit.data.examples import LabelledText
from adapterkit.errors import ConfigError
from adapterkit.formats.adapterhub import load_adapter, save_adapter
from adapterkit.methods import low_rank
from adapterkit.settings import TaskConfig
from adapterkit.tasks.classification import Classification
from adapterkit.training.fusion import train_fusion
from adapterkit.training.language import train_language
from adapterkit.training.task import name_of, train_task
from tests.tiny import make_backbone
from tests.training.test_training import LANGUAGE, corpus, tagging

SHORT = TaskConfig(steps=1, batch_size=4, learning_rate=1e-3, precision="float32")
TEXTS = Classification(
    {"train": tuple(LabelledText(text, text[0]) for text in ("ab cd", "bc de", "aa bb", "bb cc"))}
)
BAD = ("v.1", "a/b", "a\\b", "new\nline", "x" * 201)


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder, device="cpu")


@pytest.mark.parametrize("name", BAD)
def test_a_name_that_no_folder_can_carry_is_refused_before_any_work(
    backbone: Backbone, tmp_path: Path, name: str
) -> None:
    with pytest.raises(ConfigError, match="cannot be an adapter's name"):
        train_language(backbone, corpus(), out=tmp_path / "l", config=LANGUAGE, name=name)
    with pytest.raises(ConfigError, match="cannot be an adapter's name"):
        train_task(backbone, tagging(), over=None, out=tmp_path / "t", config=SHORT, name=name)
    one, two = (
        new_adapter(n, BottleneckConfig(4), backbone=backbone.facts, kind="task")
        for n in ("one", name)
    )
    with pytest.raises(ConfigError, match="cannot be an adapter's name"):
        train_fusion(backbone, tagging(), Fuse(one, two), out=tmp_path / "f", config=SHORT)
    with pytest.raises(ConfigError, match="cannot be an adapter's name"):
        save_adapter(two, tmp_path / "s")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_dots_gives_a_name_without_and_loads_again(
    backbone: Backbone, tmp_path: Path
) -> None:
    out = tmp_path / "pos.v1.2"
    made = train_task(backbone, tagging(20), over=None, out=out, config=SHORT)
    assert made.name == "pos_v1_2"
    assert load_adapter(out).digest() == made.digest()


def test_the_current_folder_gives_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "topic").mkdir()
    monkeypatch.chdir(tmp_path / "topic")
    assert name_of(Path(".")) == "topic"


@pytest.mark.parametrize("method", ["lora", "ia3"])
def test_a_head_that_peft_could_not_load_is_refused_before_any_work(
    method: str, tmp_path: Path
) -> None:
    bert = load_backbone(make_backbone(tmp_path / "bert", "bert"), device="cpu")
    config = TaskConfig(**{**vars(SHORT), "method": method})
    with pytest.raises(
        ConfigError, match=r"classification head of 2 layer\(s\) over bert has no form"
    ):
        train_task(bert, TEXTS, over=None, out=tmp_path / "topic", config=config)
    assert not (tmp_path / "topic").exists()
    # The same through an adapter to go on from, whose shape and head are taken over.
    head = HeadConfig("classification", ("a", "b"), layers=2)
    lora = new_adapter("l", low_rank(bert), backbone=bert.facts, kind="task", head=head)
    with pytest.raises(ConfigError, match="has no form that peft loads"):
        train_task(bert, TEXTS, over=None, out=tmp_path / "topic", config=SHORT, init=lora)


def test_a_head_that_peft_loads_is_trained(backbone: Backbone, tmp_path: Path) -> None:
    config = TaskConfig(**{**vars(SHORT), "method": "lora"})
    made = train_task(backbone, TEXTS, over=None, out=tmp_path / "topic", config=config)
    assert load_adapter(tmp_path / "topic").digest() == made.digest()
