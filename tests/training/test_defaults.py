"""What a language training does when nobody says: rates and steps by width and size of the text."""

import pytest

from adapterkit.training.defaults import learning_rate, steps_for

A_STEP = 32 * 64


@pytest.mark.parametrize(
    ("width", "tokens_a_step", "rate"),
    [(384, A_STEP, 6e-3), (384, 16_384, 6e-3), (512, A_STEP, 5e-5), (768, 16_384, 1e-4)],
)
def test_the_rate_is_that_of_the_width_and_of_the_batch(
    width: int, tokens_a_step: int, rate: float
) -> None:
    assert learning_rate(width, tokens_a_step) == rate


@pytest.mark.parametrize(
    ("width", "tokens", "steps"),
    [
        (384, 1_000, 200),
        (384, 30_720, 300),  # 20 passes
        (384, 10**9, 480),
        (768, 1_000, 200),
        (768, 1_024_000, 10_000),
        (768, 10**9, 50_000),
    ],
)
def test_the_steps_are_twenty_passes_within_bounds(width: int, tokens: int, steps: int) -> None:
    assert steps_for(tokens, A_STEP, width) == steps
