"""`evaluate --record`: scores into an adapter's folder, where its card takes them from."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from adapterkit.cards.scores import ScoreRecord, add_score
from adapterkit.errors import ConfigError
from adapterkit.files import sha256_of
from adapterkit.formats.inspection import inspect
from adapterkit.formats.pins import is_stack, read_pins

if TYPE_CHECKING:
    from adapterkit.composition.stack import Stack
    from adapterkit.evaluation import Evaluation


def check_measured(folder: Path, stack: "Stack") -> None:
    """Refuse a folder whose adapter (or stack) is not what will be measured; before anything is.

    Raises:
        ConfigError: If the folder's adapter is not in the stack, or the folder's stack is another one.
    """
    measured = {adapter.digest() for adapter in stack.adapters}
    mine = read_pins(folder).digests if is_stack(folder) else {inspect(folder)["digest"]}
    if not mine <= measured or (is_stack(folder) and mine != measured):
        names = ", ".join(adapter.name for adapter in stack.adapters) or "no adapter at all"
        raise ConfigError(f"--record {folder}: what is in it is not what is measured ({names})")


def record_scores(
    folder: Path,
    found: "Mapping[str, Evaluation]",
    stack: "Stack",
    *,
    task: str,
    language: str | None,
    test: Sequence[Path],
    seed: int,
) -> None:
    """Write what was measured into the folder's `scores.json`."""
    parts = tuple((adapter.name, adapter.digest()) for adapter in stack.adapters)
    own = found["own"].scores
    languages = [adapter.language for adapter in stack.adapters if adapter.kind != "task"]
    record = ScoreRecord(
        task=task,
        language=language or next(iter(languages), ""),
        dataset=" + ".join(path.name for path in test),
        dataset_digest=_digest(test),
        split="test",
        main=own.main,
        examples=own.examples,
        stack=parts,
        conditions={name: one.scores.metrics[own.main] for name, one in found.items()},
        seed=seed,
    )
    add_score(folder, record)


def _digest(files: Sequence[Path]) -> str:
    sums = [sha256_of(path) for path in files]
    return sums[0] if len(sums) == 1 else hashlib.sha256("".join(sums).encode()).hexdigest()
