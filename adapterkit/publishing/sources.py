"""The adapters that another one was made from: where they are published, if they are.

A provenance names them by name and digest. Found beside the folder that is published (`published.json`) or among
what was fetched, they get their repository and commit; a private one keeps its name and digest only.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from adapterkit.errors import FolderError
from adapterkit.files import read_json, write_json
from adapterkit.formats.guard import OWN_FILE
from adapterkit.formats.places import PUBLISHED as RECORD
from adapterkit.formats.places import STARTER, starters
from adapterkit.hub.store import kept
from adapterkit.hub.upload import is_public


def write_record(folder: Path, *, repository: str, commit: str, tag: str, digest: str) -> None:
    """Remember in ``folder`` where it was published."""
    record = {"repository": repository, "commit": commit, "tag": tag, "digest": digest}
    write_json(folder / RECORD, record)


def with_sources(provenance: Mapping[str, Any], beside: Path) -> dict[str, Any]:
    """``provenance`` with every adapter it names told by where it is published, where it is."""
    return {key: _resolved(value, beside) for key, value in provenance.items()}


def _resolved(value: Any, beside: Path) -> Any:
    if isinstance(value, list):
        return [_resolved(one, beside) for one in value]
    if not isinstance(value, Mapping):
        return value
    if isinstance(value.get("digest"), str) and isinstance(value.get("name"), str):
        return {**value, **_place(value["digest"], beside)}
    return {key: _resolved(one, beside) for key, one in value.items()}


def _place(digest: str, beside: Path) -> dict[str, str]:
    for name, folder in starters().items():
        if _json(folder / OWN_FILE).get("digest") == digest:
            return {"starter": f"{STARTER}{name}"}
    for repository, commit in _candidates(digest, beside):
        if is_public(repository, commit):
            return {"repository": repository, "commit": commit}
    return {}


def _candidates(digest: str, beside: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(beside.resolve().parent.glob(f"*/{RECORD}")):
        record = _json(path)
        if record.get("digest") == digest:
            yield str(record.get("repository")), str(record.get("commit"))
    for repository, commit, folder in kept():
        if _json(folder / OWN_FILE).get("digest") == digest:
            yield repository, commit


def _json(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except FolderError:
        return {}
