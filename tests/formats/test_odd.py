"""Odd but valid folders: what other libraries, versions and people write loads, and computes the same."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import new_adapter
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig
from adapterkit.formats.adapterhub import load_adapter, save_adapter
from adapterkit.formats.inspection import inspect
from adapterkit.model import AdaptedModel
from adapterkit.tensorfile import read_tensors, write_tensors
from tests.formats.folders import (
    HEAD,
    UP,
    WEIGHTS,
    Edit,
    bare,
    config,
    copy_of,
    edit_json,
    envelope,
    head,
    in_turn,
    make_folder,
    pickled,
    renamed,
    tensors,
)

IDS = torch.tensor([[0, 11, 12, 4, 30, 2]])


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder)


@pytest.fixture(scope="module")
def plain(backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plain folder; its weights are exact in half precision, so that storing them so loses nothing."""
    folder = make_folder(backbone, tmp_path_factory.mktemp("plain") / "pos")
    for name in (WEIGHTS, HEAD):
        rounded = {k: t.bfloat16().float() for k, t in read_tensors(folder / name).items()}
        write_tensors(folder / name, {k: t.half().float() for k, t in rounded.items()})
    bare(folder)
    save_adapter(load_adapter(folder), folder)
    return folder


def logits(backbone: Backbone, folder: Path) -> torch.Tensor:
    with torch.no_grad():
        out: torch.Tensor = AdaptedModel(backbone, Stack(load_adapter(folder))).logits(IDS)
    return out


def stored_as(dtype: torch.dtype, name: str = WEIGHTS) -> Edit:
    return tensors(lambda t: t.update({key: value.to(dtype) for key, value in t.items()}), name)


def old_names(key: str) -> str:
    key = key.replace("output.adapters.", "output.layer_text_task_adapters.")
    return key.replace("invertible_adapters.", "invertible_lang_adapters.")


def language_names(key: str) -> str:
    return key.replace("output.adapters.", "output.layer_text_lang_adapters.")


def named(name: str) -> Edit:
    def rename_head(found: dict[str, torch.Tensor]) -> None:
        for key in list(found):
            found[key.replace(".pos.", f".{name}.")] = found.pop(key)

    return in_turn(
        renamed(lambda key: key.replace(".pos.", f".{name}.")),
        tensors(rename_head, HEAD),
        envelope(name=name),
        edit_json("head_config.json", lambda record: record.update(name=name)),
    )


def version_1(record: dict[str, Any]) -> None:
    del record["version"]
    inside = record["config"]
    del inside["inv_adapter"], inside["inv_adapter_reduction_factor"]
    inside["invertible_adapter"] = {
        "block_type": "nice",
        "non_linearity": "relu",
        "reduction_factor": 2,
    }


def only_the_needed(record: dict[str, Any]) -> None:
    needed = ("reduction_factor", "non_linearity", "leave_out", "inv_adapter", "original_ln_before")
    record["config"] = {key: record["config"][key] for key in needed}
    for key in ("model_class", "model_name"):
        del record[key]


def reversed_keys(record: dict[str, Any]) -> None:
    for part in (record, record["config"]):
        items = list(part.items())[::-1]
        part.clear()
        part.update(items)


def beside(folder: Path) -> None:
    (folder / "README.md").write_text("---\nlanguage: no\n---\n{{ 7 * 7 }} !!python/object\n")
    (folder / "adapter_fusion_config.json").write_text("not JSON")
    (folder / "training").mkdir()
    (folder / "pytorch_model.bin").write_bytes(b"")


def link_inside(folder: Path) -> None:
    (folder / "blobs").mkdir()
    shutil.move(folder / WEIGHTS, folder / "blobs" / "abc")
    (folder / WEIGHTS).symlink_to("blobs/abc")


def read_only(folder: Path) -> None:
    for path in (*folder.iterdir(), folder):
        path.chmod(0o555)


def indented(folder: Path) -> None:
    path = folder / "adapter_config.json"
    path.write_text("\n\t" + json.dumps(json.loads(path.read_text()), indent=7))
    bare(folder)


def null(*names: str) -> Edit:
    return config(**dict.fromkeys(names))


ODD: dict[str, Edit] = {
    "no adapterkit.json": bare,
    "no prefix": renamed(lambda key: key.removeprefix("roberta.")),
    "names of adapter-transformers 1, task": renamed(old_names),
    "names of adapter-transformers 1, language": renamed(language_names),
    "no version, nested coupling": edit_json("adapter_config.json", version_1),
    "bare version": envelope(version="3.2.1"),
    "only what is needed": edit_json("adapter_config.json", only_the_needed),
    "keys in another order": edit_json("adapter_config.json", reversed_keys),
    "metadata in the weights": tensors(lambda t: None, format="pt", note="x"),
    "bfloat16": stored_as(torch.bfloat16),
    "float16": stored_as(torch.float16),
    "float64": stored_as(torch.float64),
    "head in float16": stored_as(torch.float16, HEAD),
    "whole numbers as floats": in_turn(
        config(reduction_factor=4.0, leave_out=[2.0], inv_adapter_reduction_factor=2.0),
        envelope(hidden_size=32.0),
        head(num_labels=3.0, layers=1.0, label2id={"ADJ": 0.0, "NOUN": 1.0, "VERB": 2.0}),
    ),
    "switches as numbers": config(residual_before_ln=1, mh_adapter=0, output_adapter=1.0),
    "reduction factor by layer": config(reduction_factor={"1": 4, "default": 4.0}),
    "leave_out twice and beyond order": config(leave_out=[2, 2]),
    "nulls": null("dropout", "stochastic_depth", "init_weights", "use_gating", "ln_before"),
    "empty unknown keys": config(new_key=None, other=False, third=[], fourth=""),
    "extra entries in the envelope": envelope(type="text_task", task="pos", metrics={"f1": [0.5]}),
    "activation in capitals": config(non_linearity="ReLU"),
    "unicode name": named("quechua-ñ_чӑваш 1"),
    "files beside": in_turn(bare, beside),
    "link inside the folder": link_inside,
    "read-only": read_only,
    "pickles only": pickled,
    "indented": indented,
}


@pytest.mark.long
@pytest.mark.parametrize("name", ODD)
def test_an_odd_folder_computes_what_the_plain_one_does(
    name: str, backbone: Backbone, plain: Path, tmp_path: Path
) -> None:
    folder = copy_of(plain, tmp_path / "pos")
    ODD[name](folder)
    assert torch.equal(logits(backbone, folder), logits(backbone, plain))
    told = inspect(folder)
    assert told["labels"] == ["ADJ", "NOUN", "VERB"]
    if name != "pickles only":
        assert told["digest"] == load_adapter(folder).digest() == inspect(plain)["digest"]


def test_leave_out_null_means_every_layer(backbone: Backbone, tmp_path: Path) -> None:
    made = new_adapter("a", BottleneckConfig(4), backbone=backbone.facts, kind="language")
    folder = save_adapter(made, tmp_path / "a")
    config(leave_out=None)(folder)
    assert load_adapter(folder).digest() == made.digest()


def test_without_a_version_gelu_is_its_tanh_approximation(
    backbone: Backbone, plain: Path, tmp_path: Path
) -> None:
    new, old = copy_of(plain, tmp_path / "new"), copy_of(plain, tmp_path / "old")
    config(non_linearity="gelu_new")(new)
    config(non_linearity="gelu")(old)
    edit_json("adapter_config.json", lambda record: record.pop("version"))(old)
    assert torch.equal(logits(backbone, new), logits(backbone, old))
    assert not torch.equal(logits(backbone, new), logits(backbone, plain))


def test_an_old_task_adapter_loses_the_coupling_it_never_had(
    backbone: Backbone, plain: Path, tmp_path: Path
) -> None:
    folder = copy_of(plain, tmp_path / "pos")
    tensors(lambda t: [t.pop(key) for key in list(t) if "invertible" in key])(folder)
    envelope(type="text_task")(folder)
    old = load_adapter(folder)
    assert old.invertible is None
    assert isinstance(old.config, BottleneckConfig)
    assert not old.config.invertible
    without = copy_of(folder, tmp_path / "without")
    config(inv_adapter=None, inv_adapter_reduction_factor=None)(without)
    assert torch.equal(logits(backbone, folder), logits(backbone, without))
    again = load_adapter(save_adapter(old, tmp_path / "again"))
    assert again.provenance == {"envelope": {"type": "text_task"}}


def test_what_the_envelope_says_besides_is_kept_and_shown(plain: Path, tmp_path: Path) -> None:
    folder = copy_of(plain, tmp_path / "pos")
    envelope(task="pos", notes={"by": "[bold]someone[/x]\x1b[2J"})(folder)
    adapter = load_adapter(folder)
    assert adapter.provenance["envelope"]["task"] == "pos"
    assert inspect(folder)["provenance"]["envelope"] == adapter.provenance["envelope"]


def test_the_second_copies_of_a_norm_must_agree(backbone: Backbone, tmp_path: Path) -> None:
    from adapterkit.errors import FolderError

    made = new_adapter(
        "n", BottleneckConfig(4, ln_before=True), backbone=backbone.facts, kind="language"
    )
    folder = save_adapter(made, tmp_path / "n")
    norm = UP.replace("pos.adapter_up", "n.adapter_norm_before")
    first = copy_of(folder, tmp_path / "first")
    tensors(lambda t: t.pop(norm))(first)
    assert load_adapter(first).digest() == load_adapter(folder).digest() == made.digest()
    assert inspect(folder)["digest"] == made.digest()
    assert inspect(folder)["parameters"] == made.parameter_count()
    tensors(lambda t: t.update({norm: t[norm] + 1}))(folder)
    with pytest.raises(FolderError, match="another copy of the same tensor has other values"):
        load_adapter(folder)


def test_a_snapshot_in_the_hubs_cache_may_link_to_its_blobs(
    backbone: Backbone, plain: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "models--me--pos"
    snapshot = cache / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (cache / "blobs").mkdir()
    for path in plain.iterdir():
        shutil.copy(path, cache / "blobs" / path.name[::-1])
        (snapshot / path.name).symlink_to(Path("../../blobs") / path.name[::-1])
    assert torch.equal(logits(backbone, snapshot), logits(backbone, plain))


def test_a_pickle_is_shown_by_name_size_and_digest(plain: Path, tmp_path: Path) -> None:
    folder = copy_of(plain, tmp_path / "pos")
    pickled(folder)
    (folder / "pytorch_adapter.bin").write_bytes(b"never opened")
    told = inspect(folder)
    assert told["digest"] is None
    assert told["parameters"] is None
    assert told["files"]["pytorch_adapter.bin"]["bytes"] == 12
    assert len(told["files"]["pytorch_adapter.bin"]["sha256"]) == 64


@pytest.mark.long
def test_inspecting_imports_no_torch_and_shows_what_strangers_wrote_as_it_is(
    plain: Path, tmp_path: Path
) -> None:
    folder = copy_of(plain, tmp_path / "pos")
    envelope(note="[bold]some[/x]\x1b[2J")(folder)
    code = (
        "import sys\n"
        "sys.argv = ['adapterkit', 'inspect', sys.argv[1]]\n"
        "from adapterkit.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        "heavy = {'torch', 'transformers', 'numpy', 'safetensors'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert done.returncode == 0, done.stderr
    assert f"sha256 {str(inspect(plain)['digest'])[:12]} " in done.stdout
    assert "[bold]some[/x]\\x1b[2J" in done.stdout
