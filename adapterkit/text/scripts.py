"""What a character is: its class (letter, mark, digit, space) and its Unicode script.

The standard library has the categories but not the script property; a letter's script is read
from its Unicode name instead ("CYRILLIC SMALL LETTER A"), which is right for every script that
people write in today. Marks and signs that many scripts share have no script.
"""

import unicodedata
from collections import Counter
from collections.abc import Mapping
from functools import cache

# Scripts written without spaces between words: their lines are judged by letters, not words.
UNSPACED = frozenset(
    {"Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar", "Tibetan", "Yi"}
)

DENSE = UNSPACED | {"Hangul", "Ethiopic", "Cherokee"}
"""Scripts of which six letters, mostly syllables, make a sentence."""

# Scripts that one language mixes within a sentence, counted as one system by the warnings.
_TOGETHER = {"Hiragana": "Han", "Katakana": "Han", "Bopomofo": "Han"}

# Scripts whose names have two words or three, and the words that only say how wide a letter is.
_TWO_WORDS = frozenset({"OLD", "OL", "MEETEI", "TAI", "SYLOTI", "CANADIAN"})
_WIDTHS = frozenset({"FULLWIDTH", "HALFWIDTH"})
_RENAMED = {"Cjk": "Han", "Ideographic": "Han", "Katakana-Hiragana": "Katakana", "Nko": "N'Ko"}
# First words of names of letters and marks that belong to no one script.
_SHARED = frozenset(
    {"COMBINING", "MODIFIER", "VARIATION", "VEDIC", "MUSICAL", "MATHEMATICAL", "SCRIPT", "VERTICAL"}
    | {"DOUBLE-STRUCK", "BLACK-LETTER", "SUPERSCRIPT", "TURNED", "INFORMATION", "MICRO", "OHM"}
    | {"KELVIN", "ANGSTROM", "PLANCK", "EULER", "FEMININE", "MASCULINE", "ALEF", "BET", "GIMEL"}
    | {"DALET"}
)


class _Classes(dict[int, str]):
    """A table for ``str.translate``: each character to one letter for its class, as met."""

    def __missing__(self, point: int) -> str:
        char = chr(point)
        major = unicodedata.category(char)[0]
        self[point] = " " if char.isspace() else major if major in "LMN" else "S"
        return self[point]


_CLASSES = _Classes()


def classes(text: str) -> str:
    """Return the class of each character of ``text``, as a string of the same length.

    ``L`` is a letter, ``M`` a combining mark, ``N`` a digit or number, a space is whitespace, and
    ``S`` is everything else.
    """
    return text.translate(_CLASSES)


@cache
def script_of(char: str) -> str | None:
    """Return the script of one character, such as ``"Latin"`` or ``"Han"``.

    Returns:
        The script's usual English name, or None for what no one script owns: digits, signs,
        combining accents, unnamed characters.
    """
    if unicodedata.category(char)[0] not in "LM":
        return None
    words = unicodedata.name(char, "").split()
    if words and words[0] in _WIDTHS:
        words = words[1:]
    if not words or words[0] in _SHARED:
        return None
    length = 3 if words[0] == "NEW" else 2 if words[0] in _TWO_WORDS else 1
    name = " ".join(words[:length]).title()
    return _RENAMED.get(name, name)


def count_scripts(characters: Mapping[str, int]) -> Counter[str]:
    """Add up the letters and marks of each script.

    Args:
        characters: How often each character occurs, ``Counter(text)``.

    Returns:
        How many of them belong to each script; what has no script is left out.
    """
    scripts: Counter[str] = Counter()
    for char, times in characters.items():
        if (script := script_of(char)) is not None:
            scripts[script] += times
    return scripts


def main_script(text: str) -> str | None:
    """Return the script of most letters of ``text``, or None if it has no letters."""
    ranked = count_scripts(Counter(text)).most_common(1)
    return ranked[0][0] if ranked else None


def writing_systems(shares: Mapping[str, float]) -> dict[str, float]:
    """Join the shares of scripts that are written together (Japanese), largest first."""
    joined: Counter[str] = Counter()
    for script, share in shares.items():
        joined[_TOGETHER.get(script, script)] += share  # type: ignore[assignment]
    return dict(sorted(joined.items(), key=lambda item: (-item[1], item[0])))
