"""Listing repositories through huggingface_hub: plain values out, whatever strangers wrote into their cards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapterkit.hub_upload import api, as_hub_error

MOST = 500
"""Repositories of one question that are looked at."""


@dataclass(frozen=True)
class Listing:
    """A repository as the Hub lists it.

    Attributes:
        repository: Its id.
        commit: Of its main branch.
        tags: As the Hub has them.
        card: Metadata of its card.
        modified: Day of its last commit, ``2026-01-31``.
        downloads: In the last month, as the Hub counts them.
        files: Paths.
    """

    repository: str
    commit: str
    tags: tuple[str, ...]
    card: Mapping[str, Any]
    modified: str
    downloads: int
    files: tuple[str, ...]


def list_repositories(tags: Sequence[str], name: str = "") -> list[Listing]:
    """Repositories of models that have every tag of ``tags``, and ``name`` in their id; most downloaded first.

    Raises:
        HubError: If the Hub cannot be asked.
    """
    with as_hub_error("the Hub could not be searched"):
        found = api().list_models(
            filter=list(tags),
            search=name or None,
            full=True,
            cardData=True,
            sort="downloads",
            limit=MOST,
        )
        return [_listing(info) for info in found]


def _listing(info: Any) -> Listing:
    day = info.last_modified.date().isoformat() if info.last_modified is not None else ""
    return Listing(
        repository=str(info.id),
        commit=str(info.sha or ""),
        tags=tuple(str(tag) for tag in info.tags or ()),
        card=info.card_data.to_dict() if info.card_data is not None else {},
        modified=day,
        downloads=int(info.downloads or 0),
        files=tuple(one.rfilename for one in info.siblings or ()),
    )


def size_of(repository: str, commit: str) -> int | None:
    """Bytes of a repository's weights and settings at ``commit``; None where the Hub does not say.

    Raises:
        HubError: If the Hub cannot be asked.
    """
    with as_hub_error(f"{repository!r} could not be looked at"):
        info = api().model_info(repository, revision=commit or None, files_metadata=True)
    sizes = [one.size for one in info.siblings or () if one.size is not None]
    return sum(sizes) if sizes else None


def endpoint() -> str:
    """The Hub that is asked."""
    from huggingface_hub import constants

    return str(constants.ENDPOINT)


def own_cache() -> Path:
    """Where adapterkit keeps what it knows of the Hub, beside huggingface_hub's own cache."""
    from huggingface_hub import constants

    return Path(constants.HF_HOME) / "adapterkit"
