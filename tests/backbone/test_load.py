import shutil
from pathlib import Path

import pytest
import torch

from adapterkit.backbone.device import device_of, dtype_of
from adapterkit.backbone.load import load_backbone
from adapterkit.errors import AdapterkitError, ConfigError, FolderError
from adapterkit.tensorfile import checkpoint_digest, read_tensors, write_tensors
from tests.tiny import LAYERS, TYPES, WIDTH, make_backbone


@pytest.mark.long
@pytest.mark.parametrize("model_type", TYPES)
def test_every_architecture_of_the_table_loads_frozen(model_type: str, tmp_path: Path) -> None:
    backbone = load_backbone(make_backbone(tmp_path / "b", model_type))
    assert (backbone.width, backbone.layers) == (WIDTH, LAYERS)
    assert not backbone.untrained_head
    assert not any(p.requires_grad for p in backbone.model.parameters())
    assert not backbone.model.training


def test_a_half_precision_checkpoint_loads_as_float32_on_a_cpu(
    tiny_folder: Path, tmp_path: Path
) -> None:
    half = tmp_path / "half"
    shutil.copytree(tiny_folder, half)
    weights = half / "model.safetensors"
    write_tensors(
        weights, {k: t.half() for k, t in read_tensors(weights).items()}, {"format": "pt"}
    )
    config = half / "config.json"
    config.write_text(config.read_text().replace("float32", "float16"))
    assert load_backbone(half, device="cpu").dtype == torch.float32
    assert load_backbone(half, device="cpu", dtype="float64").dtype == torch.float64


def test_an_unknown_architecture_names_the_supported_ones_and_how_to_add_one(
    tmp_path: Path,
) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(ConfigError, match="xlm-roberta") as error:
        load_backbone(tmp_path)
    assert "add a row" in str(error.value)


def test_a_checkpoint_without_its_head_is_told_apart(tmp_path: Path) -> None:
    backbone = load_backbone(make_backbone(tmp_path / "b", "bert", head=False))
    assert backbone.untrained_head
    with pytest.raises(ConfigError, match="no trained masked-LM head"):
        backbone.require_trained_head()


def test_a_checkpoint_that_lacks_encoder_tensors_is_refused(
    tiny_folder: Path, tmp_path: Path
) -> None:
    cut = tmp_path / "cut"
    shutil.copytree(tiny_folder, cut)
    tensors = read_tensors(cut / "model.safetensors")
    kept = {k: t for k, t in tensors.items() if "encoder.layer.1.output" not in k}
    write_tensors(cut / "model.safetensors", kept, {"format": "pt"})
    with pytest.raises(FolderError, match="lacks"):
        load_backbone(cut)


def test_the_digest_does_not_depend_on_how_weights_are_cut_into_files(
    tiny_folder: Path, tmp_path: Path
) -> None:
    tensors = read_tensors(tiny_folder / "model.safetensors")
    names = sorted(tensors)
    write_tensors(tmp_path / "a.safetensors", {k: tensors[k] for k in names[:5]})
    write_tensors(tmp_path / "b.safetensors", {k: tensors[k] for k in names[5:]})
    torch.save(
        {**tensors, "lm_head.decoder.weight": tensors["roberta.embeddings.word_embeddings.weight"]},
        tmp_path / "c.bin",
    )
    whole = checkpoint_digest([tiny_folder / "model.safetensors"])
    assert checkpoint_digest([tmp_path / "b.safetensors", tmp_path / "a.safetensors"]) == whole
    assert checkpoint_digest([tmp_path / "c.bin"]) == whole
    tensors[names[0]][0] += 1
    write_tensors(tmp_path / "d.safetensors", tensors)
    assert checkpoint_digest([tmp_path / "d.safetensors"]) != whole


def test_mini_is_packaged_and_known_by_its_version() -> None:
    backbone = load_backbone("mini", device="cpu")
    assert backbone.name == "adapterkit/mini@2"
    assert backbone.dtype == torch.float32
    with pytest.raises(ConfigError, match="mini@2"):
        load_backbone("mini@7")


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere", "~/nowhere-at-all"])
def test_a_path_that_is_not_there_never_means_the_hub(name: str) -> None:
    with pytest.raises(FolderError, match="no such folder"):
        load_backbone(name)


def test_half_precision_on_a_cpu_is_refused() -> None:
    with pytest.raises(AdapterkitError, match="float16"):
        load_backbone("mini", device="cpu", dtype="float16")


def test_half_precision_on_a_gpu_may_be_said_in_a_word() -> None:
    gpu = torch.device("cuda")
    assert dtype_of("float16", gpu) == dtype_of(torch.float16, gpu) == torch.float16
    with pytest.raises(ConfigError, match="bfloat16, float16, auto"):
        dtype_of("half", gpu)


def test_each_word_gets_its_own_pieces_and_an_invisible_one_an_unk(tiny_folder: Path) -> None:
    backbone = load_backbone(tiny_folder)
    words = backbone.word_pieces([["mat", "\u200b", "ab"], []])
    assert [len(w) > 0 for w in words[0]] == [True, True, True]
    assert words[1] == []


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "meta", "cpu:-1", "xpu"])
def test_a_device_of_another_name_is_refused_with_those_there_are(device: str) -> None:
    with pytest.raises(ConfigError, match=rf"unknown device '{device}'; use cpu, cuda, cuda:1 or"):
        load_backbone("mini", device=device)


def test_a_device_that_is_not_here_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for device in ("cuda", "cuda:1", "mps", torch.device("cuda")):
        with pytest.raises(ConfigError, match="no GPU here; say --device cpu"):
            device_of(device)
    assert device_of(None) == device_of("cpu") == torch.device("cpu")


def test_a_gpu_of_a_number_that_is_not_here_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device_of("cuda:1") == torch.device("cuda:1")
    with pytest.raises(ConfigError, match="there are 2 here, counted from 0"):
        device_of("cuda:2")
