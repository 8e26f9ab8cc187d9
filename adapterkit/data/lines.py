"""Numbered lines and blocks of lines of a UTF-8 file, plain or gzipped.

The readers of labelled files stand on this. What a line means is not known here. Raw text for
language adapters, in any encoding and of any size, is read elsewhere (``corpus.py``).
"""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from adapterkit.errors import CorpusError

Block = list[tuple[int, str]]
"""Lines between blank ones, each with its number."""
_BOM = b"\xef\xbb\xbf"


def at(path: Path, line: int) -> str:
    """Name a line of a file the way every error names it."""
    return f"{path}, line {line}"


def format_of(path: Path) -> str:
    """Say what a file's name claims: its last suffix in lower case, ``.gz`` left out."""
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    r"""Yield ``(number, line)``, numbers from 1, lines without their end (``\n`` or ``\r\n``).

    A byte-order mark is dropped. Only ``\n`` ends a line: a separator of another kind, U+2028 for
    one, belongs to the text.

    Raises:
        CorpusError: If the file is missing, is a folder, is not UTF-8 or is a damaged gzip file.
    """
    try:
        with _open(path) as file:
            for number, raw in enumerate(file, start=1):
                raw = raw.removeprefix(_BOM) if number == 1 else raw
                yield number, _decoded(raw, at(path, number)).removesuffix("\n").removesuffix("\r")
    except FileNotFoundError:
        raise CorpusError(f"{path}: there is no such file") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise CorpusError(f"{path}: the gzip file is cut or damaged ({error})") from None
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror or error})") from None


def read_blocks(path: Path) -> Iterator[Block]:
    """Yield the runs of numbered lines between blank lines, as :func:`read_lines` gives them."""
    block: Block = []
    for number, line in read_lines(path):
        if line.strip(" \t"):
            block.append((number, line))
        elif block:
            yield block
            block = []
    if block:
        yield block


def _open(path: Path) -> BinaryIO:
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rb")  # type: ignore[return-value]  # a GzipFile reads like one
    return path.open("rb")


def _decoded(raw: bytes, place: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{place}: not UTF-8 (byte 0x{raw[error.start]:02x} at position {error.start}). "
            "Convert the file to UTF-8 first."
        ) from None
