from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.composition.base import frozen
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig, HeadConfig
from adapterkit.errors import AdapterMismatch, ConfigError
from adapterkit.formats.adapterhub import load_adapter, save_adapter
from adapterkit.model import AdaptedModel
from tests.tiny import TYPES, WORDS, make_backbone, make_encoder_decoder

IDS = torch.tensor([[0, 11, 12, 4, 30, 2], [0, 4, 40, 2, 1, 1]])
MASK = (IDS != 1).long()


def adapter(
    backbone: Backbone, name: str = "a", *, seed: int = 0, invertible: bool = True
) -> Adapter:
    config = BottleneckConfig(2, invertible=invertible, leave_out=(2,))
    made = new_adapter(name, config, backbone=backbone.facts, kind="language", seed=seed)
    for parameter in made.parameters():  # larger than a fresh start, so that every effect shows
        parameter.data.mul_(10)
    return made


@pytest.fixture(scope="module", params=TYPES)
def backbone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    return load_backbone(
        make_backbone(tmp_path_factory.mktemp("b") / "x", request.param), dtype="float64"
    )


@pytest.mark.long
def test_without_adapters_it_is_the_backbone(backbone: Backbone) -> None:
    model = AdaptedModel(backbone)
    expected = backbone.model(input_ids=IDS, attention_mask=MASK).logits
    torch.testing.assert_close(model.mlm_logits(IDS, MASK), expected, rtol=0, atol=1e-12)


@pytest.mark.long
def test_two_models_over_one_backbone_never_disturb_each_other(backbone: Backbone) -> None:
    before = backbone.digest_in_memory()
    bare = AdaptedModel(backbone)
    alone = bare.encode(IDS, MASK)
    one = AdaptedModel(backbone, Stack(adapter(backbone, seed=1)))
    first = one.encode(IDS, MASK)
    AdaptedModel(backbone, Stack(adapter(backbone, seed=2))).encode(IDS, MASK)
    assert torch.equal(one.encode(IDS, MASK), first)
    assert torch.equal(bare.encode(IDS, MASK), alone)
    assert (first - alone).abs().max() > 1e-3
    assert backbone.digest_in_memory() == before
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in backbone.model.modules())


def test_the_inverse_is_really_applied_before_the_vocabulary(backbone: Backbone) -> None:
    model = AdaptedModel(backbone, Stack(adapter(backbone)))
    logits = model.mlm_logits(IDS, MASK)
    nice = model.stack.invertible
    assert nice is not None
    nice.inverse = lambda y: y  # type: ignore[method-assign]
    without = model.mlm_logits(IDS, MASK)
    assert (logits - without).abs().max() > 1e-4


def test_loss_and_gradients_at_masked_positions_equal_those_of_the_full_head(
    backbone: Backbone,
) -> None:
    lang = adapter(backbone)
    targets = torch.full_like(IDS, -100)
    targets[0, 3], targets[1, 1] = 33, 44
    model = AdaptedModel(backbone, Stack(lang))
    batch = SimpleNamespace(input_ids=IDS, attention_mask=MASK, targets=targets)
    sparse = model(batch)
    gradients = torch.autograd.grad(sparse, list(model.parameters()), allow_unused=True)
    full = torch.nn.functional.cross_entropy(
        model.mlm_logits(IDS, MASK).flatten(0, 1), targets.flatten(), ignore_index=-100
    )
    others = torch.autograd.grad(full, list(model.parameters()), allow_unused=True)
    torch.testing.assert_close(sparse, full, rtol=0, atol=1e-12)
    pairs = [(a, b) for a, b in zip(gradients, others, strict=True) if b is not None]
    assert pairs
    for a, b in pairs:
        assert a is not None
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def test_a_batch_without_any_target_has_no_loss_and_teaches_nothing(backbone: Backbone) -> None:
    model = AdaptedModel(backbone, Stack(adapter(backbone)))
    targets = torch.full_like(IDS, -100)
    loss = model(SimpleNamespace(input_ids=IDS, attention_mask=MASK, targets=targets))
    loss.backward()
    assert float(loss.detach()) == 0
    assert not any(p.grad.any() for p in model.parameters() if p.grad is not None)


def test_gradients_reach_every_adapter_tensor_and_nothing_else(backbone: Backbone) -> None:
    targets = torch.where(IDS == 4, 50, -100)
    model = AdaptedModel(backbone, Stack(adapter(backbone)))
    model(SimpleNamespace(input_ids=IDS, attention_mask=MASK, targets=targets)).backward()
    assert all(
        p.grad is not None and p.grad.abs().sum() > 0
        for n, p in model.named_parameters()
        if "bias" not in n
    )
    assert all(p.grad is None for p in backbone.model.parameters())


def test_its_parameters_are_its_adapters_only(backbone: Backbone) -> None:
    lang = adapter(backbone)
    model = AdaptedModel(backbone, Stack(lang))
    assert sum(p.numel() for p in model.parameters()) == lang.parameter_count()


@pytest.fixture(scope="module")
def small(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder)


def test_the_order_of_a_stack_matters(small: Backbone) -> None:
    a, b = (
        adapter(small, "a", seed=1, invertible=False),
        adapter(small, "b", seed=2, invertible=False),
    )
    one, two = (AdaptedModel(small, Stack(*pair)).encode(IDS, MASK) for pair in ((a, b), (b, a)))
    assert (one - two).abs().max() > 1e-4


def test_only_the_first_adapters_coupling_counts(small: Backbone) -> None:
    lang, task = adapter(small, "l", seed=1), adapter(small, "t", seed=2)
    assert Stack(lang, task).invertible is lang.invertible
    plain = adapter(small, "p", invertible=False)
    assert Stack(plain, lang).invertible is None


def test_padding_does_not_change_a_row(small: Backbone) -> None:
    model = AdaptedModel(small, Stack(adapter(small)))
    alone = model.encode(IDS[1:, :4], MASK[1:, :4])
    torch.testing.assert_close(model.encode(IDS, MASK)[1:, :4], alone, rtol=1e-4, atol=1e-5)


def test_moving_or_casting_a_model_is_refused(small: Backbone) -> None:
    model = AdaptedModel(small, Stack(adapter(small)))
    for change in (model.double, model.half, lambda: model.to("cpu")):
        with pytest.raises(ConfigError, match="move the backbone"):
            change()


def test_a_stack_without_a_head_says_so(small: Backbone) -> None:
    with pytest.raises(ConfigError, match="without a prediction head"):
        AdaptedModel(small, Stack(adapter(small))).logits(IDS, MASK)


def test_an_adapter_of_another_backbone_is_refused_with_every_difference(
    small: Backbone, tmp_path: Path
) -> None:
    other = load_backbone(make_backbone(tmp_path / "w", "bert", width=64))
    with pytest.raises(AdapterMismatch) as error:
        AdaptedModel(other, Stack(adapter(small)))
    assert "width: the adapter has 32, the backbone has 64" in str(error.value)
    assert "type: the adapter has xlm-roberta, the backbone has bert" in str(error.value)


def test_an_adapter_of_a_twin_architecture_with_other_weights_needs_leave(
    small: Backbone, tmp_path: Path
) -> None:
    derived = load_backbone(make_backbone(tmp_path / "derived", "xlm-roberta", seed=5))
    lang = adapter(small)
    with pytest.raises(AdapterMismatch, match="allow_backbone"):
        AdaptedModel(derived, Stack(lang))
    AdaptedModel(derived, Stack(lang), allow_backbone="derived")


def test_leave_given_on_loading_is_for_the_backbone_of_that_name_and_shape_only(
    small: Backbone, tmp_path: Path
) -> None:
    folder = save_adapter(adapter(small), tmp_path / "a")
    derived = load_backbone(make_backbone(tmp_path / "derived", "xlm-roberta", seed=5))
    other = load_backbone(make_backbone(tmp_path / "other", "xlm-roberta", seed=6))
    wide = load_backbone(make_backbone(tmp_path / "w" / "derived", "xlm-roberta", width=64))
    leave = load_adapter(folder, allow_backbone="derived")
    assert leave.backbone == small.facts
    assert leave.provenance["allowed_backbone"] == "derived"
    for backbone in (small, derived):
        AdaptedModel(backbone, Stack(frozen(leave)))
    with pytest.raises(AdapterMismatch, match="weights: it was made for 'tiny'"):
        AdaptedModel(other, Stack(leave))
    with pytest.raises(AdapterMismatch, match="width: the adapter has 32, the backbone has 64"):
        AdaptedModel(wide, Stack(leave))
    # A folder only tells that somebody allowed it once; it cannot allow itself.
    again = load_adapter(save_adapter(leave, tmp_path / "again"))
    assert again.provenance["allowed_backbone"] == "derived"
    with pytest.raises(AdapterMismatch, match="weights"):
        AdaptedModel(derived, Stack(again))


@pytest.mark.parametrize(
    ("known_as", "name"),
    [
        ("mini", "adapterkit/mini@2"),
        ("xlm-roberta-base", "FacebookAI/xlm-roberta-base"),
        ("bert-base-cased", "bert-base-cased"),  # a folder
    ],
)
def test_a_backbone_is_allowed_under_any_of_its_names(
    small: Backbone, tmp_path: Path, known_as: str, name: str
) -> None:
    other = load_backbone(make_backbone(tmp_path / "other", "xlm-roberta", seed=6))
    renamed = replace(other, facts=replace(other.facts, name=name))
    AdaptedModel(renamed, adapter(small), allow_backbone=known_as)
    folder = save_adapter(adapter(small), tmp_path / "a")
    AdaptedModel(renamed, load_adapter(folder, allow_backbone=known_as))
    with pytest.raises(AdapterMismatch, match="weights"):
        AdaptedModel(renamed, adapter(small), allow_backbone="mini@7")


@pytest.mark.parametrize(
    ("mine", "other", "fits"),
    [
        ("distilbert-base-uncased", "distilbert/distilbert-base-multilingual-cased", False),
        ("distilbert/distilbert-base-uncased", "distilbert/distilbert-base-cased", False),
        ("bert-base-german-dbmdz-cased", "google-bert/bert-base-multilingual-cased", False),
        ("bert-large-cased", "google-bert/bert-large-cased", True),
        ("bert-large-cased", "me/bert-large-cased", False),
        ("afro-xlmr-base", "Davlan/afro-xlmr-base", True),
        ("bert-base-uncased", "backbone", True),  # folders
        ("me/model", "backbone", True),
        ("model", "backbone", True),
        ("", "google-bert/bert-base-cased", True),
        ("bert-base-cased", "bert-base-uncased", True),
    ],
)
def test_without_digests_names_must_leave_it_open_that_a_backbone_is_the_adapters(
    small: Backbone, mine: str, other: str, fits: bool
) -> None:
    made = adapter(small)
    made.backbone = replace(small.facts, name=mine, digest="")
    facts = replace(small.facts, name=other)
    if not fits:
        with pytest.raises(AdapterMismatch, match="name: the adapter has"):
            made.check_fits(facts)
    made.check_fits(facts, allow_backbone=None if fits else other)


def test_a_stack_is_a_value(small: Backbone) -> None:
    a, same, other = adapter(small, seed=1), adapter(small, seed=1), adapter(small, seed=2)
    assert Stack(a) == Stack(same)
    assert hash(Stack(a)) == hash(Stack(same))
    assert Stack(a) != Stack(other)
    assert Stack(a) != Stack(a, other)
    with pytest.raises(AttributeError, match="cannot be changed"):
        Stack(a).parts = ()
    with pytest.raises(ConfigError, match="load_adapter"):
        Stack("adapters/cym")  # type: ignore[arg-type]


def test_a_bf16_backbone_works_with_float32_adapters(tiny_folder: Path) -> None:
    half = load_backbone(tiny_folder, dtype="bfloat16")
    lang = adapter(half)
    model = AdaptedModel(half, Stack(lang))
    targets: Tensor = torch.where(IDS == 4, 50, -100)
    model(SimpleNamespace(input_ids=IDS, attention_mask=MASK, targets=targets)).backward()
    assert next(lang.parameters()).dtype == torch.float32
    assert model.mlm_logits(IDS, MASK).shape == (2, 6, WORDS)


def test_a_head_of_another_vocabulary_is_refused(tiny_folder: Path) -> None:
    backbone = load_backbone(tiny_folder)
    head = HeadConfig("masked_lm", vocabulary=backbone.vocabulary + 1)
    adapter = new_adapter(
        "big", BottleneckConfig(4), backbone=backbone.facts, kind="language", head=head
    )
    with pytest.raises(AdapterMismatch, match="vocabulary: its masked_lm head has 121 tokens"):
        AdaptedModel(backbone, adapter)


@pytest.mark.long
@pytest.mark.parametrize("gated", [False, True])
def test_the_last_layer_may_be_computed_at_masked_positions_only(
    backbone: Backbone, gated: bool
) -> None:
    config = BottleneckConfig(4, invertible=True, mh_adapter=True, use_gating=gated)
    lang = new_adapter("l", config, backbone=backbone.facts, kind="language", seed=3).double()
    model = AdaptedModel(backbone, Stack(lang))
    batch = SimpleNamespace(
        input_ids=IDS, attention_mask=MASK, targets=torch.where(IDS > 20, IDS, -100)
    )
    loss = model(batch)
    loss.backward()
    found = [p.grad for p in model.parameters()]
    model.zero_grad(set_to_none=True)
    logits = model.mlm_logits(IDS, MASK)
    full = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch.targets.flatten())
    full.backward()  # type: ignore[no-untyped-call]
    assert abs(float((loss - full).detach())) < 1e-12
    for gradient, parameter in zip(found, model.parameters(), strict=True):
        assert gradient is not None
        assert parameter.grad is not None
        assert (gradient - parameter.grad).abs().max() < 1e-11
    # A call that stops half-way leaves nothing behind for the next.
    with pytest.raises(IndexError):
        model(SimpleNamespace(input_ids=IDS + 1000, attention_mask=MASK, targets=batch.targets))
    assert model.encode(IDS, MASK).shape == (*IDS.shape, backbone.width)


@pytest.mark.parametrize(
    ("ids", "mask", "why"),
    [
        (IDS.tolist(), None, r"a tensor of shape \(batch, length\), got \[\["),
        (IDS[0], None, r"got int64 of shape \(6,\)"),
        (IDS.float(), None, "got float32 of shape"),
        (IDS[:, :0], None, "a token or more in each row"),
        (IDS[:0], None, "a token or more in each row"),
        (IDS, MASK[:, :5], r"attention_mask has .* \(2, 6\), got int64 of shape \(2, 5\)"),
        (IDS, MASK[:1], r"attention_mask has"),
        (IDS, MASK.tolist(), r"attention_mask has .* got list \(\[\["),
        (IDS, MASK.numpy(), r"attention_mask has .* got ndarray"),
        (IDS + 99_999, None, "has the token ids 0 to .*, got 99999 to 100039"),
        (IDS - 1, None, "got -1 to 39"),
        (IDS.repeat(1, 99), None, "reads .* tokens at most, got 594; ak.predict cuts"),
    ],
)
def test_what_is_no_batch_of_ids_is_refused_by_name(
    ids: Tensor, mask: Tensor | None, why: str, tmp_path: Path
) -> None:
    model = AdaptedModel(load_backbone(make_backbone(tmp_path / "x", "bert")))
    for ask in (model.encode, model.mlm_logits):
        with pytest.raises(ConfigError, match=why):
            ask(ids, mask)


@pytest.mark.parametrize("positions", [MASK, MASK[0].bool(), MASK[:, :5].bool(), [0, 1]])
def test_positions_that_are_no_booleans_of_each_token_are_refused(
    positions: Any, small: Backbone
) -> None:
    with pytest.raises(ConfigError, match=r"one for each token of int64 of shape \(2, 6\), got"):
        AdaptedModel(small).mlm_logits(IDS, MASK, positions=positions)


def test_without_a_count_of_positions_longer_texts_are_read(tmp_path: Path) -> None:
    model = AdaptedModel(load_backbone(make_encoder_decoder(tmp_path / "x", "mt5")))
    assert model.encode(IDS.repeat(1, 99)).shape[:2] == (2, 594)
