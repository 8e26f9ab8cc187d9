"""Lines of raw text from files of any size and encoding, in bounded memory.

Reads ``.txt``, ``.txt.gz``, ``.jsonl``, ``.jsonl.gz`` and folders of them. What is cheap to see is
checked before the first line is read (missing, empty, compressed wrongly, binary, the encoding of
the beginning); the rest is found on the way. Nothing is cleaned here. Labelled files are read
elsewhere.
"""

import codecs
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TextIO

from adapterkit.errors import ConfigError, CorpusError, found

SUFFIXES = (".txt", ".txt.gz", ".jsonl", ".jsonl.gz")
LONGEST_LINE = 100_000  # characters; longer lines are cut at whitespace
LONGEST_RECORD = 50_000_000  # characters; a longer line of JSON is refused
_SNIFFED = 64 * 1024  # bytes
_MAX_CONTROL = 0.02  # of the sniffed bytes
_PROBLEMS_SHOWN = 10

_UNPACKING_ERRORS = (gzip.BadGzipFile, EOFError, zlib.error)
# The longer mark first: UTF-32's begins as UTF-16's does.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class TextFiles:
    """The lines of some files, in order; iterating again reads the files again.

    Attributes:
        paths: The files, each with a suffix of ``SUFFIXES``.
        encoding: Any text encoding that Python knows; None is UTF-8 with or without its mark.
        text_field: The key that holds the text in lines of JSON.
    """

    paths: tuple[Path, ...]
    encoding: str | None = None
    text_field: str = "text"

    def __str__(self) -> str:
        more = f" and {len(self.paths) - 1} more" if len(self.paths) > 1 else ""
        return f"{self.paths[0]}{more}"

    def __iter__(self) -> Iterator[str]:
        for path in self.paths:
            yield from read_file(path, self.encoding, text_field=self.text_field)


def find_files(paths: Sequence[str | Path], encoding: str | None = None) -> tuple[Path, ...]:
    """Return the text files that ``paths`` name, after looking at the beginning of each.

    Args:
        paths: Files, and folders that are searched for them (all levels, in the order of their
            names; hidden files and other kinds of files are passed over).
        encoding: What the files will be read with.

    Raises:
        ConfigError: Python knows no such encoding.
        CorpusError: There is no file, or some cannot be used; all that are wrong are named.
    """
    _check_encoding(encoding)
    if not paths:
        raise CorpusError("no text files were given; name at least one file or folder")
    files = tuple(file for path in paths for file in _expand(Path(path).expanduser()))
    wrong = [f"{file}: {problem}" for file in files if (problem := _problem(file, encoding))]
    if wrong:
        more = [f"and {len(wrong) - _PROBLEMS_SHOWN} more"] if len(wrong) > _PROBLEMS_SHOWN else []
        raise CorpusError(
            f"{len(wrong)} of {len(files)} text file{'s' * (len(files) > 1)} cannot be used:"
            + found(wrong[:_PROBLEMS_SHOWN] + more)
        )
    return files


def _check_encoding(encoding: str | None) -> None:
    try:
        "".encode(encoding or "utf-8")
    except LookupError:
        raise ConfigError(
            f"there is no text encoding named {encoding!r}; "
            "common ones are 'utf-8', 'utf-16', 'latin-1', 'cp1252', 'cp1251' and 'gb18030'"
        ) from None


def _expand(path: Path) -> Sequence[Path]:
    if not path.is_dir():
        return [path]
    inside = sorted(file for file in path.rglob("*") if file.is_file())
    visible = [file for file in inside if not _is_hidden(file.relative_to(path))]
    files = [file for file in visible if _kind(file)]
    if not files:
        raise CorpusError(
            f"the folder {path} holds no text: {len(visible)} files, none of them "
            f"{', '.join(SUFFIXES)}"
        )
    return files


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _kind(path: Path) -> str | None:
    """Return ``".txt"`` or ``".jsonl"``, or None for another kind of file."""
    name = path.name.lower().removesuffix(".gz")
    return next((kind for kind in (".txt", ".jsonl") if name.endswith(kind)), None)


def _problem(path: Path, encoding: str | None) -> str | None:
    """Say in one phrase why a file cannot be used, as far as its first 64 KB show."""
    if not path.exists():
        return "there is no such file"
    if not _kind(path):
        return f"not a kind of file that is read here ({', '.join(SUFFIXES)})"
    try:
        with _open(path) as file:
            start = file.read(_SNIFFED)
    except _UNPACKING_ERRORS as error:
        return f"not a gzip file, or a damaged one ({error})"
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    return _problem_of_bytes(start, encoding)


def _problem_of_bytes(start: bytes, encoding: str | None) -> str | None:
    if not start:
        return "empty"
    for mark, name in _MARKS:
        if encoding is None and start.startswith(mark):
            return f'not UTF-8 but {name.upper()}; read it with encoding="{name}"'
    if start.startswith(b"\x1f\x8b"):
        return "compressed; give it a name that ends in .gz"
    if _is_binary(start, encoding):
        return 'a binary file, not text (or UTF-16 without its mark: encoding="utf-16-le")'
    return _undecodable(start, encoding)


def _is_binary(start: bytes, encoding: str | None) -> bool:
    """Look for zero bytes and control characters, except where an encoding is made of them."""
    if "\n".encode(encoding or "utf-8") != b"\n":
        return False
    control = sum(start.count(byte) for byte in range(32) if byte not in b"\t\n\r\f\v\x1a\x1b")
    return 0 in start or control > _MAX_CONTROL * len(start)


def _undecodable(start: bytes, encoding: str | None) -> str | None:
    decoder = codecs.getincrementaldecoder(encoding or "utf-8")()
    try:
        decoder.decode(start, final=len(start) < _SNIFFED)
    except UnicodeError as error:
        return _wrong_encoding(error, encoding)
    return None


def _wrong_encoding(error: UnicodeError, encoding: str | None) -> str:
    where = f" ({error.reason})" if isinstance(error, UnicodeDecodeError) else f" ({error})"
    advice = 'say which it is, such as encoding="cp1252"' if encoding is None else "try another"
    return f"not text in {encoding or 'utf-8'}{where}; if it has another encoding, {advice}"


def read_file(path: Path, encoding: str | None = None, *, text_field: str) -> Iterator[str]:
    """Yield the raw lines of one file, none longer than ``LONGEST_LINE`` characters.

    Args:
        path: A file with a suffix of ``SUFFIXES``.
        encoding: As in ``TextFiles``.
        text_field: The key that holds the text in lines of JSON; a text of several lines gives
            several lines.

    Raises:
        CorpusError: The file cannot be opened, unpacked, decoded or parsed; JSON is named by line.
    """
    # utf-8-sig reads UTF-8 with its byte-order mark and without.
    utf8 = codecs.lookup(encoding or "utf-8").name == "utf-8"
    known = "utf-8-sig" if utf8 else encoding
    try:
        with _open(path) as packed, io.TextIOWrapper(packed, encoding=known) as file:
            if _kind(path) == ".jsonl":
                yield from _read_records(file, path, text_field)
            else:
                yield from cut_lines(file)
    except UnicodeError as error:
        raise CorpusError(f"{path}: {_wrong_encoding(error, encoding)}") from None
    except _UNPACKING_ERRORS as error:
        raise CorpusError(f"{path}: the gzip file is cut or damaged ({error})") from None
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror or error})") from None


def _open(path: Path) -> IO[bytes]:
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rb")  # type: ignore[return-value]  # a GzipFile reads like one
    return path.open("rb")


def cut_text(text: str) -> Iterator[str]:
    """Yield the lines of a text in memory, cut as the lines of a file are."""
    if len(text) <= LONGEST_LINE and "\n" not in text and "\r" not in text:
        yield text
    else:
        yield from cut_lines(io.StringIO(text, newline=None))


def cut_lines(file: TextIO) -> Iterator[str]:
    """Yield the lines of ``file``; one over ``LONGEST_LINE`` characters is cut at whitespace.

    Where such a line has no whitespace it is cut after so many characters. Where the cuts fall
    depends on the line alone.
    """
    rest = ""
    while part := rest + file.readline(LONGEST_LINE - len(rest)):
        rest = ""
        if len(part) == LONGEST_LINE and not part.endswith("\n"):
            words = part.rsplit(maxsplit=1)
            # Whitespace at the very end is a good place already.
            if len(words) == 2 and not part[-1].isspace():
                part, rest = words
        yield part


def _read_records(file: TextIO, path: Path, field: str) -> Iterator[str]:
    number = 0
    while record := file.readline(LONGEST_RECORD):
        number += 1
        if record.isspace():
            continue
        if len(record) == LONGEST_RECORD:
            raise CorpusError(
                f"{path}, line {number}: over {LONGEST_RECORD:,} characters of JSON on one line; "
                "write one object a line"
            )
        yield from cut_text(_text_of(record, field, f"{path}, line {number}"))


def _text_of(record: str, field: str, place: str) -> str:
    try:
        value = json.loads(record)
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{place}: not a line of JSON ({error})") from None
    if not isinstance(value, dict):
        raise CorpusError(f"{place}: a JSON object was expected, found {type(value).__name__}")
    if field not in value:
        keys = ", ".join(sorted(value)) or "no keys"
        raise CorpusError(
            f'{place}: the text was asked for under "{field}", found {keys}; '
            "name the key of the text with text_field="
        )
    text = value[field]
    if text is not None and not isinstance(text, str):
        raise CorpusError(f'{place}: "{field}" holds {type(text).__name__}, not text')
    return text or ""
