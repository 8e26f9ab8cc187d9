"""Broken and hostile folders: each is made by one edit of a folder that loads, and refused by the culprit's name."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import new_adapter
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig
from adapterkit.errors import AdapterkitError, AdapterMismatch, FolderError
from adapterkit.formats.adapterhub import load_adapter, save_adapter
from adapterkit.formats.inspection import inspect
from adapterkit.model import AdaptedModel
from tests.formats.broken_configs import CONFIGURATIONS
from tests.formats.broken_weights import WEIGHT_FILES, Evil, lose
from tests.formats.folders import (
    F0,
    UP,
    bare,
    config,
    copy_of,
    envelope,
    head,
    in_turn,
    make_folder,
    put,
)
from tests.tiny import make_backbone

IDS = torch.tensor([[0, 11, 12, 4, 30, 2]])


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder)


@pytest.fixture(scope="module")
def good(backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_folder(backbone, tmp_path_factory.mktemp("good") / "pos")
    load_adapter(folder)
    return folder


@pytest.fixture(scope="module")
def live(backbone: Backbone, good: Path) -> tuple[AdaptedModel, torch.Tensor]:
    model = AdaptedModel(backbone, Stack(load_adapter(good)))
    return model, model.logits(IDS)


BROKEN = {**WEIGHT_FILES, **CONFIGURATIONS}


@pytest.mark.long
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_folder_is_refused_by_name_and_changes_nothing(
    name: str,
    good: Path,
    live: tuple[AdaptedModel, torch.Tensor],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    edit, culprit = BROKEN[name]
    folder = copy_of(good, tmp_path / "pos")
    monkeypatch.chdir(tmp_path)
    edit(folder)
    with pytest.raises(FolderError, match=re.escape(culprit)) as caught:
        load_adapter(folder)
    assert str(caught.value).count("\n") <= 15
    assert not re.search(r"[^\n -~]", str(caught.value))
    assert not (tmp_path / "evil-was-here").exists()
    model, before = live
    assert torch.equal(model.logits(IDS), before)


@pytest.mark.long
@pytest.mark.parametrize("name", [n for n in BROKEN if "pickle" not in n])
def test_what_is_not_loaded_is_not_described_either(name: str, good: Path, tmp_path: Path) -> None:
    edit, _ = BROKEN[name]
    folder = copy_of(good, tmp_path / "pos")
    edit(folder)
    # Values and activations are looked at when loading only.
    closed = ("NaN", "Inf", "huge values", "float64 beyond float32", "unknown activation")
    if name in closed:
        assert inspect(folder)["name"] == "pos"
        return
    with pytest.raises(AdapterkitError):
        inspect(folder)


def test_all_differences_are_in_one_error(good: Path, tmp_path: Path) -> None:
    folder = copy_of(good, tmp_path / "pos")
    in_turn(lose(UP), put("x.y", torch.zeros(1)), put(F0, torch.zeros(1)))(folder)
    with pytest.raises(FolderError) as caught:
        load_adapter(folder)
    for part in (f"{UP}: missing", "x.y: not part", f"{F0}: shape (1,), needed (8, 16)"):
        assert part in str(caught.value)


def test_refusing_an_absurd_size_takes_no_memory(good: Path, tmp_path: Path) -> None:
    import tracemalloc

    folder = copy_of(good, tmp_path / "pos")
    head(head_type="masked_lm", vocab_size=10**12, layers=1)(folder)
    tracemalloc.start()
    with pytest.raises(FolderError):
        load_adapter(folder)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def mismatch(backbone: Backbone, folder: Path) -> str:
    with pytest.raises(AdapterMismatch) as caught:
        AdaptedModel(backbone, Stack(load_adapter(folder)))
    return str(caught.value)


def test_another_type_width_and_depth_are_told_at_once(good: Path, tmp_path: Path) -> None:
    other = load_backbone(make_backbone(tmp_path / "b", "bert", width=64))
    adapter = new_adapter("x", BottleneckConfig(), backbone=other.facts, kind="language")
    deeper = copy_of(good, tmp_path / "deep")
    in_turn(config(leave_out=[2, 3]))(deeper)
    found = mismatch(other, deeper)
    assert "type: the adapter has xlm-roberta, the backbone has bert" in found
    assert "width: the adapter has 32, the backbone has 64" in found
    assert "layers: the adapter has 4, the backbone has 3" in found
    assert load_adapter(save_adapter(adapter, tmp_path / "x")) is not None


def test_another_backbone_of_the_same_shape_is_refused(good: Path, tmp_path: Path) -> None:
    other = load_backbone(make_backbone(tmp_path / "b", "xlm-roberta", seed=9))
    assert "weights: it was made for 'tiny'" in mismatch(other, good)


def test_a_backbone_of_another_name_is_refused_where_there_is_no_digest(
    backbone: Backbone, good: Path, tmp_path: Path
) -> None:
    from dataclasses import replace

    folder = copy_of(good, tmp_path / "pos")
    envelope(model_name="someone/else")(folder)
    adapter = load_adapter(folder)
    hub = replace(backbone.facts, name="FacebookAI/xlm-roberta-base", digest="")
    with pytest.raises(AdapterMismatch, match="name: the adapter has 'someone/else'"):
        adapter.check_fits(hub)
    adapter.check_fits(hub, allow_backbone=hub.name)
    adapter.check_fits(replace(hub, name="someone/else"))


def test_a_hostile_pickle_beside_a_safetensors_file_is_never_opened(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy_of(good, tmp_path / "pos")
    monkeypatch.chdir(tmp_path)
    torch.save({UP: Evil()}, folder / "pytorch_adapter.bin")
    bare(folder)
    assert load_adapter(folder).digest() == load_adapter(good).digest()
    assert not (tmp_path / "evil-was-here").exists()


@pytest.mark.parametrize(
    ("starter", "verb"), [("mini:eng", "train-language"), ("mini:pos", "train-task")]
)
def test_an_adapter_of_an_older_mini_is_refused_and_told_how_to_train_it_again(
    starter: str, verb: str
) -> None:
    adapter = load_adapter(starter)
    newer = replace(adapter.backbone, name="adapterkit/mini@9", digest="f" * 64)
    with pytest.raises(AdapterMismatch, match=f"another version.*adapterkit {verb} "):
        adapter.check_fits(newer)
