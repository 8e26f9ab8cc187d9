"""Products added in place: the same sums, and nobody's memory but their own."""

import pytest
import torch
from torch import Tensor, nn

from adapterkit.nn.arithmetic import multiply, onto
from adapterkit.nn.groups import Groups
from adapterkit.nn.mixing import GroupedLinear

EXACT = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 0.05}


def layers(count: int, dtype: torch.dtype) -> list[nn.Linear]:
    torch.manual_seed(0)
    return [nn.Linear(6, 10).to(dtype) for _ in range(count)]


def drawn(*shape: int, dtype: torch.dtype, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


@pytest.mark.parametrize("dtype", EXACT)
@pytest.mark.parametrize("turned", [False, True])
def test_a_product_is_added_without_touching_what_it_is_added_to(
    dtype: torch.dtype, turned: bool
) -> None:
    (layer,) = layers(1, dtype)
    x, other = drawn(3, 4, 6, dtype=dtype), drawn(3, 4, 10, dtype=dtype, seed=2)
    if turned:  # not contiguous
        x, other = (one.transpose(0, 1).contiguous().transpose(0, 1) for one in (x, other))
    before = other.clone()
    wide = other.double() + (x.double() @ layer.weight.double().t() + layer.bias.double())
    with torch.no_grad():
        found = onto(other, layer, x)
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), wide, atol=EXACT[dtype], rtol=EXACT[dtype])
    assert torch.equal(other, before)


def test_with_a_gradient_the_same_comes_out_and_the_gradient_with_it() -> None:
    (layer,) = layers(1, torch.float64)
    x, other = drawn(3, 4, 6, dtype=torch.float64), drawn(3, 4, 10, dtype=torch.float64, seed=2)
    found = onto(other.requires_grad_(), layer, x)
    found.sum().backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        torch.testing.assert_close(found, onto(other, layer, x), atol=1e-12, rtol=0)
    assert layer.weight.grad is not None
    torch.testing.assert_close(layer.weight.grad, x.sum((0, 1)).expand(10, 6))


def test_another_precision_than_the_layers_is_rounded_as_ever() -> None:
    (layer,) = layers(1, torch.float32)
    x, other = drawn(3, 4, 6, dtype=torch.bfloat16), drawn(3, 4, 10, dtype=torch.bfloat16, seed=2)
    with torch.no_grad():
        found = onto(other, layer, x)
        assert torch.equal(found, other + multiply(layer, x))
    assert found.dtype == torch.bfloat16


@pytest.mark.parametrize("length", [2, 0])
@pytest.mark.parametrize("rows", [[0, 0, 2, 1], [2, 2, 0, 1], [2, 1, 1, 0], [1, 1, 1, 1]])
def test_side_by_side_each_row_gets_its_own_layers_product(rows: list[int], length: int) -> None:
    many = layers(3, torch.float64)
    x = drawn(4, 6, length, dtype=torch.float64).transpose(1, 2)  # laid out otherwise
    other = drawn(4, length, 10, dtype=torch.float64, seed=2)
    with torch.no_grad():
        grouped = onto(other, GroupedLinear(many, Groups(rows, x.device)), x)
        for number, row in enumerate(rows):
            one = onto(other[number : number + 1], many[row], x[number : number + 1])
            torch.testing.assert_close(grouped[number : number + 1], one, atol=1e-12, rtol=0)
            product = multiply(many[row], x[number : number + 1])
            alone = GroupedLinear(many, Groups(rows, x.device))(x)[number : number + 1]
            torch.testing.assert_close(alone, product, atol=1e-12, rtol=0)


def test_rows_of_one_composition_that_are_apart_are_no_slices() -> None:
    here = torch.device("cpu")
    assert Groups([0, 1, 0], here).slices is None
    assert Groups([1, 1, 0], here).slices == ((0, 2, 1), (2, 3, 0))
    assert Groups([], here).slices == ()
