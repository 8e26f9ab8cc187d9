"""What is in a corpus, and how a backbone's tokenizer copes with it, with warnings in plain words."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from adapterkit.text.lines import Counts
from adapterkit.text.scripts import UNSPACED, count_scripts, main_script, writing_systems
from adapterkit.text.words import is_word, split_words

Pieces = Callable[[Sequence[str]], list[tuple[list[int], list[tuple[int, int]]]]]
"""Token ids and character spans of each line, without special tokens."""

_AT_ONCE = 500
_LITTLE, _TINY = 1_000_000, 100_000


@dataclass(frozen=True)
class Reading:
    """How a tokenizer reads a text.

    Attributes:
        tokens: Number of tokens.
        unk_rate: Share of them that are UNK.
        unreadable_characters: Share of the characters (spaces left out) that UNK stands for.
        fertility: Tokens a word.
        split_to_characters: Share of words of two letters and more of which every token is one
            character.
    """

    tokens: int
    unk_rate: float
    unreadable_characters: float
    fertility: float
    split_to_characters: float


@dataclass(frozen=True)
class Profile:
    """What is in a corpus.

    Attributes:
        counts: Lines read, kept and dropped, characters, bytes.
        words: Number of words (Unicode word boundaries).
        scripts: Share of the letters in each script, largest first.
        reading: How the backbone's tokenizer copes, if one was given.
    """

    counts: Counts
    words: int
    scripts: dict[str, float]
    reading: Reading | None

    def as_dict(self) -> dict[str, Any]:
        """As plain values; shares are fractions."""
        reading = {} if self.reading is None else {k: _rounded(v) for k, v in asdict(self.reading).items()}
        return {
            "lines_read": self.counts.read,
            "lines_kept": self.counts.kept,
            "lines_heldout": self.counts.heldout,
            "dropped": {str(reason): number for reason, number in self.counts.dropped.items() if number},
            "characters": self.counts.characters,
            "bytes": self.counts.bytes,
            "words": self.words,
            "scripts": {name: _rounded(share) for name, share in self.scripts.items() if share >= 0.001},
            **reading,
        }

    def warnings(self) -> list[str]:
        """What a user should know before training, in plain words; empty if all is well."""
        return [text for applies, text in (*self._text_warnings(), *self._reading_warnings()) if applies]

    def _text_warnings(self) -> list[tuple[bool, str]]:
        size, read = self.counts.bytes, max(1, self.counts.read)
        copies = next((n for reason, n in self.counts.dropped.items() if reason == "duplicate"), 0)
        lost = read - self.counts.kept - copies
        main = max(self.scripts.values(), default=1.0)
        kb = max(1, round(size / 1000))
        return [
            (size < _TINY, f"only {kb} kB of text: probably too little for a language adapter to help"),
            (_TINY <= size < _LITTLE, f"{kb} kB of text: under 1 MB expect small gains (a narrow adapter is used)"),
            (copies > 0.2 * read, f"{copies / read:.0%} of the lines are copies of others; they were dropped"),
            (lost > 0.2 * read, f"{lost / read:.0%} of the lines were dropped as too short or not text"),
            (main < 0.9, f"only {main:.0%} of the letters are in one script; is this one language?"),
        ]

    def _reading_warnings(self) -> list[tuple[bool, str]]:
        r = self.reading
        if r is None:
            return []
        return [
            (
                r.unreadable_characters > 0.01,
                f"this backbone cannot read {r.unreadable_characters:.0%} of the characters; "
                "an adapter cannot learn what the backbone cannot see",
            ),
            (r.fertility > 3.5, f"words are cut into {r.fertility:.1f} tokens each: training is slow and results are weaker"),
            (
                r.split_to_characters > 0.2,
                f"{r.split_to_characters:.0%} of the words fall into single characters: the backbone hardly knows this script",
            ),
        ]


def profile(lines: Iterable[str], counts: Counts, pieces: Pieces | None = None, *, unk_id: int | None = None) -> Profile:
    """Look at every line of a corpus once.

    Args:
        lines: Kept lines.
        counts: Of the same corpus.
        pieces: The backbone's tokenizer.
        unk_id: Its token for what it cannot read.
    """
    characters: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    for batch in _batches(lines):
        for line in batch:
            characters.update(line)
        spans = [_words(line) for line in batch]
        sums["words"] += sum(map(len, spans))
        if pieces is not None:
            for line, words, (ids, places) in zip(batch, spans, pieces(batch), strict=True):
                _count(sums, line, words, ids, places, unk_id)
    scripts = count_scripts(characters)
    letters = max(1, sum(scripts.values()))
    shares = writing_systems({name: number / letters for name, number in scripts.items()})
    return Profile(counts, sums["words"], shares, _reading(sums) if pieces is not None else None)


def _words(line: str) -> list[tuple[int, int]]:
    if main_script(line) in UNSPACED:
        return [(a, b) for a, b in split_words(line) if is_word(line[a:b])]
    spans, place = [], 0
    for word in line.split(" "):
        if word:
            spans.append((place, place + len(word)))
        place += len(word) + 1
    return spans


def _count(
    sums: Counter[str],
    line: str,
    words: list[tuple[int, int]],
    ids: list[int],
    places: list[tuple[int, int]],
    unk_id: int | None,
) -> None:
    sums["tokens"] += len(ids)
    sums["characters"] += len(line) - line.count(" ")
    for token, (start, end) in zip(ids, places, strict=True):
        if token == unk_id:
            sums["unk"] += 1
            sums["unreadable"] += len(line[start:end].replace(" ", ""))
    single = {start for start, end in places if len(line[start:end].strip()) == 1}
    starts = {start + len(line[start:end]) - len(line[start:end].lstrip()) for start, end in places}
    for start, end in words:
        if end - start >= 2:
            sums["long_words"] += 1
            inside = range(start, end)
            sums["split_words"] += all(place in starts and (place in single or place - 1 in single) for place in inside)


def _reading(sums: Counter[str]) -> Reading:
    return Reading(
        tokens=sums["tokens"],
        unk_rate=sums["unk"] / max(1, sums["tokens"]),
        unreadable_characters=sums["unreadable"] / max(1, sums["characters"]),
        fertility=sums["tokens"] / max(1, sums["words"]),
        split_to_characters=sums["split_words"] / max(1, sums["long_words"]),
    )


def _batches(lines: Iterable[str]) -> Iterator[list[str]]:
    waiting: list[str] = []
    for line in lines:
        waiting.append(line)
        if len(waiting) == _AT_ONCE:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _rounded(value: float) -> float:
    return value if isinstance(value, int) else round(value, 5)
