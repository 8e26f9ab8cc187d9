"""`stack.json`: a stack that holds no weights, only what pins its parts and its backbone. No torch.

Each part is a Hub repository at a commit (or a starter), with the sha256 of its files and the digest of its weights; so
is the backbone. What does not have them is refused when it is loaded.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapterkit.errors import ConfigError, FolderError, found
from adapterkit.files import read_json, write_json
from adapterkit.formats.guard import CONFIG, OWNED, SETUP, check_folder
from adapterkit.formats.values import plain_file_name

STACK_FILE = "stack.json"
CLEARED = (*OWNED, STACK_FILE)
"""What saving an adapter or a composition clears away: the folder is one thing only."""
FORMAT = 1
MOST_PARTS = 20
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_STARTER = re.compile(r"mini:[\w-]{1,60}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Pin:
    """One adapter, exactly.

    Attributes:
        reference: A Hub id, or a starter (``mini:pos``).
        commit: Of the repository, 40 hex digits; empty for a starter.
        name: The adapter's name, for people.
        kind: ``language``, ``domain`` or ``task``.
        digest: Of its weights.
        files: sha256 of each of its files that is read.
    """

    reference: str
    commit: str
    name: str
    kind: str
    digest: str
    files: Mapping[str, str]


@dataclass(frozen=True)
class StackPins:
    """What `stack.json` says.

    Attributes:
        backbone: The backbone's Hub id, or ``mini``.
        backbone_commit: Of its repository; empty for ``mini``.
        backbone_name: Its canonical name, e.g. ``adapterkit/mini@2``.
        backbone_digest: Of its weights.
        language: ISO 639-3 code of the language it predicts in.
        task: What it predicts, e.g. ``upos``.
        parts: First to last.
    """

    backbone: str
    backbone_commit: str
    backbone_name: str
    backbone_digest: str
    language: str
    task: str
    parts: tuple[Pin, ...]

    @property
    def digests(self) -> frozenset[str]:
        """Digests of the parts' weights."""
        return frozenset(part.digest for part in self.parts)


def is_stack(folder: Path) -> bool:
    """Whether ``folder`` holds a stack that only pins its parts."""
    return (folder / STACK_FILE).is_file()


def require_free(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that already holds an adapter, a composition or a stack, or that cannot be one.

    Raises:
        ConfigError: If it holds one and ``overwrite`` is off, or there is a file in its place or above it.
    """
    for place in (folder, *folder.parents):
        if place.exists():
            if not place.is_dir():
                raise ConfigError(f"{place} is a file, not a folder; choose another one")
            break
    for file, what in ((CONFIG, "an adapter"), (SETUP, "a composition"), (STACK_FILE, "a stack")):
        if not overwrite and (folder / file).exists():
            raise ConfigError(
                f"{folder} already holds {what}; choose another folder, or pass overwrite (--overwrite)"
            )


def write_pins(folder: Path, pins: StackPins) -> None:
    """Write `stack.json`."""
    backbone = {
        "reference": pins.backbone,
        "commit": pins.backbone_commit,
        "name": pins.backbone_name,
        "digest": pins.backbone_digest,
    }
    parts = [
        {
            "reference": part.reference,
            "commit": part.commit,
            "name": part.name,
            "kind": part.kind,
            "digest": part.digest,
            "files": dict(part.files),
        }
        for part in pins.parts
    ]
    record = {"format": FORMAT, "language": pins.language, "task": pins.task}
    write_json(folder / STACK_FILE, {**record, "backbone": backbone, "parts": parts})


def read_pins(folder: Path) -> StackPins:
    """Read `stack.json`, strictly.

    Raises:
        FolderError: If it is not there, or says anything that could not be loaded exactly.
    """
    check_folder(folder)
    if not is_stack(folder):
        raise FolderError(f"{folder}: is no stack's folder, it has no {STACK_FILE}")
    record = read_json(folder / STACK_FILE)
    parts, backbone = record.get("parts"), record.get("backbone")
    problems = []
    if record.get("format") != FORMAT:
        problems.append(f"format = {record.get('format')!r:.20}: this version reads {FORMAT}")
    problems += [
        f"{key}: a short text is needed"
        for key in ("language", "task")
        if not _is_text(record.get(key))
    ]
    if not isinstance(parts, list) or not 0 < len(parts) <= MOST_PARTS:
        problems.append(f"parts: a list of 1 to {MOST_PARTS} adapters is needed")
        parts = []
    problems += _place_problems("backbone", backbone, starter=False)
    for number, part in enumerate(parts, start=1):
        problems += _part_problems(f"part {number}", part)
    if problems:
        raise FolderError(f"{folder / STACK_FILE}: cannot be loaded exactly:{found(problems)}")
    assert isinstance(backbone, dict)
    return StackPins(
        backbone=backbone["reference"],
        backbone_commit=backbone["commit"],
        backbone_name=backbone["name"],
        backbone_digest=backbone["digest"],
        language=record["language"],
        task=record["task"],
        parts=tuple(Pin(**part) for part in parts),
    )


def _part_problems(where: str, part: Any) -> list[str]:
    problems = _place_problems(where, part, starter=True)
    if problems:
        return problems
    extra = set(part) - {"reference", "commit", "name", "kind", "digest", "files"}
    problems += [f"{where}: {key:.40}: unknown key" for key in sorted(extra)]
    if part.get("kind") not in ("language", "domain", "task", ""):
        problems.append(f"{where}: kind {part.get('kind')!r:.40}: unknown")
    files = part.get("files")
    if not isinstance(files, dict) or not files or not all(_is_sum(n, s) for n, s in files.items()):
        problems.append(f"{where}: files: the sha256 of each file is needed")
    return problems


def _is_sum(name: str, value: Any) -> bool:
    return plain_file_name(name) and isinstance(value, str) and bool(_SHA256.fullmatch(value))


def _place_problems(where: str, place: Any, *, starter: bool) -> list[str]:
    if not isinstance(place, dict):
        return [f"{where}: an object is needed"]
    texts = [place.get(key) for key in ("reference", "commit", "name", "digest")]
    if not all(_is_text(text) or text == "" for text in texts):
        return [f"{where}: reference, commit, name and digest must be texts"]
    reference, commit, _, digest = (str(text) for text in texts)
    ships = bool(_STARTER.fullmatch(reference)) if starter else reference == "mini"
    problems = []
    if not ships and not _REPOSITORY.fullmatch(reference):
        problems.append(f"{where}: {reference!r:.80} is no Hub id")
    if not ships and not _COMMIT.fullmatch(commit):
        problems.append(f"{where}: a commit of 40 hex digits is needed, found {commit!r:.50}")
    if not _SHA256.fullmatch(digest):
        problems.append(f"{where}: a digest of 64 hex digits is needed, found {digest!r:.70}")
    return problems


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable()
