"""`evaluate --record`: scores into an adapter's folder, where its card takes them from."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterkit.cards.scores import ScoreRecord, add_score
from adapterkit.errors import ConfigError
from adapterkit.files import sha256_of
from adapterkit.formats.inspection import inspect
from adapterkit.formats.pins import is_stack, read_pins
from adapterkit.languages import meant, normalise_code

if TYPE_CHECKING:
    from adapterkit.composition.stack import Stack
    from adapterkit.evaluation import Evaluation
    from adapterkit.metrics import Score


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


def language_of_scores(examples: Iterable[Any], said: str | None) -> str:
    """The language that a card may name beside scores on ``examples``; nothing is guessed.

    Args:
        examples: What is measured on; each tells its language, or nothing.
        said: What the user says it is, for examples that tell nothing.

    Returns:
        An ISO 639-3 code; empty where nobody says, or only some of the examples do.

    Raises:
        ConfigError: If they are in several languages, or one is called by what is no code and no name.
    """
    told = {example.language for example in examples}
    codes = sorted({_code(one) for one in told if one})
    if len(codes) > 1:
        raise ConfigError(
            f"--record: the examples are in {len(codes)} languages ({', '.join(codes)}), and a card shows a score "
            "of one; choose it with --language"
        )
    if "" not in told:
        return codes[0] if codes else ""
    return _code(said) if said and not codes else ""


def _code(said: str) -> str:
    """``pt-br``, ``Portuguese`` and ``por`` as ``por``."""
    named, _ = meant(said)
    try:
        return normalise_code(re.split("[-_]", named.strip())[0])
    except ConfigError:
        raise ConfigError(
            f"--record: {said!r:.40} is no language's code, so no card can show it; write an ISO 639 code "
            "into the file, such as cym"
        ) from None


def record_scores(
    folder: Path,
    found: "Mapping[str, Evaluation]",
    gains: "Mapping[str, Score]",
    stack: "Stack",
    *,
    task: str,
    language: str | None,
    test: Sequence[Path],
    seed: int,
) -> None:
    """Write what was measured into the folder's `scores.json`, and the gains over the rivals that it may hold.

    ``language`` is None or empty where it is unknown.

    Raises:
        ConfigError: If ``language`` is no code and no name.
    """
    parts = tuple((adapter.name, adapter.digest()) for adapter in stack.adapters)
    own = found["own"].scores
    record = ScoreRecord(
        task=task,
        language=_code(language) if language else "",
        dataset=" + ".join(path.name for path in test),
        dataset_digest=_digest(test),
        split="test",
        main=own.main,
        examples=own.examples,
        stack=parts,
        conditions={name: one.scores.metrics[own.main] for name, one in found.items()},
        seed=seed,
        gains={name: gain for name, gain in gains.items() if name in found},
    )
    add_score(folder, record)


def _digest(files: Sequence[Path]) -> str:
    sums = [sha256_of(path) for path in files]
    return sums[0] if len(sums) == 1 else hashlib.sha256("".join(sums).encode()).hexdigest()
