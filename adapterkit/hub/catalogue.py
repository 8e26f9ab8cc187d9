"""Listing repositories of the Hub: plain values out, whatever strangers wrote into their cards.

One careful GET a question (`web`): one page, from the Hub's own origin, bounded in bytes and in time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from adapterkit.errors import HubError
from adapterkit.hub import web
from adapterkit.hub.names import is_commit, is_id

MOST = 500
"""Repositories of one question that are looked at."""


@dataclass(frozen=True)
class Listing:
    """A repository as the Hub lists it.

    Attributes:
        repository: Its id.
        commit: Of its main branch, 40 hex digits.
        tags: As the Hub has them.
        card: Metadata of its card.
        modified: Day of its last commit, ``2026-01-31``.
        downloads: In the last month, as the Hub counts them.
    """

    repository: str
    commit: str
    tags: tuple[str, ...]
    card: Mapping[str, Any]
    modified: str
    downloads: int


def list_repositories(tags: Sequence[str], name: str = "") -> list[Listing]:
    """Repositories of models that have every tag of ``tags``, and ``name`` in their id; most downloaded first.

    Raises:
        HubError: If the Hub cannot be asked, or answers with something else than a list.
    """
    query = [("filter", tag) for tag in tags] + ([("search", name)] if name else [])
    query += [("sort", "downloads"), ("limit", str(MOST)), ("full", "true"), ("cardData", "true")]
    found = web.get_json(f"/api/models?{urlencode(query)}")
    if not isinstance(found, list):
        raise HubError("the Hub's answer to a search is no list")
    return [one for entry in found[:MOST] if (one := listing_of(entry)) is not None]


def listing_of(entry: Any) -> Listing | None:
    """One entry of the Hub's answer; None if it could not be loaded anyway."""
    if not isinstance(entry, dict):
        return None
    repository, commit, card = entry.get("id"), entry.get("sha"), entry.get("cardData")
    tags, day, downloads = entry.get("tags"), entry.get("lastModified"), entry.get("downloads")
    if not isinstance(repository, str) or not is_id(repository):
        return None
    if not isinstance(commit, str) or not is_commit(commit):
        return None
    return Listing(
        repository=repository,
        commit=commit,
        tags=tuple(t for t in tags if isinstance(t, str)) if isinstance(tags, list) else (),
        card=card if isinstance(card, dict) else {},
        modified=day[:10] if isinstance(day, str) else "",
        downloads=downloads if isinstance(downloads, int) else 0,
    )


def size_of(repository: str, commit: str) -> int | None:
    """Bytes of all files of a repository at ``commit``; None where the Hub does not say.

    Raises:
        HubError: If the Hub cannot be asked.
    """
    record = web.get_json(f"/api/models/{repository}/revision/{commit}?blobs=true")
    files = record.get("siblings") if isinstance(record, dict) else None
    sizes = [
        one["size"]
        for one in (files if isinstance(files, list) else ())
        if isinstance(one, dict) and type(one.get("size")) is int
    ]
    return sum(sizes) if sizes else None


def own_cache() -> Path:
    """Where adapterkit keeps what it knows of the Hub, beside huggingface_hub's own cache."""
    from huggingface_hub import constants

    return Path(constants.HF_HOME) / "adapterkit"
