"""Cross entropy over a frozen vocabulary matrix, without all logits at once."""

import pytest
import torch
from torch.nn.functional import cross_entropy, linear

from adapterkit.nn import losses
from adapterkit.nn.embedding_rows import RowTable
from adapterkit.nn.losses import SomePieces, frozen_cross_entropy


def problem(rows: int = 11, vocabulary: int = 5000) -> tuple[torch.Tensor, ...]:
    draw = torch.Generator().manual_seed(0)
    features = torch.randn(rows, 12, generator=draw, dtype=torch.float64) * 3
    weight = torch.randn(vocabulary, 12, generator=draw, dtype=torch.float64)
    bias = torch.randn(vocabulary, generator=draw, dtype=torch.float64)
    return features, weight, bias, torch.randint(vocabulary, (rows,), generator=draw)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """1,024 tokens of the vocabulary at once, so that every test meets several pieces."""
    monkeypatch.setattr(losses, "LOGITS", 1)


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("rows", [losses.ROWS, 4])
def test_loss_and_gradient_equal_those_of_the_full_logits(
    rows: int, with_bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(losses, "ROWS", rows)
    features, weight, bias, targets = problem()
    shift = bias if with_bias else None
    features.requires_grad_()
    loss = frozen_cross_entropy(features, weight, shift, targets)
    (found,) = torch.autograd.grad(2 * loss, features)
    expected = cross_entropy(linear(features, weight, shift), targets)
    (gradient,) = torch.autograd.grad(2 * expected, features)
    assert abs(float(loss.detach() - expected.detach())) < 1e-12
    assert (found - gradient).abs().max() < 1e-12


def test_autocast_around_it_changes_nothing() -> None:
    features, weight, bias, targets = problem()
    features, weight, bias = features.float().requires_grad_(), weight.float(), bias.float()
    table = RowTable(torch.tensor([3, 8]), torch.ones(2, 12, requires_grad=True))
    for rows in (None, table):
        expected = frozen_cross_entropy(features, weight, bias, targets, rows)
        (gradient,) = torch.autograd.grad(expected, features)
        with torch.autocast("cpu", torch.bfloat16):
            found = frozen_cross_entropy(features, weight, bias, targets, rows)
            (same,) = torch.autograd.grad(found, features)
        assert torch.equal(found, expected)
        assert torch.equal(same, gradient)
        with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
            low = frozen_cross_entropy(features.bfloat16(), weight, bias, targets, rows)
        torch.testing.assert_close(low, expected, rtol=0.02, atol=0)


def test_huge_logits_do_not_overflow() -> None:
    features, weight, bias, targets = problem(4)
    loss = frozen_cross_entropy(features.float() * 1e4, weight.float(), bias.float(), targets)
    expected = cross_entropy(linear(features.float() * 1e4, weight.float(), bias.float()), targets)
    torch.testing.assert_close(loss, expected)


def test_in_bfloat16_the_sums_are_float32() -> None:
    features, weight, bias, targets = (
        (t / 4).bfloat16() if t.is_floating_point() else t for t in problem()
    )
    features.requires_grad_()
    loss = frozen_cross_entropy(features, weight, bias, targets)
    (gradient,) = torch.autograd.grad(loss, features)
    exact = features.detach().double().requires_grad_()
    expected = cross_entropy(linear(exact, weight.double(), bias.double()), targets)
    (wanted,) = torch.autograd.grad(expected, exact)
    assert loss.dtype == torch.float32
    assert gradient.dtype == torch.bfloat16
    assert abs(float(loss.detach() - expected.detach())) < 0.02
    # Logits and gradient are rounded to 8 bits, the sum over 5,000 tokens is not.
    assert (gradient - wanted).abs().max() < 2**-6 * wanted.abs().max()


def test_no_gradient_is_summed_up_where_nobody_asks() -> None:
    features, weight, bias, targets = problem()
    with torch.no_grad():
        loss = frozen_cross_entropy(features, weight, bias, targets)
    assert not loss.requires_grad


def test_without_targets_the_loss_is_zero_and_so_are_its_gradients() -> None:
    features, weight, bias, targets = problem(0)
    deltas = torch.ones(2, 12, dtype=torch.float64, requires_grad=True)
    features.requires_grad_()
    table = RowTable(torch.tensor([3, 5]), deltas)
    for loss in (
        losses.cross_entropy(linear(features, weight), targets),
        frozen_cross_entropy(features, weight, bias, targets),
        frozen_cross_entropy(features, weight, bias, targets, table),
        SomePieces.of(weight, bias, torch.tensor([3, 7])).cross_entropy(features, targets, table),
    ):
        assert float(loss.detach()) == 0
        loss.backward()  # type: ignore[no-untyped-call]
    assert deltas.grad is not None
    assert not deltas.grad.any()


def test_logits_none_of_which_has_a_target_teach_nothing() -> None:
    logits = torch.randn(5, 3, requires_grad=True)
    loss = losses.cross_entropy(logits, torch.full((5,), -100))
    loss.backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == 0
    assert logits.grad is not None
    assert not logits.grad.any()
    some = torch.tensor([-100, 2, 0, -100, 1])
    assert torch.equal(
        losses.cross_entropy(logits, some), torch.nn.functional.cross_entropy(logits, some)
    )


@pytest.mark.parametrize("with_bias", [True, False])
def test_a_loss_over_some_pieces_is_that_of_their_logits(with_bias: bool) -> None:
    features, weight, bias, _ = problem()
    shift = bias if with_bias else None
    ids = torch.arange(1, 5000, 3)
    targets = ids[torch.tensor([0, 5, 1665, 7, 1, 1, 3, 900, 40, 2, 77])]
    found = SomePieces.of(weight, shift, ids).cross_entropy(features, targets)
    logits = linear(features, weight, shift)
    expected = cross_entropy(logits[:, ids], targets // 3)
    assert abs(float(found - expected)) < 1e-12
    assert float(found) < float(frozen_cross_entropy(features, weight, shift, targets))


def test_a_target_outside_the_pieces_is_an_error_not_a_wrong_loss() -> None:
    features, weight, bias, _ = problem(2)
    pieces = SomePieces.of(weight, bias, torch.tensor([4, 9]))
    with pytest.raises(IndexError):
        pieces.cross_entropy(features, torch.tensor([4, 5]))
