"""Backbones in bfloat16: loaded a piece at a time, copied for training, attending by plain products."""

from pathlib import Path

import pytest
import torch

from adapterkit.backbone import precision
from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.backbone.precision import PLAIN, choose_precision, plain_attention
from adapterkit.composition.adapter import new_adapter
from adapterkit.composition.base import placed
from adapterkit.config import BottleneckConfig
from adapterkit.data.batches import Batch
from adapterkit.model import AdaptedModel
from adapterkit.tensorfile import read_cast, read_tensors, write_tensors
from tests.tiny import TYPES, make_backbone

IDS = torch.tensor([[0, 11, 12, 30, 44, 2], [0, 14, 40, 2, 1, 1]])
MASK = (IDS != 1).long()


@pytest.fixture(scope="module", params=TYPES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_backbone(tmp_path_factory.mktemp("p") / "backbone", request.param)


@pytest.mark.long
def test_a_bfloat16_backbone_is_the_float32_one_rounded(folder: Path) -> None:
    narrow, wide = load_backbone(folder, dtype="bfloat16"), load_backbone(folder)
    assert narrow.facts == wide.facts
    assert not narrow.untrained_head
    ours, theirs = narrow.model.state_dict(), wide.model.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key].to(ours[key].dtype)) for key in ours)
    tied = narrow.model.get_output_embeddings()  # type: ignore[operator]
    assert tied.weight.data_ptr() == narrow.embedding_matrix().data_ptr()


def test_without_a_trained_head_the_missing_keys_are_still_told(tmp_path: Path) -> None:
    folder = make_backbone(tmp_path / "b", "xlm-roberta", head=False)
    assert load_backbone(folder, dtype="bfloat16").untrained_head
    assert (
        load_backbone(folder, dtype="bfloat16").untrained_head
        == load_backbone(folder).untrained_head
    )


def test_tensors_are_cast_piece_by_piece_to_what_one_cast_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapterkit.tensorfile._PIECE", 7)
    tensors = {"a": torch.randn(5, 9), "n": torch.arange(20), "s": torch.tensor(2.5).half()}
    write_tensors(tmp_path / "t.safetensors", tensors | {"e": torch.empty(0, 3)})
    there = read_cast(tmp_path / "t.safetensors", torch.bfloat16)
    for name, tensor in read_tensors(tmp_path / "t.safetensors").items():
        casts = tensor.is_floating_point() and tensor.dim() > 1
        kind = torch.bfloat16 if casts else tensor.dtype
        assert there[name].dtype == kind
        assert torch.equal(there[name], tensor.to(kind))


@pytest.mark.long
def test_training_in_bfloat16_leaves_the_backbone_as_it_was(folder: Path) -> None:
    backbone = load_backbone(folder)
    before, state = backbone.digest_in_memory(), backbone.model.config.to_dict()  # type: ignore[operator, union-attr]
    copy = backbone.for_training("bfloat16")
    assert (copy.dtype, backbone.dtype) == (torch.bfloat16, torch.float32)
    assert backbone.for_training("float32") is backbone
    assert backbone.digest_in_memory() == before
    assert backbone.model.config.to_dict() == state  # type: ignore[operator, union-attr]
    assert backbone.config._attn_implementation != PLAIN


def loss_and_gradients(backbone: Backbone) -> tuple[torch.Tensor, list[torch.Tensor]]:
    config = BottleneckConfig(4, invertible=True)
    adapter = new_adapter("x", config, backbone=backbone.facts, kind="language", seed=1)
    model = AdaptedModel(backbone, placed(adapter, backbone.device, backbone.adapter_dtype))
    loss = model(Batch(IDS, MASK, torch.where(IDS > 10, IDS, -100)))
    loss.backward()
    return loss.detach(), [p.grad for p in model.parameters() if p.grad is not None]


@pytest.mark.long
def test_a_step_in_bfloat16_is_the_step_in_float32_but_for_rounding(folder: Path) -> None:
    backbone = load_backbone(folder)
    loss, gradients = loss_and_gradients(backbone)
    near, close = loss_and_gradients(backbone.for_training("bfloat16"))
    assert len(close) == len(gradients)
    assert abs(float(near - loss)) < 0.03
    a, b = (torch.cat([g.flatten() for g in all_of]) for all_of in (gradients, close))
    assert torch.cosine_similarity(a, b, dim=0) > 0.98
    assert all(g.dtype == torch.float32 for g in close)


def test_auto_is_what_the_machine_multiplies_clearly_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_backbone(tmp_path / "b", "bert")
    for narrow, dtype in ((1.0, torch.bfloat16), (2.5, torch.float32), (9.0, torch.float32)):
        seconds = {torch.float32: 3.0, torch.bfloat16: narrow}
        monkeypatch.setattr(
            precision, "_matrix_seconds", lambda device, kind, size, s=seconds: s[kind]
        )
        assert load_backbone(folder, dtype="auto").dtype == dtype


def test_a_processor_without_bfloat16_multiplies_no_large_matrices_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    def seconds(device: torch.device, dtype: torch.dtype, size: int) -> float:
        asked.append(size)
        return 40.0 if dtype == torch.bfloat16 else 1.0

    monkeypatch.setattr(precision, "_matrix_seconds", seconds)
    assert precision.faster_dtype(torch.device("cpu")) == torch.float32
    assert asked == [128, 128]


def test_bfloat16_that_is_asked_of_a_processor_without_it_is_taken_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cpu = torch.device("cpu")
    for narrow, warned in ((1.0, False), (40.0, True)):
        seconds = {torch.float32: 1.0, torch.bfloat16: narrow}
        monkeypatch.setattr(
            precision, "_matrix_seconds", lambda device, kind, size, s=seconds: s[kind]
        )
        caplog.clear()
        assert choose_precision(cpu, "bfloat16", torch.float32) == "bfloat16"
        assert ("--fresh" in caplog.text) == warned
        caplog.clear()
        assert choose_precision(cpu, "float32", torch.float32) == "float32"
        assert choose_precision(cpu, None, torch.bfloat16) == "bfloat16", "loaded so already"
        assert choose_precision(cpu, "bfloat16", torch.bfloat16) == "bfloat16"
        assert not caplog.text
        assert choose_precision(cpu, "float32", torch.bfloat16) == "bfloat16"
        assert (
            "loaded in bfloat16, so this runs in that and not in float32 as asked for"
            in caplog.text
        )


def test_plain_attention_is_torchs_with_masks_and_shared_keys() -> None:
    draw = torch.Generator().manual_seed(0)
    query = torch.randn(2, 4, 6, 8, generator=draw, dtype=torch.float64)
    key, value = (torch.randn(2, 2, 6, 8, generator=draw, dtype=torch.float64) for _ in range(2))
    mask = torch.zeros(2, 1, 6, 6, dtype=torch.float64).masked_fill(MASK[:, None, None] == 0, -1e9)
    found, weights = plain_attention(torch.nn.Identity(), query, key, value, mask)
    expected = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, enable_gqa=True
    )
    assert weights is None
    assert (found - expected.transpose(1, 2)).abs().max() < 1e-12
    twice, _ = plain_attention(torch.nn.Identity(), query, key, value, None, scaling=0.5)
    assert (twice - found).abs().max() > 1e-3
