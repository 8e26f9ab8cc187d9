"""LoRA and IA3 on linear layers, alone and one over the other."""

import pytest
import torch
from torch import Tensor, nn

from adapterkit.config import Linear
from adapterkit.nn.groups import Groups
from adapterkit.nn.low_rank import Frozen, LowRank, Patch, PatchChain, PatchMean, Rescale
from adapterkit.nn.sites import PatchSite


def drawn(part: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in part.parameters():
            parameter.normal_(generator=generator)


def lora(seed: int, *, dropout: float = 0.0) -> LowRank:
    made = LowRank(Linear("q", 6, 4, 2, 1.5), dropout=dropout).double()
    drawn(made, seed)
    return made


def ia3(seed: int, *, feedforward: bool) -> Rescale:
    made = Rescale(Linear("q", 6, 4, feedforward=feedforward)).double()
    drawn(made, seed)
    return made


LAYER = nn.Linear(6, 4).double()
X = torch.randn(3, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def run(patch: Patch, x: Tensor = X, layer: nn.Linear = LAYER) -> Tensor:
    return patch(x, Frozen(x, layer(x), layer))


@torch.no_grad()
def test_ia3s_of_a_stack_multiply_on_the_input_and_on_the_output() -> None:
    a, b = ia3(1, feedforward=True), ia3(2, feedforward=True)
    torch.testing.assert_close(run(PatchChain((a, b))), LAYER(X * a.scale * b.scale))
    a, b = ia3(1, feedforward=False), ia3(2, feedforward=False)
    torch.testing.assert_close(run(PatchChain((a, b))), LAYER(X) * a.scale * b.scale)


@torch.no_grad()
def test_each_part_of_a_stack_changes_the_layer_that_those_before_it_made() -> None:
    low, scale, other = lora(1), ia3(2, feedforward=True), lora(3)

    def change(part: LowRank, x: Tensor) -> Tensor:
        return x @ (part.up.weight @ part.down.weight).T * part.scaling

    torch.testing.assert_close(
        run(PatchChain((low, other))), LAYER(X) + change(low, X) + change(other, X)
    )
    inside = X * scale.scale
    torch.testing.assert_close(run(PatchChain((low, scale))), LAYER(inside) + change(low, inside))
    torch.testing.assert_close(run(PatchChain((scale, low))), LAYER(inside) + change(low, X))


@torch.no_grad()
def test_an_average_over_another_part_is_the_average_of_the_stacks() -> None:
    below, one, two = ia3(1, feedforward=True), ia3(2, feedforward=True), lora(3)
    over = PatchChain((below, PatchMean((one, two, None), (0.5, 0.75, -0.25))))
    expected = (
        0.5 * run(PatchChain((below, one)))
        + 0.75 * run(PatchChain((below, two)))
        - 0.25 * run(PatchChain((below,)))
    )
    torch.testing.assert_close(run(over), expected)


@torch.no_grad()
def test_rows_with_input_scales_of_their_own_equal_the_rows_apart() -> None:
    parts = (PatchChain((ia3(1, feedforward=True), ia3(2, feedforward=True))), None, lora(3))
    groups = Groups([2, 0, 1], X.device)
    found = PatchSite(parts, groups)(LAYER, (X,), LAYER(X))
    expected = torch.stack([run(lora(3), X[0]), run(parts[0], X[1]), LAYER(X[2])])
    torch.testing.assert_close(found, expected)


def test_the_dropout_of_a_lora_is_on_while_training_only() -> None:
    part = lora(1, dropout=0.5)
    torch.manual_seed(0)
    trained = run(part.train())
    torch.manual_seed(0)
    dropped = nn.functional.dropout(X, 0.5, training=True)
    change = dropped @ (part.up.weight @ part.down.weight).T * part.scaling
    torch.testing.assert_close(trained, (LAYER(X) + change).detach())
    assert torch.equal(run(part.eval()), run(part))
    assert not torch.allclose(trained, run(part))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_parts_keep_their_dtype_and_hand_back_the_backbones(dtype: torch.dtype) -> None:
    layer, x = nn.Linear(6, 4).to(dtype), X.to(dtype)
    parts = (lora(1).float(), ia3(2, feedforward=True).float(), ia3(3, feedforward=False).float())
    for part in (*parts, PatchChain(parts), PatchMean(parts, (0.2, 0.3, 0.5))):
        assert run(part, x, layer).dtype == dtype
    assert {parameter.dtype for part in parts for parameter in part.parameters()} == {torch.float32}
