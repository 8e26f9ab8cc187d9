"""Noun phrases and clauses of the Haitian Creole demo grammar, tagged.

In it: the article and its forms, possessors, people and places, verbs with what follows them,
tense markers and time. Not in it: whole sentences (`creole.py`), words (`lexicons/creole.toml`).
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from adapterkit.demo.phrases import Dice, Phrase, tag, tagged

PRONOUNS = ("mwen", "ou", "li", "nou", "yo")
OWNERS = ("mwen", "ou", "li", "nou")  # not "yo": "liv yo" is also the plural of "liv la"
SHORT = {"mwen": "m", "ou": "w", "li": "l", "nou": "n", "yo": "y"}  # before "ap"
OWNED = ("thing", "small", "text", "food")  # what people commonly call theirs
AMOUNTS = ("anpil/DET", "kèk/DET", "plizyè/DET")
KINDS = ("food", "mass", "drink", "thing", "small", "text", "person", "animal", "place", "lesson")
PLACES = ("nan/ADP", "nan/ADP", "nan/ADP", "devan/ADP", "dèyè/ADP", "toupre/ADP")
DONE, PAST, NOW, PAST_NOW, FUTURE, CAN, MUST = "", "te", "ap", "t ap", "pral", "ka", "dwe"
MARKERS = (DONE, PAST, PAST, NOW, NOW, PAST_NOW, FUTURE, CAN, MUST)
LASTING = (DONE, DONE, PAST)  # for verbs like "konnen", which have no "ap"
DENIED = {PAST: "t", NOW: "t", PAST_NOW: "t"}  # "pa te" becomes "pa t"; "pa ap" is left out
YESTERDAY = ("yè/NOUN", "maten/NOUN an/DET", "yè/NOUN swa/NOUN")
TOMORROW = ("demen/NOUN", "pita/ADV", "semèn/NOUN pwochèn/ADJ", "aswè/NOUN a/DET")
WHEN = {
    DONE: YESTERDAY,
    PAST: YESTERDAY,
    NOW: ("kounye/ADV a/DET", "jodi/NOUN a/DET"),
    PAST_NOW: YESTERDAY,
    FUTURE: TOMORROW,
    CAN: (*TOMORROW, "chak/DET jou/NOUN"),
    MUST: (*TOMORROW, "chak/DET maten/NOUN"),
}
SETTINGS = (  # the markers of main and side clause and the words that may join them
    (PAST, PAST, ("paske/SCONJ", "lè/SCONJ", "anvan/SCONJ")),
    (NOW, NOW, ("paske/SCONJ", "pandan/SCONJ")),
    (FUTURE, DONE, ("si/SCONJ", "lè/SCONJ")),
    (CAN, MUST, ("paske/SCONJ", "si/SCONJ")),
)


class Frame(NamedTuple):
    """A verb with what follows it."""

    verb: str
    tail: Phrase


def article(word: str) -> str:
    """Choose the form of the definite article by the sound that ``word`` ends in.

    "a" follows an oral vowel, "an" a nasal one (written an, en, on), "lan" a nasal consonant and
    "la" any other consonant.
    """
    if re.search("[aeo]n$", word):
        return "an"
    if word[-1] in "nm" or word.endswith("ng"):
        return "lan"
    return "a" if word[-1] in "aeiouèòà" else "la"


def define(phrase: Phrase) -> Phrase:
    """Close a noun phrase with the article that its last word asks for."""
    return (*phrase, *tag(article(phrase[-1][0]), "DET"))


def mark(markers: str) -> Phrase:
    """Tense markers as a phrase of auxiliaries."""
    return tuple((word, "AUX") for word in markers.split())


@dataclass(frozen=True)
class CreolePhrases:
    """What sentences are made of, over one stream of choices."""

    dice: Dice

    # Noun phrases

    def bare(self, kind: str, chance: float) -> Phrase:
        """A noun with an adjective before it, after it, on both sides or without."""
        noun = self.dice.tagged("nouns", kind, "NOUN")
        if kind not in self.dice.lexicon["before"] or not self.dice.chance(chance):
            return noun
        before = self.dice.tagged("before", kind, "ADJ")
        after = self.dice.tagged("after", kind, "ADJ")
        options = ((*before, *noun), (*noun, *after), (*noun, *after), (*before, *noun, *after))
        return self.dice.one_of(options)

    def owner(self) -> Phrase:
        """A possessor, which stands after the noun."""
        return tag(self.dice.one_of(OWNERS), "PRON")

    def pronoun(self) -> Phrase:
        """A personal pronoun as a subject."""
        return tag(self.dice.one_of(PRONOUNS), "PRON")

    def definite(self, kind: str, chance: float = 0.25) -> Phrase:
        """A noun with the article, a demonstrative or a possessor: "liv wouj sa yo"."""
        noun = self.bare(kind, chance)
        many = tagged("yo/DET") if self.dice.chance(0.3) else ()
        if self.dice.chance(0.4 if kind in OWNED else 0.1):
            return (*noun, *self.owner(), *many)
        if self.dice.chance(0.2):
            return (*noun, *tagged("sa/DET"), *(many or tagged("a/DET")))
        return (*noun, *many) if many else define(noun)

    def indefinite(self, kind: str) -> Phrase:
        """A noun with "yon" or a number: "twa gwo chen"."""
        if self.dice.chance(0.5):
            return (*tagged("yon/DET"), *self.bare(kind, 0.4))
        figure = self.dice.tagged("numbers", "few", "NUM")
        amount = figure if self.dice.chance(0.55) else self.dice.fixed(AMOUNTS)
        return (*amount, *self.bare(kind, 0.3))

    def noun(self, kind: str) -> Phrase:
        """A noun of ``kind``, with some determiner."""
        if kind == "lesson":
            return self.dice.tagged("nouns", kind, "NOUN")
        if kind in {"mass", "drink"}:
            some = self.bare(kind, 0.25)
            return define(some) if self.dice.chance(0.5) else some
        if kind != "place" and self.dice.chance(0.4):
            return self.indefinite(kind)
        return self.definite(kind)

    def kin(self) -> Phrase:
        """A relative of somebody: "tonton nou"."""
        return (*self.dice.tagged("nouns", "kin", "NOUN"), *self.owner())

    def name(self) -> Phrase:
        """A person's name."""
        return self.dice.tagged("names", "person", "PROPN")

    def known(self) -> Phrase:
        """A person, not by pronoun."""
        return self.dice.one_of((self.kin(), self.name(), self.definite("person")))

    def someone(self) -> Phrase:
        """A subject that is a person, or several."""
        draw = self.dice.generator.random()
        if draw < 0.35:
            return self.pronoun()
        if draw < 0.43:
            return (*self.name(), *tagged("ak/CCONJ"), *self.kin())
        return self.indefinite("person") if draw < 0.48 else self.known()

    def object(self, kind: str) -> Phrase:
        """An object of ``kind``."""
        if kind != "person":
            return self.noun(kind)
        return self.dice.fixed(("li/PRON", "yo/PRON")) if self.dice.chance(0.25) else self.known()

    def town(self) -> Phrase:
        """The name of a town."""
        return self.dice.tagged("names", "place", "PROPN")

    def spot(self) -> Phrase:
        """A place with the article: "gwo lekòl la"."""
        return define(self.bare("place", 0.25))

    def where(self) -> Phrase:
        """A place where something happens: "nan lekòl la", "nan vil Jakmèl"."""
        draw = self.dice.generator.random()
        if draw < 0.2:
            return (*tagged("nan/ADP vil/NOUN"), *self.town())
        if draw < 0.3:
            return (*tagged("lakay/NOUN"), *self.owner())
        return (*self.dice.fixed(PLACES), *self.spot())

    # Clauses

    def manner(self) -> Phrase:
        """How, where or with whom somebody does something."""
        how = self.dice.tagged("adverbs", "manner", "ADV")
        company = (*tagged("ak/ADP"), *self.known())
        return self.dice.one_of((how, self.where(), company))

    def tail(self, kind: str) -> Phrase:
        """What follows a verb of ``kind``."""
        if kind == "travel":
            return self.town()
        if kind == "walk":
            return (*tagged("nan/ADP"), *self.spot())
        if kind == "act":
            return self.manner()
        return self.where() if kind in {"stay", "beast"} else self.object(kind)

    def frame(self, *kinds: str, dynamic: bool = False) -> Frame:
        """Draw a verb for a person, with its object, goal or place."""
        kind = self.dice.one_of(kinds or (*KINDS, "act", "act", "walk", "travel", "stay"))
        states = self.dice.lexicon["verbs"]["stative"]
        verbs = self.dice.lexicon["verbs"]["food" if kind == "mass" else kind]
        usable = [verb for verb in verbs if not (dynamic and verb in states)]
        return Frame(self.dice.one_of(usable), self.tail(kind))

    def marker(self, frame: Frame) -> str:
        """Draw a tense that suits the verb."""
        lasting = frame.verb in self.dice.lexicon["verbs"]["stative"]
        return self.dice.one_of(LASTING if lasting else MARKERS)

    def clause(
        self, subject: Phrase, frame: Frame, marker: str, *, negative: bool = False
    ) -> Phrase:
        """Join subject, negation, tense, verb and tail; "mwen ap" may become "m ap"."""
        lasting = frame.verb in self.dice.lexicon["verbs"]["stative"]
        if lasting and marker not in LASTING:
            marker = DONE
        rest = (*tag(frame.verb, "VERB"), *frame.tail)
        if negative:
            return (*subject, *tagged("pa/ADV"), *mark(DENIED.get(marker, marker)), *rest)
        word, upos = subject[-1]
        if marker == NOW and len(subject) == 1 and upos == "PRON" and self.dice.chance(0.6):
            subject = tag(SHORT[word], "PRON")
        return (*subject, *mark(marker), *rest)

    def plain(self, marker: str) -> Phrase:
        """A whole affirmative clause with ``marker``, without a full stop."""
        return self.clause(self.someone(), self.frame(dynamic=True), marker)
