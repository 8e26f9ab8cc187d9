import pytest
import torch

from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.config import BackboneFacts, BottleneckConfig, HeadConfig
from adapterkit.errors import AdapterMismatch, ConfigError
from adapterkit.merging import merge

FACTS = BackboneFacts("tiny", "", "bert", 8, 2)


def adapter(
    seed: int, *, labels: tuple[str, ...] = (), factor: float = 2, invertible: bool = True
) -> Adapter:
    head = HeadConfig("tagging", labels) if labels else None
    config = BottleneckConfig(factor, invertible=invertible)
    return new_adapter(
        "a", config, backbone=FACTS, kind="language", language="cym", head=head, seed=seed
    )


def test_a_weighted_sum_is_taken_of_every_tensor_the_invertible_part_too() -> None:
    a, b = adapter(1, labels=("x", "y")), adapter(2, labels=("x", "y"))
    merged = merge([a, b], [0.25, 0.75])
    for name, tensor in merged.tensors().items():
        torch.testing.assert_close(tensor, a.tensors()[name] * 0.25 + b.tensors()[name] * 0.75)
    assert any(name.startswith("invertible.") for name in merged.tensors())


def test_differences_can_be_added_and_taken_back() -> None:
    a, b, c = adapter(1), adapter(2), adapter(3)
    there = merge([a, b, c], [1, 1, -1])
    back = merge([there, b, c], [1, -1, 1])
    for name, tensor in back.tensors().items():
        torch.testing.assert_close(tensor, a.tensors()[name], rtol=1e-5, atol=1e-7)


def test_merging_leaves_its_parts_alone_and_names_them() -> None:
    a, b = adapter(1), adapter(2)
    before = a.digest()
    merged = merge([a, b], [0.5, 0.5], name="mix")
    assert a.digest() == before
    assert [part["digest"] for part in merged.provenance["merged"]] == [a.digest(), b.digest()]
    assert (merged.name, merged.language) == ("mix", "cym")


def test_an_adapter_merged_with_itself_is_itself() -> None:
    a = adapter(1)
    assert merge([a, a], [0.5, 0.5]).digest() == a.digest()


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (adapter(2, factor=4), "shape"),
        (adapter(2, invertible=False), "invertible part"),
        (adapter(2, labels=("x", "y")), "labels"),
    ],
)
def test_what_cannot_be_merged_is_said(other: Adapter, says: str) -> None:
    with pytest.raises(AdapterMismatch, match=says):
        merge([adapter(1), other], [0.5, 0.5])


def test_weights_must_pair_up() -> None:
    with pytest.raises(ConfigError, match="as many weights"):
        merge([adapter(1)], [0.5, 0.5])
