"""Who a backbone is: its canonical name and the digest of its checkpoint.

The digest is over the names, shapes and values of the checkpoint's own tensors, before any cast and
however they are cut into files (`tensorfile.checkpoint_digest`). Once computed it is kept beside the
weights, with the sizes and times of the files it was computed from.
"""

import contextlib
from pathlib import Path

from adapterkit.errors import FolderError
from adapterkit.files import read_json, write_json
from adapterkit.tensorfile import checkpoint_digest

DIGEST_FILE = "adapterkit-digest.json"

MINI_NAME = "adapterkit/mini@"
MINI = f"{MINI_NAME}2"
"""The backbone that ships with this version of the package."""

ALIASES = {
    "mini": MINI,
    "mini@2": MINI,
    "adapterkit/mini": MINI,
    **{
        name: f"{owner}/{name}"
        for owner, names in {
            "FacebookAI": (
                "xlm-roberta-base",
                "xlm-roberta-large",
                "roberta-base",
                "roberta-large",
            ),
            "google-bert": (
                "bert-base-cased",
                "bert-base-chinese",
                "bert-base-german-cased",
                "bert-base-multilingual-cased",
                "bert-base-multilingual-uncased",
                "bert-base-uncased",
                "bert-large-cased",
                "bert-large-cased-whole-word-masking",
                "bert-large-uncased",
                "bert-large-uncased-whole-word-masking",
            ),
            "distilbert": (
                "distilbert-base-cased",
                "distilbert-base-german-cased",
                "distilbert-base-multilingual-cased",
                "distilbert-base-uncased",
                "distilroberta-base",
            ),
        }.items()
        for name in names
    },
}
"""Other names of a backbone; the Hub's from before its models had owners."""


def canonical(name: str) -> str:
    """The one name of a backbone that is known under several."""
    return ALIASES.get(name, name)


def weight_files(folder: Path) -> list[Path]:
    """The weight files of a checkpoint: all safetensors files, or else all ``.bin`` files.

    Raises:
        FolderError: If there is neither.
    """
    for pattern in ("model*.safetensors", "pytorch_model*.bin"):
        files = sorted(folder.glob(pattern))
        if files:
            return files
    raise FolderError(f"{folder}: holds no weights (model.safetensors or pytorch_model.bin)")


def digest_of(folder: Path) -> str:
    """Digest of the checkpoint in ``folder``, from beside the weights if it still fits them."""
    files = weight_files(folder)
    stamp = {file.name: [file.stat().st_size, file.stat().st_mtime_ns] for file in files}
    kept = folder / DIGEST_FILE
    if kept.is_file():
        record = read_json(kept)
        if record.get("files") == stamp and isinstance(record.get("digest"), str):
            return str(record["digest"])
    value = checkpoint_digest(files)
    with contextlib.suppress(
        OSError
    ):  # a folder that cannot be written to: computed again next time
        write_json(kept, {"digest": value, "files": stamp})
    return value
