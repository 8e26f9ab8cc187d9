"""Backbones from the Hub: compared with its listing, resumed, shared with huggingface_hub's cache."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from huggingface_hub import constants

import adapterkit as ak
from adapterkit.backbone.load import load_backbone
from adapterkit.errors import HubError
from adapterkit.hub import web
from adapterkit.hub.fetching import fetch_backbone
from tests.hub.hub import LocalHub
from tests.hub.makers import NAME, WEIGHTS, everything, refused, small_adapter, text
from tests.tiny import make_backbone

BACKBONE = {"config.json": b"{}", "model.safetensors": bytes(range(250)) * 20_000}


def test_a_backbone_is_compared_with_what_the_hub_lists(local: LocalHub, tmp_path: Path) -> None:
    local.plant("lab/base", {**BACKBONE, "evil.py": b"", "pytorch_model.bin": b""})
    local.fault("/cdn/", {"flip": 7}, times=1)
    with refused(local, tmp_path, "model.safetensors: its bytes are not the ones") as hits:
        fetch_backbone("lab/base")
    assert hits()
    assert everything(fetch_backbone("lab/base")) == BACKBONE


def test_a_long_file_goes_on_where_the_line_broke(
    local: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "WORTHWHILE", 10_000)
    commit = local.plant("lab/base", BACKBONE)
    for number in range(5):  # more often than there are tries
        local.fault("/cdn/", {"cut": 800_000}, after=number, times=1)
    assert everything(fetch_backbone("lab/base", revision=commit)) == BACKBONE
    starts = [entry["range"] for entry in local.log() if "/cdn/" in entry["path"]]
    assert starts == ["", *(f"bytes={n * 800_000}-" for n in range(1, 6))]


def test_a_hub_that_does_not_go_on_is_read_from_the_start(local: LocalHub) -> None:
    local.plant("lab/base", BACKBONE)
    local.fault("/cdn/", {"cut": 800_000}, times=1)
    local.fault("/cdn/", {"body": text(BACKBONE["model.safetensors"]), "status_to": 200}, after=1)
    assert everything(fetch_backbone("lab/base")) == BACKBONE


def share(home: Path, commit: str, files: Mapping[str, bytes]) -> Path:
    """Put files into huggingface_hub's cache as its main branch."""
    cache = home / "hub/models--lab--base"
    folder = cache / "snapshots" / commit
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (cache / "refs").mkdir(exist_ok=True)
    (cache / "refs/main").write_text(commit)
    return folder


def test_a_backbone_in_huggingface_hubs_cache_is_taken_from_there_if_it_is_the_listed_one(
    local: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {**BACKBONE, "tokenizer.json": b"{}"}
    commit = local.plant("lab/base", files)
    theirs = share(tmp_path / "home", commit, files)
    assert fetch_backbone("lab/base") == theirs
    assert len(local.log()) == 1
    with monkeypatch.context() as offline:
        offline.setattr(constants, "HF_HUB_OFFLINE", True)
        assert fetch_backbone("lab/base", unchecked=True) == theirs
        assert fetch_backbone("lab/base", revision=commit) == theirs
        with pytest.raises(HubError, match="lab/none: is not in the cache"):
            fetch_backbone("lab/none", unchecked=True)
    (theirs / "config.json").write_text("[]")
    ours = fetch_backbone("lab/base")
    assert ours != theirs
    assert everything(ours) == files


def test_offline_our_own_copy_comes_before_the_one_of_other_programs(
    local: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {**BACKBONE, "tokenizer.json": b"{}"}
    commit = local.plant("lab/base", files)
    ours = fetch_backbone("lab/base")
    share(tmp_path / "home", "0" * 40, {**files, "config.json": b"[]"})
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert fetch_backbone("lab/base", unchecked=True) == ours
    assert ours.name == commit
    (ours / "config.json").write_text("[]")
    with pytest.raises(HubError, match="was altered"):
        fetch_backbone("lab/base", unchecked=True)


INDEX = b'{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}'
PARTS = {"model.safetensors.index.json": INDEX, "model-1.safetensors": b"", "model-2.safetensors": b""}  # fmt: skip


@pytest.mark.parametrize(
    ("files", "whole"),
    [
        ({**BACKBONE, "vocab.txt": b""}, True),
        ({"config.json": b"{}", "vocab.txt": b"", **PARTS}, True),
        ({"config.json": b"{}", "vocab.txt": b"", "model-1.safetensors": b""}, False),
        ({"config.json": b"{}", "vocab.txt": b"", **dict(list(PARTS.items())[:2])}, False),
        ({"config.json": b"{}", "vocab.txt": b""}, False),
        ({"model.safetensors": b"", "vocab.txt": b""}, False),
        (BACKBONE, False),
    ],
)
def test_offline_what_other_programs_have_is_taken_only_if_it_is_whole(
    local: LocalHub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: Mapping[str, bytes],
    whole: bool,
) -> None:
    theirs = share(tmp_path / "home", "0" * 40, files)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    if whole:
        assert fetch_backbone("lab/base", unchecked=True) == theirs
    else:
        with pytest.raises(HubError, match="lab/base: is not in the cache"):
            fetch_backbone("lab/base", unchecked=True)
    with pytest.raises(HubError, match="lab/base: is not in the cache"):
        fetch_backbone("lab/base")  # what shall be pinned must be known to be that


def test_one_repository_can_hold_a_backbone_and_an_adapter(local: LocalHub, tmp_path: Path) -> None:
    more = {"vocab.txt": b"a", "a.model": b"b"}
    commit = local.plant(NAME, {**small_adapter(), **BACKBONE, **more})
    ak.pull(NAME, tmp_path / "out")
    folder = fetch_backbone(NAME, revision=commit)
    assert {path.name for path in folder.iterdir()} == {*BACKBONE, *more, WEIGHTS}


def test_a_backbone_is_there_offline_and_that_is_said(
    local: LocalHub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    local.plant("lab/base", BACKBONE)
    folder = fetch_backbone("lab/base")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert fetch_backbone("lab/base") == folder
    assert "taken from the cache" in caplog.text


def test_a_backbone_in_several_files_loads_from_the_hub(local: LocalHub, tmp_path: Path) -> None:
    from transformers import AutoModelForMaskedLM

    whole = make_backbone(tmp_path / "whole", "xlm-roberta")
    parts = make_backbone(tmp_path / "parts", "xlm-roberta")
    (parts / "model.safetensors").unlink()
    AutoModelForMaskedLM.from_pretrained(whole).save_pretrained(parts, max_shard_size="20KB")
    assert len(list(parts.glob("*.safetensors"))) > 1
    local.plant("lab/parts", parts)
    loaded = load_backbone("hub:lab/parts", dtype="float32")
    assert loaded.facts.digest == load_backbone(whole, dtype="float32").facts.digest


@pytest.mark.parametrize("name", ["lab/base.git", "lab/base.", "lab/base-"])
def test_offline_a_name_that_other_programs_refuse_is_only_not_there(
    local: LocalHub, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match=f"{name}: is not in the cache"):
        fetch_backbone(name, unchecked=True)
