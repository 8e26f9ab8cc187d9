"""The lockfile: written the same way each time, and exact."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from typer.testing import CliRunner

import adapterkit as ak
from adapterkit.cli.app import app
from adapterkit.errors import ConfigError, FolderError, HubError
from adapterkit.formats.envelope import VERSION
from adapterkit.formats.setup import SINGLE
from adapterkit.hub.fetching import fetch_backbone
from adapterkit.pulling.lockfile import Pin, read_lock, write_lock
from tests.hub.hub import LocalHub
from tests.hub.makers import FACTS, NAME, WEIGHTS, everything, old_adapter, small_adapter


@pytest.fixture
def project(local: LocalHub, tmp_path: Path) -> Path:
    """A locked project with two adapters of one name, and a backbone."""
    local.plant(NAME, small_adapter())
    local.plant("lab/cym", small_adapter(seed=2))
    local.plant("lab/base", {"config.json": b"{}", "model.safetensors": bytes(100), "x.py": b""})
    path = tmp_path / "adapterkit.lock"
    ak.lock([NAME, "lab/cym"], backbones=["lab/base"], path=path)
    return path


def test_a_lock_says_what_it_pins(project: Path, local: LocalHub) -> None:
    told = tomllib.loads(project.read_text())
    first = next(pin for pin in told["adapter"] if pin["repository"] == NAME)
    assert first["commit"] == local.show(NAME)["branches"]["main"]
    assert first["backbone"] == FACTS.name
    assert first["backbone_digest"] == FACTS.digest
    assert first["license"] == "cc-by-4.0"
    assert set(first["files"]) == set(small_adapter())
    assert {pin["name"] for pin in told["adapter"]} == {"cym", "lab--cym"}
    base = told["backbone"][0]
    assert base["commit"] == local.show("lab/base")["branches"]["main"]
    assert set(base["files"]) == {"config.json", "model.safetensors"}


def test_locking_again_changes_nothing(project: Path) -> None:
    before = project.read_bytes()
    ak.lock(path=project)
    ak.lock([NAME], path=project)
    assert project.read_bytes() == before


@pytest.mark.long
def test_a_second_machine_gets_the_same_bytes_and_verifies_them(
    project: Path, local: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.plant(NAME, small_adapter(seed=3))
    monkeypatch.setattr(constants, "HF_HOME", str(tmp_path / "second"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "second/hub"))
    out = tmp_path / "adapters"
    with pytest.raises(FolderError, match="adapterkit sync brings it"):
        ak.verify(project, out=out)
    assert ak.sync(project, out=out) == {"brought": ["cym", "lab--cym", "base"], "there": []}
    assert (out / "cym" / WEIGHTS).read_bytes() == small_adapter()[WEIGHTS]
    local.empty_log()
    assert ak.verify(project, out=out) == ["cym", "lab--cym", "base"]
    assert local.log() == []
    assert ak.sync(project, out=out) == {"brought": [], "there": ["cym", "lab--cym", "base"]}


@pytest.mark.long
@pytest.mark.parametrize("what", ["altered", "missing", "added", "backbone"])
def test_what_is_otherwise_is_named(
    project: Path, tmp_path: Path, local: LocalHub, what: str
) -> None:
    out = tmp_path / "adapters"
    ak.sync(project, out=out)
    place = out / "cym"
    if what == "altered":
        (place / WEIGHTS).write_bytes(b"x")
    elif what == "missing":
        (place / WEIGHTS).unlink()
    elif what == "added":
        (place / "head_config.json").write_text("{}")
    else:
        (fetch_backbone("lab/base") / "config.json").write_text("[]")
    before = everything(out)
    with pytest.raises(FolderError, match="not as locked"):
        ak.verify(project, out=out)
    with pytest.raises((FolderError, HubError), match=r"not as locked|altered since"):
        ak.sync(project, out=out)
    assert everything(out) == before


def test_an_old_adapter_is_verified_by_its_weights(local: LocalHub, tmp_path: Path) -> None:
    local.plant(NAME, old_adapter())
    path, out = tmp_path / "adapterkit.lock", tmp_path / "adapters"
    ak.lock([NAME], path=path)
    ak.sync(path, out=out)
    assert ak.verify(path, out=out) == ["cym"]
    for name, data in small_adapter(seed=2).items():
        (out / "cym" / name).write_bytes(data)
    with pytest.raises(FolderError, match="other weights than those locked"):
        ak.verify(path, out=out)


@pytest.mark.long
@pytest.mark.parametrize("name", ["adapter_config.json", "README.md", "sub/x.bin", "more.json"])
def test_any_file_of_an_old_adapter_that_is_otherwise_is_noticed(
    local: LocalHub, tmp_path: Path, name: str
) -> None:
    local.plant(NAME, {**old_adapter(), "sub/pytorch_adapter.bin": b"x", "sub/x.json": b"{}"})
    path, out = tmp_path / "adapterkit.lock", tmp_path / "adapters"
    ak.lock([NAME], path=path)
    ak.sync(path, out=out)
    assert ak.verify(path, out=out) == ["cym"]
    file = out / "cym" / name
    file.write_bytes((file.read_bytes() if file.exists() else b"{}") + b"\n")
    with pytest.raises(FolderError, match=name):
        ak.verify(path, out=out)


def test_a_sub_folders_pickle_is_no_reason_to_convert_or_to_look_at_weights_only(
    local: LocalHub, tmp_path: Path
) -> None:
    local.plant(NAME, {**small_adapter(), "sub/pytorch_adapter.bin": b"x"})
    path, out = tmp_path / "adapterkit.lock", tmp_path / "adapters"
    ak.lock([NAME], path=path)
    ak.sync(path, out=out)
    assert ak.pull(NAME, tmp_path / "other").converted == ()
    (out / "cym" / "head_config.json").write_text("{}")
    with pytest.raises(FolderError, match=r"head_config\.json: does not belong to it"):
        ak.verify(path, out=out)


def test_another_pulls_record_in_a_repository_is_left_out(local: LocalHub, tmp_path: Path) -> None:
    local.plant(NAME, {**small_adapter(), "pulled.json": b"{}"})
    path, out = tmp_path / "adapterkit.lock", tmp_path / "adapters"
    ak.lock([NAME], path=path)
    ak.sync(path, out=out)
    assert ak.verify(path, out=out) == ["cym"]
    assert ak.sync(path, out=out)["there"] == ["cym"]


def test_a_composition_of_old_parts_is_verified_by_its_files(
    local: LocalHub, tmp_path: Path
) -> None:
    parts = {f"cym/{name}": data for name, data in old_adapter().items()}
    tree = {"type": "Stack", "children": [{"type": SINGLE, "children": ["cym"]}]}
    setup = {"adapter_setup": tree, "head_setup": None, "version": VERSION}
    local.plant(NAME, {**parts, "adapter_setup.json": json.dumps(setup).encode()})
    path, out = tmp_path / "adapterkit.lock", tmp_path / "adapters"
    ak.lock([NAME], path=path)
    ak.sync(path, out=out)
    assert ak.verify(path, out=out) == ["cym"]
    (out / "cym/cym/pytorch_adapter.bin").write_bytes(b"x")
    with pytest.raises(FolderError, match="altered"):
        ak.verify(path, out=out)


def test_a_lock_is_bound_to_its_hub(
    project: Path, local: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", local.second_url)
    with pytest.raises(HubError, match="was locked at"):
        ak.sync(project, out=tmp_path / "adapters")


def test_a_backbone_without_a_hub_id_is_not_locked(local: LocalHub, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a Hub id"):
        ak.lock(backbones=["mini"], path=tmp_path / "adapterkit.lock")
    assert not (tmp_path / "adapterkit.lock").exists()


def test_a_revision_of_no_adapter_is_refused_not_ignored(local: LocalHub, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'v1' is that of adapters to lock, and none is named"):
        ak.lock(backbones=["lab/base"], revision="v1", path=tmp_path / "adapterkit.lock")


def test_nothing_to_lock_is_an_error(local: LocalHub, tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="there is no lockfile"):
        ak.lock(path=tmp_path / "adapterkit.lock")


def test_what_is_written_is_read_the_same(tmp_path: Path) -> None:
    facts: dict[str, Any] = {"size": 3, "sha256": "ab" * 32}
    files = {"caf\u00e9 \u4e2d.json": facts, "d/x.json": facts}
    odd = 'a "quote", a \\ and \x7f and \t and \U0001f600'
    pin = Pin("adapter", "cym", NAME, "https://x", "0" * 40, files, license=odd)
    path = tmp_path / "adapterkit.lock"
    write_lock(path, [pin])
    assert read_lock(path) == [pin]
    before = path.read_bytes()
    write_lock(path, read_lock(path))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("repositories", "names"),
    [
        (("alice/Mini-Cym", "lab/mini-cym"), ["Mini-Cym", "lab--mini-cym"]),
        (("alice/aux", "lab/con"), ["alice--aux", "lab--con"]),
    ],
)
def test_names_that_no_folders_can_have_are_locked_with_their_owners(
    local: LocalHub, tmp_path: Path, repositories: tuple[str, ...], names: list[str]
) -> None:
    path = tmp_path / "adapterkit.lock"
    for repository in repositories:
        local.plant(repository, small_adapter())
        ak.lock([repository], path=path)
    assert [pin.name for pin in read_lock(path)] == names
    assert ak.sync(path, out=tmp_path / "adapters")["brought"] == names
    assert ak.verify(path, out=tmp_path / "adapters") == names


def test_a_lock_that_could_not_be_read_is_not_written(tmp_path: Path) -> None:
    facts: dict[str, Any] = {"size": 3, "sha256": "ab" * 32}
    pin = Pin("adapter", "cym", NAME, "https://x", "0" * 40, {"a.json": facts})
    path = tmp_path / "adapterkit.lock"
    write_lock(path, [pin])
    before = path.read_bytes()
    with pytest.raises(FolderError, match="the same file as"):
        write_lock(path, [pin, replace(pin, name="Cym", repository="lab/Cym")])
    assert path.read_bytes() == before


def test_the_revision_of_a_url_stays_the_one_that_is_asked_for(
    local: LocalHub, tmp_path: Path
) -> None:
    path = tmp_path / "adapterkit.lock"
    first = local.plant(NAME, small_adapter())
    local.change(NAME, {"tags": {"v1": first}})
    local.plant(NAME, small_adapter(seed=2))
    (pin,) = ak.lock([f"https://huggingface.co/{NAME}/tree/v1"], path=path)
    assert (pin.revision, pin.commit) == ("v1", first)
    (pin,) = ak.lock(path=path, update=True)
    assert (pin.revision, pin.commit) == ("v1", first)


def test_an_old_adapterhub_id_is_locked_with_its_backbone(local: LocalHub, tmp_path: Path) -> None:
    path = tmp_path / "adapterkit.lock"
    name = "AdapterHub/base-sw-wiki_pfeiffer"
    local.plant(name, old_adapter())
    local.plant("lab/base", {"config.json": b"{}", "model.safetensors": bytes(100)})
    with pytest.raises(ConfigError, match="lock it together with"):
        ak.lock(["sw/wiki@ukp"], path=path)
    pins = ak.lock(["sw/wiki@ukp"], backbones=["lab/base"], path=path)
    assert [pin.repository for pin in pins] == [name, "lab/base"]


def test_a_repository_that_was_renamed_keeps_its_one_pin(local: LocalHub, tmp_path: Path) -> None:
    from huggingface_hub import HfApi

    path = tmp_path / "adapterkit.lock"
    local.plant(NAME, small_adapter())
    ak.lock([NAME], path=path)
    HfApi(endpoint=local.url).move_repo(NAME, "alice/welsh")
    (pin,) = ak.lock(["alice/welsh"], path=path)
    assert (pin.name, pin.repository) == ("cym", "alice/welsh")


def test_the_command_line_locks_syncs_and_verifies(local: LocalHub, tmp_path: Path) -> None:
    local.plant(NAME, small_adapter())
    lock, out = str(tmp_path / "adapterkit.lock"), str(tmp_path / "adapters")
    run = CliRunner()
    told = json.loads(run.invoke(app, ["lock", NAME, "--lock", lock, "--json"]).stdout)
    assert told[0]["repository"] == NAME
    done = run.invoke(app, ["sync", "--lock", lock, "--out", out, "--json"])
    assert json.loads(done.stdout) == {"brought": ["cym"], "there": []}
    done = run.invoke(app, ["verify", "--lock", lock, "--out", out, "--json"])
    assert json.loads(done.stdout) == {"verified": ["cym"]}
    assert NAME in run.invoke(app, ["lock", "--lock", lock]).stdout
