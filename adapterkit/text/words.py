"""Where words and punctuation begin and end, in any script. The one door to ICU (icu4py).

ICU follows Unicode's word boundaries (UAX 29), and dictionaries for the scripts that are written
without spaces: Thai, Lao, Khmer, Burmese, Chinese, Japanese. It does not split a word further
(clitics, compounds), and knows nothing of sentences.
"""

import re
import unicodedata
from itertools import accumulate

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
    return [(start, end) for start, end in spans if _is_visible(text[start:end])]


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
