"""Tables of deltas by token id, and the loss that trains them without all logits."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear

from adapterkit.errors import ConfigError
from adapterkit.nn import losses
from adapterkit.nn.embedding_rows import EmbeddingRows, MeanRows, RowTable, weighed
from adapterkit.nn.losses import SomePieces, frozen_cross_entropy

VOCABULARY, WIDTH = 5000, 12
DRAW = torch.Generator().manual_seed(3)


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=DRAW, dtype=torch.float64)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """1,024 tokens of the vocabulary at once, so that every test meets several pieces."""
    monkeypatch.setattr(losses, "LOGITS", 1)


def rows_of(ids: list[int], width: int = WIDTH) -> EmbeddingRows:
    rows = EmbeddingRows(torch.tensor(ids), width).double()
    rows.deltas.data = normal(len(ids), width)
    return rows


def test_a_token_finds_its_delta_and_others_find_none() -> None:
    rows = rows_of([3, 7, 40])
    tokens = torch.tensor([[40, 4, 3], [0, 41, 7]])
    found = rows.table().of(tokens)
    for place, row in {(0, 0): 2, (0, 2): 0, (1, 2): 1}.items():
        assert torch.equal(found[place], rows.deltas[row])
    assert not found[[0, 1, 1], [1, 0, 1]].any()


@pytest.mark.parametrize("ids", [[], [3, 3], [7, 3], [-1, 3]])
def test_token_ids_stand_once_and_in_rising_order(ids: list[int]) -> None:
    with pytest.raises(ConfigError, match="in rising order, each once, and at least one"):
        EmbeddingRows(torch.tensor(ids, dtype=torch.long), 4)


def test_fresh_rows_change_nothing() -> None:
    assert not EmbeddingRows(torch.tensor([2, 5]), 4).deltas.any()


def test_a_weighted_sum_goes_over_all_ids_and_reaches_its_parts_with_gradients() -> None:
    a, b = rows_of([3, 7]), rows_of([7, 9, 11])
    ids, deltas = MeanRows([a, b], [0.25, 0.75]).table()
    assert ids.tolist() == [3, 7, 9, 11]
    torch.testing.assert_close(deltas[0], a.deltas[0] * 0.25)
    torch.testing.assert_close(deltas[1], a.deltas[1] * 0.25 + b.deltas[0] * 0.75)
    torch.testing.assert_close(deltas[2:], b.deltas[1:] * 0.75)
    deltas.sum().backward()  # type: ignore[no-untyped-call]
    assert a.deltas.grad is not None
    assert torch.equal(a.deltas.grad, torch.full((2, WIDTH), 0.25, dtype=torch.float64))
    same = weighed([a.table(), a.table()], [0.5, 0.5])
    assert torch.equal(same.deltas, a.deltas)


def problem(with_bias: bool) -> tuple[Tensor, Tensor, Tensor | None, Tensor, EmbeddingRows]:
    """Rows in the first piece of the vocabulary, around a border, in the last one, and none in the third."""
    rows = rows_of([0, 5, 900, 1023, 1024, 1500, 3500, 4998, 4999])
    features = (normal(11, WIDTH) * 2).requires_grad_()
    targets = torch.tensor([5, 5, 17, 1023, 1024, 4999, 2100, 3500, 3501, 0, 4997])
    bias = normal(VOCABULARY) if with_bias else None
    return features, normal(VOCABULARY, WIDTH), bias, targets, rows


def changed(weight: Tensor, rows: EmbeddingRows) -> Tensor:
    return weight.index_add(0, rows.ids.long(), rows.deltas)


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("kept", [losses.KEPT, 18])
def test_loss_and_gradients_equal_those_over_a_changed_matrix(
    kept: int, with_bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(losses, "KEPT", kept)  # 18: two features at once
    features, weight, bias, targets, rows = problem(with_bias)
    loss = frozen_cross_entropy(features, weight, bias, targets, rows.table())
    found = torch.autograd.grad(3 * loss, [features, rows.deltas])
    expected = cross_entropy(linear(features, changed(weight, rows), bias), targets)
    gradients = torch.autograd.grad(3 * expected, [features, rows.deltas])
    assert abs(float((loss - expected).detach())) < 1e-12
    for one, other in zip(found, gradients, strict=True):
        assert (one - other).abs().max() < 1e-10
    with torch.no_grad():
        look = frozen_cross_entropy(features, weight, bias, targets, rows.table())
        assert abs(float(look - expected)) < 1e-12


def test_deltas_get_their_gradient_where_the_features_ask_for_none() -> None:
    features, weight, bias, targets, rows = problem(True)
    still = features.detach()
    loss = frozen_cross_entropy(still, weight, bias, targets, rows.table())
    (found,) = torch.autograd.grad(loss, rows.deltas)
    expected = cross_entropy(linear(still, changed(weight, rows), bias), targets)
    assert (found - torch.autograd.grad(expected, rows.deltas)[0]).abs().max() < 1e-10


def test_over_some_pieces_only_their_deltas_count_in_whatever_order() -> None:
    features, weight, bias, targets, rows = problem(True)
    assert bias is not None
    ids = torch.cat([targets.unique(), torch.arange(2000, 4000, 7)]).unique()  # type: ignore[no-untyped-call]
    ids = ids[torch.randperm(len(ids), generator=DRAW)]
    assert not set(rows.ids.tolist()) <= set(ids.tolist())
    pieces = SomePieces.of(weight, bias, ids)
    loss = pieces.cross_entropy(features, targets, rows.table())
    found = torch.autograd.grad(loss, [features, rows.deltas])
    logits = linear(features, changed(weight, rows)[ids], bias[ids])
    places = (ids == targets[:, None]).nonzero()[:, 1]
    expected = cross_entropy(logits, places)
    gradients = torch.autograd.grad(expected, [features, rows.deltas])
    assert abs(float((loss - expected).detach())) < 1e-12
    for one, other in zip(found, gradients, strict=True):
        assert (one - other).abs().max() < 1e-10


def test_where_no_piece_has_a_delta_the_loss_is_that_without_any() -> None:
    features, weight, bias, targets, rows = problem(True)
    some = torch.tensor(sorted({*targets.tolist(), 77, 78}))
    pieces = SomePieces.of(weight, bias, some)
    lone = RowTable(torch.tensor([79, 80]), rows.deltas[:2])
    assert torch.equal(
        pieces.cross_entropy(features, targets, lone), pieces.cross_entropy(features, targets)
    )


def test_in_bfloat16_the_gradient_is_near_that_in_float64() -> None:
    features, weight, bias, targets, rows = problem(True)
    assert bias is not None
    expected = cross_entropy(linear(features, changed(weight, rows), bias), targets)
    (wanted,) = torch.autograd.grad(expected, rows.deltas)
    deltas = rows.deltas.detach().float().requires_grad_()
    h, matrix, shift = (x.detach().bfloat16() for x in (features, weight, bias))
    loss = frozen_cross_entropy(h, matrix, shift, targets, RowTable(rows.ids.long(), deltas))
    (found,) = torch.autograd.grad(loss, deltas)
    assert found.dtype == torch.float32
    assert (found - wanted).abs().max() < 0.05 * wanted.abs().max()
