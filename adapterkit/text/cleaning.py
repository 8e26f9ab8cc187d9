"""One line of raw text: cleaned, and kept or dropped with a reason.

Only what holds for every language: no lower-casing, no sentence splitting, no language
identification. Duplicates need memory of other lines and are in ``lines``.
"""

import re
import unicodedata
from typing import Literal, get_args

from adapterkit.text.scripts import DENSE, classes, main_script
from adapterkit.text.words import whole

Reason = Literal["empty", "not text", "too short", "duplicate"]
REASONS: tuple[Reason, ...] = get_args(Reason)

MIN_WORDS = 3
MIN_LETTERS = 12
MIN_LETTERS_DENSE = 6  # where letters are syllables or words: six Han characters are a sentence
MIN_TEXT = 0.5  # of the characters that are not spaces
MAX_MARKUP = 0.5  # of the characters that are not spaces

# Control characters, soft hyphens, direction marks, word joiners, byte-order marks and lone
# surrogates. The joiners U+200C and U+200D stay, since Persian and the scripts of India spell
# with them; so does the zero-width space, which parts words in Khmer, Thai and Burmese.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u061c\u200e\u200f\u202a-\u202e"
    "\u2060\u2066-\u2069\ufeff\ud800-\udfff]"
)
# Addresses are of ASCII, for text without spaces goes on right behind them. Runs are bounded, or a line of 100,000
# characters without spaces (Thai, Chinese) takes minutes: mail addresses have at most 64 characters before the sign
# and 255 after it.
_MARKUP = re.compile(
    r"(?:https?://|www\.)[!-~]+|<[^<>]{1,500}>|[!-?A-~]{1,64}@[!-?A-~]{1,255}\.[A-Za-z]+|[{}\[\]|\\=_#*~^]+"
)


def clean(text: str) -> str:
    """Return ``text`` in Unicode NFC, without invisible characters, on one line.

    Runs of whitespace become one space, and none is left at the ends. Cleaning what is clean
    changes nothing.
    """
    # Normalise after dropping: an accent may meet its letter only then.
    visible = _INVISIBLE.sub("", text)
    return " ".join(unicodedata.normalize("NFC", visible).split())


def as_read(text: str) -> str:
    """``text`` as a tokenizer is given it: `whole`, and without the invisible characters that `clean` drops.

    Adapters are trained on text without them, and many vocabularies know none of them.
    """
    return text if text.isascii() else _INVISIBLE.sub("", whole(text))


def drop_reason(line: str) -> Reason | None:
    """Say why a line should not be trained on, judged by itself.

    Args:
        line: A line that ``clean`` has been through.

    Returns:
        None for a line to keep, else the first that holds of: ``"empty"``; ``"not text"``, when
        under half of its characters are letters, marks and digits, or digits outnumber letters,
        or over half is addresses and markup; ``"too short"``, when it has fewer than 3 words and
        fewer than 12 letters (fewer than 6 letters in a script of syllables or words).
    """
    if not line:
        return "empty"
    kinds = classes(line)
    letters = kinds.count("L") + kinds.count("M")
    digits, visible = kinds.count("N"), len(kinds) - kinds.count(" ")
    if letters + digits < MIN_TEXT * visible or digits > letters or _is_markup(line, visible):
        return "not text"
    return "too short" if _is_short(line, letters) else None


def _is_markup(line: str, visible: int) -> bool:
    marked = sum(len(found) for found in _MARKUP.findall(line))
    return marked > MAX_MARKUP * visible


def _is_short(line: str, letters: int) -> bool:
    if letters >= MIN_LETTERS or line.count(" ") + 1 >= MIN_WORDS:
        return False
    return letters < MIN_LETTERS_DENSE or main_script(line) not in DENSE
