"""`scores.json`: what an adapter (or a stack) scored, against its baselines, and how that is said in words.

Each score names its data and the digests of the adapters that were measured, so that the numbers of
another version are never shown as this one's.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from adapterkit.errors import ConfigError, FolderError, found
from adapterkit.files import read_json, write_json
from adapterkit.languages import normalise_code
from adapterkit.metrics import Score

SCORES_FILE = "scores.json"
CONDITIONS = {
    "own": "this stack",
    "source": "the source language's adapter kept",
    "none": "the language adapter removed",
}


@dataclass(frozen=True)
class ScoreRecord:
    """Scores of one stack on one set of examples.

    Attributes:
        task: What was predicted, e.g. ``upos``.
        language: ISO 639-3 code of the examples' language, or empty.
        dataset: The data's name, e.g. its file's.
        dataset_digest: sha256 of the data's file, or empty.
        split: ``test`` or ``dev``.
        main: Name of the metric that counts.
        examples: How many sentences or texts.
        stack: Name and digest of every adapter, first to last.
        conditions: The main metric under ``own``, and under ``source`` and ``none`` where measured.
        seed: Of the bootstrap.
    """

    task: str
    language: str
    dataset: str
    dataset_digest: str
    split: str
    main: str
    examples: int
    stack: tuple[tuple[str, str], ...]
    conditions: Mapping[str, Score] = field(default_factory=dict)
    seed: int = 0

    @property
    def key(self) -> tuple[object, ...]:
        """What was measured on what; the same again replaces it."""
        data = (self.dataset, self.dataset_digest, self.split)
        return (self.task, self.language, *data, self.stack)

    @property
    def digests(self) -> frozenset[str]:
        """Digests of the adapters that were measured."""
        return frozenset(digest for _, digest in self.stack)

    def as_dict(self) -> dict[str, Any]:
        """As `scores.json` has it; values are fractions."""
        return {
            "task": self.task,
            "language": self.language,
            "dataset": self.dataset,
            "dataset_digest": self.dataset_digest,
            "split": self.split,
            "main": self.main,
            "examples": self.examples,
            "stack": [{"name": name, "digest": digest} for name, digest in self.stack],
            "conditions": {
                name: {"value": s.value, "interval": [s.low, s.high]}
                for name, s in self.conditions.items()
            },
            "seed": self.seed,
        }


def read_scores(folder: Path) -> tuple[ScoreRecord, ...]:
    """The scores in ``folder``; none if it has no `scores.json`.

    Raises:
        FolderError: If the file cannot be read, or says anything that is no score.
    """
    path = folder / SCORES_FILE
    return scores_from(read_json(path), path) if path.is_file() else ()


def scores_from(record: Mapping[str, Any], path: Path) -> tuple[ScoreRecord, ...]:
    """As `read_scores`, from what was read of ``path``."""
    entries = record.get("scores")
    if not isinstance(entries, list):
        raise FolderError(f"{path}: 'scores' must be a list")
    return tuple(_score(entry, f"{path}: score {n}") for n, entry in enumerate(entries, start=1))


def _score(entry: Any, where: str) -> ScoreRecord:
    if not isinstance(entry, dict):
        raise FolderError(f"{where}: an object is needed")
    texts = ("task", "language", "dataset", "dataset_digest", "split", "main")
    problems = [f"{key}: a text is needed" for key in texts if not isinstance(entry.get(key), str)]
    problems += [
        f"{key}: a whole number is needed"
        for key in ("examples", "seed")
        if type(entry.get(key)) is not int
    ]
    if isinstance(entry.get("language"), str) and not _is_language(entry["language"]):
        problems.append(f"language: {entry['language']!r:.40} is no code; measure it again")
    stack = entry.get("stack")
    if not isinstance(stack, list) or not all(_is_part(part) for part in stack):
        problems.append("stack: names and digests are needed")
    conditions = entry.get("conditions")
    if not isinstance(conditions, dict) or "own" not in conditions:
        problems.append("conditions: 'own' at least is needed")
        conditions = {}
    problems += [f"{name:.40}: no such condition" for name in conditions if name not in CONDITIONS]
    problems += [
        f"{name:.40}: a value and an interval, as fractions, are needed"
        for name, score in conditions.items()
        if not _is_score(score)
    ]
    if problems:
        raise FolderError(f"{where}: cannot be read:{found(problems)}")
    return ScoreRecord(
        **{key: entry[key] for key in texts},
        examples=entry["examples"],
        seed=entry["seed"],
        stack=tuple((part["name"], part["digest"]) for part in stack or ()),
        conditions={n: Score(s["value"], *s["interval"]) for n, s in conditions.items()},
    )


def _is_language(text: str) -> bool:
    try:
        return not text or bool(normalise_code(text))
    except ConfigError:
        return False


def _is_part(part: Any) -> bool:
    return isinstance(part, dict) and all(isinstance(part.get(k), str) for k in ("name", "digest"))


def _is_score(score: Any) -> bool:
    if not isinstance(score, dict) or not isinstance(score.get("interval"), list):
        return False
    numbers = [score.get("value"), *score["interval"]]
    return len(numbers) == 3 and all(
        type(one) in (int, float) and math.isfinite(one) and -1 <= one <= 1 for one in numbers
    )


def add_score(folder: Path, record: ScoreRecord) -> None:
    """Write ``record`` into the folder's `scores.json`, in the place of the same measurement.

    One that was recorded before anybody said the language of its examples is the same, too.
    """
    same = {record.key, replace(record, language="").key}
    kept = [one for one in read_scores(folder) if one.key not in same]
    write_scores(folder, [*kept, record])


def write_scores(folder: Path, records: Sequence[ScoreRecord]) -> None:
    """Write `scores.json`, sorted."""
    records = sorted(records, key=lambda one: repr(one.key))
    write_json(folder / SCORES_FILE, {"scores": [one.as_dict() for one in records]})


def in_words(own: Score, other: Score) -> str:
    """How ``own`` compares with a baseline, no stronger than the two intervals allow."""
    points = 100 * (own.value - other.value)
    if own.low > other.high:
        return f"better by {points:.1f} points"
    if own.high < other.low:
        return f"worse by {-points:.1f} points"
    return f"no reliable gain (the intervals overlap; the difference is {points:+.1f} points)"


def percent(score: Score) -> str:
    """``71.3 [69.0, 73.5]``."""
    return f"{100 * score.value:.1f} [{100 * score.low:.1f}, {100 * score.high:.1f}]"
