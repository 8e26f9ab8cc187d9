"""PEFT's ``adapter_config.json``, read strictly. No torch, and nothing of peft.

An option that we do not compute is refused by its name; a key that a newer version added passes while it says nothing.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapterkit.errors import FolderError, found
from adapterkit.files import read_json

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
    if not _texts(record.get("feedforward_modules") or []):
        problems.append("feedforward_modules: names of modules are needed")
    if record["peft_type"] == "LORA":
        for key, usual in (("r", None), ("lora_alpha", 8), ("lora_dropout", 0.0)):
            value = record.get(key, usual)
            if (
                isinstance(value, bool)
                or not isinstance(value, int | float)
                or not 0 <= value < 1e6
            ):
                problems.append(f"{key} = {value!r:.60}: a number is needed")
        for key in ("rank_pattern", "alpha_pattern"):
            if not isinstance(record.get(key) or {}, dict):
                problems.append(f"{key} = {record[key]!r:.60}: numbers by module are needed")
    return problems


def _texts(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)
