"""The one door to the Hugging Face Hub for what is fetched. It moves folders: it knows no adapters and no torch.

Adapters come file by file through `fetching`, which believes nothing it can check. Backbones, which are large and
which other programs want as well, come through huggingface_hub into its cache, at a commit that is resolved and
listed first, and what is new is compared with the list.
"""

import logging
from fnmatch import fnmatch
from pathlib import Path

from adapterkit.errors import FolderError, HubError, found
from adapterkit.fetching import listing, names, store, web

BACKBONE_FILES = (
    "config.json",
    "*.safetensors",
    "tokenizer*",
    "*.model",
    "vocab*",
    "merges.txt",
    "special_tokens_map.json",
)
ADAPTER_FILES = ("*.json", "*.safetensors", "README.md", "LICENSE", "LICENSE.*", "NOTICE")
OLD_WEIGHTS = {
    "pytorch_adapter.bin": "adapter.safetensors",
    "pytorch_model_head.bin": "model_head.safetensors",
    "pytorch_model_adapter_fusion.bin": "model_adapter_fusion.safetensors",
    "adapter_model.bin": "adapter_model.safetensors",
}
"""Old files, each with the one that stands in for it wherever a repository lists that."""
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
        wanted += [path for path in at_root if fnmatch(path, "pytorch_model*.bin")]
    return wanted


def fetch_backbone(repository: str, *, revision: str | None = None) -> Path:
    """Download a backbone (or find it in huggingface_hub's cache) and return its folder.

    Raises:
        HubError: If the Hub does not give it, or a file that came is not the one that was listed.
    """
    if "/" in repository and not names.is_id(repository):
        raise HubError(f"{repository!r} is neither a folder here nor a Hub repository id")
    try:
        told = listing.ask(repository, revision, backbone_files)
    except web.Unreachable as error:
        folder = _snapshot(repository, revision, None, str(error))
        logger.warning("%s: taken from the cache; %s", repository, error)
        return folder
    except web.Denied as error:
        raise HubError(f"{repository}: {error}") from None
    there = cached_backbone(repository, told.commit)
    before = {path.name for path in there.iterdir()} if there.is_dir() else set()
    folder = _snapshot(repository, told.commit, list(told.files), "")
    _check_new(told, folder, set(told.files) - before)  # the others were checked when they came
    return folder


def cached_backbone(repository: str, commit: str) -> Path:
    """Where huggingface_hub's cache has a commit of a repository, if it has it."""
    from huggingface_hub import constants

    home = Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}"
    return home / "snapshots" / commit


def _check_new(told: listing.Listing, folder: Path, new: set[str]) -> None:
    wrong = [n for n in sorted(new) if not listing.is_same(folder / n, told.files[n])]
    if not wrong:
        return
    for name in new:  # what the name leads to as well, or it would be taken again
        for path in ((folder / name).resolve(), folder / name):
            path.unlink(missing_ok=True)
    problems = [f"{name}: its bytes are not the ones that the Hub lists" for name in wrong]
    raise HubError(f"{told.repository}: refused:{found(problems)}\nFetch it again.")


def _snapshot(repository: str, revision: str | None, allow: list[str] | None, why: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(
                repository,
                revision=revision,
                allow_patterns=allow,
                local_files_only=allow is None,
            )
        )
    except HFValidationError as error:
        raise HubError(
            f"{repository!r} is neither a folder here nor a Hub repository id ({error})"
        ) from None
    except LocalEntryNotFoundError as error:
        reason = why or str(error).splitlines()[0]
        raise HubError(
            f"{repository!r} is no folder here and not (wholly) in the Hub's cache, and the Hub cannot be "
            f"asked ({reason}); check the spelling or the network"
        ) from None
    # Xet's errors are builtins, httpx's and requests' are their own: whatever it is, the fetch failed.
    except Exception as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise HubError(f"{repository!r} could not be fetched from the Hub: {first}") from None
