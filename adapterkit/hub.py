"""The one door to the Hugging Face Hub. It moves folders: it knows no adapters and no torch."""

from pathlib import Path

from adapterkit.errors import FolderError, HubError

BACKBONE_FILES = (
    "config.json",
    "*.safetensors",
    "tokenizer*",
    "*.model",
    "vocab*",
    "merges.txt",
    "special_tokens_map.json",
)
ADAPTER_FILES = ("*.json", "*.safetensors", "README.md")
OLD_WEIGHTS = ("pytorch_*.bin", "adapter_model.bin")


def is_folder(reference: str | Path) -> bool:
    """Whether ``reference`` means a folder: it exists, or it can mean nothing else.

    What starts with ``.``, ``/`` or ``~`` never means the Hub; ``hub:me/name`` never a folder.

    Raises:
        FolderError: If it can only mean a folder and there is none.
    """
    text = str(reference)
    if text.startswith("hub:"):
        return False
    if Path(text).expanduser().is_dir():
        return True
    if isinstance(reference, Path) or text.startswith((".", "/", "~")) or text.count("/") > 1:
        raise FolderError(f"{text}: there is no such folder")
    return False


def fetch_backbone(repository: str, *, revision: str | None = None) -> Path:
    """Download a backbone (or find it in the cache) and return its folder."""
    folder = _snapshot(repository, revision, BACKBONE_FILES)
    if not any(folder.glob("*.safetensors")):
        folder = _snapshot(repository, revision, (*BACKBONE_FILES, "pytorch_model*.bin"))
    return folder


def fetch_adapter(repository: str, *, revision: str | None = None) -> Path:
    """Download an adapter's folder: safetensors where the repository has them, else the old ``.bin``."""
    folder = _snapshot(repository, revision, ADAPTER_FILES)
    if not any(folder.glob("*.safetensors")):
        folder = _snapshot(repository, revision, (*ADAPTER_FILES, *OLD_WEIGHTS))
    return folder


def _snapshot(repository: str, revision: str | None, allow: tuple[str, ...]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=list(allow)))
    except HFValidationError as error:
        raise HubError(
            f"{repository!r} is neither a folder here nor a Hub repository id ({error})"
        ) from None
    except LocalEntryNotFoundError:
        raise HubError(
            f"{repository!r} is no folder here and not in the Hub's cache, and the Hub cannot be reached; "
            "check the spelling or the network"
        ) from None
    except (HfHubHTTPError, OSError) as error:
        first = str(error).strip().splitlines()[0]
        raise HubError(f"{repository!r} could not be fetched from the Hub: {first}") from None
