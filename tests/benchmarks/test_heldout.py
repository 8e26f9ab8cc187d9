import pytest

from benchmarks.contests.heldout import DOCUMENTED, FROZEN, figures
from benchmarks.contests.language_training import ADAPTERS, BF16, FP32


def test_losses_are_means_over_seeds_and_bfloat16_is_told_as_a_fraction_above_float32() -> None:
    theirs = {ADAPTERS: [3.0, 5.0], FROZEN: [5.0, 5.0], DOCUMENTED: [6.0, 7.0]}
    found = figures({FP32: [2.0, 4.0], BF16: [2.0, 4.3], **theirs})
    assert found["loss_fp32"] == 3.0
    assert found["loss_adapters"] == 4.0
    assert found["loss_adapters_head_frozen"] == 5.0
    assert found["loss_adapters_documented_rate"] == 6.5
    assert found["bf16_over_fp32"] == pytest.approx(0.05)


def test_losses_of_who_did_not_take_part_are_null() -> None:
    found = figures({FP32: [2.0], BF16: [2.0]})
    assert found["loss_adapters"] is found["loss_adapters_head_frozen"] is None
