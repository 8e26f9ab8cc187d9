import pickle
import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from adapterkit.config import BottleneckConfig, HeadConfig
from adapterkit.errors import ConfigError
from adapterkit.nn.activations import activation
from adapterkit.nn.bottleneck import Bottleneck, Nice, initialise
from adapterkit.nn.heads import Head
from adapterkit.nn.sites import Caught, Chain, CouplingSite, Here, PostNormSite
from adapterkit.nn.twin import copied, twin


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 8).map(lambda n: 2 * n), st.integers(1, 6), st.integers(0, 1000))
def test_the_inverse_undoes_the_coupling(width: int, inside: int, seed: int) -> None:
    nice = Nice(width, inside).double()
    torch.manual_seed(seed)
    for parameter in nice.parameters():
        nn.init.normal_(parameter)
    x = torch.randn(3, 4, width, dtype=torch.float64)
    torch.testing.assert_close(nice.inverse(nice(x)), x, rtol=1e-10, atol=1e-10)
    assert not torch.equal(nice(x), x)


def test_a_coupling_follows_its_equations() -> None:
    nice = Nice(4, 3).double()
    initialise(nice, 1)
    x = torch.randn(2, 4, dtype=torch.float64)
    a, b = x[:, :2], x[:, 2:]

    def net(name: str, v: torch.Tensor) -> torch.Tensor:
        w = {key.removeprefix(name): t for key, t in nice.state_dict().items()}
        inner = torch.relu(v @ w[".0.weight"].T + w[".0.bias"])
        out: torch.Tensor = inner @ w[".2.weight"].T + w[".2.bias"]
        return out

    y1 = a + net("F", b)
    expected = torch.cat((y1, b + net("G", y1)), -1)
    torch.testing.assert_close(nice(x), expected)


def test_a_bottleneck_is_up_of_act_of_down_times_scaling() -> None:
    block = Bottleneck(6, 3, BottleneckConfig(scaling=2.5))
    x = torch.randn(5, 6)
    torch.testing.assert_close(block(x, Here(None)), x + 2.5 * block.up(torch.relu(block.down(x))))


def test_adapters_keep_their_dtype_and_hand_back_the_backbones() -> None:
    x = torch.randn(2, 8).bfloat16()
    assert Bottleneck(8, 4, BottleneckConfig())(x, Here(None)).dtype == torch.bfloat16
    assert Nice(8, 4)(x).dtype == torch.bfloat16
    assert Nice(8, 4).inverse(x).dtype == torch.bfloat16


def test_refining_with_no_adapter_is_the_residual_itself() -> None:
    x = torch.randn(2, 3)
    assert Chain(())(x, Here(nn.LayerNorm(3))) is x


def test_each_adapter_of_a_stack_sees_the_norm_of_what_came_before() -> None:
    norm, first, second = (
        nn.LayerNorm(6),
        Bottleneck(6, 2, BottleneckConfig()),
        Bottleneck(6, 3, BottleneckConfig()),
    )
    s = torch.randn(4, 6)
    one = s + first.change(norm(s))
    torch.testing.assert_close(
        Chain((first, second))(s, Here(norm)), one + second.change(norm(one))
    )


def test_the_same_seed_gives_the_same_weights_whatever_ran_before() -> None:
    one, two = Bottleneck(6, 3, BottleneckConfig()), Bottleneck(6, 3, BottleneckConfig())
    initialise(one, 7)
    torch.rand(10)
    initialise(two, 7)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    initialise(two, 8)
    assert not torch.equal(one.down.weight, two.down.weight)
    assert not one.up.bias.any()


def test_a_twin_shares_tensors_and_no_hooks() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))
    model[1].register_forward_hook(lambda *_: torch.zeros(1))
    other = twin(model)
    x = torch.randn(2, 4)
    expected = nn.functional.layer_norm(model[0](x), (4,))
    torch.testing.assert_close(other(x), expected)
    norm = other._modules["1"]
    assert norm is not None
    norm.register_forward_pre_hook(PostNormSite(Bottleneck(4, 2, BottleneckConfig())))
    assert torch.equal(model(x), torch.zeros(1))
    model.double()
    assert next(other.parameters()).dtype == torch.float64
    assert all(a is b for a, b in zip(model.parameters(), other.parameters(), strict=True))


def test_a_copy_has_tensors_of_its_own_and_what_was_shared_still_is() -> None:
    tied = nn.Linear(3, 3, bias=False)
    first, second = nn.Sequential(tied, nn.BatchNorm1d(3)), nn.Sequential(tied, nn.Linear(3, 3))
    second[1].weight = tied.weight
    second[1].register_forward_hook(lambda *_: torch.zeros(1))
    one, other = copied([first, second], lambda old: old.clone().requires_grad_(old.requires_grad))
    tensors = {id(tensor) for tensor in (*first.parameters(), *second.parameters())}
    assert not tensors & {id(tensor) for tensor in (*one.parameters(), *other.parameters())}
    assert {key: tensor.tolist() for key, tensor in one.state_dict().items()} == {
        key: tensor.tolist() for key, tensor in first.state_dict().items()
    }
    assert one._modules["0"] is other._modules["0"] is not tied
    assert (
        next(one.parameters()) is dict(other.named_parameters(remove_duplicate=False))["1.weight"]
    )
    assert torch.equal(other(torch.ones(1, 3)), torch.zeros(1))  # hooks too
    other._modules["1"].register_forward_hook(lambda *_: torch.ones(1))  # type: ignore[union-attr]
    assert torch.equal(second(torch.ones(1, 3)), torch.zeros(1))  # of its own
    one(torch.ones(2, 3))
    assert first[1].num_batches_tracked == 0
    assert one.state_dict()["1.num_batches_tracked"] == 1


def test_a_twin_does_not_run_the_originals_children() -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    model.forward = model.forward  # type: ignore[method-assign] # as transformers 4.57 leaves it
    other = twin(model)
    child = other._modules["0"]
    assert child is not None
    child.register_forward_hook(lambda *_: torch.zeros(1))
    assert torch.equal(other(torch.ones(1, 2)), torch.zeros(1))


def test_a_module_that_occurs_twice_occurs_as_one_in_the_twin() -> None:
    shared = nn.Linear(3, 3)
    other = twin(nn.Sequential(shared, shared))
    assert other._modules["0"] is other._modules["1"]


def test_hooks_pickle() -> None:
    hook = pickle.loads(pickle.dumps(CouplingSite([Nice(4, 2)], inverse=True)))
    assert hook.inverse


def test_an_unknown_activation_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="gelu_new"):
        activation("snake")


@pytest.mark.parametrize(
    ("config", "shape"),
    [
        (HeadConfig("tagging", ("a", "b", "c")), (2, 5, 3)),
        (HeadConfig("classification", ("a", "b"), layers=2), (2, 2)),
        (HeadConfig("masked_lm", layers=2, activation="gelu", vocabulary=11), (2, 5, 11)),
    ],
)
def test_heads_give_the_shapes_they_promise(config: HeadConfig, shape: tuple[int, ...]) -> None:
    assert Head(config, 8)(torch.randn(2, 5, 8)).shape == shape


def test_a_masked_lm_head_applies_the_inverse_right_before_the_vocabulary() -> None:
    head = Head(HeadConfig("masked_lm", layers=2, activation="gelu", vocabulary=11), 8).double()
    nice = Nice(8, 3).double()
    initialise(nice, 3)
    x = torch.randn(2, 8, dtype=torch.float64)
    chain = head.chain
    features = nn.functional.layer_norm(nn.functional.gelu(chain["0"](x)), (8,), eps=1e-5)
    expected = chain["3"](nice.inverse(features))
    torch.testing.assert_close(head(x, nice, epsilon=1e-5), expected)


@pytest.mark.parametrize("kind", ["tagging", "classification", "masked_lm"])
def test_heads_keep_their_dtype_over_a_narrower_backbone(kind: str) -> None:
    config = HeadConfig(kind, ("a", "b"), layers=2, activation="gelu", vocabulary=11)
    head, nice, hidden = Head(config, 8), Nice(8, 3), torch.randn(2, 5, 8).bfloat16()
    assert torch.equal(head(hidden, nice), head(hidden.float(), nice))


def test_an_unknown_head_type_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="question_answering"):
        Head(HeadConfig("question_answering"), 8)


def test_a_caught_residual_stays_in_its_thread() -> None:
    caught, both_put = Caught(), threading.Barrier(2, timeout=20)
    taken: dict[float, torch.Tensor | None] = {}

    def run(value: float) -> None:
        caught.put(torch.tensor(value))
        both_put.wait()
        taken[value] = caught.take()

    threads = [threading.Thread(target=run, args=(value,)) for value in (1.0, 2.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken == {1.0: torch.tensor(1.0), 2.0: torch.tensor(2.0)}
    assert caught.take() is None
