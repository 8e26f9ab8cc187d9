"""What is in a corpus, and whether a backbone's tokenizer will cope with it.

``measure`` makes one pass over clean lines; ``Profile`` is its result, with plain warnings. How
lines are cleaned and counted is in ``lines``; printing is elsewhere.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice

from adapterkit.settings import SMALL_CORPUS_BYTES
from adapterkit.text.lines import Counts
from adapterkit.text.scripts import UNSPACED, count_scripts, writing_systems
from adapterkit.text.words import is_word, split_words

Span = tuple[int, int]

# Token ids and their character spans for each line, without special tokens.
Pieces = Callable[[Sequence[str]], list[tuple[list[int], list[Span]]]]

LITTLE_TEXT = SMALL_CORPUS_BYTES
TOO_LITTLE_TEXT = 100_000  # bytes
UNREADABLE = 0.01
MOSTLY = 0.5  # above this share of unreadable characters a loss is mostly that of guessing UNK, which says nothing
MUCH_HELD_OUT = 0.2  # of the characters
MANY_DUPLICATES = 0.2
MANY_DROPPED = 0.5
SECOND_SCRIPT = 0.1
HIGH_FERTILITY = 3.0
MANY_SPLIT = 0.2

_NARROW = (
    "by default an adapter that starts from random weights is then narrow (reduction factor 16)"
)
ENOUGH = 6_000_000
"""Characters from which words, letters and tokens are counted in every so many-th line only."""
_LINES_AT_ONCE = 1000
_CHARACTERS_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Coverage:
    """How a tokenizer reads a corpus. Shares are fractions of 1.

    Attributes:
        tokens: Tokens of the kept lines, without special tokens.
        unk_rate: Share of the tokens that are UNK.
        unreadable_characters: Share of the characters, spaces apart, that lie under an UNK.
        fertility: Tokens a word: those that touch a word, for each word.
        split_to_characters: Share of the words of two characters or more of which every token
            covers one character at most.
    """

    tokens: int
    unk_rate: float
    unreadable_characters: float
    fertility: float
    split_to_characters: float


@dataclass(frozen=True)
class Profile:
    """The report on a corpus.

    Attributes:
        language: The corpus's language code.
        counts: Lines read, kept and dropped, characters, bytes, fingerprint.
        words: Words of the kept lines, by Unicode word boundaries; punctuation is not a word.
        scripts: Share of the letters in each Unicode script, largest first.
        coverage: How the backbone's tokenizer reads it, where one was given.
        every: Of a large corpus words, scripts and coverage are those of every so many-th kept line, its words and
            tokens scaled up to the whole by characters; 1 where all lines were looked at.
    """

    language: str
    counts: Counts
    words: int
    scripts: Mapping[str, float]
    coverage: Coverage | None = None
    every: int = 1

    @property
    def is_mostly_unreadable(self) -> bool:
        """Whether the tokenizer cannot read more than half of the characters: nothing can be learned from that."""
        return self.coverage is not None and self.coverage.unreadable_characters > MOSTLY

    def as_dict(self) -> dict[str, object]:
        """Return everything as plain values for JSON; shares are rounded to six digits."""
        record: dict[str, object] = {"language": self.language, **asdict(self.counts)}
        for name in (
            "heldout_below",
            "heldout_characters",
        ):  # how the split was made, of no use to a reader
            del record[name]
        record["words"] = self.words
        record["scripts"] = {name: round(share, 6) for name, share in self.scripts.items()}
        if self.every > 1:
            record["measured_every"] = self.every
        if self.coverage is not None:
            record |= {name: round(value, 6) for name, value in asdict(self.coverage).items()}
        return record

    def warnings(self) -> list[str]:
        """Return what should worry someone about to train on this, in plain words."""
        checks = [*_coverage_warnings(self), *_amount_warnings(self.counts)]
        return [*checks, *_script_warnings(self.scripts)]


def _coverage_warnings(profile: Profile) -> Iterator[str]:
    coverage = profile.coverage
    if coverage is None:
        return
    if coverage.unreadable_characters >= UNREADABLE:
        yield (
            f"this backbone cannot read {_percent(coverage.unreadable_characters)} of the "
            "characters; a language adapter cannot learn what it cannot see"
        )
    if coverage.fertility >= HIGH_FERTILITY:
        yield (
            f"this backbone cuts a word into {coverage.fertility:.1f} pieces on average; "
            "it may have seen little of this language: expect slower training and weaker results"
        )
    # Dictionaries cut Chinese and the like into short words: single characters are normal there.
    unspaced = sum(share for name, share in profile.scripts.items() if name in UNSPACED) > 0.5
    if coverage.split_to_characters >= MANY_SPLIT and not unspaced:
        yield (
            f"this backbone spells {_percent(coverage.split_to_characters)} of the words "
            "character by character"
        )


def _amount_warnings(counts: Counts) -> Iterator[str]:
    if counts.bytes < TOO_LITTLE_TEXT:
        yield (
            f"{counts.bytes / 1000:.0f} kB of text is probably too little to learn a language "
            f"from; {_NARROW}"
        )
    elif counts.bytes < LITTLE_TEXT:
        yield (f"{counts.bytes / 1e6:.2f} MB of text is little: expect weaker results; {_NARROW}")
    if counts.heldout_characters > MUCH_HELD_OUT * counts.characters:
        yield (
            f"{_percent(counts.heldout_characters / counts.characters)} of the text is held out to judge by, because its "
            "lines are few and long; put a sentence or a paragraph on a line"
        )
    if counts.dropped["duplicate"] > MANY_DUPLICATES * counts.read:
        share = counts.dropped["duplicate"] / counts.read
        yield f"{_percent(share)} of the lines are duplicates of others and were dropped"
    others = {name: times for name, times in counts.dropped.items() if name != "duplicate"}
    if sum(others.values()) > MANY_DROPPED * counts.read:
        reason = max(others, key=lambda name: others[name])
        share = sum(others.values()) / counts.read
        yield f'{_percent(share)} of the lines were dropped, most of them as "{reason}"'


def _script_warnings(scripts: Mapping[str, float]) -> Iterator[str]:
    systems = list(writing_systems(scripts).items())
    if len(systems) > 1 and systems[1][1] >= SECOND_SCRIPT:
        (first, _), (second, share) = systems[:2]
        yield (
            f"{_percent(share)} of the letters are {second}, beside {first}: "
            "make sure that the text is all in one language"
        )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


@dataclass
class _Sums:
    """What ``measure`` adds up."""

    words: int = 0
    long_words: int = 0  # of two characters or more
    spelt_words: int = 0
    tokens: int = 0
    unknown_tokens: int = 0
    word_tokens: int = 0
    unread: int = 0


def measure(
    lines: Iterable[str],
    counts: Counts,
    *,
    language: str,
    pieces: Pieces | None = None,
    unk_id: int | None = None,
) -> Profile:
    """Profile a corpus in one pass over its lines; from `ENOUGH` characters on over every so many-th.

    Args:
        lines: The kept lines that ``counts`` counted.
        counts: What the counting pass found.
        language: ISO 639 code.
        pieces: A tokenizer; without one, only the text is described.
        unk_id: The tokenizer's id for what it cannot read, or None if there is none.
    """
    sums, characters = _Sums(), Counter[str]()
    every = max(-(-counts.characters // ENOUGH), 1)
    for batch in batches(islice(lines, 0, None, every)):
        spans = pieces(batch) if pieces is not None else [None] * len(batch)
        for line, encoded in zip(batch, spans, strict=True):
            characters.update(line)
            words = [s for s in split_words(line, language) if is_word(line[s[0] : s[1]])]
            sums.words += len(words)
            if encoded is not None:
                _add_tokens(sums, line, words, encoded, unk_id)
    found = count_scripts(characters)
    shares = {name: times / found.total() for name, times in found.most_common()}
    visible = sum(times for char, times in characters.items() if not char.isspace())
    scale = counts.characters / characters.total() if every > 1 else 1
    coverage = None if pieces is None else _coverage(sums, visible, scale)
    return Profile(language, counts, round(scale * sums.words), shares, coverage, every)


def batches(lines: Iterable[str]) -> Iterator[list[str]]:
    """Group lines for a tokenizer: at most 1000, or about a million characters, at a time."""
    batch: list[str] = []
    size = 0
    for line in lines:
        batch.append(line)
        size += len(line)
        if len(batch) == _LINES_AT_ONCE or size >= _CHARACTERS_AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _coverage(sums: _Sums, visible: int, scale: float) -> Coverage:
    return Coverage(
        tokens=round(scale * sums.tokens),
        unk_rate=sums.unknown_tokens / max(sums.tokens, 1),
        unreadable_characters=sums.unread / max(visible, 1),
        fertility=sums.word_tokens / max(sums.words, 1),
        split_to_characters=sums.spelt_words / max(sums.long_words, 1),
    )


def _add_tokens(
    sums: _Sums,
    line: str,
    words: list[Span],
    encoded: tuple[list[int], list[Span]],
    unk_id: int | None,
) -> None:
    ids, spans = encoded
    sums.tokens += len(ids)
    sums.unknown_tokens += 0 if unk_id is None else ids.count(unk_id)
    if unk_id in ids:
        unknown = [span for token, span in zip(ids, spans, strict=True) if token == unk_id]
        sums.unread += _visible_in(line, unknown)
    _add_words(sums, words, [span for span in spans if span[0] < span[1]])


def _visible_in(line: str, spans: Iterable[Span]) -> int:
    """Count the characters under ``spans``, in order, spaces apart and each once."""
    total = end = 0
    for first, last in spans:
        total += len("".join(line[max(first, end) : last].split()))
        end = max(end, last)
    return total


def _add_words(sums: _Sums, words: list[Span], spans: list[Span]) -> None:
    """Match words to the tokens that touch them, both in order, walking along once."""
    token = counted = 0  # the first token not behind the word; the first not yet counted
    for start, end in words:
        while token < len(spans) and spans[token][1] <= start:
            token += 1
        last, longest = token, 0
        while last < len(spans) and spans[last][0] < end:
            longest = max(longest, min(spans[last][1], end) - max(spans[last][0], start))
            last += 1
        # In scripts without spaces one token may touch two words: it counts once.
        sums.word_tokens += max(last - max(token, counted), 0)
        counted = max(counted, last)
        if end - start > 1:
            sums.long_words += 1
            sums.spelt_words += longest == 1
