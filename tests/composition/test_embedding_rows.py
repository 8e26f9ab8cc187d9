"""Embedding rows on a backbone: as if its matrix had been changed, without a copy of it."""

import copy
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from adapterkit.backbone.frozen import Backbone, base_of
from adapterkit.backbone.layout import module_at
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.composition.average import Average
from adapterkit.composition.base import Composition
from adapterkit.composition.fuse import Fuse
from adapterkit.composition.rows import Rows
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig, HeadConfig
from adapterkit.data.batches import Batch
from adapterkit.errors import AdapterMismatch, ConfigError
from adapterkit.merging import merge
from adapterkit.model import AdaptedModel
from adapterkit.nn.embedding_rows import EmbeddingRows
from tests.backbone.test_decoders import TYPES as DECODERS
from tests.backbone.test_decoders import make_decoder
from tests.tiny import TYPES, _sizes, make_backbone, make_encoder_decoder, save_tokenizer, stir

IDS = torch.tensor([[0, 11, 12, 30, 44, 2], [0, 14, 40, 9, 8, 2], [0, 70, 11, 2, 1, 1]])
MASK = (IDS != 1).long()
BATCH = Batch(IDS, MASK, torch.where(IDS > 9, IDS, -100))
ROWS = [8, 11, 30, 40, 70]
UNTIED = ("llama", "qwen3")


def make_by_hand(folder: Path) -> Path:
    """A DeBERTa whose head multiplies with the embeddings by hand."""
    from transformers import AutoConfig, AutoModelForMaskedLM

    torch.manual_seed(0)
    config = AutoConfig.for_model("deberta-v2", **_sizes("deberta-v2", 32), legacy=False)
    model = AutoModelForMaskedLM.from_config(config)  # type: ignore[no-untyped-call]
    stir(model)
    model.save_pretrained(folder)
    save_tokenizer(folder)
    return folder


@pytest.fixture(scope="module", params=[*TYPES, *DECODERS, "by hand"])
def backbone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    folder, kind = tmp_path_factory.mktemp("b") / "backbone", request.param
    if kind == "by hand":
        if version("transformers").startswith("4."):
            pytest.skip(
                "transformers 4.57 leaves the embeddings of such a checkpoint without values"
            )
        make_by_hand(folder)
    else:
        (make_decoder if kind in DECODERS else make_backbone)(folder, kind)
    return load_backbone(folder, dtype="float64", device="cpu")


@pytest.fixture(scope="module")
def xlmr(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    folder = make_backbone(tmp_path_factory.mktemp("x") / "backbone", "xlm-roberta")
    return load_backbone(folder, dtype="float64", device="cpu")


def make(
    there: Backbone, seed: int, ids: list[int] | None = None, *, head: bool = False
) -> Adapter:
    made = new_adapter(
        f"a{seed}",
        BottleneckConfig(4, invertible=not head),
        backbone=there.facts,
        kind="task" if head else "language",
        head=HeadConfig("tagging", ("x", "y")) if head else None,
        seed=seed,
    )
    if ids is not None:
        made.embedding_rows = EmbeddingRows(torch.tensor(ids), there.width)
        draw = torch.Generator().manual_seed(seed)
        made.embedding_rows.deltas.data.normal_(generator=draw)
    return made


def changed(there: Backbone, rows: EmbeddingRows) -> Backbone:
    """A real copy of the backbone with the deltas in its matrix."""
    model = copy.deepcopy(there.model)
    words = base_of(model, there.architecture).get_input_embeddings()
    with torch.no_grad():
        words.weight[rows.ids.long()] += rows.deltas.double()
    return replace(there, model=model)


@pytest.mark.long
@torch.no_grad()
def test_it_computes_as_if_the_matrix_had_been_changed(backbone: Backbone) -> None:
    adapter = make(backbone, 1, ROWS)
    assert adapter.embedding_rows is not None
    before = backbone.digest_in_memory()
    model, bare = AdaptedModel(backbone, adapter), adapter.without_embedding_rows()
    other = AdaptedModel(changed(backbone, adapter.embedding_rows), bare)
    assert (model.encode(IDS, MASK) - other.encode(IDS, MASK)).abs().max() < 1e-12
    expected = other.mlm_logits(IDS, MASK)
    assert (model.mlm_logits(IDS, MASK) - expected).abs().max() < 1e-12
    wanted = BATCH.targets != -100
    sparse = model.mlm_logits(IDS, MASK, positions=wanted)
    assert (sparse - expected[wanted]).abs().max() < 1e-12
    assert backbone.digest_in_memory() == before
    # It matters, and on both sides: pieces without a row get the same logits from the same features only.
    plain = AdaptedModel(backbone, bare)
    assert (plain.encode(IDS, MASK) - model.encode(IDS, MASK)).abs().max() > 1e-2
    matrix = module_at(backbone.model, backbone.architecture.vocabulary)
    tied = matrix is None or matrix.weight is backbone.embedding_matrix()
    assert tied == (backbone.facts.model_type not in UNTIED)


@pytest.mark.long
def test_the_loss_and_its_gradients_are_those_of_plain_autograd(backbone: Backbone) -> None:
    adapter = make(backbone, 2, ROWS)
    before = backbone.digest_in_memory()
    model = AdaptedModel(backbone, adapter)
    parameters = dict(model.named_parameters())
    assert "adapters.0.embedding_rows.deltas" in parameters
    found = torch.autograd.grad(model(BATCH), list(parameters.values()))
    wanted = BATCH.targets != -100
    # All logits, and autograd through both hooks.
    logits = model.mlm_logits(IDS, MASK)[wanted]
    expected = torch.nn.functional.cross_entropy(logits, BATCH.targets[wanted])
    gradients = torch.autograd.grad(expected, list(parameters.values()))
    assert abs(float((model(BATCH) - expected).detach())) < 1e-10
    for name, one, other in zip(parameters, found, gradients, strict=True):
        assert (one - other).abs().max() < 1e-10, name
    assert backbone.digest_in_memory() == before


def test_the_gradient_is_that_of_the_changed_matrix_itself(xlmr: Backbone) -> None:
    adapter = make(xlmr, 2, ROWS)
    rows = adapter.embedding_rows
    assert rows is not None
    model = AdaptedModel(xlmr, adapter)
    deltas = next(p for name, p in model.named_parameters() if name.endswith("deltas"))
    (found,) = torch.autograd.grad(model(BATCH), deltas)
    there = changed(xlmr, rows)
    matrix = there.embedding_matrix().requires_grad_()
    logits = AdaptedModel(there, adapter.without_embedding_rows()).mlm_logits(IDS, MASK)
    wanted = BATCH.targets != -100
    loss = torch.nn.functional.cross_entropy(logits[wanted], BATCH.targets[wanted])
    (whole,) = torch.autograd.grad(loss, matrix)
    assert (found - whole[rows.ids.long()]).abs().max() < 1e-10


@pytest.mark.long
@torch.no_grad()
def test_a_mixed_batch_equals_its_rows_run_apart(backbone: Backbone) -> None:
    one, two, none = make(backbone, 1, ROWS), make(backbone, 2, [9, 11, 119]), make(backbone, 3)
    task = make(backbone, 4, head=True)
    parts: list[Composition] = [
        Stack(one, task),
        Stack(two, task),
        Stack(none, task),
        Stack(Average(one, two, none, weights=(0.5, 0.2, 0.3)), task),
    ]
    rows, ids, mask = [3, 1, 0, 2, 1, 0], IDS.repeat(2, 1), MASK.repeat(2, 1)
    mixed = AdaptedModel(backbone, Rows(parts))
    apart = [AdaptedModel(backbone, part) for part in parts]

    def expected(what: str, **options: Any) -> list[Tensor]:
        return [
            getattr(apart[number], what)(ids[i : i + 1], mask[i : i + 1])[0]
            for i, number in enumerate(rows)
        ]

    for what in ("encode", "logits", "mlm_logits"):
        found = getattr(mixed, what)(ids, mask, rows=rows)
        assert (found - torch.stack(expected(what))).abs().max() < 1e-10, what
    wanted = torch.zeros_like(ids, dtype=torch.bool)
    wanted[:, 1] = wanted[3, 2] = True
    sparse = mixed.mlm_logits(ids, mask, rows=rows, positions=wanted)
    assert (sparse - torch.stack(expected("mlm_logits"))[wanted]).abs().max() < 1e-10


@torch.no_grad()
def test_an_average_sums_over_all_pieces_and_of_equals_is_the_equal(xlmr: Backbone) -> None:
    one, two = make(xlmr, 1, ROWS), make(xlmr, 2, [9, 11, 119])
    same = AdaptedModel(xlmr, Average(one, one, weights=(0.3, 0.7))).mlm_logits(IDS, MASK)
    assert (same - AdaptedModel(xlmr, one).mlm_logits(IDS, MASK)).abs().max() < 1e-10
    # Rows alone, without anything that is averaged otherwise: a merge is an average.
    lone, nothing = [], BottleneckConfig(output_adapter=False)
    for adapter in (one, two):
        made = new_adapter(adapter.name, nothing, backbone=xlmr.facts, kind="language")
        made.embedding_rows = adapter.embedding_rows
        lone.append(made)
    average = AdaptedModel(xlmr, Average(*lone, weights=(0.4, 0.6))).mlm_logits(IDS, MASK)
    merged = merge(lone, [0.4, 0.6])
    assert merged.embedding_rows is not None
    assert merged.embedding_rows.ids.tolist() == [8, 9, 11, 30, 40, 70, 119]
    assert (AdaptedModel(xlmr, merged).mlm_logits(IDS, MASK) - average).abs().max() < 1e-5


def test_a_merge_counts_an_adapter_without_rows_as_no_change(xlmr: Backbone) -> None:
    one, none = make(xlmr, 1, ROWS), make(xlmr, 3)
    merged = merge([none, one], [0.5, 2.0])
    assert merged.embedding_rows is not None
    assert one.embedding_rows is not None
    assert torch.equal(merged.embedding_rows.deltas, one.embedding_rows.deltas * 2)
    assert merge([none, none], [0.5, 0.5]).embedding_rows is None
    assert merge([one, one], [0.5, 0.5]).digest() == one.digest()


def test_what_two_rows_for_one_piece_would_mean_is_refused(xlmr: Backbone) -> None:
    one, two, none = make(xlmr, 1, ROWS), make(xlmr, 2, [9]), make(xlmr, 3)
    with pytest.raises(ConfigError, match=r"one part with embedding rows, here are 2: 'a1'; 'a2'"):
        Stack(one, two)
    with pytest.raises(ConfigError, match="here are 2"):
        Stack(Average(one, none), Stack(two))
    assert Stack(none, one).embedding_rows is one.embedding_rows
    assert Stack(one.without_embedding_rows(), two).embedding_rows is two.embedding_rows
    assert one.embedding_rows is not None
    with pytest.raises(ConfigError, match="attention over layers cannot weigh"):
        Fuse(one, none)
    assert Fuse(one.without_embedding_rows(), none).embedding_rows is None


def test_rows_count_in_what_an_adapter_is(xlmr: Backbone) -> None:
    one = make(xlmr, 1, ROWS)
    bare = one.without_embedding_rows()
    assert one.digest() != bare.digest()
    assert one.parameter_count() == bare.parameter_count() + len(ROWS) * xlmr.width
    other = make(xlmr, 1, [8, 11, 30, 40, 71])
    assert one.digest() != other.digest()
    assert Stack(one) != Stack(other)


def test_rows_of_another_vocabulary_do_not_fit(xlmr: Backbone, tmp_path: Path) -> None:
    with pytest.raises(AdapterMismatch, match="of token 120, the backbone's go up to 119"):
        AdaptedModel(xlmr, make(xlmr, 1, [5, 120]))
    there = load_backbone(make_encoder_decoder(tmp_path / "b", "mt5"), device="cpu")
    with pytest.raises(AdapterMismatch, match="over an encoder-decoder"):
        AdaptedModel(there, make(there, 1, [5]))


@pytest.mark.long
@pytest.mark.parametrize("beams", [1, 2])
@pytest.mark.parametrize("kind", ["llama", "gemma3_text"])
def test_a_decoder_writes_with_the_rows_of_each_text(kind: str, beams: int, tmp_path: Path) -> None:
    there = load_backbone(make_decoder(tmp_path / "b", kind), dtype="float64", device="cpu")
    ids = IDS[:2, 1:]
    parts = [Stack(make(there, 1, ROWS)), Stack(make(there, 2, list(range(20, 60))))]
    options = {"max_new_tokens": 5, "num_beams": beams}
    together = AdaptedModel(there, Rows(parts)).generate(ids, rows=[1, 0], **options)  # type: ignore[arg-type]
    for row, part in enumerate(reversed(parts)):
        alone = AdaptedModel(there, part).generate(ids[row : row + 1], **options)  # type: ignore[arg-type]
        assert torch.equal(together[row : row + 1, : alone.shape[1]], alone)
        rows = part.adapters[0].embedding_rows
        assert rows is not None
        bare = part.adapters[0].without_embedding_rows()
        other = AdaptedModel(changed(there, rows), bare)
        assert torch.equal(other.generate(ids[row : row + 1], **options), alone)  # type: ignore[arg-type]


def test_it_moves_and_casts_with_its_model(xlmr: Backbone) -> None:
    adapter = make(xlmr, 1, ROWS)
    model = AdaptedModel(xlmr, adapter)
    rows = model.stack.adapters[0].embedding_rows
    assert rows is not None
    assert rows.deltas.dtype == torch.float64
    assert rows.ids.dtype == torch.int32
    assert adapter.embedding_rows is not None
    assert adapter.embedding_rows.deltas.dtype == torch.float32
