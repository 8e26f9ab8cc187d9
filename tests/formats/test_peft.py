"""PEFT's own folders, both ways, against the peft library."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.composition.base import placed
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig, HeadConfig
from adapterkit.errors import AdapterMismatch, ConfigError, FolderError
from adapterkit.formats.adapterhub import load_adapter, save_adapter
from adapterkit.formats.inspection import inspect
from adapterkit.methods import low_rank
from adapterkit.model import AdaptedModel
from adapterkit.tensorfile import read_tensors, write_tensors
from tests.tiny import TYPES, make_backbone

IDS = torch.tensor([[0, 11, 12, 30, 44, 2], [0, 14, 40, 2, 1, 1]])
MASK = (IDS != 1).long()
pytestmark = pytest.mark.filterwarnings("ignore")  # peft's own


def theirs(folder: Path, config: Any, auto: str = "AutoModel") -> Any:
    import peft
    import transformers

    model = getattr(transformers, auto).from_pretrained(folder).double().eval()
    torch.manual_seed(5)
    model = peft.get_peft_model(model, config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name or "ia3_" in name:
                parameter.add_(torch.randn_like(parameter) * 0.2)
    return model.double()


def targets(model_type: str) -> list[str]:
    from adapterkit.backbone.architectures import architecture

    return list(architecture(model_type).low_rank)


@pytest.mark.long
@pytest.mark.parametrize("auto", ["AutoModel", "AutoModelForMaskedLM"])
@pytest.mark.parametrize("model_type", TYPES)
@torch.no_grad()
def test_a_downloaded_lora_gives_the_same_output(
    model_type: str, auto: str, tmp_path: Path
) -> None:
    import peft

    folder = make_backbone(tmp_path / "b", model_type)
    config = peft.LoraConfig(r=4, lora_alpha=12, target_modules=targets(model_type))
    model = theirs(folder, config, auto)
    model.save_pretrained(tmp_path / "lora")
    adapter = load_adapter(tmp_path / "lora")
    backbone = load_backbone(folder, dtype="float64")
    ours = AdaptedModel(backbone, Stack(adapter)).encode(IDS, MASK)
    expected = model(input_ids=IDS, attention_mask=MASK, output_hidden_states=True).hidden_states[
        -1
    ]
    if model_type != "modernbert":  # whose last hidden state passes a final norm
        assert (ours - expected).abs().max() < 1e-6  # its file is float64, the adapter too
    if auto == "AutoModel":
        expected = model(input_ids=IDS, attention_mask=MASK).last_hidden_state
        assert (ours - expected).abs().max() < 1e-6
    assert (ours - AdaptedModel(backbone).encode(IDS, MASK)).abs().max() > 1e-3


@pytest.mark.long
@pytest.mark.parametrize(
    "options",
    [
        {"use_rslora": True},
        {"rank_pattern": {"encoder.layer.1.attention.self.query": 2}},
        {"alpha_pattern": {"encoder.layer.0.attention.self.value": 3}},
        {"lora_dropout": 0.1},
    ],
    ids=lambda o: next(iter(o)),
)
@torch.no_grad()
def test_the_options_of_lora_are_those_of_peft(options: dict[str, Any], tmp_path: Path) -> None:
    import peft

    folder = make_backbone(tmp_path / "b", "bert")
    config = peft.LoraConfig(r=4, lora_alpha=12, target_modules=["query", "value"], **options)
    model = theirs(folder, config)
    model.save_pretrained(tmp_path / "lora")
    adapter = load_adapter(tmp_path / "lora")
    backbone = load_backbone(folder, dtype="float64")
    expected = model(input_ids=IDS, attention_mask=MASK).last_hidden_state
    assert (AdaptedModel(backbone, adapter).encode(IDS, MASK) - expected).abs().max() < 1e-6
    save_adapter(placed(adapter, torch.device("cpu"), torch.float64), tmp_path / "again")
    back = peft.PeftModel.from_pretrained(
        __import__("transformers").AutoModel.from_pretrained(folder), str(tmp_path / "again")
    )
    found = back.double().eval()(input_ids=IDS, attention_mask=MASK).last_hidden_state
    assert (found - expected).abs().max() < 1e-6


@pytest.mark.long
@pytest.mark.parametrize("model_type", ["bert", "xlm-roberta"])
@torch.no_grad()
def test_a_downloaded_ia3_gives_the_same_output(model_type: str, tmp_path: Path) -> None:
    import peft

    folder = make_backbone(tmp_path / "b", model_type)
    ends = ["key", "value", "output.dense"]
    config = peft.IA3Config(target_modules=ends, feedforward_modules=["output.dense"])
    model = theirs(folder, config)
    model.save_pretrained(tmp_path / "ia3")
    backbone = load_backbone(folder, dtype="float64")
    ours = AdaptedModel(backbone, load_adapter(tmp_path / "ia3")).encode(IDS, MASK)
    expected = model(input_ids=IDS, attention_mask=MASK).last_hidden_state
    assert (ours - expected).abs().max() < 1e-6


def task_lora(backbone: Any, head: HeadConfig | None, method: str = "lora") -> Adapter:
    config = low_rank(backbone, method, rank=3)
    made = new_adapter("pos", config, backbone=backbone.facts, kind="task", head=head, seed=1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return made


@pytest.mark.long
@pytest.mark.parametrize("method", ["lora", "ia3"])
@pytest.mark.parametrize("model_type", ["bert", "xlm-roberta", "distilbert", "deberta-v2"])
@torch.no_grad()
def test_plain_peft_loads_our_tagger_with_its_head(
    model_type: str, method: str, tmp_path: Path
) -> None:
    import peft
    from transformers import AutoModelForTokenClassification

    folder = make_backbone(tmp_path / "b", model_type)
    backbone = load_backbone(folder)
    adapter = task_lora(backbone, HeadConfig("tagging", ("A", "B", "C")), method)
    save_adapter(adapter, tmp_path / "pos")
    model = AutoModelForTokenClassification.from_pretrained(folder, num_labels=3)
    loaded = peft.PeftModel.from_pretrained(model, str(tmp_path / "pos")).eval()
    expected = loaded(input_ids=IDS, attention_mask=MASK).logits
    assert (AdaptedModel(backbone, adapter).logits(IDS, MASK) - expected).abs().max() < 1e-5
    again = load_adapter(tmp_path / "pos")
    assert again.digest() == adapter.digest()
    assert again.labels == ("A", "B", "C")
    save_adapter(again, tmp_path / "twice")
    files = {file.name: file.read_bytes() for file in (tmp_path / "pos").iterdir()}
    assert files == {file.name: file.read_bytes() for file in (tmp_path / "twice").iterdir()}


@torch.no_grad()
def test_plain_peft_loads_our_classifier_over_xlm_roberta(tmp_path: Path) -> None:
    import peft
    from transformers import AutoModelForSequenceClassification

    folder = make_backbone(tmp_path / "b", "xlm-roberta")
    backbone = load_backbone(folder)
    adapter = task_lora(backbone, HeadConfig("classification", ("x", "y"), layers=2))
    save_adapter(adapter, tmp_path / "topic")
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    loaded = peft.PeftModel.from_pretrained(model, str(tmp_path / "topic")).eval()
    expected = loaded(input_ids=IDS, attention_mask=MASK).logits
    assert (AdaptedModel(backbone, adapter).logits(IDS, MASK) - expected).abs().max() < 1e-5


def test_a_head_that_peft_cannot_hold_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    backbone = load_backbone(make_backbone(tmp_path / "b", "bert"))
    adapter = task_lora(backbone, HeadConfig("classification", ("x", "y"), layers=2))
    with pytest.raises(ConfigError, match="no form that peft loads"):
        save_adapter(adapter, tmp_path / "topic")
    assert not (tmp_path / "topic").exists()


@torch.no_grad()
def test_a_bottleneck_over_a_lora_equals_the_bottleneck_over_the_merged_backbone(
    tmp_path: Path,
) -> None:
    folder = make_backbone(tmp_path / "b", "xlm-roberta")
    backbone = load_backbone(folder, dtype="float64")
    lora = task_lora(backbone, None)
    block = new_adapter(
        "cym", BottleneckConfig(2, invertible=True), backbone=backbone.facts, kind="language"
    )
    one = AdaptedModel(backbone, Stack(block, lora)).encode(IDS, MASK)
    two = AdaptedModel(backbone, Stack(lora, block)).encode(IDS, MASK)
    merged = load_backbone(folder, dtype="float64")
    parts = lora.double().tensors()
    base = merged.model.get_submodule("roberta")
    for linear in lora.config.modules:  # type: ignore[union-attr]
        at = f"patches.{linear.path.replace('.', '/')}"
        change = parts[f"{at}.up.weight"] @ parts[f"{at}.down.weight"] * linear.scaling
        base.get_submodule(linear.path).weight.data += change  # type: ignore[operator]
    expected = AdaptedModel(merged, Stack(block)).encode(IDS, MASK)
    assert (one - expected).abs().max() < 1e-12
    # The first part's coupling counts, as everywhere: under a LoRA there is none.
    block.invertible = None
    expected = AdaptedModel(merged, Stack(block)).encode(IDS, MASK)
    assert (two - expected).abs().max() < 1e-12
    assert (AdaptedModel(backbone, lora).encode(IDS, MASK) - one).abs().max() > 1e-3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    backbone = load_backbone(make_backbone(tmp_path / "b", "xlm-roberta"))
    save_adapter(task_lora(backbone, HeadConfig("tagging", ("A", "B"))), tmp_path / "pos")
    (tmp_path / "pos" / "adapterkit.json").unlink()
    assert load_adapter(tmp_path / "pos").labels == ("LABEL_0", "LABEL_1")
    return tmp_path / "pos"


@pytest.mark.long
@pytest.mark.parametrize(
    "values",
    [
        {"use_dora": True},
        {"peft_type": "VERA"},
        {"bias": "all"},
        {"init_lora_weights": "pissa"},
        {"brand_new": 3},
        {"layer_replication": [[0, 2]]},
        {"target_modules": []},
        {"r": "many"},
    ],
    ids=lambda v: next(iter(v)),
)
def test_what_peft_can_name_and_we_do_not_compute_is_refused_by_name(
    folder: Path, values: dict[str, Any]
) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    with pytest.raises(FolderError, match=next(iter(values))):
        load_adapter(folder)


def test_new_keys_without_a_value_are_let_through(folder: Path) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "brand_new": None, "newer": {}}))
    assert load_adapter(folder).labels


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("smuggle", "word_embeddings.weight: not part"),
        ("drop", r"lora_B.weight: missing"),
        ("nan", "not finite"),
        ("shape", "shape"),
    ],
)
def test_a_wrong_weight_file_is_refused(folder: Path, change: str, says: str) -> None:
    path = folder / "adapter_model.safetensors"
    tensors = read_tensors(path)
    key = next(key for key in tensors if key.endswith("lora_B.weight"))
    if change == "smuggle":
        tensors["base_model.model.roberta.embeddings.word_embeddings.weight"] = torch.zeros(4, 4)
    elif change == "drop":
        del tensors[key]
    elif change == "nan":
        tensors[key] = torch.full_like(tensors[key], torch.nan)
    else:
        tensors[key] = torch.zeros(4, 7)
    write_tensors(path, tensors)
    with pytest.raises(FolderError, match=says):
        load_adapter(folder)


def test_a_lora_of_another_depth_is_refused(folder: Path, tmp_path: Path) -> None:
    path = folder / "adapter_model.safetensors"
    kept = {key: t for key, t in read_tensors(path).items() if ".layer.2." not in key}
    write_tensors(path, kept)
    adapter = load_adapter(folder)
    backbone = load_backbone(tmp_path / "b")
    with pytest.raises(AdapterMismatch, match=r"layer\.2\.attention\.self\.query: it has no part"):
        AdaptedModel(backbone, adapter)


def test_a_lora_of_another_backbone_is_refused(folder: Path, tmp_path: Path) -> None:
    other = load_backbone(make_backbone(tmp_path / "wide", "xlm-roberta", width=64))
    with pytest.raises(AdapterMismatch, match="made for 32 to 32, the backbone has 64 to 64"):
        AdaptedModel(other, load_adapter(folder))


def test_inspect_tells_what_a_peft_folder_is(tmp_path: Path) -> None:
    backbone = load_backbone(make_backbone(tmp_path / "b", "xlm-roberta"))
    adapter = task_lora(backbone, HeadConfig("tagging", ("A", "B")))
    save_adapter(adapter, tmp_path / "pos")
    record = inspect(tmp_path / "pos")
    assert (record["method"], record["rank"], record["labels"]) == ("lora", 3, ["A", "B"])
    assert record["digest"] == adapter.digest()
    assert record["parameters"] == adapter.parameter_count()
    assert record["backbone"]["width"] == 32
