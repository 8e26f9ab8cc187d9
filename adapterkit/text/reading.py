"""Raw files to raw lines, in bounded memory: .txt, .jsonl, both also .gz, and folders of them.

What is wrong with a file is one clear error. Cleaning is in `cleaning`, what needs many lines in `lines`.
"""

import codecs
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from adapterkit.errors import CorpusError

SUFFIXES = (".txt", ".txt.gz", ".jsonl", ".jsonl.gz")
LONGEST = 100_000
_SNIFF = 65_536
_CHUNK = 1 << 20


def files_of(paths: Sequence[str | Path]) -> tuple[Path, ...]:
    """Every text file that ``paths`` mean; folders are searched, in the order of names.

    Raises:
        CorpusError: If one is missing or of a kind that is not read, or a folder holds none.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file() and p.name.endswith(SUFFIXES))
            if not inside:
                raise CorpusError(f"{path}: this folder holds no {', '.join(SUFFIXES)} file")
            found += inside
        elif not path.exists():
            raise CorpusError(f"{path}: there is no such file or folder")
        elif not path.name.endswith(SUFFIXES):
            raise CorpusError(f"{path}: files of this kind are not read; use {', '.join(SUFFIXES)}")
        else:
            found.append(path)
    if not found:
        raise CorpusError("no file was given; pass at least one text file or folder")
    return tuple(found)


def check_start(path: Path, encoding: str | None) -> None:
    """Look at a file's first bytes and refuse what cannot be text.

    Raises:
        CorpusError: If it is empty, binary, unreadable, or in an encoding that was not named.
    """
    with _open(path) as file:
        start = _read(file, _SNIFF, path)
    if not start.strip():
        raise CorpusError(f"{path}: this file is empty")
    if encoding is not None:
        return
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise CorpusError(f'{path}: this file is UTF-16; pass encoding="utf-16" (--encoding utf-16)')
    if b"\0" in start:
        raise CorpusError(f"{path}: this is a binary file, not text (it holds zero bytes)")


def read_lines(path: Path, *, encoding: str | None = None, text_field: str = "text") -> Iterator[str]:
    """Yield the lines of a file, or the texts of a JSONL file. A longer line than 100,000 characters is cut.

    Raises:
        CorpusError: If the bytes are not in the encoding, or a JSON line is wrong.
    """
    lines = _decoded_lines(path, encoding or "utf-8-sig")
    if ".jsonl" in path.name:
        lines = _json_texts(path, lines, text_field)
    yield from lines


def _open(path: Path) -> BinaryIO:
    try:
        raw = path.open("rb")
    except OSError as error:
        raise CorpusError(f"{path}: cannot be opened ({error.strerror})") from None
    return gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw  # type: ignore[return-value]


def _read(file: BinaryIO, size: int, path: Path) -> bytes:
    try:
        return file.read(size)
    except (EOFError, zlib.error, gzip.BadGzipFile, OSError) as error:
        raise CorpusError(f"{path}: this file is damaged and cannot be unpacked ({error})") from None


def _decoded_lines(path: Path, encoding: str) -> Iterator[str]:
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
    except LookupError:
        raise CorpusError(f"{path}: there is no encoding called {encoding!r}") from None
    rest, done = "", 0
    with _open(path) as file:
        while True:
            chunk = _read(file, _CHUNK, path)
            try:
                text = rest + decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                name = "UTF-8" if encoding == "utf-8-sig" else encoding
                raise CorpusError(
                    f"{path}: not {name} near byte {done + error.start}; save it as UTF-8, or name its encoding "
                    "(encoding=, --encoding)"
                ) from None
            done += len(chunk)
            *whole, rest = io.StringIO(text, newline=None).read().split("\n")
            for line in whole:
                yield from _short(line)
            if not chunk:
                yield from _short(rest)
                return
            while len(rest) > 2 * LONGEST:
                first, rest = _cut(rest)
                yield first


def _short(line: str) -> Iterator[str]:
    while len(line) > LONGEST:
        first, line = _cut(line)
        yield first
    if line:
        yield line


def _cut(line: str) -> tuple[str, str]:
    place = line.rfind(" ", 1, LONGEST)
    place = place if place > 0 else LONGEST
    return line[:place], line[place:].lstrip(" ")


def _json_texts(path: Path, lines: Iterator[str], field: str) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError:
            raise CorpusError(f"{path}, line {number}: not JSON: {line[:60]!r}") from None
        if not isinstance(record, dict) or not isinstance(record.get(field), str):
            keys = ", ".join(record) if isinstance(record, dict) else type(record).__name__
            raise CorpusError(f"{path}, line {number}: no text under {field!r} (found: {keys:.80}); pass text_field=")
        yield from record[field].splitlines()
