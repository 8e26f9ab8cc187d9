from pathlib import Path

import pytest
import torch

from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.config import BackboneFacts, BottleneckConfig, HeadConfig, Linear, LowRankConfig
from adapterkit.errors import AdapterMismatch, ConfigError
from adapterkit.formats.adapterhub import load_adapter, save_adapter
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


def lora(
    seed: int, *, rank: int = 2, alpha: float = 4, paths: tuple[str, ...] = ("q", "v")
) -> Adapter:
    modules = tuple(Linear(path, 8, 6, rank, alpha / rank) for path in paths)
    config = LowRankConfig("lora", modules, rank=rank, alpha=alpha, targets=paths)
    made = new_adapter(f"l{seed}", config, backbone=FACTS, kind="language", seed=seed)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(seed))
    return made


def change(adapter: Adapter, path: str, x: torch.Tensor) -> torch.Tensor:
    patch = adapter.patch(path)
    assert patch is not None
    return patch(x, torch.zeros(len(x), 6), torch.nn.Identity())


def test_merged_loras_change_what_their_sum_changes(tmp_path: Path) -> None:
    a, b = lora(1), lora(2, rank=3, alpha=9)
    merged = merge([a, b], [0.25, -2.0])
    x = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
    for path in ("q", "v"):
        expected = 0.25 * change(a, path, x) - 2.0 * change(b, path, x)
        torch.testing.assert_close(change(merged, path, x), expected)
    save_adapter(merged, tmp_path / "m")
    again = load_adapter(tmp_path / "m")
    torch.testing.assert_close(change(again, "q", x), change(merged, "q", x))


def test_loras_of_other_layers_are_not_merged() -> None:
    with pytest.raises(AdapterMismatch, match="only 'l2' changes k"):
        merge([lora(1), lora(2, paths=("q", "v", "k"))], [0.5, 0.5])
