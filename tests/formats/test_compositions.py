"""Composition folders: broken ones are refused by the culprit's name, saving is one step, inspecting as strict as loading."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.composition.average import Average
from adapterkit.composition.base import Composition
from adapterkit.composition.fuse import Fuse
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig, HeadConfig
from adapterkit.errors import ConfigError, FolderError
from adapterkit.formats.adapterhub import load_adapter, save_adapter
from adapterkit.formats.compositions import load_composition, save_composition
from adapterkit.formats.inspection import inspect
from adapterkit.methods import low_rank
from adapterkit.model import AdaptedModel
from adapterkit.tensorfile import read_tensors
from tests.formats.broken_compositions import BROKEN, SETUP, VALUES, root, single
from tests.formats.folders import copy_of, edit_json

CASES = {**BROKEN, **VALUES}
IDS = torch.tensor([[0, 11, 12, 4, 30, 2]])


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder)


def make(
    backbone: Backbone, name: str, *, labels: tuple[str, ...] = (), lora: bool = False
) -> Adapter:
    config = low_rank(backbone, rank=2) if lora else BottleneckConfig(4, invertible=name == "one")
    head = HeadConfig("tagging", labels) if labels else None
    seed = sum(map(ord, name))
    return new_adapter(name, config, backbone=backbone.facts, kind="language", head=head, seed=seed)


@pytest.fixture(scope="module")
def whole(backbone: Backbone) -> Composition:
    one, two = make(backbone, "one"), make(backbone, "two")
    top, lora = make(backbone, "top", labels=("A", "B")), make(backbone, "lora", lora=True)
    lora.head = top.head
    return Stack(Fuse(one, two, seed=3), Average(top, lora, weights=(0.25, 0.75)))


@pytest.fixture(scope="module")
def good(whole: Composition, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_composition(whole, tmp_path_factory.mktemp("good") / "setup")


@pytest.fixture(scope="module")
def live(backbone: Backbone, good: Path) -> tuple[AdaptedModel, torch.Tensor]:
    model = AdaptedModel(backbone, load_composition(good))
    return model, model.logits(IDS)


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.long
@pytest.mark.parametrize("name", CASES)
def test_a_broken_composition_is_refused_by_name_and_changes_nothing(
    name: str, good: Path, live: tuple[AdaptedModel, torch.Tensor], tmp_path: Path
) -> None:
    edit, culprit = CASES[name]
    folder = copy_of(good, tmp_path / "setup")
    edit(folder)
    with pytest.raises(FolderError, match=re.escape(culprit)) as caught:
        load_composition(folder)
    assert str(caught.value).count("\n") <= 15
    model, before = live
    assert torch.equal(model.logits(IDS), before)
    if name in VALUES:  # values are looked at when loading only
        assert inspect(folder)["kind"] == "composition"
        return
    with pytest.raises(FolderError, match=re.escape(culprit)):
        inspect(folder)


def test_a_composition_is_written_and_read_again_byte_for_byte(
    whole: Composition, good: Path, backbone: Backbone, tmp_path: Path
) -> None:
    loaded = load_composition(good)
    assert loaded == whole
    assert json.loads((good / SETUP).read_text())["head_setup"] == "lora"
    assert contents(save_composition(loaded, tmp_path / "again")) == contents(good)
    expected = AdaptedModel(backbone, whole).logits(IDS)
    assert torch.equal(AdaptedModel(backbone, loaded).logits(IDS), expected)


@pytest.mark.parametrize("value", [None, False, "top", ["lora"]])
def test_a_head_setup_that_names_the_head_in_use_is_read(
    value: object, good: Path, whole: Composition, tmp_path: Path
) -> None:
    folder = copy_of(good, tmp_path / "setup")
    edit_json(SETUP, lambda record: record.update(head_setup=value))(folder)
    assert load_composition(folder) == whole
    assert inspect(folder)["kind"] == "composition"


def test_a_head_setup_without_a_head_is_refused(good: Path, tmp_path: Path) -> None:
    folder = copy_of(good, tmp_path / "setup")
    root(single("one"))(folder)
    assert load_composition(edited(folder, head_setup=None)).head is None
    for look in (load_composition, inspect):
        with pytest.raises(FolderError, match="head_setup = 'one'"):
            look(edited(folder, head_setup="one"))


def edited(folder: Path, **values: object) -> Path:
    edit_json(SETUP, lambda record: record.update(values))(folder)
    return folder


def test_in_a_composition_an_adapter_goes_by_its_sub_folders_name(
    good: Path, tmp_path: Path
) -> None:
    folder = copy_of(good, tmp_path / "setup")
    shutil.move(folder / "top", folder / "renamed")
    edited(folder, adapter_setup=single("renamed"), head_setup="renamed")
    (adapter,) = load_composition(folder).adapters
    assert adapter.name == "renamed"


def test_inspecting_shows_what_the_setup_names_and_nothing_else(good: Path, tmp_path: Path) -> None:
    folder = copy_of(good, tmp_path / "setup")
    (folder / "x").symlink_to(".")
    (folder / "stray").mkdir()
    (folder / "stray" / "adapter_config.json").write_text("no JSON")
    told = inspect(folder)
    assert set(told["adapters"]) == {"one", "two", "top", "lora"}
    assert told["adapters"]["top"]["digest"] == load_adapter(folder / "top").digest()
    assert set(told["fusions"]) == {"one,two"}
    layers = read_tensors(folder / "one,two" / "model_adapter_fusion.safetensors")
    parameters = sum(tensor.numel() for tensor in layers.values())
    assert told["fusions"]["one,two"]["parameters"] == parameters
    assert told["head"] == "lora"


def test_inspecting_a_composition_follows_no_link_out_of_it_and_needs_no_torch(
    good: Path, tmp_path: Path
) -> None:
    folder = copy_of(good, tmp_path / "setup")
    (folder / "y").symlink_to(tmp_path)
    with pytest.raises(FolderError, match="y: a link out of the folder"):
        inspect(folder)
    (folder / "y").unlink()
    code = (
        "import sys\nfrom pathlib import Path\nfrom adapterkit.formats.inspection import inspect\n"
        f"assert len(inspect(Path({str(folder)!r}))['adapters']) == 4\n"
        "assert not {'torch', 'transformers', 'numpy', 'safetensors'} & set(sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_is_no_adapter_says_how_to_load_it(good: Path) -> None:
    with pytest.raises(FolderError, match=r"is a composition folder.*ak\.load_composition"):
        load_adapter(good)


def test_a_stack_on_the_command_line_says_what_a_composition_folder_is(
    good: Path, capsys: pytest.CaptureFixture[str], tiny_folder: Path, monkeypatch: Any
) -> None:
    from adapterkit.cli.app import main

    arguments = ["predict", "--backbone", str(tiny_folder), "--stack", str(good), "a"]
    monkeypatch.setattr(sys, "argv", ["adapterkit", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    out = capsys.readouterr()
    assert stop.value.code == 1
    assert not out.out
    assert "composition folder" in out.err
    assert "ak.load_composition" in out.err


def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("adapterkit.formats.compositions._save_fusion", fail)


@pytest.mark.parametrize("existing", [True, False])
def test_saving_a_composition_leaves_nothing_half_made(
    existing: bool, good: Path, whole: Composition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = copy_of(good, tmp_path / "setup") if existing else tmp_path / "setup"
    before = contents(tmp_path)
    failing(monkeypatch)
    with pytest.raises(OSError, match="disk full"):
        save_composition(whole, out)
    assert contents(tmp_path) == before


def test_what_cannot_be_a_folder_is_refused_before_anything_is_written(
    backbone: Backbone, tmp_path: Path
) -> None:
    one, two, evil = (make(backbone, name) for name in ("one", "two", "evil"))
    evil.name = "../evil"
    long = [make(backbone, name * 150) for name in "ab"]
    comma = make(backbone, "one,two")
    twin = make(backbone, "two")
    twin.name = "one"
    cases: list[tuple[Any, str]] = [
        (Stack(one, evil), r"'\.\./evil'"),
        (Fuse(one, evil), r"'\.\./evil'"),
        (Fuse(*long), "cannot be the name of a sub-folder"),
        (Stack(Fuse(one, two), comma), "both named 'one,two'"),
        (Stack(one, twin), "both named 'one'"),
        (Stack(Fuse(one, two), Fuse(one, two, seed=1)), "both named 'one,two'"),
        (Stack(), "empty Stack"),
    ]
    for composition, says in cases:
        with pytest.raises(ConfigError, match=says):
            save_composition(composition, tmp_path / "new" / "setup")
        assert not list(tmp_path.iterdir())


SAVED = ("bottleneck", "headed", "lora", "ia3", "composition")


def save(backbone: Backbone, kind: str, out: Path) -> Any:
    if kind == "composition":
        whole = Fuse(make(backbone, "one"), make(backbone, "two"))
        save_composition(whole, out)
        return whole.content()
    made = make(backbone, "top", labels=("A", "B") if kind == "headed" else (), lora=kind == "lora")
    if kind == "ia3":
        made = new_adapter("top", low_rank(backbone, "ia3"), backbone=backbone.facts, kind="task")
    save_adapter(made, out)
    return made.content()


@pytest.mark.long
@pytest.mark.parametrize("second", SAVED)
@pytest.mark.parametrize("first", SAVED)
def test_saving_over_a_folder_of_another_kind_leaves_one_that_loads(
    first: str, second: str, backbone: Backbone, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    save(backbone, first, out)
    (out / "README.md").write_text("mine")
    expected = save(backbone, second, out)
    loaded = load_composition(out) if second == "composition" else load_adapter(out)
    assert loaded.content() == expected
    assert inspect(out)["kind"] in ("composition", "language", "task")
    assert (out / "README.md").read_text() == "mine"
