"""LoRA and IA3 in AdapterHub's layout and in PEFT's: the same weights and the same output, either way."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.config import HeadConfig
from adapterkit.errors import ConfigError, FolderError
from adapterkit.formats.adapterhub import load_adapter, save_adapter
from adapterkit.formats.conversion import convert
from adapterkit.formats.inspection import inspect
from adapterkit.methods import low_rank
from adapterkit.model import AdaptedModel
from adapterkit.tensorfile import read_tensors, write_tensors
from tests.tiny import make_backbone

IDS = torch.tensor([[0, 11, 12, 30, 44, 2]])
ENDS = {"lora": ("query", "value", "intermediate.dense"), "ia3": ("key", "value")}


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder)


def make(backbone: Backbone, method: str, **options: Any) -> Adapter:
    ends = options.pop("targets", ENDS[method])
    made = new_adapter(
        "pos",
        low_rank(backbone, method, rank=4, targets=ends, **options),
        backbone=backbone.facts,
        kind="task",
        head=HeadConfig("tagging", ("ADJ", "NOUN")),
        seed=1,
    )
    for parameter in made.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=torch.manual_seed(2))
    return made


@pytest.fixture
def theirs(backbone: Backbone, tmp_path: Path) -> Path:
    save_adapter(make(backbone, "lora"), tmp_path / "peft")
    convert(tmp_path / "peft", tmp_path / "hub", layout="adapterhub")
    return tmp_path / "hub"


def feed_forward(backbone: Backbone) -> tuple[str, ...]:
    """The last linear layer of each layer, which no short end of a name means."""
    return tuple(f"encoder.layer.{layer}.output.dense" for layer in range(backbone.layers))


def test_the_last_linear_layer_is_told_from_attentions_own(
    backbone: Backbone, tmp_path: Path
) -> None:
    made = make(backbone, "lora", targets=("key", *feed_forward(backbone)))
    save_adapter(made, tmp_path / "peft")
    convert(tmp_path / "peft", tmp_path / "hub", layout="adapterhub")
    convert(tmp_path / "hub", tmp_path / "again", layout="peft")
    targets = json.loads((tmp_path / "again" / "adapter_config.json").read_text())["target_modules"]
    assert "output.dense" not in targets
    assert set(feed_forward(backbone)) <= set(targets)
    assert load_adapter(tmp_path / "again").digest() == made.digest()


@pytest.mark.parametrize("method", ["lora", "ia3"])
def test_there_and_back_the_weights_and_the_output_are_the_same(
    backbone: Backbone, tmp_path: Path, method: str
) -> None:
    made = make(backbone, method)
    save_adapter(made, tmp_path / "peft")
    there = convert(tmp_path / "peft", tmp_path / "hub", layout="adapterhub")
    back = convert(tmp_path / "hub", tmp_path / "again", layout="peft")
    assert (there.layout, back.layout) == ("adapterhub", "peft")
    assert there.digest == back.digest == made.digest()
    config = json.loads((tmp_path / "hub" / "adapter_config.json").read_text())
    assert config["config"]["architecture"] == "lora"
    assert config["config"]["composition_mode"] == {"lora": "add", "ia3": "scale"}[method]
    first = AdaptedModel(backbone, made).logits(IDS)
    for folder in ("hub", "again"):
        assert torch.equal(
            AdaptedModel(backbone, load_adapter(tmp_path / folder)).logits(IDS), first
        )


def test_inspect_tells_what_it_is(theirs: Path, backbone: Backbone) -> None:
    told = inspect(theirs)
    assert (told["method"], told["rank"], told["alpha"]) == ("lora", 4, 8)
    assert told["digest"] == load_adapter(theirs).digest()
    assert told["labels"] == ["ADJ", "NOUN"]
    assert told["backbone"]["digest"] == backbone.facts.digest


@pytest.mark.long
@pytest.mark.parametrize(
    ("version", "alpha"),
    [
        ("3.2.1", 8),  # of adapter-transformers, which had the factor right
        ("adapters.0.1.0", 4),
        ("adapters.1.0.1", 4),
        ("adapters.1.1.0.dev0", 4),
        ("adapters.1.1.0", 8),
        ("adapters.2", 8),
        (None, 8),
    ],
)
def test_only_versions_of_adapters_before_1_1_left_the_factor_out(
    theirs: Path, version: str | None, alpha: float
) -> None:
    config = theirs / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"version": version}))
    (theirs / "adapterkit.json").unlink(missing_ok=True)
    assert inspect(theirs)["alpha"] == alpha


@pytest.mark.long
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"use_gating": True}, "use_gating = True"),
        ({"use_dora": True}, "use_dora = True"),
        ({"vera_d": 0.1}, "vera_d = 0.1"),
        ({"composition_mode": "mean"}, "composition_mode = 'mean'"),
        ({"composition_mode": []}, r"composition_mode = \[\]: unknown"),
        ({"attn_matrices": ["q", "v", "q"]}, "attn_matrices = .*some of q, k and v are needed"),
        ({"attn_matrices": [["q"]]}, "attn_matrices = .*some of q, k and v are needed"),
        ({"leave_out": [0] * 20_000}, "leave_out = .*layer numbers are needed"),
        ({"composition_mode": "scale"}, "r and alpha must be 1"),
        ({"r": 0}, "r = 0"),
        ({"r": 200_000_000}, "r = 200000000"),
        ({"r": 8}, "not the weights"),
        ({"alpha": 0}, "alpha = 0"),
        ({"attn_matrices": ["q"]}, "not the weights"),
        ({"attn_matrices": ["(a+)+$"]}, "some of q, k and v"),
        ({"attn_matrices": ["q", "k", "v"]}, "not the weights"),
        ({"output_lora": True}, "not the weights"),
        ({"leave_out": [1]}, "layers: it has parts in"),
        ({"leave_out": [-1]}, "layer numbers"),
        ({"surprise": 1}, "surprise = 1: unknown key"),
    ],
)
def test_what_it_cannot_compute_is_refused(
    theirs: Path, change: dict[str, Any], reason: str
) -> None:
    path = theirs / "adapter_config.json"
    record = json.loads(path.read_text())
    record["config"] |= change
    path.write_text(json.dumps(record))
    (theirs / "adapterkit.json").unlink()
    with pytest.raises(FolderError, match=reason):
        load_adapter(theirs)


def test_smuggled_and_missing_tensors_are_refused(theirs: Path) -> None:
    (theirs / "adapterkit.json").unlink()
    path = theirs / "adapter.safetensors"
    tensors = read_tensors(path)
    write_tensors(
        path, {**tensors, "roberta.embeddings.word_embeddings.weight": torch.ones(120, 32)}
    )
    with pytest.raises(FolderError, match="word_embeddings"):
        load_adapter(theirs)
    lost = sorted(tensors)[-1]
    write_tensors(path, {key: tensor for key, tensor in tensors.items() if key != lost})
    with pytest.raises(FolderError, match="not the weights"):
        load_adapter(theirs)


def test_what_has_no_form_in_the_other_layout_is_refused(
    backbone: Backbone, tmp_path: Path
) -> None:
    from tests.formats.folders import make_folder

    bottleneck = make_folder(backbone, tmp_path / "bottleneck")
    with pytest.raises(ConfigError, match="which PEFT does not have"):
        convert(bottleneck, tmp_path / "a", layout="peft")
    save_adapter(make(backbone, "lora", targets=("attention.output.dense",)), tmp_path / "odd")
    with pytest.raises(ConfigError, match="AdapterHub changes no such layer"):
        convert(tmp_path / "odd", tmp_path / "b", layout="adapterhub")
    with pytest.raises(ConfigError, match="must be adapterhub or peft"):
        convert(bottleneck, tmp_path / "c", layout="zip")
    assert not [name for name in "abc" if (tmp_path / name).exists()]


def test_other_architectures_are_refused_by_name(tmp_path: Path) -> None:
    other = load_backbone(make_backbone(tmp_path / "b", "modernbert"))
    made = new_adapter("x", low_rank(other, "lora", rank=2), backbone=other.facts, kind="language")
    save_adapter(made, tmp_path / "peft")
    with pytest.raises(ConfigError, match="over 'modernbert' has no form"):
        convert(tmp_path / "peft", tmp_path / "hub", layout="adapterhub")


@pytest.mark.parametrize(("key", "value"), [("width", 48), ("type", "bert")])
def test_a_record_of_another_backbone_than_the_configurations_is_refused(
    theirs: Path, key: str, value: object
) -> None:
    record = json.loads((theirs / "adapterkit.json").read_text())
    assert key in record["backbone"] or "model_type" in record["backbone"]
    record["backbone"][key if key in record["backbone"] else "model_type"] = value
    (theirs / "adapterkit.json").write_text(json.dumps(record))
    with pytest.raises(FolderError, match="the rest of the folder"):
        load_adapter(theirs)
