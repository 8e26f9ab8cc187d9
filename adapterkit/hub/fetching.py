"""The one door to the Hugging Face Hub for what is fetched. It moves folders: it knows no adapters and no torch.

Everything comes through `fetching`, which believes nothing that it can check. A backbone that other programs have
in huggingface_hub's cache already is taken from there, where it is what the Hub lists.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from fnmatch import fnmatch
from pathlib import Path

from adapterkit.errors import ConfigError, FolderError, HubError, visible
from adapterkit.files import read_json
from adapterkit.hub import listing, names, store, web

BACKBONE_FILES = (
    "config.json",
    "generation_config.json",
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
TOKENIZER_FILES = (
    "tokenizer.json",
    "vocab.txt",
    "sentencepiece.bpe.model",
    "spm.model",
    "vocab.json",
)
"""A folder with one of them has a tokenizer."""
BACKBONES = "backbones"
"""The folder of the cache where they are; of one repository adapters and backbones want other files."""
logger = logging.getLogger("adapterkit")


def is_folder(reference: str | Path) -> bool:
    """Whether ``reference`` means a folder: it exists, or it can mean nothing else.

    What starts with ``.``, ``/`` or ``~``, or with the name of a folder here (``adapters/cym`` beside
    ``adapters``), never means the Hub; ``hub:me/name``, a URL and AdapterHub's old
    ids never a folder.

    Raises:
        FolderError: If it can only mean a folder and there is none.
    """
    text = str(reference)
    if text.startswith("hub:") or (isinstance(reference, str) and "://" in text):
        return False
    try:
        if Path(text).expanduser().is_dir():
            return True
    except (OSError, RuntimeError, ValueError) as error:  # too long, ~nobody, a zero byte
        raise FolderError(f"{visible(text)[:200]}: there is no such folder ({error})") from None
    if isinstance(reference, str) and "@" in text and not text.startswith((".", "/", "~")):
        return False
    if isinstance(reference, Path) or text.startswith((".", "/", "~")) or text.count("/") > 1:
        raise FolderError(f"{text}: there is no such folder")
    home, slash, name = text.partition("/")
    if slash and Path(home).is_dir():
        raise FolderError(
            f"{text}: there is no such folder{_near(home, name)}; if the Hub is meant: hub:{text}"
        )
    return False


def _near(home: str, name: str) -> str:
    """The folders beside one that is not there, those of a similar name if there are any."""
    there = sorted(place.name for place in Path(home).iterdir() if place.is_dir())
    shown = get_close_matches(name, there) or there[:10]
    return f"; {home} has: {', '.join(shown)}" if shown else f"; {home} has no folders"


@contextmanager
def taken_for_id(reference: str) -> Iterator[None]:
    """Say, where neither Hub nor cache give it, why ``reference`` was looked for there.

    Raises:
        HubError: If they do not.
    """
    try:
        yield
    except (store.NotKept, store.NotGiven) as error:
        if reference.startswith("hub:") or "://" in reference or "@" in reference:
            raise
        raise HubError(
            f"there is no folder {reference} here, so it was taken for a Hub id; {error}"
        ) from None


def without_revision(reference: str | Path, folder: Path, revision: str | None) -> Path:
    """``folder``, which ``reference`` means on this machine.

    Raises:
        ConfigError: If a revision was asked for: only what is on the Hub has any.
    """
    if revision is not None:
        raise ConfigError(
            f"{reference}: is {folder} here, and a folder has no revisions, so not {revision!r} either; "
            "leave revision out, or write hub:NAME for what is on the Hub"
        )
    return folder


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
    if any(part[:1] == "." and part[1:2] not in ("", ".") for part in path.split("/")):
        return False  # hidden: an editor's copies (.ipynb_checkpoints), a tool's notes
    if name in OLD_WEIGHTS:
        return folder + slash + OLD_WEIGHTS[name] not in paths
    return any(fnmatch(name, pattern) for pattern in ADAPTER_FILES)


def backbone_files(paths: list[str]) -> list[str]:
    """Those of a repository's files that a backbone may be made of; old weights only where there are no others."""
    at_root = [path for path in paths if "/" not in path and not path.startswith(".")]
    wanted = [p for p in at_root if any(fnmatch(p, pattern) for pattern in BACKBONE_FILES)]
    if not any(path.endswith(".safetensors") for path in wanted):
        wanted += [p for p in at_root if any(fnmatch(p, old) for old in OLD_BACKBONE_FILES)]
    return wanted


def fetch_backbone(
    repository: str, *, revision: str | None = None, unchecked: bool = False
) -> Path:
    """Fetch a backbone, or find it in the cache, or in huggingface_hub's cache, and return its folder.

    Args:
        repository: Its Hub id.
        revision: Branch, tag or commit.
        unchecked: Whether, where the Hub cannot be asked and our cache has none, what huggingface_hub's
            cache has under the name of a branch or tag is good enough: nothing tells whether it is that.

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
        return _without_hub(repository, revision, error, unchecked=unchecked)
    shared = _cached_elsewhere(repository, told.commit)
    if shared and all(listing.is_same(shared / name, facts) for name, facts in told.files.items()):
        return shared
    return store.keep(repository, revision, told, under=BACKBONES).folder


def _without_hub(
    repository: str, revision: str | None, why: web.Unreachable, *, unchecked: bool
) -> Path:
    """Our own copy, which is verified; else the whole one of other programs, if that is good enough."""
    try:
        kept = store.from_cache(repository, revision, why, under=BACKBONES)
    except store.NotKept:
        exact = revision is not None and names.is_commit(revision)
        shared = _cached_elsewhere(repository, revision) if unchecked or exact else None
        if shared is None or not _is_whole(shared):
            raise
        logger.warning("%s: taken from huggingface_hub's cache; %s", repository, why)
        return shared
    logger.warning("%s", kept.note)
    return kept.folder


def _is_whole(folder: Path) -> bool:
    """Whether configuration, tokenizer and all weights are there: other programs fetch what they need."""
    if not (folder / "config.json").is_file():
        return False
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        return False
    for single in ("model.safetensors", "pytorch_model.bin"):
        index = folder / f"{single}.index.json"
        if (folder / single).is_file():
            return True
        if index.is_file():
            parts = read_json(index).get("weight_map")
            return isinstance(parts, dict) and all(
                isinstance(part, str) and (folder / part).is_file() for part in parts.values()
            )
    return False


def cached_backbone(repository: str, commit: str) -> Path | None:
    """Where a commit of a backbone is on this machine, if it is; the Hub is not asked."""
    known = store.pinned(repository, commit, under=BACKBONES)
    return known.folder if known is not None else _cached_elsewhere(repository, commit)


def _cached_elsewhere(repository: str, revision: str | None) -> Path | None:
    """What other programs have of it in huggingface_hub's cache; nothing is asked or written."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(repository, revision=revision, local_files_only=True))
    except (
        OSError,
        ValueError,
    ):  # there is none, or not the whole of it, or it cannot be called so
        return None
