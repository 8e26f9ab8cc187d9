"""The loop on a problem of one weight."""

import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from adapterkit.settings import LanguageConfig
from adapterkit.training.loop import settings_of, train
from adapterkit.training.progress import Silent


class Slope(nn.Module):
    """Its loss is ten times its weight: a gradient of ten, whatever the weight is."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    @property
    def trained(self) -> nn.Module:
        return self

    def loss(self, step: int) -> tuple[Tensor, int]:
        return 10 * self.weight.sum(), 1

    def look(self) -> float:
        return float(self.weight.detach())


def run_of(*, clip: float | None) -> float:
    """The gradient that the optimizer saw in the first step, by its first moment."""
    problem = Slope()
    config = LanguageConfig(steps=1, learning_rate=0.1, evaluate_every=1, clip=clip)
    seen: dict[str, float] = {}
    step = torch.optim.AdamW.step

    def spied(self: torch.optim.AdamW, *args: object) -> object:
        seen["gradient"] = float(self.param_groups[0]["params"][0].grad)
        return step(self, *args)

    with tempfile.TemporaryDirectory() as folder:
        torch.optim.AdamW.step = spied  # type: ignore[method-assign, assignment]
        try:
            train(problem, settings_of(config), work=Path(folder), same={}, report=Silent())
        finally:
            torch.optim.AdamW.step = step  # type: ignore[method-assign]
    return seen["gradient"]
