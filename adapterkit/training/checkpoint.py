"""Checkpoints: one safetensors file, written in one step, that a killed run goes on from.

It holds the weights being trained, the best so far, the optimizer's two moments, and a record: steps done,
losses seen, patience used, and everything that must be the same again (`same`). Random states are not in
it, because every draw comes from the seed and the step (`seeds`).
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from adapterkit.errors import ConfigError, FolderError, found
from adapterkit.header import read_metadata
from adapterkit.tensorfile import read_tensors, write_tensors

CHECKPOINT = "checkpoint.safetensors"


@dataclass
class Progress:
    """Where a run stands.

    Attributes:
        step: Optimizer steps done.
        tokens: Tokens read.
        seconds: Time spent training, over all sittings.
        before: Of it, what the look before the first step took.
        best: Lowest loss (or negated score) at a look, and the step of it.
        looks: Step and value of every look, the one before the first step included.
        losses: Step and mean training loss since the look before.
        waited: Looks since the best one.
        starts: The step at which each sitting began.
        recent: Sum of the training losses since the last look.
    """

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    before: float = 0.0
    best: float = float("inf")
    best_step: int = 0
    looks: list[tuple[int, float]] = field(default_factory=list)
    losses: list[tuple[int, float]] = field(default_factory=list)
    waited: int = 0
    starts: list[int] = field(default_factory=list)
    recent: float = 0.0


@dataclass
class State:
    """A run as tensors and numbers. Names of ``weights``, ``best`` and the moments are parameters' names."""

    progress: Progress
    weights: dict[str, Tensor]
    best: dict[str, Tensor]
    first_moments: dict[str, Tensor]
    second_moments: dict[str, Tensor]


_GROUPS = ("weights", "best", "first_moments", "second_moments")


def write_checkpoint(folder: Path, state: State, same: dict[str, Any]) -> None:
    """Replace the checkpoint in ``folder`` in one step."""
    tensors = {
        f"{group}/{name}": t for group in _GROUPS for name, t in getattr(state, group).items()
    }
    progress = asdict(state.progress)
    progress["best"] = progress["best"] if state.progress.looks else None
    record = json.dumps({"progress": progress, "same": same}, sort_keys=True, ensure_ascii=False)
    write_tensors(folder / CHECKPOINT, tensors, {"adapterkit": record})


def read_checkpoint(folder: Path, same: dict[str, Any]) -> State | None:
    """The checkpoint in ``folder``, or None if there is none.

    Raises:
        ConfigError: If it belongs to a run with other settings, text, backbone or libraries.
        FolderError: If it cannot be read.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        return None
    try:
        record = json.loads(read_metadata(path)["adapterkit"])
        _require_same(path, record["same"], same)
        progress = Progress(**record["progress"])
    except (KeyError, TypeError, ValueError) as error:
        raise FolderError(
            f"{path}: is no checkpoint of adapterkit ({error!r}); delete {folder}"
        ) from None
    if progress.best is None:
        progress.best = float("inf")
    progress.looks = [(int(step), float(value)) for step, value in progress.looks]
    progress.losses = [(int(step), float(value)) for step, value in progress.losses]
    return State(progress, **_grouped(read_tensors(path)))


def _grouped(tensors: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    groups: dict[str, dict[str, Tensor]] = {group: {} for group in _GROUPS}
    for key, tensor in tensors.items():
        group, _, name = key.partition("/")
        groups[group][name] = tensor
    return groups


def _require_same(path: Path, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    ours = json.loads(json.dumps(ours))
    problems = [
        f"{key}: the checkpoint has {theirs.get(key)!r}, this run {ours.get(key)!r}"
        for key in sorted({*theirs, *ours})
        if theirs.get(key) != ours.get(key)
    ]
    if problems:
        raise ConfigError(
            f"{path.parent} holds an unfinished run with other settings, so it cannot be resumed:{found(problems)}\n"
            "Run it again with those settings, choose another --out, or start over with --fresh."
        )


def kept(folder: Path, name: str) -> Any:
    """What the checkpoint in ``folder`` was made with, or None: for choices that were measured."""
    path = folder / CHECKPOINT
    if not path.is_file():
        return None
    try:
        return json.loads(read_metadata(path)["adapterkit"])["same"].get(name)
    except (KeyError, ValueError):
        return None  # `read_checkpoint` will say what is wrong with it
