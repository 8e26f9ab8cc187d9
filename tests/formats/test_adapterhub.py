import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig, HeadConfig
from adapterkit.errors import AdapterMismatch, ConfigError, FolderError
from adapterkit.formats.adapterhub import load_adapter, save_adapter
from adapterkit.formats.hub_lora import write_hub_lora
from adapterkit.formats.inspection import inspect
from adapterkit.formats.own import read_own
from adapterkit.formats.places import starters
from adapterkit.methods import low_rank
from adapterkit.model import AdaptedModel
from adapterkit.publishing.record import check_measured
from adapterkit.tensorfile import digest_of_tensors, read_tensors, write_tensors
from tests.tiny import TYPES, make_backbone


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder)


def language(backbone: Backbone) -> Adapter:
    config = BottleneckConfig(2, invertible=True, leave_out=(2,))
    made = new_adapter(
        "cym", config, backbone=backbone.facts, kind="language", language="cym", seed=3
    )
    made.provenance = {"seed": 3}
    return made


def task(backbone: Backbone) -> Adapter:
    head = HeadConfig("tagging", ("ADJ", "NOUN", "VERB"))
    return new_adapter(
        "pos", BottleneckConfig(4), backbone=backbone.facts, kind="task", head=head, seed=4
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def folder(backbone: Backbone, tmp_path: Path) -> Path:
    return save_adapter(language(backbone), tmp_path / "cym")


def test_save_load_save_gives_the_same_bytes(backbone: Backbone, tmp_path: Path) -> None:
    for made in (language(backbone), task(backbone)):
        first = save_adapter(made, tmp_path / "first" / made.name)
        again = save_adapter(load_adapter(first), tmp_path / "again" / made.name)
        assert contents(first) == contents(again)


def named(backbone: Backbone, kind: str) -> Adapter:
    if kind == "bottleneck":
        return task(backbone)
    head = HeadConfig("tagging", ("ADJ", "NOUN"))
    method = "lora" if kind == "hub lora" else kind
    made = new_adapter(
        "pos", low_rank(backbone, method, rank=3), backbone=backbone.facts, kind="task", head=head
    )
    for parameter in made.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=torch.manual_seed(2))
    return made


@pytest.mark.long
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("kind", ["bottleneck", "lora", "ia3", "hub lora"])
def test_in_any_precision_a_folder_has_the_digest_of_what_is_loaded(
    backbone: Backbone, kind: str, dtype: torch.dtype, tmp_path: Path
) -> None:
    made, place = named(backbone, kind).to(dtype), tmp_path / "pos"
    write_hub_lora(made, place) if kind == "hub lora" else save_adapter(made, place)
    loaded = load_adapter(place)
    own = json.loads((place / "adapterkit.json").read_text())
    assert own["digest"] == inspect(place)["digest"] == loaded.digest() == made.digest()
    check_measured(place, Stack(loaded))
    # As folders were written once: with the digest of what is stored.
    own["digest"] = digest_of_tensors(made.tensors())
    assert own["digest"] != loaded.digest()
    (place / "adapterkit.json").write_text(json.dumps(own))
    assert load_adapter(place).digest() == inspect(place)["digest"] == loaded.digest()
    check_measured(place, Stack(loaded))
    own["digest"] = "0" * 64
    (place / "adapterkit.json").write_text(json.dumps(own))
    with pytest.raises(FolderError, match="digest"):
        load_adapter(place)


@pytest.mark.long
@pytest.mark.parametrize("model_type", TYPES)
def test_a_saved_stack_gives_the_same_logits_when_loaded(model_type: str, tmp_path: Path) -> None:
    backbone = load_backbone(make_backbone(tmp_path / "b", model_type))
    stack = Stack(language(backbone), task(backbone))
    loaded = Stack(*(load_adapter(save_adapter(a, tmp_path / a.name)) for a in stack))
    ids = torch.tensor([[0, 11, 12, 4, 30, 2]])
    assert torch.equal(
        AdaptedModel(backbone, stack).logits(ids), AdaptedModel(backbone, loaded).logits(ids)
    )
    assert loaded == stack
    assert loaded.adapters[1].labels == ("ADJ", "NOUN", "VERB")
    assert loaded.adapters[0].provenance == {"seed": 3}


def test_the_keys_are_adapterhubs(folder: Path) -> None:
    keys = set(read_tensors(folder / "adapter.safetensors"))
    assert "roberta.encoder.layer.0.output.adapters.cym.adapter_down.0.weight" in keys
    assert "roberta.invertible_adapters.cym.F.0.weight" in keys
    assert not any(".layer.2." in key for key in keys)
    config = json.loads((folder / "adapter_config.json").read_text())
    assert len(config["config"]) == 33


def test_an_adapter_saved_from_a_bare_base_model_loads(folder: Path) -> None:
    whole = load_adapter(folder).digest()
    tensors = read_tensors(folder / "adapter.safetensors")
    write_tensors(
        folder / "adapter.safetensors", {k.removeprefix("roberta."): t for k, t in tensors.items()}
    )
    (folder / "adapterkit.json").unlink()
    assert load_adapter(folder).digest() == whole


def test_an_old_pickle_is_read_only_where_there_is_no_safetensors_file(folder: Path) -> None:
    digest = load_adapter(folder).digest()
    tensors = read_tensors(folder / "adapter.safetensors")
    (folder / "adapterkit.json").unlink()
    torch.save(tensors, folder / "pytorch_adapter.bin")
    (folder / "adapter.safetensors").unlink()
    assert load_adapter(folder).digest() == digest
    (folder / "adapter.safetensors").write_bytes(b"broken")
    with pytest.raises(FolderError, match=r"adapter\.safetensors"):
        load_adapter(folder)


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.mkdir, ("evil-was-here",))


def test_a_hostile_pickle_is_refused_and_runs_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (folder / "adapterkit.json").unlink()
    (folder / "adapter.safetensors").unlink()
    torch.save({"x": Evil()}, folder / "pytorch_adapter.bin")
    with pytest.raises(FolderError, match="refused"):
        load_adapter(folder)
    assert not (tmp_path / "evil-was-here").exists()


def change(folder: Path, **values: object) -> None:
    record = json.loads((folder / "adapter_config.json").read_text())
    record["config"].update(values)
    (folder / "adapter_config.json").write_text(json.dumps(record))
    (folder / "adapterkit.json").unlink(missing_ok=True)


@pytest.mark.parametrize(
    "values",
    [
        {"inv_adapter": "glow"},
        {"phm_layer": True},
        {"cross_adapter": True},
        {"original_ln_after": False},
        {"output_adapter": False},
        {"residual_before_ln": "after"},
        {"dropout": 1.5},
        {"use_gating": "often"},
        {"architecture": "prefix_tuning"},
        {"brand_new_key": 3},
        {"reduction_factor": "many"},
        {"reduction_factor": 0},
        {"scaling": "grown"},
        {"non_linearity": "snake"},
        {"leave_out": ["first"]},
    ],
    ids=lambda v: next(iter(v)),
)
def test_what_would_be_computed_differently_is_refused_by_name(
    folder: Path, values: dict[str, object]
) -> None:
    change(folder, **values)
    with pytest.raises(FolderError, match=next(iter(values))):
        load_adapter(folder)


def test_unknown_keys_that_are_empty_are_let_pass(folder: Path) -> None:
    change(folder, brand_new_key=None, another=False, third=[])
    load_adapter(folder)


def test_a_switch_that_is_not_said_is_as_adapters_takes_it(folder: Path) -> None:
    record = json.loads((folder / "adapter_config.json").read_text())
    needed = ("reduction_factor", "non_linearity", "mh_adapter", "output_adapter", "inv_adapter")
    record["config"] = {key: record["config"][key] for key in needed}
    (folder / "adapter_config.json").write_text(json.dumps(record))
    (folder / "adapterkit.json").unlink(missing_ok=True)
    shape = load_adapter(folder).config
    assert isinstance(shape, BottleneckConfig)
    assert (shape.original_ln_before, shape.residual_before_ln) == (False, True)


def edit(folder: Path, **tensors: torch.Tensor | None) -> None:
    found = read_tensors(folder / "adapter.safetensors")
    for part, tensor in tensors.items():
        key = next(k for k in sorted(found) if part in k.replace(".", "_"))
        if tensor is None:
            del found[key]
        else:
            found[key] = tensor
    write_tensors(folder / "adapter.safetensors", found)
    (folder / "adapterkit.json").unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"adapter_up_weight": None}, "missing"),
        ({"adapter_up_weight": torch.zeros(3, 3)}, "shape"),
        ({"adapter_up_weight": torch.full((32, 16), torch.nan)}, "not finite"),
        ({"adapter_up_weight": torch.zeros(32, 16, dtype=torch.long)}, "dtype"),
    ],
    ids=["missing", "shape", "nan", "dtype"],
)
def test_wrong_weights_are_refused_with_every_difference(
    folder: Path, tensors: dict[str, torch.Tensor | None], message: str
) -> None:
    edit(folder, **tensors)
    with pytest.raises(FolderError, match=message):
        load_adapter(folder)


def test_a_tensor_that_is_not_the_adapters_is_refused(folder: Path) -> None:
    found = read_tensors(folder / "adapter.safetensors")
    found["roberta.embeddings.word_embeddings.weight"] = torch.zeros(2, 2)
    write_tensors(folder / "adapter.safetensors", found)
    (folder / "adapterkit.json").unlink()
    with pytest.raises(FolderError, match="not part of this adapter"):
        load_adapter(folder)


def test_a_file_altered_after_writing_is_noticed(folder: Path) -> None:
    weights = folder / "adapter.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    with pytest.raises(FolderError, match="altered"):
        load_adapter(folder)


@pytest.mark.parametrize("keep", [0, 4, 100, 2000])
def test_a_file_cut_short_is_refused(folder: Path, keep: int) -> None:
    weights = folder / "adapter.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    (folder / "adapterkit.json").unlink()
    with pytest.raises(FolderError):
        load_adapter(folder)


def test_an_adapter_that_lost_its_last_layers_does_not_fit(
    backbone: Backbone, tmp_path: Path
) -> None:
    whole = new_adapter("cut", BottleneckConfig(2), backbone=backbone.facts, kind="language")
    folder = save_adapter(whole, tmp_path / "cut")
    found = read_tensors(folder / "adapter.safetensors")
    write_tensors(
        folder / "adapter.safetensors", {k: t for k, t in found.items() if ".layer.2." not in k}
    )
    (folder / "adapterkit.json").unlink()
    with pytest.raises(AdapterMismatch, match="layers: the adapter has 2, the backbone has 3"):
        AdaptedModel(backbone, Stack(load_adapter(folder)))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"config": {}}', '{"peft_type": "LORA"}', "\0"])
def test_a_wrong_configuration_file_is_one_clear_error(folder: Path, text: str) -> None:
    (folder / "adapter_config.json").write_text(text)
    (folder / "adapterkit.json").unlink()
    with pytest.raises(FolderError, match=r"adapter_config\.json"):
        load_adapter(folder)


@pytest.mark.parametrize("name", ["../../etc", "a/b", "a.b", "", "x" * 300])
def test_an_adapters_name_cannot_leave_its_keys(folder: Path, name: str) -> None:
    record = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**record, "name": name}))
    (folder / "adapterkit.json").unlink()
    with pytest.raises(FolderError, match="name"):
        load_adapter(folder)


def test_a_save_that_fails_leaves_what_was_there(
    backbone: Backbone, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(folder)

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("adapterkit.formats.adapterhub.write_json", fail)
    with pytest.raises(OSError, match="disk full"):
        save_adapter(language(backbone), folder)
    assert contents(folder) == before
    assert [p.name for p in folder.parent.iterdir()] == ["cym"]


def test_inspecting_gives_the_digest_of_the_loaded_adapter(
    backbone: Backbone, tmp_path: Path
) -> None:
    for made in (language(backbone), task(backbone)):
        folder = save_adapter(made, tmp_path / made.name)
        record = inspect(folder)
        assert record["digest"] == load_adapter(folder).digest() == made.digest()
        assert record["parameters"] == made.parameter_count()
        assert record["kind"] == made.kind
        assert record["labels"] == list(made.labels)


def test_names_of_adapter_transformers_1_are_understood(folder: Path) -> None:
    digest = load_adapter(folder).digest()
    tensors = read_tensors(folder / "adapter.safetensors")
    old = {
        k.replace(".output.adapters.", ".output.layer_text_lang_adapters.").replace(
            "invertible_adapters", "invertible_lang_adapters"
        ): t
        for k, t in tensors.items()
    }
    write_tensors(folder / "adapter.safetensors", old)
    record = json.loads((folder / "adapter_config.json").read_text())
    del (
        record["version"],
        record["config"]["inv_adapter"],
        record["config"]["inv_adapter_reduction_factor"],
    )
    record["config"]["invertible_adapter"] = {
        "block_type": "nice",
        "non_linearity": "relu",
        "reduction_factor": 2,
    }
    (folder / "adapter_config.json").write_text(json.dumps(record))
    (folder / "adapterkit.json").unlink()
    assert load_adapter(folder).digest() == digest


def test_a_folder_that_is_no_adapter_is_refused(tmp_path: Path) -> None:
    shutil.copytree(Path(__file__).parent, tmp_path / "x")
    with pytest.raises(FolderError):
        load_adapter(tmp_path / "x")
    thing: Any = {"name": "eng"}
    with pytest.raises(
        ConfigError, match=r"a folder, a starter or a Hub id is needed, not \{'name'"
    ):
        load_adapter(thing)
    with pytest.raises(FolderError, match="no such starter"):
        load_adapter("mini:nothing")
    with pytest.raises(FolderError, match="owner/name"):
        load_adapter("nowhere")


def test_nothing_is_drawn_into_what_a_file_fills(folder: Path) -> None:
    drawn: list[str] = []

    def noted(values: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
        drawn.append(str(values.device))
        return values

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "uniform_", noted)
        load_adapter(folder)
        assert drawn == []
        torch.nn.Linear(2, 2)  # outside weights are drawn as ever
    assert drawn == ["cpu", "cpu"]


@pytest.mark.parametrize("name", sorted(starters()))
def test_a_starter_is_known_by_the_digest_of_what_is_loaded_from_it(name: str) -> None:
    # By it a card names the starter that an adapter went on from.
    assert read_own(starters()[name])["digest"] == load_adapter(f"mini:{name}").digest()


def test_a_head_that_cannot_be_rebuilt_can_be_left_out(folder: Path) -> None:
    plain = load_adapter(folder).digest()
    static = {"config": None, "name": None, "num_labels": 2}
    (folder / "head_config.json").write_text(json.dumps(static))
    (folder / "adapterkit.json").unlink()
    with pytest.raises(FolderError, match="with_head=False"):
        load_adapter(folder)
    adapter = load_adapter(folder, with_head=False)
    assert adapter.head is None
    assert adapter.digest() == plain


@pytest.mark.parametrize("layout", ["bottleneck", "lora"])
def test_what_would_not_load_replaces_no_folder_that_does(
    backbone: Backbone, tmp_path: Path, layout: str
) -> None:
    config = BottleneckConfig(4) if layout == "bottleneck" else low_rank(backbone, "lora", rank=3)
    good = new_adapter("x", config, backbone=backbone.facts, kind="task")
    save_adapter(good, tmp_path / "x")
    bad = new_adapter("x", config, backbone=backbone.facts, kind="task")
    with torch.no_grad():
        next(bad.parameters()).fill_(float("nan"))
    with pytest.raises(ConfigError, match=r"(?s)nothing was written.*not finite") as error:
        save_adapter(bad, tmp_path / "x")
    assert str(tmp_path / "x") in str(error.value)
    headed = new_adapter(
        "x",
        config,
        backbone=backbone.facts,
        kind="task",
        head=HeadConfig("tagging", ("A", "B"), bias=False),
    )
    with pytest.raises(ConfigError):
        save_adapter(headed, tmp_path / "x")
    assert load_adapter(tmp_path / "x").digest() == good.digest()
