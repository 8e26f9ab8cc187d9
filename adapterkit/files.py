"""Writing files and folders so that a reader never meets half of one; reading JSON so that it has one meaning.

A file is written beside its place, flushed to the disk and renamed; a folder likewise. Nothing here
knows what is in them.
"""

import hashlib
import json
import math
import os
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from adapterkit.errors import FolderError

MAX_JSON_BYTES = 16_000_000
"""Far more than any configuration or provenance needs, and read in a second."""
MAX_JSON_DEPTH = 50
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_MARKERS = ("adapter_config.json", "adapter_setup.json")
"""Without one of these a folder is no adapter and no composition."""


def write_bytes(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path`` in one step: all of it, or what was there before. A device is written to."""
    if path.is_char_device() and not path.is_symlink():
        path.write_bytes(data)
        return
    with _beside(path, data) as part, _named(path):
        os.replace(part, path)


def create_once(path: Path, data: bytes) -> bool:
    """Put ``data`` at ``path`` in one step unless something is there; whether it is ours.

    Of several who try at once one succeeds. On a file system without hard links the file can be seen before its
    data, and is left empty by who is killed in between.
    """
    with _beside(path, data) as part:
        try:
            os.link(part, path)
        except FileExistsError:
            return False
        except OSError:
            return _create_in_place(path, data)
    return True


@contextmanager
def _beside(path: Path, data: bytes) -> Iterator[Path]:
    """``data`` in a finished file beside ``path``, deleted afterwards unless it was moved."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _named(path):
        handle, temporary = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}.", suffix=".part"
        )
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        yield Path(temporary)
    finally:
        Path(temporary).unlink(missing_ok=True)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Let an error name ``path``, which its reader knows, not a temporary file."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _create_in_place(path: Path, data: bytes) -> bool:
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError:
        return False
    return True


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
    """Read JSON in UTF-8 that can be written again: finite numbers, whole characters, each key once.

    Raises:
        ValueError: If it is anything else, or nested deeper than `MAX_JSON_DEPTH`.
    """
    text = data.decode("utf-8")
    try:
        value = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
        )
    except RecursionError:
        raise ValueError("nested too deep") from None
    _check_depth(value)
    if _HALF.search(text):
        _check_characters(value)
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


def _check_characters(value: Any) -> None:
    """No half of a surrogate pair: no file and no terminal can hold one."""
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise ValueError(f"{value[:60]!r} holds half a character (a lone surrogate)") from None
    elif isinstance(value, dict | list):
        for part in value:
            _check_characters(part)
            if isinstance(value, dict):
                _check_characters(value[part])


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the key {twice[:60]!r} stands in it twice")
    return record


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is larger than any number here")
    return number


SETTLED_SECONDS = 2.0
"""A file that changed less long ago may change again within one tick of its clock."""
Stamp = tuple[str, int, int, int, int, int]


def stamp_of(path: Path) -> Stamp | None:
    """What changes whenever a file's bytes do; None while it is so young that a change might not show.

    Path, device, inode, size, and the times of its last change, which nobody can set back.
    """
    state = path.stat()
    if time.time() - max(state.st_ctime, state.st_mtime) < SETTLED_SECONDS:
        return None
    times = state.st_mtime_ns, state.st_ctime_ns
    return (str(path.resolve()), state.st_dev, state.st_ino, state.st_size, *times)


def sha256_of(path: Path) -> str:
    """sha256 of a file's bytes, as hex; of a file that has not changed since, as computed before."""
    stamp = stamp_of(path)
    return _sha256(path) if stamp is None else _sha256_by(stamp)


@lru_cache(maxsize=4096)
def _sha256_by(stamp: Stamp) -> str:
    return _sha256(Path(stamp[0]))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def folder_in_one_step(path: Path, *, owned: Collection[str] = ()) -> Iterator[Path]:
    """Yield an empty folder whose contents become ``path``'s when the block ends well.

    Files of the same name are replaced, sub-folders' likewise; other files stay. If the block fails,
    ``path`` is as it was.

    Args:
        path: The folder to be written.
        owned: Names that the writer's folders may hold, at every depth. Those that are in ``path``
            and not in the new folder are what an older writing left, and go.

    Raises:
        FolderError: If a file stands where a folder shall be, or the reverse, or ``path`` cannot be written;
            nothing has changed then.
    """
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Inside a folder that is there: what it may be mounted on or linked to cannot be renamed into from outside.
        home = path if path.is_dir() else path.parent
        temporary = Path(tempfile.mkdtemp(dir=home, prefix=f".{path.name}."))
    try:
        yield temporary
        _check_kinds(temporary, path, owned)
        with _explained(path):
            _flush(temporary)
            os.chmod(temporary, 0o777 & ~_umask())
            _install(temporary, path, owned)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FolderError(
            f"{path}: cannot be written ({error.strerror or error}), and is as it was; choose another folder"
        ) from error


def _flush(folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())


def _check_kinds(new: Path, path: Path, owned: Collection[str]) -> None:
    if not path.exists():
        return
    if not path.is_dir():
        raise FolderError(f"{path}: is a file; a folder cannot be written there")
    inside = {entry.name: entry for entry in new.iterdir()}
    for name in sorted({*inside, *owned}):
        if name in inside and inside[name].is_dir():
            _check_kinds(inside[name], path / name, owned)
        elif (path / name).is_dir():
            raise FolderError(f"{path / name}: is a folder; a file cannot be written there")


def _install(new: Path, path: Path, owned: Collection[str]) -> None:
    """Rename ``new``, or what is in it, to ``path``; if one renaming fails, all are undone."""
    moves: list[tuple[Path, Path]] = []
    try:
        _move_in(new, path, owned, moves)
    except BaseException:
        for source, target in reversed(moves):
            os.replace(target, source)
        raise


def _move_in(new: Path, path: Path, owned: Collection[str], moves: list[tuple[Path, Path]]) -> None:
    if not path.exists():
        _move(new, path, moves)
        return
    # Old and new files must not mix for a reader: the configuration, without which a folder is
    # not an adapter, leaves first and comes back last.
    names = sorted(
        (entry.name for entry in new.iterdir()), key=lambda name: (name in _MARKERS, name)
    )
    files = [name for name in {*names, *owned} if not (new / name).is_dir()]
    aside = Path(tempfile.mkdtemp(dir=new))
    for name in sorted(files, key=lambda name: (name not in _MARKERS, name)):
        if os.path.lexists(path / name):
            _move(path / name, aside / name, moves)
    for name in names:
        if (new / name).is_dir():
            _move_in(new / name, path / name, owned, moves)
        else:
            _move(new / name, path / name, moves)


def _move(source: Path, target: Path, moves: list[tuple[Path, Path]]) -> None:
    os.replace(source, target)
    moves.append((source, target))


def _umask() -> int:
    # There is no way to read it but to set it; the window is a few instructions long.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
