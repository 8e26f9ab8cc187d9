"""`adapterkit.lock`: which commits, and which bytes, a project uses. TOML, written by us, readable by anybody.

version = 1

[[adapter]]
name = "mini-cym"                    # the folder that `sync` makes
repository = "me/mini-cym"
endpoint = "https://huggingface.co"
key = "65f0..."                      # the Hub's own id: another repository of that name is another one
revision = "v1"                      # what was asked for, when it was locked
commit = "0123..."
digest = "..."                       # of the weights, however they are stored
backbone = "FacebookAI/xlm-roberta-base"
backbone_digest = "..."
license = "cc-by-4.0"
locked = "2026-01-31T12:00:00Z"
[adapter.files]
"adapter.safetensors" = { size = 3261224, sha256 = "..." }
"""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from adapterkit.errors import FolderError, found
from adapterkit.files import write_bytes
from adapterkit.hub.names import is_commit, is_id, name_problems

LOCK = "adapterkit.lock"
KINDS = ("adapter", "backbone")
_VERSION = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LARGEST = 4_000_000


@dataclass(frozen=True)
class Pin:
    """One adapter or backbone, as the lockfile has it; the fields are described above."""

    kind: str
    name: str
    repository: str
    endpoint: str
    commit: str
    files: Mapping[str, Mapping[str, Any]]
    key: str = ""
    revision: str = ""
    digest: str = ""
    backbone: str = ""
    backbone_digest: str = ""
    license: str = ""
    locked: str = ""


_TEXTS = tuple(field.name for field in fields(Pin) if field.name not in ("kind", "files"))


def write_lock(path: Path, pins: list[Pin]) -> None:
    """Write the lockfile in one step, sorted; the same pins give the same bytes.

    Raises:
        FolderError: If `read_lock` would refuse it; the old one stays.
    """
    parts = [
        "# Written by `adapterkit lock`; `adapterkit sync` makes it so, `adapterkit verify` checks it.",
        f"version = {_VERSION}",
    ]
    for pin in sorted(pins, key=lambda pin: (pin.kind, pin.name)):
        parts += ["", f"[[{pin.kind}]]"]
        values = {name: str(getattr(pin, name)) for name in _TEXTS}
        parts += [f"{name} = {_quoted(value)}" for name, value in values.items() if value]
        parts.append(f"[{pin.kind}.files]")
        parts += [
            f"{_quoted(name)} = {{ size = {told['size']}, sha256 = {_quoted(told['sha256'])} }}"
            for name, told in sorted(pin.files.items())
        ]
    data = ("\n".join(parts) + "\n").encode("utf-8")
    _pins(path, data)
    write_bytes(path, data)


def _quoted(text: str) -> str:
    # JSON's escapes are TOML's, but for the one control character that JSON leaves as it is.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def read_lock(path: Path) -> list[Pin]:
    """The pins of a lockfile.

    Raises:
        FolderError: If there is none, or it is not one that `write_lock` could have written.
    """
    if not path.is_file():
        raise FolderError(
            f"{path}: there is no lockfile; make one with: adapterkit lock OWNER/NAME"
        )
    return _pins(path, path.read_bytes())


def _pins(path: Path, data: bytes) -> list[Pin]:
    record = _parsed(path, data)
    problems = []
    if record.pop("version", None) != _VERSION:
        problems.append(f"version: this version of adapterkit reads {_VERSION}")
    problems += [f"{kind!r:.60}: unknown" for kind in record if kind not in KINDS]
    entries = [(kind, entry) for kind in KINDS for entry in _tables(record.get(kind, []))]
    problems += [problem for kind, entry in entries for problem in _problems(kind, entry)]
    if not problems:
        pins = [Pin(kind=kind, **entry) for kind, entry in entries]
        problems = name_problems(pin.name for pin in pins if pin.kind == "adapter")
    if problems:
        raise FolderError(f"{path}: not as `adapterkit lock` writes it:{found(problems)}")
    return pins


def _parsed(path: Path, data: bytes) -> dict[str, Any]:
    try:
        if len(data) > _LARGEST:
            raise ValueError("too large to be right")
        return tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise FolderError(f"{path}: not readable as TOML ({error})") from None


def _tables(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _problems(kind: str, entry: Any) -> list[str]:
    if not isinstance(entry, dict):
        return [f"{kind}: must be tables"]
    what = f"{kind} {entry.get('name')!r:.80}"
    problems = [f"{what}: {key!r:.60} is unknown" for key in entry if key not in (*_TEXTS, "files")]
    problems += [f"{what}: {key} must be a text" for key in _TEXTS if not _text(entry, key)]
    if problems:
        return problems
    files = entry.get("files")
    if not isinstance(files, dict) or not files or not all(map(is_facts, files.values())):
        problems.append(f"{what}: files must have a size and a sha256 each")
    else:
        problems += [f"{what}: {problem}" for problem in name_problems(files)]
    if not is_commit(entry.get("commit", "")):
        problems.append(f"{what}: commit must be 40 hexadecimal digits")
    if not is_id(entry.get("repository", "")):
        problems.append(f"{what}: repository must be an id, owner/name")
    if "/" in entry.get("name", "/") or name_problems([entry["name"]]):
        problems.append(f"{what}: name must be that of a folder")
    if not entry.get("endpoint"):
        problems.append(f"{what}: endpoint is missing")
    return problems


def _text(entry: Mapping[str, Any], key: str) -> bool:
    return isinstance(entry.get(key, ""), str)


def is_facts(facts: Any) -> bool:
    """Whether this is a file's size and sha256."""
    return (
        isinstance(facts, dict)
        and set(facts) == {"size", "sha256"}
        and isinstance(facts["size"], int)
        and isinstance(facts["sha256"], str)
        and _SHA256.fullmatch(facts["sha256"]) is not None
    )
