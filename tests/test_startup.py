import pytest

from benchmarks.startup import measure


@pytest.mark.slow
def test_importing_and_helping_take_a_fraction_of_importing_torch() -> None:
    medians = measure()
    assert medians["import adapterkit"] <= 0.15 * medians["import torch"]
    assert medians["adapterkit --help"] <= 0.35 * medians["import torch"]
