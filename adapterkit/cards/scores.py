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
from adapterkit.resampling import leaves_out_zero

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
        gains: What ``own`` gains over each of the others, sentence by sentence (a paired bootstrap); none in a
            record of before these were measured.
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
    gains: Mapping[str, Score] = field(default_factory=dict)

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
            "conditions": _as_dict(self.conditions),
            **({"gains": _as_dict(self.gains)} if self.gains else {}),
            "seed": self.seed,
        }


def _as_dict(scores: Mapping[str, Score]) -> dict[str, Any]:
    return {name: {"value": s.value, "interval": [s.low, s.high]} for name, s in scores.items()}


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
    gains = entry.get("gains", {})
    if not isinstance(gains, dict):
        problems.append("gains: an object is needed")
        gains = {}
    problems += [f"{name:.40}: no such condition" for name in conditions if name not in CONDITIONS]
    problems += [
        f"gains: {name:.40}: no such condition was measured"
        for name in gains
        if name == "own" or name not in conditions
    ]
    problems += [
        f"{name:.40}: a value and an interval, as fractions, are needed"
        for name, score in [*conditions.items(), *gains.items()]
        if not _is_score(score)
    ]
    if problems:
        raise FolderError(f"{where}: cannot be read:{found(problems)}")
    return ScoreRecord(
        **{key: entry[key] for key in texts},
        examples=entry["examples"],
        seed=entry["seed"],
        stack=tuple((part["name"], part["digest"]) for part in stack or ()),
        conditions=_as_scores(conditions),
        gains=_as_scores(gains),
    )


def _as_scores(entries: Mapping[str, Any]) -> dict[str, Score]:
    return {name: Score(one["value"], *one["interval"]) for name, one in entries.items()}


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


def in_words(record: ScoreRecord, name: str) -> str:
    """How the stack compares with the baseline ``name``, no stronger than intervals allow.

    That of the gain itself, where the record has it: both were scored on the same sentences, so their own
    intervals may overlap where the difference is beyond doubt. Otherwise those two intervals.
    """
    own, other = record.conditions["own"], record.conditions[name]
    points = 100 * (own.value - other.value)
    if gain := record.gains.get(name):
        low, high = 100 * gain.low, 100 * gain.high
        if not leaves_out_zero(gain):
            return f"no reliable gain ({points:+.1f} points [{low:+.1f}, {high:+.1f}])"
        if gain.low > 0:
            return f"better by {points:.1f} points [{low:.1f}, {high:.1f}]"
        return f"worse by {-points:.1f} points [{-high:.1f}, {-low:.1f}]"
    if own.low > other.high:
        return f"better by {points:.1f} points"
    if own.high < other.low:
        return f"worse by {-points:.1f} points"
    return f"no reliable gain (the intervals overlap; the difference is {points:+.1f} points)"


def percent(score: Score) -> str:
    """``71.3 [69.0, 73.5]``."""
    return f"{100 * score.value:.1f} [{100 * score.low:.1f}, {100 * score.high:.1f}]"
