"""PEFT's ``adapter_config.json``, read strictly. No torch, and nothing of peft.

An option that we do not compute is refused by its name; a key that a newer version added passes while it says nothing.
"""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from adapterkit.errors import FolderError, found
from adapterkit.files import read_json
from adapterkit.formats.values import number, whole

WIDEST_RANK, LARGEST_ALPHA = 65536, 1e6
_PLAIN = re.compile(r"\^?(?:[\w.-]|\\\.)+")
"""A module's name, or its end: what a pattern may be; every other regular expression is refused."""

# Read, or of no effect on what a trained adapter computes.
_KNOWN = {
    "alpha_pattern",
    "auto_mapping",
    "base_model_name_or_path",
    "feedforward_modules",
    "inference_mode",
    "init_ia3_weights",
    "lora_alpha",
    "lora_dropout",
    "megatron_core",
    "modules_to_save",
    "peft_type",
    "peft_version",
    "qalora_group_size",
    "r",
    "rank_pattern",
    "revision",
    "target_modules",
    "task_type",
    "use_rslora",
}
_ONLY: dict[str, tuple[Any, ...]] = {
    "bias": ("none",),
    "init_lora_weights": (True, False, "gaussian", "eva", "orthogonal"),
}
"""Other initialisations (PiSSA, OLoRA, ...) change the backbone's own weights."""


def read_config(path: Path) -> dict[str, Any]:
    """PEFT's ``adapter_config.json``, checked.

    Raises:
        FolderError: If it names a method or an option that we do not compute.
    """
    record = read_json(path)
    kind = record.get("peft_type")
    if kind not in ("LORA", "IA3"):
        raise FolderError(f"{path}: peft_type {kind!r} is not supported; there are: LORA, IA3")
    problems = [
        f"{key} = {value!r:.60}: only {' or '.join(map(repr, _ONLY[key]))} is supported"
        for key, value in record.items()
        if key in _ONLY and value not in _ONLY[key] and value is not None
    ]
    problems += [
        f"{key} = {value!r:.60}: not supported, or not known"
        for key, value in record.items()
        if key not in _KNOWN and key not in _ONLY and value
    ]
    problems += _value_problems(record)
    if problems:
        raise FolderError(
            f"{path}: this adapter cannot be reproduced exactly, so it is refused:{found(sorted(problems))}"
        )
    return record


def _value_problems(record: Mapping[str, Any]) -> list[str]:
    problems = []
    targets = record.get("target_modules")
    if not targets or not (isinstance(targets, str) or _texts(targets)):
        problems.append(f"target_modules = {targets!r:.60}: names of modules are needed")
    for key in ("feedforward_modules", "modules_to_save"):
        if not _texts(record.get(key) or []):
            problems.append(f"{key} = {record[key]!r:.60}: names of modules are needed")
    for key in ("task_type", "base_model_name_or_path"):
        if not isinstance(record.get(key) or "", str):
            problems.append(f"{key} = {record[key]!r:.60}: a name is needed")
    return problems + (_lora_problems(record) if record["peft_type"] == "LORA" else [])


def _lora_problems(record: Mapping[str, Any]) -> list[str]:
    problems = []
    if whole(record.get("r", 8), 1, WIDEST_RANK) is None:
        problems.append(
            f"r = {record['r']!r:.60}: a whole number from 1 to {WIDEST_RANK} is needed"
        )
    if not _alpha(record.get("lora_alpha", 8)):
        problems.append(f"lora_alpha = {record['lora_alpha']!r:.60}: a number is needed")
    dropout = record.get("lora_dropout", 0.0)
    if not number(dropout, 0.0, 1.0) or dropout >= 1:
        problems.append(f"lora_dropout = {dropout!r:.60}: a share below 1 is needed")
    if record.get("use_rslora") not in (True, False, None):
        problems.append(f"use_rslora = {record['use_rslora']!r:.60}: true or false is needed")
    for key in ("rank_pattern", "alpha_pattern"):
        problems += _pattern_problems(key, record.get(key))
    return problems


def _alpha(value: object) -> bool:
    return number(value, -LARGEST_ALPHA, LARGEST_ALPHA)


def _pattern_problems(key: str, pattern: Any) -> list[str]:
    if not pattern and not isinstance(pattern, str | int | float):
        return []
    if not isinstance(pattern, dict):
        return [f"{key} = {pattern!r:.60}: numbers by module are needed"]
    problems = [
        f"{key}: {end!r:.60} is a regular expression; only a module's name, its end, or ^ and its "
        "whole name are read"
        for end in pattern
        if not _PLAIN.fullmatch(end)
    ]
    fits = (lambda v: whole(v, 1, WIDEST_RANK) is not None) if key == "rank_pattern" else _alpha
    return problems + [
        f"{key}: {end!r:.60} = {value!r:.40}: a {'rank' if key == 'rank_pattern' else 'number'} is needed"
        for end, value in pattern.items()
        if not fits(value)
    ]


def _texts(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


class Pattern:
    r"""`rank_pattern` or `alpha_pattern`: numbers by module, as PEFT finds them.

    PEFT matches ``(.*\.)?(KEY)$`` against a module's path and takes the first key that does. A key of
    plain characters is the path or its end, from a dot on; after ``^`` it is the whole path.

    Args:
        pattern: Numbers by key, in the order of the file.
    """

    def __init__(self, pattern: Mapping[str, float] | None) -> None:
        self._keys = {key: key.replace("\\.", ".") for key in pattern or {}}
        self._values: dict[str, tuple[int, float]] = {}
        for place, (key, value) in enumerate((pattern or {}).items()):
            self._values.setdefault(self._keys[key], (place, value))

    def of(self, path: str, usual: float) -> float:
        """The number for the module at ``path``; ``usual`` if there is none."""
        there = [self._values[name] for name in _names(path) if name in self._values]
        return min(there)[1] if there else usual

    def idle(self, paths: Collection[str]) -> list[str]:
        """The keys that match none of ``paths``."""
        used = {name for path in paths for name in _names(path)}
        return [key for key, name in self._keys.items() if name not in used]


def _names(path: str) -> list[str]:
    parts = path.split(".")
    return [f"^{path}", *(".".join(parts[start:]) for start in range(len(parts)))]
