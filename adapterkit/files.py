"""Writing files and folders so that a reader never meets half of one; reading JSON so that it has one meaning.

A file is written beside its place, flushed to the disk and renamed; a folder likewise. Nothing here
knows what is in them.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adapterkit.errors import FolderError

MAX_JSON_BYTES = 16_000_000
"""Far more than any configuration or provenance needs, and read in a second."""
MAX_JSON_DEPTH = 50


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
    """Read a JSON object of at most `MAX_JSON_BYTES`.

    Raises:
        FolderError: If the file is missing, too large, no JSON or no object, or names a key twice.
    """
    if not path.is_file():  # not a folder, nor a pipe, which would be waited for
        raise FolderError(f"{path}: there is no such file")
    if path.stat().st_size > MAX_JSON_BYTES:
        raise FolderError(f"{path}: {path.stat().st_size} bytes of JSON; too large to be right")
    try:
        record = from_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise FolderError(f"{path}: not readable as JSON ({error})") from None
    if not isinstance(record, dict):
        raise FolderError(f"{path}: holds a JSON {type(record).__name__}, an object was expected")
    return record


def from_json(data: bytes) -> Any:
    """Read JSON in UTF-8, as the standard has it: no ``NaN``, and every key of an object once.

    Raises:
        ValueError: If it is anything else, or nested deeper than `MAX_JSON_DEPTH`.
    """
    text = data.decode("utf-8")
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deep") from None
    _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    inside = [value]
    for _ in range(MAX_JSON_DEPTH):
        inside = [
            child
            for part in inside
            if isinstance(part, dict | list)
            for child in (part.values() if isinstance(part, dict) else part)
        ]
    if inside:
        raise ValueError(f"nested deeper than {MAX_JSON_DEPTH}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the key {twice[:60]!r} stands in it twice")
    return record


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


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
