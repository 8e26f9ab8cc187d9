"""Old folders written anew: the same weights, as safetensors, and a report that is true."""

from pathlib import Path

import pytest

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.errors import AdapterMismatch, ConfigError, FolderError
from adapterkit.formats.adapterhub import load_adapter
from adapterkit.formats.conversion import convert
from adapterkit.formats.inspection import inspect
from tests.formats.folders import make_folder, pickled
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
