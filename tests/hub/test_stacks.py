"""Stacks of parts on the Hub: what is pinned is the Hub's, and what is published everybody can get as pinned."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import new_adapter
from adapterkit.config import BottleneckConfig, HeadConfig
from adapterkit.errors import ConfigError, HubError
from adapterkit.formats.adapterhub import save_adapter
from adapterkit.formats.pins import STACK_FILE, read_pins
from adapterkit.formats.places import PUBLISHED
from adapterkit.publishing.push import Publication, push
from adapterkit.stacks import load_stack, save_stack
from tests.hub.hub import LocalHub
from tests.tiny import make_backbone

PARTS = ["hub:alice/cym", "hub:alice/pos"]  # a folder alice is here


@pytest.fixture
def stocked(
    local: LocalHub, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> LocalHub:
    """With a backbone and two adapters for it; in a folder that has another backbone by its name."""
    facts = load_backbone(tiny_folder, dtype="float32").facts
    head = HeadConfig("tagging", ("A", "B"))
    usual: dict[str, Any] = {"backbone": facts, "language": "cym"}
    cym = new_adapter("cym", BottleneckConfig(4), kind="language", seed=3, **usual)
    pos = new_adapter("pos", BottleneckConfig(4), kind="task", head=head, seed=4, **usual)
    for adapter in (cym, pos):
        folder = save_adapter(adapter, tmp_path / "parts" / adapter.name)
        local.plant(f"alice/{adapter.name}", folder, lfs=("adapter.safetensors",))
    local.plant("alice/tiny", tiny_folder, lfs=("model.safetensors",))
    make_backbone(tmp_path / "work" / "alice" / "tiny", "xlm-roberta", seed=9)
    monkeypatch.chdir(tmp_path / "work")
    return local


def stacked(place: Path) -> Path:
    return save_stack(PARTS, place, backbone="hub:alice/tiny")


def publish(place: Path, *, private: bool = False) -> Publication:
    return push(place, "alice/stack", license="cc-by-4.0", dry_run=True, private=private)


@pytest.mark.long
@pytest.mark.usefixtures("stocked")
def test_a_folder_with_the_backbones_name_stands_in_for_it_nowhere(
    tiny_folder: Path, tmp_path: Path
) -> None:
    place = stacked(tmp_path / "stack")
    digest = load_backbone(tiny_folder).facts.digest
    assert read_pins(place).backbone_digest == digest
    assert load_stack(place).backbone.facts.digest == digest
    shutil.rmtree("alice")
    assert load_stack(place).backbone.facts.digest == digest


@pytest.mark.long
@pytest.mark.usefixtures("stocked")
@pytest.mark.parametrize("name", ["adapter_config.json", "adapter.safetensors"])
def test_a_stack_that_pins_another_checksum_than_the_hubs_is_not_published(
    tmp_path: Path, name: str
) -> None:
    place = stacked(tmp_path / "stack")
    publish(place)
    record = json.loads((place / STACK_FILE).read_text())
    record["parts"][0]["files"][name] = "0" * 64
    (place / STACK_FILE).write_text(json.dumps(record))
    with pytest.raises(HubError, match=f"alice/cym at .*: holds {name}, but not as pinned"):
        publish(place)


@pytest.mark.long
@pytest.mark.parametrize("name", ["alice/cym", "alice/tiny"])
def test_a_stack_of_gated_parts_is_not_for_everybody(
    stocked: LocalHub, tmp_path: Path, name: str
) -> None:
    place = stacked(tmp_path / "stack")
    stocked.change(name, {"gated": True})
    with pytest.raises(HubError, match=f"{name} at .*private or gated"):
        publish(place)
    assert publish(place, private=True)


@pytest.mark.long
def test_a_folder_that_names_the_place_of_another_adapter_is_not_pinned(
    stocked: LocalHub, tiny_folder: Path, tmp_path: Path
) -> None:
    """As a folder from a stranger might, so that a stack brings what nobody looked at."""
    facts = load_backbone(tiny_folder, dtype="float32").facts
    mine = new_adapter("cym", BottleneckConfig(4), kind="language", seed=8, backbone=facts)
    folder = save_adapter(mine, tmp_path / "mine")
    record = {"repository": "alice/cym", "commit": stocked.show("alice/cym")["branches"]["main"]}
    (folder / PUBLISHED).write_text(json.dumps({**record, "digest": mine.digest()}))
    with pytest.raises(ConfigError, match=r"published\.json names alice/cym, .* another adapter"):
        save_stack([folder, "hub:alice/pos"], tmp_path / "stack", backbone="hub:alice/tiny")
    (folder / PUBLISHED).unlink()
    shutil.copytree(tmp_path / "parts" / "cym", folder, dirs_exist_ok=True)
    digest = json.loads((folder / "adapterkit.json").read_text())["digest"]
    (folder / PUBLISHED).write_text(json.dumps({**record, "digest": digest}))
    stack = save_stack([folder, PARTS[1]], tmp_path / "stack", backbone="hub:alice/tiny")
    assert read_pins(stack).parts[0].digest == digest
