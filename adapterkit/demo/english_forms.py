"""The forms of English words in the demo: plurals, conjugation, agreement, "a" and "an".

In it: pure functions from a lexicon entry to its forms, and the records that the grammar passes
around. Not in it: sentences, which are in `english.py`, and anything that is drawn at random.
"""

from typing import NamedTuple

from adapterkit.demo.phrases import Phrase, tag


class Nominal(NamedTuple):
    """A noun phrase or pronoun and what its verb agrees with: "first", "third" or "plural"."""

    phrase: Phrase
    person: str


class Verb(NamedTuple):
    """The forms of one verb."""

    base: str
    third: str
    past: str
    participle: str
    gerund: str


class Frame(NamedTuple):
    """A verb with what follows it."""

    verb: Verb
    tail: Phrase
    stative: bool


class Clause(NamedTuple):
    """A clause whose operator ("do", "will", "is" ...) stands apart, so that it can be moved.

    `plain` is the verb group without "do" where it needs none: "she sings", not "she does sing".
    """

    subject: Phrase
    plain: Phrase
    operator: Phrase
    rest: Phrase
    tail: Phrase


def with_s(word: str) -> str:
    """Add the ending of regular plural nouns and of verbs in the third person."""
    if word == "have":
        return "has"
    if word.endswith(("s", "sh", "ch", "x")) or word in {"go", "do"}:
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


def number(entry: str) -> tuple[str, str]:
    """Give singular and plural of a noun entry."""
    singular, _, plural = entry.partition("/")
    return singular, plural or with_s(singular)


def conjugate(entry: str) -> Verb:
    """Make all forms of a verb entry: four forms, or the base of a regular verb."""
    base, *others = entry.split("/")
    if others:
        past, participle, gerund = others
        return Verb(base, with_s(base), past, participle, gerund)
    stem = base[:-1] + "i" if base.endswith("y") and base[-2] not in "aeiou" else base
    past = stem + ("d" if base.endswith("e") else "ed")
    return Verb(base, with_s(base), past, past, base.removesuffix("e") + "ing")


def be(person: str, *, past: bool = False) -> Phrase:
    """Choose the form of "be"."""
    forms = {"first": ("am", "was"), "third": ("is", "was"), "plural": ("are", "were")}
    return tag(forms[person][past], "AUX")


def article(phrase: Phrase, vowel_words: frozenset[str], consonant_words: frozenset[str]) -> Phrase:
    """Put "a" or "an" before ``phrase``, by the sound of its first word."""
    word = phrase[0][0]
    vowel = word in vowel_words or (word[0].lower() in "aeiou" and word not in consonant_words)
    return (*tag("an" if vowel else "a", "DET"), *phrase)


def finite(subject: Nominal, frame: Frame, *, tense: str, modal: str = "will") -> Clause:
    """Bring a verb into ``tense`` and make it agree with ``subject``.

    Args:
        subject: The subject.
        frame: The verb and what follows it.
        tense: "present", "past", "progressive", "perfect" or "modal".
        modal: The auxiliary of the tense "modal".

    Returns:
        The clause, its operator apart.
    """
    verb, third = frame.verb, subject.person == "third"
    if tense == "present":
        plain = tag(verb.third if third else verb.base, "VERB")
        operator, rest = tag("does" if third else "do", "AUX"), tag(verb.base, "VERB")
        return Clause(subject.phrase, plain, operator, rest, frame.tail)
    if tense == "past":
        operator, rest = tag("did", "AUX"), tag(verb.base, "VERB")
        return Clause(subject.phrase, tag(verb.past, "VERB"), operator, rest, frame.tail)
    if tense == "progressive":
        operator, rest = be(subject.person), tag(verb.gerund, "VERB")
    elif tense == "perfect":
        operator, rest = tag("has" if third else "have", "AUX"), tag(verb.participle, "VERB")
    else:
        operator, rest = tag(modal, "AUX"), tag(verb.base, "VERB")
    return Clause(subject.phrase, (*operator, *rest), operator, rest, frame.tail)
