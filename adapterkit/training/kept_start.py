"""Part of what a training started from stays in its result: weights of both are added up.

Source: Wortsman et al. (2022), "Robust fine-tuning of zero-shot models" (WiSE-FT), there for fine-tuned models; here for a
language adapter that went on from another one. `docs/log.md` has what it gives.
"""

import torch
from torch import Tensor, nn

from adapterkit.composition.adapter import Adapter
from adapterkit.config import BottleneckConfig
from adapterkit.errors import ConfigError

KEPT = 0.4
"""Default share of the start; chosen on dev languages, over three tasks."""


def share_of(
    asked: float | None, init: Adapter | None, language: str, over: Adapter | None
) -> float:
    """The share of the start that stays: as asked, or `KEPT` of a bottleneck adapter of another language.

    An adapter whose language is not recorded may be of the same one: nothing of it stays unasked.

    Raises:
        ConfigError: If a share is asked for where there is no start, or it is a LoRA's: a sum of its factors
            would be no sum of their products.
    """
    plain = init is not None and isinstance(init.config, BottleneckConfig)
    if asked and init is None:
        raise ConfigError(
            f"keep_start = {asked:g}: there is no adapter that training starts from (init)"
        )
    if asked and not plain:
        raise ConfigError(f"keep_start = {asked:g}: can be kept of bottleneck adapters only")
    if asked is not None:
        return asked
    other = init is not None and init.language not in ("", language)
    return KEPT if plain and other and over is None else 0.0


def keep(part: nn.Module, start: dict[str, Tensor], share: float) -> None:
    """Make ``part`` the sum of ``share`` of ``start`` and the rest of itself, in place."""
    with torch.no_grad():
        for name, parameter in part.named_parameters():
            parameter.lerp_(start[name], share)
