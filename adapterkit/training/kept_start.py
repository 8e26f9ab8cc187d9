"""Part of what a training started from stays in its result: weights of both are added up.

Source: Wortsman et al. (2022), "Robust fine-tuning of zero-shot models" (WiSE-FT), there for fine-tuned models; here for a
language adapter that went on from another one. `docs/log.md` has what it gives.
"""

import torch
from torch import Tensor, nn

from adapterkit.composition.adapter import Adapter

KEPT = 0.4
"""Default share of the start; chosen on dev languages, over three tasks."""


def share_of(
    asked: float | None, init: Adapter | None, language: str, over: Adapter | None
) -> float:
    """The share of the start that stays: as asked, or `KEPT` for an adapter that goes on from another language's."""
    if asked is not None:
        return asked
    other = init is not None and over is None and init.language != language
    return KEPT if other else 0.0


def keep(part: nn.Module, start: dict[str, Tensor], share: float) -> None:
    """Make ``part`` the sum of ``share`` of ``start`` and the rest of itself, in place."""
    with torch.no_grad():
        for name, parameter in part.named_parameters():
            parameter.lerp_(start[name], share)
