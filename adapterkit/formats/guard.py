"""What may stand in an adapter folder, looked at before any file is opened. No torch.

A folder of a stranger can hold links to anywhere, folders or pipes under the names of files, and two
copies of one thing. The Hub's cache, whose snapshots link to its own blobs, is as it should be.
"""

import os
from pathlib import Path

from adapterkit.errors import FolderError, found

CONFIG, HEAD_CONFIG, OWN_FILE = "adapter_config.json", "head_config.json", "adapterkit.json"
SETUP = "adapter_setup.json"
WORK = ".training"
"""The folder of a training's checkpoints, inside the adapter's; gone when it has ended well."""
ADAPTER_WEIGHTS = ("adapter.safetensors", "pytorch_adapter.bin")
HEAD_WEIGHTS = ("model_head.safetensors", "pytorch_model_head.bin")
PEFT_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
FUSION_CONFIG = "adapter_fusion_config.json"
FUSION_WEIGHTS = ("model_adapter_fusion.safetensors", "pytorch_model_adapter_fusion.bin")
ROWS_WEIGHTS = "embedding_rows.safetensors"
READ = (
    *(CONFIG, HEAD_CONFIG, OWN_FILE, ROWS_WEIGHTS),
    *(*ADAPTER_WEIGHTS, *HEAD_WEIGHTS, *PEFT_WEIGHTS),
)
"""The files of an adapter that are read; all others in a folder are left alone."""
OWNED = (*READ, SETUP, FUSION_CONFIG, *FUSION_WEIGHTS)
"""All names under which folders of adapters and compositions hold something; saving clears them away."""


def check_folder(folder: Path) -> None:
    """Refuse a folder with links that lead out of it, or with anything but files under our names.

    Raises:
        FolderError: With every such entry; or if an adapter is still being trained there.
    """
    if not folder.is_dir():
        raise FolderError(f"{folder}: there is no such folder")
    if (folder / WORK).is_dir() and not any((folder / name).exists() for name in (CONFIG, SETUP)):
        raise FolderError(
            f"{folder}: its training is not finished; give the same train command again"
        )
    homes = _homes(Path(os.path.realpath(folder)))
    problems = []
    for entry in sorted(folder.iterdir()):
        target = Path(os.path.realpath(entry))
        if entry.is_symlink() and not any(target.is_relative_to(home) for home in homes):
            problems.append(f"{entry.name}: a link out of the folder, to {target}")
        elif entry.name in OWNED and not entry.is_file():
            problems.append(f"{entry.name}: is no file")
        elif entry.name in OWNED and not os.access(entry, os.R_OK):
            problems.append(f"{entry.name}: may not be read")
    if problems:
        raise FolderError(f"{folder}: not a folder to load from:{found(problems)}")


def _homes(folder: Path) -> list[Path]:
    """Where its files may really stand: in it, or among the blobs of the same Hub repository's cache."""
    snapshots = [place for place in (folder, *folder.parents) if place.parent.name == "snapshots"]
    return [folder, *(place.parent.parent / "blobs" for place in snapshots)]


def weight_file(folder: Path, names: tuple[str, str]) -> Path:
    """The file with the weights: safetensors, or an old pickle only where there is none.

    Raises:
        FolderError: If there is neither.
    """
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise FolderError(f"{folder}: holds neither {names[0]} nor {names[1]}")
