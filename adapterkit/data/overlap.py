"""How many sentences of a test set stand in training text: counted, so that a result can state it.

Two sentences are the same here if their *keys* are: the letters and digits of the text in Unicode NFC,
case-folded, so that spaces, punctuation, tokenisation, emoji and case hide nothing. Vowel signs and
accents are parts of letters; the points of Arabic and Hebrew, which one writes or leaves out, are not.
Which files are test sets and which are trained on is for the caller to say.
"""

import re
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from adapterkit.data.conllu import read_forms
from adapterkit.data.lines import format_of, read_lines
from adapterkit.data.tables import TABLES, Row, read_rows
from adapterkit.errors import ConfigError

SHORT = 12
"""Sentences of fewer letters and digits ("Yes.", "1") are anywhere; they are counted apart."""
_OPTIONAL = re.compile(r"[\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\ufe00-\ufe0f]")
_NO_TEXT = frozenset({"lang", "label", "id", "script", "treebank", "tags", "upos"})
"""Columns that hold no sentence."""


@dataclass(frozen=True)
class Overlap:
    """What of one test set stands in training text.

    Attributes:
        name: The test set.
        sentences: How many different sentences it has, by their keys.
        repeated: How many of these stand in some training text as a line of their own.
        short: How many of the repeated ones have fewer than `SHORT` letters and digits.
        sources: In which ones, and how many in each, the most first.
        exempt: Whether it may: a set that is trained on by choice.
        examples: Up to three of the repeated keys.
    """

    name: str
    sentences: int
    repeated: int
    short: int = 0
    sources: tuple[tuple[str, int], ...] = ()
    exempt: bool = False
    examples: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """As the recipe writes it."""
        return {
            "name": self.name,
            "sentences": self.sentences,
            "repeated": self.repeated,
            "short": self.short,
            "sources": dict(self.sources),
            "exempt": self.exempt,
            "examples": list(self.examples),
        }


def sentence_key(text: str) -> str:
    """The letters and digits of ``text``, case-folded; empty if it has none."""
    return _not_in_a_key().sub("", unicodedata.normalize("NFC", text).casefold())


@cache
def _not_in_a_key() -> re.Pattern[str]:
    # \w is what str.isalnum says, and the underscore; re has no name for marks.
    marks = (chr(n) for n in range(sys.maxunicode) if unicodedata.category(chr(n))[0] == "M")
    kept = "".join(mark for mark in marks if not _OPTIONAL.match(mark))
    return re.compile(f"(?:[^\\w{kept}]|_)+")


def count_overlap(
    tests: Mapping[str, Iterable[str]],
    training: Iterable[tuple[str, Iterable[str]]],
    *,
    exempt: Collection[str] = (),
) -> list[Overlap]:
    """Count the sentences of each test set that are also lines of a training text.

    Args:
        tests: Sentences of each test set, by its name.
        training: Name and lines of each training text; each is read once, line by line. A text with
            the name of a test set is not compared with that set (everything in it would be found),
            but with all others.
        exempt: Names of test sets that are trained on by choice; they are counted all the same.

    Returns:
        One record a test set, in the order of their names.

    Raises:
        ConfigError: If an exempt name is no test set.
    """
    unknown = sorted(set(exempt) - tests.keys())
    if unknown:
        raise ConfigError(
            f"exempt from the overlap count, but no test set: {', '.join(unknown)}; there are: "
            f"{', '.join(sorted(tests))}"
        )
    keys = {name: {key for s in lines if (key := sentence_key(s))} for name, lines in tests.items()}
    sets_of: dict[str, list[str]] = defaultdict(list)
    for name in sorted(keys):
        for key in keys[name]:
            sets_of[key].append(name)
    hits: dict[str, dict[str, set[str]]] = {name: defaultdict(set) for name in keys}
    for source, lines in training:
        for line in lines:
            key = sentence_key(line)
            for name in sets_of.get(key, ()):
                if name != source:
                    hits[name][source].add(key)
    return [
        _record(name, len(keys[name]), hits[name], exempt=name in exempt) for name in sorted(keys)
    ]


def read_sentences(path: Path, *, left_out: Collection[str] = ()) -> Iterator[str]:
    """Yield every sentence of a text, a labelled set or a table of translations.

    CoNLL-U and JSON lines with ``tokens`` give their words with spaces between; other tables give
    every column that holds text; any other file a line at a time.

    Args:
        path: The file.
        left_out: Codes of languages that are not read: rows with that ``lang``, and columns of that
            name.

    Raises:
        CorpusError: If the file cannot be read.
    """
    if format_of(path) == ".conllu":
        yield from (" ".join(words) for words in read_forms(path))
    elif format_of(path) in TABLES:
        for row in read_rows(path):
            if row.values.get("lang") not in left_out:
                yield from _texts(row, left_out)
    else:
        yield from (line for _, line in read_lines(path))


def _texts(row: Row, left_out: Collection[str]) -> Iterator[str]:
    if "tokens" in row.values:
        yield " ".join(row.words("tokens"))
        return
    for column, value in row.values.items():
        if column not in _NO_TEXT and column not in left_out and isinstance(value, str):
            yield value


def _record(name: str, sentences: int, found: Mapping[str, set[str]], *, exempt: bool) -> Overlap:
    counts = Counter({source: len(keys) for source, keys in found.items()})
    repeated = sorted(set().union(*found.values()), key=lambda key: (-len(key), key))
    return Overlap(
        name=name,
        sentences=sentences,
        repeated=len(repeated),
        short=sum(len(key) < SHORT for key in repeated),
        sources=tuple(sorted(counts.items(), key=lambda one: (-one[1], one[0]))),
        exempt=exempt,
        examples=tuple(repeated[:3]),
    )
