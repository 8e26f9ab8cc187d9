"""From what a user wrote to a folder: a path, a starter's name, or a Hub id. No torch."""

import logging
from importlib import resources
from pathlib import Path

from adapterkit.errors import ConfigError, FolderError
from adapterkit.hub.fetching import fetch_adapter, is_folder, taken_for_id, without_revision

STARTER = "mini:"
PUBLISHED = "published.json"
"""Where a folder was published: written beside its files by `push`, and never published itself."""
logger = logging.getLogger("adapterkit")


def starters() -> dict[str, Path]:
    """The adapters that ship with `mini`, by name."""
    folder = Path(str(resources.files("adapterkit") / "mini" / "starters"))
    if not folder.is_dir():
        return {}
    return {
        place.name: place
        for place in sorted(folder.iterdir())
        if (place / "adapter_config.json").is_file()
    }


def folder_of(reference: str | Path, *, revision: str | None = None) -> Path:
    """The folder that ``reference`` means.

    Raises:
        ConfigError: If ``revision`` is given for a folder or a starter, or ``reference`` is no name and no path.
        FolderError: If it can only mean a folder or a starter, and there is none.
        HubError: If the Hub does not give it.
    """
    if not isinstance(reference, str | Path):
        raise ConfigError(f"a folder, a starter or a Hub id is needed, not {reference!r:.80}")
    text = str(reference)
    if text.startswith(STARTER):
        shipped = starters()
        if text.removeprefix(STARTER) not in shipped:
            names = ", ".join(f"{STARTER}{name}" for name in shipped) or "none"
            raise FolderError(f"{text!r}: there is no such starter adapter; there are: {names}")
        return without_revision(text, shipped[text.removeprefix(STARTER)], revision)
    if is_folder(reference):
        logger.info("adapter: the folder %s", text)
        return without_revision(text, Path(text).expanduser(), revision)
    if "/" not in text.removeprefix("hub:"):
        raise FolderError(f"{text}: there is no such folder (and a Hub id looks like owner/name)")
    logger.info("adapter: the Hub repository %s", text)
    with taken_for_id(text):
        return fetch_adapter(text.removeprefix("hub:"), revision=revision)
