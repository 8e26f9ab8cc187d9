"""What the three phrase grammars of the demo share: tagged phrases, choices, lexicons.

In it: a phrase as a tuple of (word, tag) pairs, a short notation for fixed phrases, and `Dice`,
which makes every choice of a grammar from one seeded generator and one lexicon. Not in it: any
grammar. The lexicons are the TOML files in `lexicons/`, written for this project.
"""

import random
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TypeVar

Token = tuple[str, str]
Phrase = tuple[Token, ...]
Lexicon = dict[str, dict[str, tuple[str, ...]]]
Choice = TypeVar("Choice")

STOP: Phrase = ((".", "PUNCT"),)
COMMA: Phrase = ((",", "PUNCT"),)
ASK: Phrase = (("?", "PUNCT"),)
SHOUT: Phrase = (("!", "PUNCT"),)


def tagged(text: str) -> Phrase:
    """Read ``"the/DET old/ADJ dog/NOUN"`` as a phrase; the empty text is the empty phrase."""
    pairs = (item.rpartition("/") for item in text.split())
    return tuple((word, tag) for word, _, tag in pairs)


def tag(word: str, upos: str) -> Phrase:
    """Make a phrase of one word."""
    return ((word, upos),)


@cache
def lexicon(language: str) -> Lexicon:
    """Read ``lexicons/LANGUAGE.toml``: tables of lists, each list a string of words."""
    text = (files(__package__) / "lexicons" / f"{language}.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    return {
        table: {name: tuple(words.split()) for name, words in lists.items()}
        for table, lists in tables.items()
    }


@dataclass(frozen=True)
class Dice:
    """One seeded generator over one lexicon; nothing else in a grammar is random."""

    generator: random.Random
    lexicon: Lexicon

    def pick(self, table: str, name: str) -> str:
        """Draw one entry of the list ``name`` in ``table``."""
        return self.generator.choice(self.lexicon[table][name])

    def tagged(self, table: str, name: str, upos: str) -> Phrase:
        """Draw one entry and tag it."""
        return tag(self.pick(table, name), upos)

    def one_of(self, options: Sequence[Choice]) -> Choice:
        """Draw one of ``options``."""
        return self.generator.choice(options)

    def fixed(self, options: Sequence[str]) -> Phrase:
        """Draw one of several phrases in the notation of `tagged`."""
        return tagged(self.one_of(options))

    def chance(self, probability: float) -> bool:
        """Say yes with ``probability``."""
        return self.generator.random() < probability
