"""Broken PEFT folders: each is made by one edit of a folder that loads, and refused by the culprit's name."""

import re
import time
from pathlib import Path

import pytest
import torch

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.composition.stack import Stack
from adapterkit.config import HeadConfig, Linear, LowRankConfig
from adapterkit.errors import AdapterMismatch, ConfigError, FolderError
from adapterkit.formats.adapterhub import load_adapter, save_adapter
from adapterkit.formats.inspection import inspect
from adapterkit.methods import low_rank
from adapterkit.model import AdaptedModel
from adapterkit.tensorfile import read_tensors
from tests.formats.broken_peft import FILE, IA3S, LORA, START, VALUES, file, says
from tests.formats.folders import Edit, bare, copy_of, in_turn, own
from tests.tiny import make_backbone

IDS = torch.tensor([[0, 11, 12, 4, 30, 2]])
CASES = {**LORA, **VALUES}


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder)


def drawn(adapter: Adapter) -> Adapter:
    with torch.no_grad():
        for parameter in adapter.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(1))
    return adapter


@pytest.fixture(scope="module")
def good(backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA tagger."""
    config = low_rank(backbone, rank=3)
    made = new_adapter(
        "pos",
        config,
        backbone=backbone.facts,
        kind="task",
        head=HeadConfig("tagging", ("A", "B")),
    )
    return save_adapter(drawn(made), tmp_path_factory.mktemp("good") / "pos")


@pytest.fixture(scope="module")
def scales(backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An IA3 on both sides."""
    layers = range(backbone.layers)
    modules = [Linear(f"encoder.layer.{n}.attention.self.key", 0, 32) for n in layers]
    modules += [Linear(f"encoder.layer.{n}.output.dense", 48, 0, feedforward=True) for n in layers]
    config = LowRankConfig(
        "ia3",
        tuple(sorted(modules, key=lambda one: one.path)),
        rank=0,
        alpha=0.0,
        # attention.output.dense ends in output.dense too: the layer's number tells them apart.
        targets=("key", *(f"{n}.output.dense" for n in layers)),
        feedforward=tuple(f"{n}.output.dense" for n in layers),
        prefix="roberta",
    )
    made = new_adapter("scale", config, backbone=backbone.facts, kind="task")
    return save_adapter(drawn(made), tmp_path_factory.mktemp("good") / "scale")


@pytest.fixture(scope="module")
def live(backbone: Backbone, good: Path, scales: Path) -> tuple[AdaptedModel, torch.Tensor]:
    model = AdaptedModel(backbone, Stack(load_adapter(scales), load_adapter(good)))
    return model, model.logits(IDS)


def refused(folder: Path, edit: Edit, culprit: str) -> None:
    edit(folder)
    with pytest.raises(FolderError, match=re.escape(culprit)) as caught:
        load_adapter(folder)
    assert str(caught.value).count("\n") <= 15


@pytest.mark.long
@pytest.mark.parametrize("name", CASES)
def test_a_broken_lora_is_refused_by_name_and_changes_nothing(
    name: str, good: Path, live: tuple[AdaptedModel, torch.Tensor], tmp_path: Path
) -> None:
    folder = copy_of(good, tmp_path / "pos")
    refused(folder, *CASES[name])
    model, before = live
    assert torch.equal(model.logits(IDS), before)
    if name in VALUES:  # values are looked at when loading only
        assert inspect(folder)["name"] == "pos"
        return
    with pytest.raises(FolderError, match=re.escape(CASES[name][1])):
        inspect(folder)


@pytest.mark.parametrize("name", IA3S)
def test_a_broken_ia3_is_refused_by_name(name: str, scales: Path, tmp_path: Path) -> None:
    folder = copy_of(scales, tmp_path / "scale")
    refused(folder, *IA3S[name])
    with pytest.raises(FolderError, match=re.escape(IA3S[name][1])):
        inspect(folder)


@pytest.mark.parametrize(
    "name", ["r absurd", "nothing in it, huge", "millions of labels of nothing"]
)
def test_refusing_absurd_sizes_takes_no_time_and_no_memory(
    name: str, good: Path, tmp_path: Path
) -> None:
    import tracemalloc

    folder = copy_of(good, tmp_path / "pos")
    LORA[name][0](folder)
    tracemalloc.start()
    start = time.process_time()
    with pytest.raises(FolderError):
        load_adapter(folder)
    assert time.process_time() - start < 1.0
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_all_differences_are_in_one_error(good: Path, tmp_path: Path) -> None:
    folder = copy_of(good, tmp_path / "pos")
    in_turn(LORA["missing tensor"][0], LORA["extra tensor"][0], LORA["head half lost"][0])(folder)
    with pytest.raises(FolderError) as caught:
        load_adapter(folder)
    for part in ("lora_B.weight: missing", "extra: not part", "classifier.bias: missing"):
        assert part in str(caught.value)


def test_a_wrong_digest_is_noticed_in_a_pickle_too(good: Path, tmp_path: Path) -> None:
    folder = copy_of(good, tmp_path / "pos")
    torch.save(read_tensors(folder / FILE), folder / "adapter_model.bin")
    (folder / FILE).unlink()
    own(files={})(folder)
    assert load_adapter(folder).digest() == load_adapter(good).digest()
    assert inspect(folder)["digest"] is None
    refused(folder, own(digest="0" * 64), "digest: adapterkit.json says 000000000000")


@pytest.mark.parametrize("edit", ["pooler", "half", "labels", "lost"])
def test_a_head_that_cannot_be_rebuilt_can_be_left_out(
    edit: str, good: Path, tmp_path: Path
) -> None:
    folder = copy_of(good, tmp_path / "pos")
    edits = {
        "pooler": says(task_type="SEQ_CLS"),
        "half": LORA["head half lost"][0],
        "labels": own(labels=["A", "B", "C"]),
        "lost": LORA["head lost"][0],
    }
    edits[edit](folder)
    with pytest.raises(FolderError):
        load_adapter(folder)
    adapter, whole = load_adapter(folder, with_head=False), load_adapter(good)
    assert adapter.head is None
    parts = {key: t for key, t in whole.tensors().items() if not key.startswith("head.")}
    assert parts.keys() == adapter.tensors().keys()
    assert all(torch.equal(parts[key], tensor) for key, tensor in adapter.tensors().items())
    assert load_adapter(good, with_head=False).digest() == adapter.digest()


def test_a_classifier_over_a_head_of_the_backbones_own_is_refused(
    good: Path, tmp_path: Path
) -> None:
    """ModernBERT's: what its classifier reads is no hidden state."""
    folder = copy_of(good, tmp_path / "pos")
    file(lambda t: t.update({k.replace(".roberta.", ".model."): t.pop(k) for k in list(t)}))(folder)
    with pytest.raises(FolderError, match=r"a head of the backbone's own(.|\n)*with_head=False"):
        load_adapter(folder)
    assert load_adapter(folder, with_head=False).head is None


def test_a_lora_of_another_type_of_model_is_refused(
    backbone: Backbone, good: Path, tmp_path: Path
) -> None:
    folder = copy_of(good, tmp_path / "pos")
    file(lambda t: t.update({k.replace(".roberta.", ".bert."): t.pop(k) for k in list(t)}))(folder)
    adapter = load_adapter(folder)
    with pytest.raises(AdapterMismatch, match="type: its parts are of a 'bert' model"):
        AdaptedModel(backbone, adapter)
    AdaptedModel(load_backbone(make_backbone(tmp_path / "b", "bert")), adapter)


def test_a_head_of_another_width_is_refused(backbone: Backbone, good: Path, tmp_path: Path) -> None:
    folder = copy_of(good, tmp_path / "pos")
    file(lambda t: t.update({f"{START}classifier.weight": torch.zeros(2, 64)}))(folder)
    with pytest.raises(
        AdapterMismatch, match="width: its head reads 64 units, the backbone has 32"
    ):
        AdaptedModel(backbone, load_adapter(folder))


@pytest.mark.parametrize("name", ["a.b", "../evil", "", "a/b", "x" * 300, "a\nb"])
def test_a_name_that_nothing_could_read_again_is_refused_before_anything_is_written(
    name: str, backbone: Backbone, good: Path, tmp_path: Path
) -> None:
    adapter = load_adapter(good)
    adapter.name = name
    with pytest.raises(ConfigError, match="cannot be an adapter's name"):
        save_adapter(adapter, tmp_path / "new" / "pos")
    assert not (tmp_path / "new").exists()


def test_a_folders_name_becomes_a_name_that_can_be_saved(good: Path, tmp_path: Path) -> None:
    folder = copy_of(good, tmp_path / "my.lora-v1.5")
    bare(folder)
    adapter = load_adapter(folder)
    assert adapter.name == "my_lora-v1_5" == inspect(folder)["name"]
    again = load_adapter(save_adapter(adapter, tmp_path / "again"))
    assert again.name == adapter.name


def test_what_plain_peft_names_besides_does_no_harm(good: Path, tmp_path: Path) -> None:
    """Each an odd folder that computes the same."""
    expected = load_adapter(good).digest()
    for edit in (
        says(modules_to_save=["classifier", "score", "classifier", "score"]),
        says(modules_to_save=None),
        says(rank_pattern=None, alpha_pattern={}),
        says(rank_pattern={"query": 3, r"^roberta\.encoder.layer.0.attention.self.value": 3.0}),
        says(r=3.0, lora_dropout=0.0, use_rslora=None),
        says(target_modules=r".*\.(query|value)"),
        says(target_modules=r".*\.self\.(query|value)$"),
    ):
        folder = copy_of(good, tmp_path / "pos")
        edit(folder)
        assert load_adapter(folder).digest() == expected
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


@pytest.mark.parametrize(
    ("targets", "checked"),
    [
        (r".*\.(query|value)", True),
        (r".*\.(self\.query|self\.value)$", True),
        (r".*\.self\.(query|value)", False),
        (r".*(query|value)", False),
    ],
)
def test_a_missing_layer_is_noticed_where_a_regular_expression_is_a_list_of_ends(
    targets: str, checked: bool, backbone: Backbone, good: Path, tmp_path: Path
) -> None:
    folder = copy_of(good, tmp_path / "pos")
    says(target_modules=targets)(folder)
    AdaptedModel(backbone, load_adapter(folder))
    file(lambda t: [t.pop(key) for key in list(t) if ".layer.2." in key])(folder)
    adapter = load_adapter(folder)
    if not checked:  # a stranger's regular expression is not evaluated
        AdaptedModel(backbone, adapter)
        return
    with pytest.raises(AdapterMismatch, match=r"layer\.2\.attention\.self\.query: it has no part"):
        AdaptedModel(backbone, adapter)
