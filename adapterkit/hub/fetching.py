"""The one door to the Hugging Face Hub for what is fetched. It moves folders: it knows no adapters and no torch.

Everything comes through `fetching`, which believes nothing that it can check. A backbone that other programs have
in huggingface_hub's cache already is taken from there, where it is what the Hub lists.
"""

import logging
from fnmatch import fnmatch
from pathlib import Path

from adapterkit.errors import FolderError, HubError
from adapterkit.hub import listing, names, store, web

BACKBONE_FILES = (
    "config.json",
    "*.safetensors",
    "*.safetensors.index.json",
    "tokenizer*",
    "*.model",
    "vocab*",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
)
OLD_BACKBONE_FILES = ("pytorch_model*.bin", "pytorch_model.bin.index.json")
ADAPTER_FILES = ("*.json", "*.safetensors", "README.md", "LICENSE", "LICENSE.*", "NOTICE")
OLD_WEIGHTS = {
    "pytorch_adapter.bin": "adapter.safetensors",
    "pytorch_model_head.bin": "model_head.safetensors",
    "pytorch_model_adapter_fusion.bin": "model_adapter_fusion.safetensors",
    "adapter_model.bin": "adapter_model.safetensors",
}
"""Old files, each with the one that stands in for it wherever a repository lists that."""
BACKBONES = "backbones"
"""The folder of the cache where they are; of one repository adapters and backbones want other files."""
logger = logging.getLogger("adapterkit")


def is_folder(reference: str | Path) -> bool:
    """Whether ``reference`` means a folder: it exists, or it can mean nothing else.

    What starts with ``.``, ``/`` or ``~`` never means the Hub; ``hub:me/name``, a URL and AdapterHub's old
    ids never a folder.

    Raises:
        FolderError: If it can only mean a folder and there is none.
    """
    text = str(reference)
    if text.startswith("hub:") or (isinstance(reference, str) and "://" in text):
        return False
    if Path(text).expanduser().is_dir():
        return True
    if isinstance(reference, str) and "@" in text and not text.startswith((".", "/", "~")):
        return False
    if isinstance(reference, Path) or text.startswith((".", "/", "~")) or text.count("/") > 1:
        raise FolderError(f"{text}: there is no such folder")
    return False


def fetch_adapter(
    reference: str, *, revision: str | None = None, backbone: str | None = None
) -> Path:
    """Fetch an adapter's folder, or find it in the cache; see `fetch`."""
    return fetch(reference, revision=revision, backbone=backbone).folder


def fetch(
    reference: str, *, revision: str | None = None, backbone: str | None = None
) -> store.Fetched:
    """Fetch the files of an adapter: only those that can belong to one, verified, at one commit.

    Old ``.bin`` weights come only where the repository lists no safetensors in their stead.

    Args:
        reference: A Hub id, the URL of a repository or a revision of it, or an old AdapterHub id.
        revision: Branch, tag or commit.
        backbone: Which backbone an old AdapterHub id is meant for.

    Raises:
        HubError: As `store.fetch`.
    """
    meant = names.parse(reference, backbone=backbone, home=web.endpoint())
    if meant.revision and revision and meant.revision != revision:
        raise HubError(
            f"{reference}: names revision {meant.revision}, and {revision} was asked for"
        )
    told = store.fetch(meant.repository, revision or meant.revision, adapter_files)
    if told.note:
        logger.warning("%s", told.note)
    return told


def adapter_files(paths: list[str]) -> list[str]:
    """Those of a repository's files that an adapter may be made of."""
    return [path for path in paths if _is_adapter_file(path, paths)]


def _is_adapter_file(path: str, paths: list[str]) -> bool:
    folder, slash, name = path.rpartition("/")
    if name in OLD_WEIGHTS:
        return folder + slash + OLD_WEIGHTS[name] not in paths
    return any(fnmatch(name, pattern) for pattern in ADAPTER_FILES)


def backbone_files(paths: list[str]) -> list[str]:
    """Those of a repository's files that a backbone may be made of; old weights only where there are no others."""
    at_root = [path for path in paths if "/" not in path]
    wanted = [p for p in at_root if any(fnmatch(p, pattern) for pattern in BACKBONE_FILES)]
    if not any(path.endswith(".safetensors") for path in wanted):
        wanted += [p for p in at_root if any(fnmatch(p, old) for old in OLD_BACKBONE_FILES)]
    return wanted


def fetch_backbone(repository: str, *, revision: str | None = None) -> Path:
    """Fetch a backbone, or find it in the cache, or in huggingface_hub's cache, and return its folder.

    Raises:
        HubError: As `store.fetch`.
    """
    if not names.is_id(repository) and not names.is_old_id(repository):
        raise HubError(f"{repository!r:.200} is neither a folder here nor a Hub repository id")
    known = store.pinned(repository, revision, under=BACKBONES)
    if known is not None:
        return known.folder
    try:
        told = store.inquire(repository, revision, backbone_files, under=BACKBONES)
    except web.Unreachable as error:
        shared = _cached_elsewhere(repository, revision)
        if shared is not None:
            logger.warning("%s: taken from huggingface_hub's cache; %s", repository, error)
            return shared
        kept = store.from_cache(repository, revision, error, under=BACKBONES)
        logger.warning("%s", kept.note)
        return kept.folder
    shared = _cached_elsewhere(repository, told.commit)
    if shared and all(listing.is_same(shared / name, facts) for name, facts in told.files.items()):
        return shared
    return store.keep(repository, revision, told, under=BACKBONES).folder


def cached_backbone(repository: str, commit: str) -> Path | None:
    """Where a commit of a backbone is on this machine, if it is; the Hub is not asked."""
    known = store.pinned(repository, commit, under=BACKBONES)
    return known.folder if known is not None else _cached_elsewhere(repository, commit)


def _cached_elsewhere(repository: str, revision: str | None) -> Path | None:
    """What other programs have of it in huggingface_hub's cache; nothing is asked or written."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(repository, revision=revision, local_files_only=True))
    except OSError:  # there is none, or not the whole of it
        return None
