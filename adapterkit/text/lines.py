"""A stream of raw lines to the lines worth training on, in bounded memory.

Cleaning and dropping by a line's own content is in ``cleaning``; here are the things that need
more than one line: exact duplicates, the held-out split, and the counts of a whole pass. One
digest of a line's content serves all three, so none of them depends on the order of the lines.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field

from adapterkit.text.cleaning import REASONS, Reason, clean, drop_reason

HELDOUT_SHARE = 0.05
REMEMBERED = 2_000_000  # digests kept in memory (some 150 MB) before a file on disk takes over
_KEYS = 2**64
_SUMS = 2**256


@dataclass(frozen=True, slots=True)
class Line:
    """One kept line.

    Attributes:
        text: Cleaned text, without a line end.
        heldout: Whether the line is kept out of training, to measure on.
    """

    text: str
    heldout: bool


@dataclass(frozen=True)
class Counts:
    """What one pass over a corpus found.

    Attributes:
        read: Lines read; an over-long line counts once for each part it was cut into.
        kept: Lines that remain after cleaning and dropping.
        heldout: How many of the kept lines are held out.
        dropped: Lines dropped for each reason, every reason named.
        characters: Code points in the kept lines.
        bytes: The kept lines' size in UTF-8, line ends left out.
        fingerprint: SHA-256 (hex) over the set of kept lines, whatever their order.
        heldout_characters: Code points in the held-out lines.
        heldout_below: A line is held out if its key (64 bits) is below this.
    """

    read: int
    kept: int
    heldout: int
    dropped: Mapping[Reason, int]
    characters: int
    bytes: int
    fingerprint: str
    heldout_characters: int
    heldout_below: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A kept line with the 256-bit hash of its content, and the 64-bit key made from it."""

    text: str
    digest: int
    key: int


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=32).digest(), "big")


def content_hash(text: str) -> int:
    """Return a clean line's key, 64 bits of a hash (BLAKE2b) of its content and nothing else.

    Equal keys are taken for equal lines, and the held-out lines are those of the lowest keys.
    """
    return _digest(text) >> 192


class Seen:
    """A set of 64-bit keys that moves to a temporary file when it grows.

    The file is SQLite's own nameless one: it is gone when the set is closed, or the process ends.
    """

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._memory: set[int] = set()
        # An empty name is a temporary database, which touches the disk only when it must.
        self._file = sqlite3.connect("", check_same_thread=False)
        self._file.execute("PRAGMA journal_mode = OFF")
        self._file.execute("CREATE TABLE seen (key INTEGER PRIMARY KEY)")

    def add(self, key: int) -> bool:
        """Add ``key``; return whether it is new."""
        if key in self._memory:
            return False
        if len(self._memory) < self._limit:
            self._memory.add(key)
            return True
        signed = key - _KEYS // 2  # SQLite's integers are signed
        return self._file.execute("INSERT OR IGNORE INTO seen VALUES (?)", (signed,)).rowcount == 1

    def close(self) -> None:
        """Forget everything and free the file."""
        self._memory.clear()
        self._file.close()


@dataclass
class Tally:
    """Lines read and lines dropped so far, filled in by ``kept_lines``."""

    read: int = 0
    dropped: dict[Reason, int] = field(default_factory=lambda: dict.fromkeys(REASONS, 0))


def kept_lines(
    raw: Iterable[str], tally: Tally | None = None, *, remembered: int = REMEMBERED
) -> Iterator[Kept]:
    """Clean a stream of lines and yield those worth keeping, in order, each once.

    Args:
        raw: Lines of raw text.
        tally: Filled in as lines go by, if given.
        remembered: How many lines' keys to hold in memory before using a temporary file.

    Yields:
        Each kept line. Two lines are duplicates if 64 bits of their digests agree: in a hundred
        million different lines the odds that one is wrongly dropped are below one in a thousand.
    """
    tally = tally or Tally()
    with closing(Seen(remembered)) as seen:
        for text in raw:
            tally.read += 1
            line = clean(text)
            reason = drop_reason(line)
            if reason is None:
                digest = _digest(line)
                if seen.add(key := digest >> 192):
                    yield Kept(line, digest, key)
                    continue
                reason = "duplicate"
            tally.dropped[reason] += 1


def count_lines(raw: Iterable[str], *, remembered: int = REMEMBERED) -> Counts:
    """Pass once over a stream of lines and return what is in it.

    The lines whose key is in the lowest 5 % are held out. A corpus so small that this holds out
    none holds out the one with the lowest key; one that holds out all, all but the highest.
    """
    threshold = int(HELDOUT_SHARE * _KEYS)
    tally, low, high = Tally(), (_KEYS, 0), (0, 0)  # a line's key and its length
    kept = heldout = characters = size = total = held = 0
    for line in kept_lines(raw, tally, remembered=remembered):
        kept += 1
        length = len(line.text)
        if line.key < threshold:
            heldout, held = heldout + 1, held + length
        low, high = min(low, (line.key, length)), max(high, (line.key, length))
        characters += length
        size += len(line.text.encode())
        total = (total + line.digest) % _SUMS
    if kept > 1 and heldout == 0:
        threshold, heldout, held = low[0] + 1, 1, low[1]
    elif kept > 1 and heldout == kept:
        threshold, heldout, held = high[0], kept - 1, characters - high[1]
    return Counts(
        read=tally.read,
        kept=kept,
        heldout=heldout,
        dropped=tally.dropped,
        characters=characters,
        bytes=size,
        fingerprint=hashlib.sha256(f"{kept} lines, {total:064x}".encode()).hexdigest(),
        heldout_characters=held,
        heldout_below=threshold,
    )
