"""Old folders written anew: the same weights, as safetensors, and a report that is true."""

from pathlib import Path
from typing import Any

import pytest
import torch

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig
from adapterkit.errors import AdapterMismatch, ConfigError, FolderError
from adapterkit.formats.adapterhub import load_adapter
from adapterkit.formats.compositions import save_composition
from adapterkit.formats.conversion import convert
from adapterkit.formats.inspection import inspect
from adapterkit.model import AdaptedModel
from tests.formats.folders import edit_json, make_folder, pickled
from tests.tiny import make_backbone


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder)


@pytest.fixture
def old(backbone: Backbone, tmp_path: Path) -> Path:
    folder = make_folder(backbone, tmp_path / "old")
    pickled(folder)
    (folder / "README.md").write_text("An old card.")
    return folder


def test_pickles_become_safetensors_with_the_same_weights(old: Path, tmp_path: Path) -> None:
    before = load_adapter(old)
    done = convert(old, tmp_path / "new", language="sw")
    after = load_adapter(tmp_path / "new")
    assert after.digest() == before.digest() == done.digest
    assert after.labels == before.labels
    assert after.language == "swa"
    assert {"pytorch_adapter.bin", "pytorch_model_head.bin"} <= set(done.before)
    assert not [name for name in done.after if name.endswith(".bin")]
    assert done.left_behind == ("README.md",)
    assert (
        done.after["adapter.safetensors"]["sha256"]
        == (inspect(tmp_path / "new")["files"]["adapter.safetensors"]["sha256"])
    )
    assert done.parameters == before.parameter_count()
    assert len(done.changes) == 3
    assert "swa" in done.changes[0]


def test_a_backbone_is_checked_and_recorded(old: Path, backbone: Backbone, tmp_path: Path) -> None:
    assert "the digest of its weights" in "".join(convert(old, tmp_path / "a").missing)
    done = convert(old, tmp_path / "b", backbone=backbone.facts)
    assert load_adapter(tmp_path / "b").backbone.digest == backbone.facts.digest
    assert "digest" not in "".join(done.missing)
    other = load_backbone(make_backbone(tmp_path / "wide", "xlm-roberta", width=16))
    with pytest.raises(AdapterMismatch, match="width"):
        convert(old, tmp_path / "c", backbone=other.facts)
    assert not (tmp_path / "c").exists()


def test_nothing_is_written_over_unasked(old: Path, backbone: Backbone, tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="the folder itself"):
        convert(old, old)
    there = make_folder(backbone, tmp_path / "there")
    with pytest.raises(ConfigError, match="already holds an adapter"):
        convert(old, there)
    convert(old, there, overwrite=True)
    assert not (there / "pytorch_adapter.bin").exists()


def test_a_language_that_contradicts_is_refused(old: Path, tmp_path: Path) -> None:
    convert(old, tmp_path / "new", language="cy")
    with pytest.raises(ConfigError, match="is for 'cym'"):
        convert(tmp_path / "new", tmp_path / "newer", language="br")


def test_a_coupling_keeps_an_activation_of_its_own(
    old: Path, backbone: Backbone, tmp_path: Path
) -> None:
    nested = {"block_type": "nice", "non_linearity": "tanh", "reduction_factor": 2}

    def as_in_2021(record: dict[str, Any]) -> None:
        del record["config"]["inv_adapter"], record["config"]["inv_adapter_reduction_factor"]
        record["config"]["invertible_adapter"] = nested

    edit_json("adapter_config.json", as_in_2021)(old)
    before = load_adapter(old)
    convert(old, tmp_path / "new")
    after = load_adapter(tmp_path / "new")
    assert before.config == after.config
    assert isinstance(after.config, BottleneckConfig)
    assert (after.config.non_linearity, after.config.invertible_non_linearity) == ("relu", "tanh")
    ids = torch.arange(5, 25)[None]
    one, other = (AdaptedModel(backbone, Stack(adapter)).encode(ids) for adapter in (before, after))
    assert torch.equal(one, other)


def test_a_composition_and_a_stack_are_not_written_over_unasked(
    old: Path, backbone: Backbone, tmp_path: Path
) -> None:
    save_composition(Stack(load_adapter(old)), tmp_path / "whole")
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack" / "stack.json").write_text("{}")
    for name, what in (("whole", "a composition"), ("stack", "a stack")):
        before = sorted(path.name for path in (tmp_path / name).iterdir())
        with pytest.raises(ConfigError, match=f"already holds {what}"):
            convert(old, tmp_path / name)
        assert sorted(path.name for path in (tmp_path / name).iterdir()) == before
        convert(old, tmp_path / name, overwrite=True)
        assert load_adapter(tmp_path / name).labels


def test_a_home_folder_is_looked_into_before_it_is_written_to(
    old: Path, backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    make_folder(backbone, tmp_path / "there")
    with pytest.raises(ConfigError, match="already holds an adapter"):
        convert(old, "~/there")
    assert convert(old, "~/new").out == str(tmp_path / "new")
