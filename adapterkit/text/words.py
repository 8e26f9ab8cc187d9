"""Where words and punctuation begin and end, in any script. The one door to ICU (icu4py).

ICU follows Unicode's word boundaries (UAX 29), and dictionaries for the scripts that are written
without spaces: Thai, Lao, Khmer, Burmese, Chinese, Japanese. It does not split a word further
(clitics, compounds), and knows nothing of sentences. Where the treebanks of Universal Dependencies
do otherwise throughout, so do we: `l'` `homme`, Afrikaans `'n`, `...`.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import accumulate

from adapterkit.errors import ConfigError
from adapterkit.languages import normalise_code

ELIDING = frozenset({"bam", "bar", "cat", "fra", "gle", "ita", "lij", "oci"})
"""Languages in which an apostrophe inside a word ends one: ``l'homme``, ``d'ith``."""
_APOSTROPHES = "'\u2019"
_WHOLE = frozenset({"aujourd'hui", "aujourd\u2019hui"})
_Span = tuple[int, int]
_SURROGATE = re.compile("[\ud800-\udfff]")


def whole(text: str) -> str:
    """``text`` with U+FFFD for each half of a character (a lone surrogate, as in a message that was cut).

    Neither ICU nor a tokenizer takes halves, and no file holds them. Every code point keeps its place.
    """
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def split_words(text: str, language: str | None = None) -> list[tuple[int, int]]:
    """Return the spans of the words and punctuation marks of ``text``, in order.

    Args:
        text: Any text, cleaned or not.
        language: An ISO 639 code; a few languages have rules of their own.

    Returns:
        ``(start, end)`` of each word in code points, so that ``text[start:end]`` is the word.
        Whitespace and invisible characters between words are in no span.
    """
    from icu4py.breakers import WordBreaker

    spans = WordBreaker(whole(text), language or "").segments()
    if max(text, default="") > "\uffff":  # ICU counts in UTF-16 units, two to such a character
        points = _points(text)
        spans = ((points[start], points[end]) for start, end in spans)
    visible = ((start, end) for start, end in spans if _is_visible(text[start:end]))
    code = _code(language)
    found: list[_Span] = []
    for start, end in visible:
        if found and _is_one(text[found[-1][0] : start], text[start:end], code):
            found[-1] = (found[-1][0], end)
        else:
            found += _elided(text, start, end) if code in ELIDING else [(start, end)]
    return found


@lru_cache(maxsize=256)
def _code(language: str | None) -> str:
    try:
        return normalise_code(language) if language else ""
    except ConfigError:
        return ""


def _is_one(before: str, behind: str, code: str) -> bool:
    """Whether a span and what is before it, from the last span on, are one word: dots in a row, Afrikaans ``'n``."""
    return (behind == "." and set(before) == {"."}) or (
        code == "afr" and before in _APOSTROPHES and behind in "nN"
    )


def _elided(text: str, start: int, end: int) -> Iterable[_Span]:
    """The span of a word, parted behind each apostrophe inside it."""
    cuts = [at + 1 for at in range(start + 1, end - 1) if text[at] in _APOSTROPHES]
    if not cuts or text[start:end].lower() in _WHOLE:
        return [(start, end)]
    return zip([start, *cuts], [*cuts, end], strict=True)


def words_of(text: str, language: str | None = None) -> tuple[str, ...]:
    """The words and punctuation marks of ``text`` themselves (see `split_words`)."""
    return tuple(text[start:end] for start, end in split_words(text, language))


def _points(text: str) -> list[int]:
    """Return the code point at which each UTF-16 unit of ``text`` begins, and its end."""
    widths = [2 if char > "\uffff" else 1 for char in text]
    ends = accumulate(widths, initial=0)
    points = [0] * (sum(widths) + 1)
    for point, unit in enumerate(ends):
        points[unit] = point
    return points


def _is_visible(segment: str) -> bool:
    if segment[0].isalnum():
        return True
    return any(not char.isspace() and unicodedata.category(char) != "Cf" for char in segment)


def is_word(segment: str) -> bool:
    """Say whether a span's text is a word, as opposed to punctuation, signs or emoji."""
    return any(char.isalnum() for char in segment)
