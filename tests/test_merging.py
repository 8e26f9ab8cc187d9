from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.composition.average import Average
from adapterkit.config import BackboneFacts, BottleneckConfig, HeadConfig, Linear, LowRankConfig
from adapterkit.errors import AdapterMismatch, ConfigError
from adapterkit.formats.adapterhub import load_adapter, save_adapter
from adapterkit.merging import merge
from adapterkit.nn.heads import Head

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
    return patch(x, lambda x: torch.zeros(len(x), 6))


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


@pytest.mark.parametrize("make", [adapter, lora])
def test_what_a_merge_is_for_is_said_where_its_parts_agree(make: Any, tmp_path: Path) -> None:
    a, b = make(1), make(2)
    assert merge([a, b], [0.5, 0.5]).kind == "language"
    b.kind = "domain"
    merged = merge([a, b], [0.5, 0.5])
    assert merged.kind == ""
    save_adapter(merged, tmp_path / "m")
    assert load_adapter(tmp_path / "m").kind == ""


@pytest.mark.parametrize("make", [adapter, lora])
def test_a_derived_backbone_is_allowed_where_all_parts_were_allowed_on_it(make: Any) -> None:
    a, b = make(1), make(2)
    assert merge([a, b], [0.5, 0.5]).allowed == ""
    a.allowed = "me/tuned"
    alone = merge([a, b], [0.5, 0.5])
    assert (alone.allowed, "allowed_backbone" in alone.provenance) == ("", False)
    b.allowed = "me/tuned"
    both = merge([a, b], [0.5, 0.5])
    assert (both.allowed, both.provenance["allowed_backbone"]) == ("me/tuned", "me/tuned")
    b.allowed = "me/other"
    assert merge([a, b], [0.5, 0.5]).allowed == ""


def test_loras_of_other_layers_are_not_merged() -> None:
    with pytest.raises(AdapterMismatch, match="only 'l2' changes k"):
        merge([lora(1), lora(2, paths=("q", "v", "k"))], [0.5, 0.5])


def test_merged_loras_keep_their_head(tmp_path: Path) -> None:
    a, b = lora(1), lora(2, rank=3)
    for number, part in enumerate((a, b)):
        part.head = Head(HeadConfig("tagging", ("x", "y")), 8)
        with torch.no_grad():
            part.head.state_dict()["chain.1.weight"].fill_(number)
    merged = merge([a, b], [0.25, 0.75])
    assert merged.labels == ("x", "y")
    assert torch.equal(merged.tensors()["head.chain.1.weight"], torch.full((2, 8), 0.75))
    again = load_adapter(save_adapter(merged, tmp_path / "m"))
    assert again.digest() == merged.digest()
    assert again.labels == ("x", "y")


def test_an_average_of_loras_is_their_merge() -> None:
    a, b = lora(1), lora(2, rank=3, alpha=9)
    x = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
    average = Average(a, b, weights=(0.25, 0.75))
    merged = merge([a, b], [0.25, 0.75])
    for path in ("q", "v"):
        patch = average.patch(path)
        assert patch is not None
        torch.testing.assert_close(patch(x, lambda x: x[:, :6]), change(merged, path, x) + x[:, :6])


def headed(config: HeadConfig, width: int = 8) -> Adapter:
    made = adapter(2)
    made.head = Head(config, width)
    return made


ONE = HeadConfig("classification", ("x", "y"))


@pytest.mark.parametrize(
    "other",
    [
        HeadConfig("tagging", ("x", "y")),
        HeadConfig("classification", ("x", "y"), layers=2),
        HeadConfig("classification", ("x", "y"), layers=2, activation="relu"),
        HeadConfig("classification", ("x", "y"), bias=False),
        HeadConfig("multilabel_classification", ("x", "y")),
        HeadConfig("masked_lm", vocabulary=7),
    ],
)
def test_heads_of_other_kinds_and_shapes_are_not_merged(other: HeadConfig) -> None:
    with pytest.raises(AdapterMismatch, match=r"head: 'a' has classification"):
        merge([headed(ONE), headed(other)], [0.5, 0.5])


def test_heads_with_another_activation_are_not_merged() -> None:
    two = replace(ONE, layers=2)
    with pytest.raises(AdapterMismatch, match=r"tanh between them, 'a' has .* relu between"):
        merge([headed(two), headed(replace(two, activation="relu"))], [0.5, 0.5])


def of(name: str, digest: str) -> Adapter:
    made = adapter(1)
    made.backbone = replace(FACTS, name=name, digest=digest)
    return made


def test_backbones_are_compared_by_digest_where_both_are_known_else_by_name() -> None:
    merge([of("a", "1"), of("b", "1")], [1, 1])
    merge([of("a", "1"), of("a", "")], [1, 1])
    merge([of("a", ""), of("", "1")], [1, 1])
    for one, two in ((("a", "1"), ("a", "2")), (("a", "1"), ("b", "")), (("a", ""), ("b", ""))):
        with pytest.raises(AdapterMismatch, match="backbone"):
            merge([of(*one), of(*two)], [1, 1])


def test_loras_of_other_widths_are_not_merged() -> None:
    modules = tuple(Linear(path, 10, 6, 2, 2.0) for path in ("q", "v"))
    config = LowRankConfig("lora", modules, rank=2, alpha=4, targets=("q", "v"))
    wide = new_adapter("w", config, backbone=FACTS, kind="language")
    with pytest.raises(AdapterMismatch, match="q: 'l1' goes from 8 to 6, 'w' from 10 to 6"):
        merge([lora(1), wide], [0.5, 0.5])
    with pytest.raises(AdapterMismatch, match="method: 'l1' has lora, 'a' has bottleneck"):
        merge([lora(1), adapter(1)], [0.5, 0.5])


@pytest.mark.parametrize("weights", [["0.5", 0.5], [None, 1], [True, 0], [1j, 1], 5, "ab"])
def test_weights_that_are_no_numbers_are_one_clear_error(weights: Any) -> None:
    with pytest.raises(ConfigError, match=r"weights"):
        merge([adapter(1), adapter(2)], weights)


@pytest.mark.parametrize("parts", [["a", "b"], [None, None], 5])
def test_what_is_no_adapter_is_one_clear_error(parts: Any) -> None:
    with pytest.raises(ConfigError, match=r"merge takes"):
        merge(parts, [0.5, 0.5])
