"""A pool of adapters: loaded on first use, dropped when least recently used, safe under threads."""

import threading
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from adapterkit import pool as pools
from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig, HeadConfig
from adapterkit.errors import AdapterMismatch, ConfigError, FolderError
from adapterkit.formats.adapterhub import load_adapter, save_adapter
from adapterkit.model import AdaptedModel
from adapterkit.pool import AdapterPool, size_of
from adapterkit.prediction import predict
from tests.tiny import make_backbone

LANGUAGES = ("cym", "bre", "gle", "gla")
TEXTS = ["hello there", "one two three", "a b", "who goes there"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("pool")
    backbone = load_backbone(make_backbone(place / "backbone", "xlm-roberta"))
    for number, code in enumerate(LANGUAGES):
        config = BottleneckConfig(2, invertible=True)
        made = new_adapter(
            code, config, backbone=backbone.facts, kind="language", language=code, seed=number
        )
        with torch.no_grad():
            for parameter in made.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.2)
        save_adapter(made, place / code)
    head = HeadConfig("tagging", ("A", "B", "C"))
    pos = new_adapter("pos", BottleneckConfig(4), backbone=backbone.facts, kind="task", head=head)
    save_adapter(pos, place / "pos")
    return place


@pytest.fixture(scope="module")
def backbone(folder: Path) -> Backbone:
    return load_backbone(folder / "backbone")


def pool_of(folder: Path, backbone: Backbone, *, max_bytes: int = 1 << 20) -> AdapterPool:
    pool = AdapterPool(backbone, max_bytes=max_bytes)
    for name in (*LANGUAGES, "pos"):
        pool.add(name, folder / name)
    return pool


def test_nothing_is_read_before_it_is_asked_for(folder: Path, backbone: Backbone) -> None:
    pool = pool_of(folder, backbone)
    pool.add("lost", folder / "nowhere")
    assert (pool.loaded, pool.held_bytes) == ((), 0)
    assert pool.get("cym").digest() == load_adapter(folder / "cym").digest()
    assert pool.get("cym") is pool.get("cym")
    assert pool.loaded == ("cym",)
    with pytest.raises(FolderError):
        pool.get("lost")
    assert pool.loaded == ("cym",)


def test_the_least_recently_used_is_dropped_at_the_bound(folder: Path, backbone: Backbone) -> None:
    one = size_of(load_adapter(folder / "cym"))
    pool = pool_of(folder, backbone, max_bytes=2 * one)
    pool.get("cym"), pool.get("bre"), pool.get("cym"), pool.get("gle")
    assert pool.loaded == ("cym", "gle")
    assert pool.held_bytes == 2 * one
    with pytest.raises(ConfigError, match="raise max_bytes"):
        pool_of(folder, backbone, max_bytes=one - 1).get("cym")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_texts_of_several_languages_are_predicted_as_apart(folder: Path, dtype: str) -> None:
    backbone = load_backbone(folder / "backbone", dtype=dtype)
    pool = pool_of(folder, backbone)
    stacks = [(code, "pos") for code in ("gle", "cym", "bre", "cym")]
    together = pool.predict(TEXTS, stacks)
    for text, stack, found in zip(TEXTS, stacks, together, strict=True):
        parts = [load_adapter(folder / name) for name in stack]
        (alone,) = predict(AdaptedModel(backbone, Stack(*parts)), [text])
        assert found.tokens == alone.tokens
        tolerance = 1e-5 if dtype == "float32" else 0.05
        assert max(abs(a - b) for a, b in zip(found.scores, alone.scores, strict=True)) < tolerance
    assert pool.predict([], []) == []


def test_over_a_bfloat16_backbone_adapters_take_half_the_memory(folder: Path) -> None:
    narrow = pool_of(folder, load_backbone(folder / "backbone", dtype="bfloat16")).get("cym")
    assert 2 * size_of(narrow) == size_of(load_adapter(folder / "cym"))
    assert not any(parameter.requires_grad for parameter in narrow.parameters())


def test_threads_load_each_adapter_once_and_stay_under_the_bound(
    folder: Path, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def counted(reference: Path) -> Adapter:
        read.append(Path(reference).name)
        return load_adapter(reference)

    monkeypatch.setattr(pools, "load_adapter", counted)
    pool = pool_of(folder, backbone)
    errors: list[BaseException] = []
    start = threading.Barrier(8)

    def work(shift: int) -> None:
        try:
            start.wait()
            for turn in range(12):
                pool.get(LANGUAGES[(turn + shift) % 4])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert sorted(read) == sorted(LANGUAGES)


def test_what_makes_no_sense_is_one_clear_error(folder: Path, backbone: Backbone) -> None:
    pool = pool_of(folder, backbone)
    with pytest.raises(ConfigError, match="no adapter 'fin'; it has: bre, cym"):
        pool.get("fin")
    with pytest.raises(ConfigError, match="already has an adapter 'cym'"):
        pool.add("cym", folder / "bre")
    with pytest.raises(ConfigError, match="4 texts need as many stacks, got 1"):
        pool.predict(TEXTS, [("cym", "pos")])
    for size in (0, float("nan"), "1GB"):
        wrong: Any = size
        with pytest.raises(ConfigError, match="must be above 0, a number of bytes"):
            AdapterPool(backbone, max_bytes=wrong)
    for name, place in (("x", pool.get("cym")), (3, folder / "cym")):
        given: tuple[Any, Any] = (name, place)
        with pytest.raises(ConfigError, match="a pool is given a name, and a folder or Hub id"):
            pool.add(*given)
    assert AdapterPool(backbone, max_bytes=cast("int", float("inf"))).held_bytes == 0
    pool.add("cym", str(folder / "cym"))  # the same place, said otherwise
    with pytest.raises(ConfigError, match=r"a stack is a list of names .* not \'pos\'"):
        pool.predict(["ab"], ["pos"])
    assert pool.predict(iter(TEXTS), [("cym", "pos")] * 4) == pool.predict(
        TEXTS, [["cym", "pos"]] * 4
    )
    other = load_backbone(make_backbone(folder / "other", "xlm-roberta", seed=9))
    with pytest.raises(AdapterMismatch):
        pool_of(folder, other).get("cym")
    allowing = AdapterPool(other, allow_backbone=other.facts.name)
    allowing.add("cym", folder / "cym")
    allowing.add("pos", folder / "pos")
    assert len(allowing.predict(["ab"], [("cym", "pos")])) == 1


def test_a_path_never_means_the_hub(
    tmp_path: Path, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pool = AdapterPool(backbone)
    pool.add("cym", Path("adapters/cym"))
    with pytest.raises(FolderError, match="adapters/cym: there is no such folder"):
        pool.get("cym")


def test_what_is_no_backbone_and_what_are_no_stacks_are_refused_by_name(
    folder: Path, backbone: Backbone
) -> None:
    with pytest.raises(ConfigError, match=r"a pool stands on a backbone, not str \('mini'\)"):
        AdapterPool(cast(Any, "mini"))
    for stacks in (None, "cym"):
        with pytest.raises(ConfigError, match="stacks are a list of names for each text"):
            pool_of(folder, backbone).predict(TEXTS, cast(Any, stacks))


def test_a_folder_is_found_from_another_working_directory(
    folder: Path, backbone: Backbone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pool = AdapterPool(backbone)
    monkeypatch.chdir(folder)
    pool.add("cym", "cym")
    pool.add("cym", Path("cym"))
    monkeypatch.chdir(tmp_path)
    assert pool.get("cym").language == "cym"
