"""Finding what a task adapter was trained over: in the order in which its provenance names it, and whole."""

import shutil
from pathlib import Path

import pytest
import torch

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig, HeadConfig
from adapterkit.data.examples import TaggedSentence
from adapterkit.errors import ConfigError
from adapterkit.evaluation import compare, evaluate
from adapterkit.formats.adapterhub import load_adapter, save_adapter
from adapterkit.model import AdaptedModel
from adapterkit.sources import find_source, find_sources
from adapterkit.tasks.tagging import Tagging

LANGUAGES, DOMAINS = ("aaa", "eng", "cym"), ("bio", "law")


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder)


@pytest.fixture
def place(backbone: Backbone, tmp_path: Path) -> Path:
    for number, name in enumerate((*LANGUAGES, *DOMAINS)):
        kind = "domain" if name in DOMAINS else "language"
        made = new_adapter(
            name, BottleneckConfig(2), backbone=backbone.facts, kind=kind, seed=number
        )
        with torch.no_grad():
            for one in made.parameters():
                one.normal_(generator=torch.Generator().manual_seed(number))
        save_adapter(made, tmp_path / name)
    return tmp_path


def task(backbone: Backbone, place: Path, *over: str, tasks: int = 1) -> Adapter:
    head = HeadConfig("tagging", ("NOUN", "VERB"))
    made = new_adapter("pos", BottleneckConfig(4), backbone=backbone.facts, kind="task", head=head)
    names = [{"name": name, "digest": load_adapter(place / name).digest()} for name in over]
    made.provenance = {"over": names, "examples": [3] * tasks}
    return made


def found(adapter: Adapter, place: Path) -> list[str]:
    return [one.name for one in find_sources(adapter, [place / "pos"])]


def test_of_several_sources_the_first_that_is_recorded_counts(
    backbone: Backbone, place: Path
) -> None:
    assert found(task(backbone, place, "eng", "aaa", "cym", tasks=3), place) == ["eng"]
    assert found(task(backbone, place, "eng", "aaa"), place) == ["eng"]
    three = task(backbone, place, "eng", "cym", "aaa", tasks=3)
    shutil.rmtree(place / "eng")
    assert found(three, place) == ["cym"]


def test_a_domain_adapter_is_kept_with_the_language_adapter_under_it(
    backbone: Backbone, place: Path
) -> None:
    assert found(task(backbone, place, "eng", "bio"), place) == ["eng", "bio"]
    assert found(task(backbone, place, "eng", "bio", "law"), place) == ["eng", "bio", "law"]
    twice = task(backbone, place, "eng", "bio", "eng", "bio", tasks=2)
    assert found(twice, place) == ["eng", "bio"]
    with pytest.raises(ConfigError, match="over 'eng', 'bio', one on the other; say which"):
        find_source(twice, [place / "pos"])


@pytest.mark.parametrize("lost", ["eng", "bio"])
def test_half_of_what_it_was_trained_over_is_no_source(
    backbone: Backbone, place: Path, lost: str
) -> None:
    adapter = task(backbone, place, "eng", "bio")
    shutil.rmtree(place / lost)
    with pytest.raises(ConfigError, match=f"source adapter '{lost}' of 'pos' was not found.*--sou"):
        find_sources(adapter, [place / "pos"])


def test_a_whole_copy_of_a_damaged_source_is_found(backbone: Backbone, place: Path) -> None:
    adapter = task(backbone, place, "eng")
    shutil.copytree(place / "eng", place / "zzz")
    (place / "eng" / "adapter_config.json").write_text("{}")
    assert found(adapter, place) == ["eng"]


def test_a_seed_that_no_bootstrap_takes_is_refused_before_predicting(
    backbone: Backbone, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapterkit.evaluation.answers", None)
    examples = Tagging({"test": (TaggedSentence(("a", "b"), ("NOUN", "VERB")),)})
    model = AdaptedModel(backbone, Stack(task(backbone, place)))
    with pytest.raises(ConfigError, match="seed = -1: must be 0 or more"):
        evaluate(model, examples, seed=-1)


def test_a_language_and_a_domain_adapter_take_the_place_of_all_under_the_task_adapter(
    backbone: Backbone, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cym, eng, bio = (load_adapter(place / name) for name in ("cym", "eng", "bio"))
    pos = task(backbone, place, "eng", "bio")
    examples = Tagging({"test": (TaggedSentence(("a", "b"), ("NOUN", "VERB")),)})
    both = Stack(eng, bio)
    kept = compare(backbone, Stack(cym, bio, pos), examples, source=both)["source"]
    own = compare(backbone, Stack(eng, bio, pos), examples, source=None)["own"]
    assert kept.answers == own.answers
    assert kept.answers != compare(backbone, Stack(eng, pos), examples, source=None)["own"].answers
    alone = compare(backbone, Stack(cym, bio, pos), examples, source=eng)["source"]
    assert alone.answers == own.answers
    assert not caplog.text
    more = Tagging({"test": (TaggedSentence(("a", "b"), ("NOUN", "X")),)})
    compare(backbone, Stack(cym, bio, pos), more, source=eng)
    assert caplog.text.count("does not know 'X': 1 of 2 labels") == 1, "not for each condition"
