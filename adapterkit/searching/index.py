"""What searches have found before, kept beside the Hub's cache: for searching without a network."""

import contextlib
from collections.abc import Iterable
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapterkit.errors import FolderError
from adapterkit.files import read_json, write_json
from adapterkit.hub.catalogue import own_cache
from adapterkit.hub.web import endpoint
from adapterkit.searching.rows import Found

FORMAT = 1
_TUPLES = ("languages", "tasks", "scores")


def index_file() -> Path:
    """Where the index is."""
    return own_cache() / "search.json"


def remember(rows: Iterable[Found]) -> None:
    """Add what was found to the index; where nothing can be written, nothing is."""
    record = _read()
    there = record.setdefault("endpoints", {}).setdefault(endpoint(), {})
    known = there.setdefault("rows", {})
    for row in rows:
        known[row.repository] = {k: v for k, v in asdict(row).items() if k != "matches"}
    there["asked"] = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    with contextlib.suppress(OSError):
        write_json(index_file(), {**record, "format": FORMAT})


def recall() -> tuple[list[Found], str]:
    """Everything in the index for this Hub, and when it was last asked (empty: never)."""
    there = _read().get("endpoints", {}).get(endpoint(), {})
    rows = there.get("rows", {}) if isinstance(there, dict) else {}
    found = [_row(value) for value in rows.values() if isinstance(rows, dict)]
    return [row for row in found if row is not None], str(there.get("asked", ""))


def _read() -> dict[str, Any]:
    try:
        record = read_json(index_file())
    except FolderError:
        return {}
    whole = record.get("format") == FORMAT and isinstance(record.get("endpoints"), dict)
    return record if whole else {}


def _row(value: Any) -> Found | None:
    names = {field.name for field in fields(Found)} - {"matches"}
    if not isinstance(value, dict) or set(value) != names:
        return None
    parts: dict[str, Any] = {k: tuple(v) if k in _TUPLES else v for k, v in value.items()}
    return Found(**parts)
