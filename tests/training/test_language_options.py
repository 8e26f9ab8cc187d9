"""Options of training a language adapter that are off by default: upper layers only, the corpus' own pieces only."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.layout import module_at
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import new_adapter
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig, LowRankConfig
from adapterkit.errors import ConfigError
from adapterkit.formats.adapterhub import load_adapter
from adapterkit.formats.guard import WORK
from adapterkit.model import AdaptedModel
from adapterkit.settings import LanguageConfig, TaskConfig
from adapterkit.training.language import train_language
from adapterkit.training.masked_lm import MaskedLanguageModelling
from adapterkit.training.shape import left_out, other_shape
from tests.backbone.test_decoders import make_decoder
from tests.tiny import LAYERS, TYPES, make_backbone
from tests.training.stopping import stopped_before
from tests.training.test_training import LANGUAGE, corpus

IDS = torch.tensor([[0, 11, 12, 4, 30, 2], [0, 4, 40, 2, 35, 36]])
BATCH: Any = SimpleNamespace(
    input_ids=IDS, attention_mask=torch.ones_like(IDS), targets=torch.where(IDS > 20, IDS, -100)
)


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder, device="cpu")


def model_over(folder: Path, *, leave_out: tuple[int, ...], invertible: bool) -> AdaptedModel:
    there = load_backbone(folder, device="cpu")
    shape = BottleneckConfig(4, invertible=invertible, leave_out=leave_out)
    lang = new_adapter("l", shape, backbone=there.facts, kind="language", seed=1)
    return AdaptedModel(there, Stack(lang))


def asking(model: AdaptedModel) -> list[bool]:
    """Whether the hidden state that enters each layer asks for a gradient while the loss is computed."""
    assert model._frozen is not None
    layers = module_at(model._frozen.encoder, model.backbone.architecture.towers[-1].layers)
    assert isinstance(layers, nn.ModuleList)
    seen: list[bool] = []

    def note(layer: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Any]) -> None:
        seen.append((args[0] if args else kwargs["hidden_states"]).requires_grad)

    handles = [layer.register_forward_pre_hook(note, with_kwargs=True) for layer in layers]
    model(BATCH).backward()
    for handle in handles:
        handle.remove()
    return seen


@pytest.mark.long
@pytest.mark.parametrize("kind", [*TYPES, "llama"])
def test_no_gradient_is_computed_below_the_lowest_bottleneck(kind: str, tmp_path: Path) -> None:
    folder = (make_decoder if kind == "llama" else make_backbone)(tmp_path / "b", kind)
    model = model_over(folder, leave_out=(0,), invertible=False)
    assert asking(model) == [False, False, True]
    assert all(p.grad is not None for p in model.parameters())
    assert asking(model_over(folder, leave_out=(0,), invertible=True)) == [True] * LAYERS
    assert asking(model_over(folder, leave_out=(), invertible=False)) == [False, True, True]


def test_upper_layers_counts_bottlenecks_from_the_uppermost_that_has_one() -> None:
    assert left_out(6, drop_last=True) == (5,)
    assert left_out(6, drop_last=False) == ()
    assert left_out(6, drop_last=True, upper=3) == (0, 1, 5)
    assert left_out(6, drop_last=False, upper=3) == (0, 1, 2)
    assert left_out(6, drop_last=True, lower=2) == (2, 3, 4, 5)
    assert left_out(6, drop_last=False, lower=9) == ()
    assert left_out(6, drop_last=True, upper=5) == left_out(6, drop_last=True)
    with pytest.raises(ConfigError, match="upper_layers 6: the backbone has 6 layers, the last of"):
        left_out(6, drop_last=True, upper=6)


def test_an_adapter_of_the_upper_layers_trains_and_loads_again(
    backbone: Backbone, tmp_path: Path
) -> None:
    config = replace(LANGUAGE, upper_layers=1, invertible=False)
    adapter = train_language(backbone, corpus(), out=tmp_path / "cym", config=config)
    assert isinstance(adapter.config, BottleneckConfig)
    assert adapter.config.leave_out == (0, 2)
    loss = adapter.provenance["heldout_loss"]
    assert loss["adapter"] < loss["backbone"]
    again = load_adapter(tmp_path / "cym")
    assert again.digest() == adapter.digest()
    assert again.provenance["config"]["upper_layers"] == 1
    ids = torch.tensor([[0, 11, 12, 2]])
    expected = AdaptedModel(backbone, Stack(adapter)).encode(ids)
    assert torch.equal(AdaptedModel(backbone, Stack(again)).encode(ids), expected)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (LanguageConfig(upper_layers=LAYERS), "upper_layers 3: the backbone has 3 layers"),
        (LanguageConfig(upper_layers=1), "another than asked for by upper_layers;"),
        (LanguageConfig(lower_layers=1), "another than asked for by lower_layers;"),
        (LanguageConfig(drop_last_layer=False), "another than asked for by drop_last_layer;"),
        (LanguageConfig(reduction_factor=2), "another than asked for by reduction_factor;"),
        (LanguageConfig(invertible=False, method="lora"), "by method, invertible;"),
        (LanguageConfig(method="houlsby"), "by method;"),
    ],
)
def test_layers_that_cannot_be_are_refused_before_any_work(
    backbone: Backbone, tmp_path: Path, config: LanguageConfig, message: str
) -> None:
    shape = BottleneckConfig(4, leave_out=(2,), invertible=True)
    start = new_adapter("eng", shape, backbone=backbone.facts, kind="language")
    with pytest.raises(ConfigError, match=message):
        train_language(backbone, corpus(), out=tmp_path / "cym", config=config, init=start)
    assert list(tmp_path.iterdir()) == []


def test_an_adapter_of_the_same_upper_layers_may_be_started_from(
    backbone: Backbone, tmp_path: Path
) -> None:
    shape = BottleneckConfig(4, leave_out=(0, 2))
    start = new_adapter("eng", shape, backbone=backbone.facts, kind="language")
    config = replace(LANGUAGE, upper_layers=1, steps=1)
    train_language(backbone, corpus(), out=tmp_path / "cym", config=config, init=start)


@pytest.mark.parametrize(
    "config",
    [
        LanguageConfig(),
        LanguageConfig(lower_layers=2, reduction_factor=4, drop_last_layer=True),
        LanguageConfig(embedding_rows=True, learning_rate=3e-3, steps=7),
    ],
)
def test_what_is_no_question_of_shape_or_the_same_is_never_refused(config: LanguageConfig) -> None:
    assert other_shape(config, BottleneckConfig(4.0, leave_out=(2,)), LAYERS) == []


def test_a_lora_to_start_from_keeps_its_rank() -> None:
    there = LowRankConfig("lora", (), rank=4)
    assert other_shape(LanguageConfig(method="lora"), there, LAYERS) == []
    asked = LanguageConfig(method="ia3", rank=2)
    assert other_shape(asked, there, LAYERS) == ["method", "rank"]


def test_what_has_no_bottlenecks_has_no_upper_layers() -> None:
    with pytest.raises(ConfigError, match="upper_layers = 2: lora has no bottlenecks"):
        LanguageConfig(method="lora", upper_layers=2)
    with pytest.raises(ConfigError, match="upper_layers = 0: must be above 0"):
        LanguageConfig(upper_layers=0)


@pytest.mark.long
@pytest.mark.parametrize("invertible", [False, True])
@pytest.mark.parametrize("kind", ["bert", "modernbert", "llama"])
def test_the_loss_over_some_pieces_is_that_of_the_full_logits_at_these(
    kind: str, invertible: bool, tmp_path: Path
) -> None:
    make: Callable[[Path, str], Path] = make_decoder if kind == "llama" else make_backbone
    model = model_over(make(tmp_path / "b", kind), leave_out=(2,), invertible=invertible)
    ids = torch.tensor([3, 30, 33, 35, 36, 40, 119])
    loss = model(BATCH, pieces=model.some_pieces(ids))
    found = torch.autograd.grad(loss, list(model.parameters()))
    logits = model.mlm_logits(IDS)[BATCH.targets != -100][:, ids]
    targets = torch.searchsorted(ids, BATCH.targets[BATCH.targets != -100])
    expected = torch.nn.functional.cross_entropy(logits, targets)
    torch.testing.assert_close(loss, expected)
    for one, other in zip(
        found, torch.autograd.grad(expected, list(model.parameters())), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    assert float(loss.detach()) < float(model(BATCH).detach())


def test_a_head_that_gives_logits_only_is_refused_before_any_work(tmp_path: Path) -> None:
    capped = make_decoder(tmp_path / "b", "gemma3_text")
    there = load_backbone(capped, device="cpu")
    there.config.final_logit_softcapping = 30.0
    config = replace(LANGUAGE, restrict_vocabulary=True)
    with pytest.raises(ConfigError, match="the vocabulary cannot be restricted"):
        train_language(there, corpus(), out=tmp_path / "cym", config=config)
    assert not (tmp_path / "cym").exists()


@pytest.mark.long
def test_training_goes_over_the_corpus_own_pieces_and_looks_over_all(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[bool, int | None]] = []
    forward = AdaptedModel.forward

    def spied(self: AdaptedModel, batch: Any, *, pieces: Any = None) -> Tensor:
        asked.append((torch.is_grad_enabled(), None if pieces is None else len(pieces.weight)))
        return forward(self, batch, pieces=pieces)

    monkeypatch.setattr(AdaptedModel, "forward", spied)
    config = replace(LANGUAGE, restrict_vocabulary=True)
    own = train_language(backbone, corpus(), out=tmp_path / "own", config=config)
    # Letters a to j and k to p, some of them at the start of words too, the full stop, two special tokens.
    pieces = own.provenance["softmax_pieces"]
    assert 25 < pieces < 50
    assert set(asked) == {(True, pieces), (False, None)}
    assert own.provenance["config"]["restrict_vocabulary"] is True
    loss = own.provenance["heldout_loss"]
    assert loss["adapter"] < loss["backbone"]
    every = train_language(backbone, corpus(), out=tmp_path / "every", config=LANGUAGE)
    assert every.provenance["softmax_pieces"] == backbone.vocabulary
    assert every.provenance["heldout_loss"]["backbone"] == loss["backbone"]
    assert every.digest() != own.digest()


def test_a_decoder_trains_over_its_corpus_own_pieces_too(tmp_path: Path) -> None:
    there = load_backbone(make_decoder(tmp_path / "b", "llama"), device="cpu")
    config = replace(LANGUAGE, restrict_vocabulary=True, steps=2)
    found = train_language(there, corpus(), out=tmp_path / "cym", config=config).provenance
    assert found["softmax_pieces"] < there.vocabulary


def test_the_heldout_loss_of_a_problem_does_not_know_the_pieces(backbone: Backbone) -> None:
    from adapterkit.data.blocks import Blocks
    from adapterkit.training.masked_lm import vocabulary_of

    tokens = torch.randint(5, 40, (8, 24)).int().numpy()
    blocks = Blocks(tokens, vocabulary_of(backbone))
    adapter = new_adapter("l", BottleneckConfig(4), backbone=backbone.facts, kind="language")
    model = AdaptedModel(backbone, Stack(adapter))
    plain = MaskedLanguageModelling(model, adapter, blocks, blocks, LANGUAGE)
    cut = replace(plain, pieces=model.some_pieces(blocks.pieces()))
    assert cut.look() == plain.look()
    assert float(cut.loss(0)[0].detach()) < float(plain.loss(0)[0].detach())


@pytest.mark.long
def test_a_run_with_another_vocabulary_or_other_layers_is_not_gone_on_with(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(LANGUAGE, restrict_vocabulary=True)
    out = tmp_path / "cym"
    with stopped_before(12, monkeypatch):
        train_language(backbone, corpus(), out=out, config=config)
    with pytest.raises(ConfigError, match=r"restrict_vocabulary: the checkpoint has True"):
        train_language(backbone, corpus(), out=out, config=LANGUAGE)
    with pytest.raises(ConfigError, match=r"upper_layers: the checkpoint has None"):
        train_language(backbone, corpus(), out=out, config=replace(config, upper_layers=1))
    assert (out / WORK).exists()
    resumed = train_language(backbone, corpus(), out=out, config=config)
    whole = train_language(backbone, corpus(), out=tmp_path / "whole", config=config)
    assert resumed.digest() == whole.digest()
    assert resumed.provenance["run"]["started_at_steps"] == [0, 12]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_a_rate_that_is_no_number_above_zero_is_refused(value: float) -> None:
    for config in (LanguageConfig, TaskConfig):
        with pytest.raises(ConfigError, match=r"learning_rate = .*: must be above 0"):
            config(learning_rate=value)
