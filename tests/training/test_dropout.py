"""Dropout that an adapter's configuration asks for is there while it is trained, and never while it is looked at."""

from pathlib import Path

import pytest
from torch import Tensor

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.config import BottleneckConfig, LowRankConfig
from adapterkit.data.corpus import Corpus
from adapterkit.methods import low_rank
from adapterkit.settings import LanguageConfig
from adapterkit.training.full import continue_pretraining
from adapterkit.training.language import train_language
from adapterkit.training.loop import settings_of, train
from adapterkit.training.progress import Silent
from tests.tiny import lines
from tests.training.stopping import stopped_before
from tests.training.toy import Slope

CORPUS = Corpus.from_lines(lines(150), language="cym")
CONFIG = LanguageConfig(
    steps=6,
    batch_size=4,
    block_length=24,
    evaluate_every=3,
    heldout_blocks=2,
    learning_rate=3e-3,
    precision="float32",
)


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder)


def trained(backbone: Backbone, out: Path, shape: BottleneckConfig | LowRankConfig) -> Adapter:
    start = new_adapter("cym", shape, backbone=backbone.facts, kind="language", seed=1)
    return train_language(backbone, CORPUS, out=out, init=start, name="cym", config=CONFIG)


def shapes(backbone: Backbone, kind: str, chance: float) -> BottleneckConfig | LowRankConfig:
    if kind == "lora":
        return low_rank(backbone, rank=2, dropout=chance)
    return BottleneckConfig(4, dropout=chance)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["lora", "bottleneck"])
def test_it_is_there_while_training_and_not_while_looking(
    backbone: Backbone, tmp_path: Path, kind: str
) -> None:
    without = trained(backbone, tmp_path / "without", shapes(backbone, kind, 0.0))
    dropping = trained(backbone, tmp_path / "with", shapes(backbone, kind, 0.5))
    assert dropping.digest() != without.digest()
    first, second = (one.provenance["run"]["looks"][0] for one in (without, dropping))
    assert first == second, "before the first step the weights are the same, and nothing drops"
    assert not dropping.training


class Watched(Slope):
    """Notes in which mode it is asked for a loss, and in which it is looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.modes: list[tuple[str, bool]] = []

    def loss(self, step: int) -> tuple[Tensor, int]:
        self.modes.append(("loss", self.training))
        return super().loss(step)

    def look(self) -> float:
        self.modes.append(("look", self.training))
        return super().look()


@pytest.mark.parametrize("drops", [True, False])
def test_every_look_is_without_it(tmp_path: Path, drops: bool) -> None:
    problem = Watched()
    settings = settings_of(CONFIG, drops=drops)
    train(problem, settings, work=tmp_path, same={}, report=Silent())
    assert set(problem.modes) == {("loss", drops), ("look", False)}
    assert problem.modes[-1] == ("look", False)
    assert not problem.training


@pytest.mark.long
def test_what_is_dropped_is_the_same_after_a_stop(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = shapes(backbone, "lora", 0.5)
    whole = trained(backbone, tmp_path / "whole", shape)
    with stopped_before(5, monkeypatch):
        trained(backbone, tmp_path / "cut", shape)
    assert trained(backbone, tmp_path / "cut", shape).digest() == whole.digest()


@pytest.mark.long
def test_a_whole_backbone_drops_nothing(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[bool] = []
    forward = type(backbone.model).forward

    def spied(self: object, *args: object, **named: object) -> object:
        modes.append(self.training)  # type: ignore[attr-defined]
        return forward(self, *args, **named)

    monkeypatch.setattr(type(backbone.model), "forward", spied)
    continue_pretraining(backbone, CORPUS, out=tmp_path / "whole", config=CONFIG)
    assert modes
    assert not any(modes)
