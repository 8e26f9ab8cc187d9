"""Writing files and folders so that a reader never meets half of one.

A file is written beside its place, flushed to the disk and renamed; a folder likewise. Nothing here
knows what is in them.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adapterkit.errors import FolderError


def write_bytes(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path`` in one step: all of it, or what was there before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write ``record`` as sorted, indented JSON with a final newline, in one step."""
    write_bytes(path, to_json(record).encode("utf-8"))


def to_json(record: Mapping[str, Any]) -> str:
    """The one way JSON is written here: sorted keys, two spaces, real characters, no NaN."""
    return json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        FolderError: If the file is missing, is not JSON, or is not an object.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FolderError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise FolderError(f"{path}: not readable as JSON ({error})") from None
    if not isinstance(record, dict):
        raise FolderError(f"{path}: holds a JSON {type(record).__name__}, an object was expected")
    return record


def sha256_of(path: Path) -> str:
    """sha256 of a file's bytes, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def folder_in_one_step(path: Path) -> Iterator[Path]:
    """Yield an empty folder whose contents become ``path``'s files when the block ends well.

    Files already in ``path`` under other names stay; those of the same name are replaced. If the
    block fails, ``path`` is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        yield temporary
        _install(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _install(temporary: Path, path: Path) -> None:
    for file in temporary.iterdir():
        with file.open("rb") as handle:
            os.fsync(handle.fileno())
    if not path.exists():
        os.chmod(temporary, 0o777 & ~_umask())
        os.replace(temporary, path)
        return
    # Old and new files must not mix for a reader: the configuration, without which a folder is
    # not an adapter, leaves first and comes back last.
    marker = "adapter_config.json"
    names = sorted(file.name for file in temporary.iterdir())
    if marker in names:
        (path / marker).unlink(missing_ok=True)
    for name in sorted(names, key=lambda name: name == marker):
        os.replace(temporary / name, path / name)


def _umask() -> int:
    # There is no way to read it but to set it; the window is a few instructions long.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
