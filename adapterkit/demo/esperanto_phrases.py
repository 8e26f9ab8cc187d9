"""Inflection, noun phrases and clauses of the Esperanto demo grammar, tagged.

In it: plural -j and accusative -n on every word that takes them, people and places, verbs with
what follows them, tense and time. Not in it: whole sentences (`esperanto.py`), words
(`lexicons/epo.toml`).
"""

from dataclasses import dataclass
from typing import NamedTuple

from adapterkit.demo.phrases import Dice, Phrase, tag, tagged

NOMINATIVE, ACCUSATIVE = "", "n"
OWNERS = ("mia", "via", "lia", "ŝia", "nia", "ilia")
OWNED = ("thing", "small", "text", "food")  # what people commonly call theirs
PRONOUNS = ("mi", "vi", "li", "ŝi", "ni", "ili")
OTHERS = ("lin", "ŝin", "ilin", "ĉiujn")  # objects that are never the subject itself
KINDS = ("food", "mass", "drink", "thing", "small", "text", "person", "animal", "place", "lesson")
PLACES = ("en/ADP", "en/ADP", "apud/ADP", "antaŭ/ADP")
PRESENT, PAST, FUTURE = "as", "is", "os"
TENSES = (PRESENT, PRESENT, PAST, PAST, FUTURE)
WHEN = {
    PRESENT: ("nun/ADV", "hodiaŭ/ADV", "ĉiun/DET tagon/NOUN", "ĉiun/DET semajnon/NOUN"),
    PAST: ("hieraŭ/ADV", "lastan/ADJ semajnon/NOUN", "antaŭ/ADP du/NUM tagoj/NOUN"),
    FUTURE: ("morgaŭ/ADV", "baldaŭ/ADV", "venontan/ADJ semajnon/NOUN"),
}
JOINTS = ("ĉar/SCONJ", "kiam/ADV", "dum/SCONJ", "se/SCONJ", "ĉar/SCONJ")


class Frame(NamedTuple):
    """A verb in the infinitive with what follows it."""

    verb: str
    tail: Phrase


def inflect(word: str, *, plural: bool, case: str) -> str:
    """Add -j and -n: "bela" becomes "belajn"."""
    return word + ("j" if plural else "") + case


def conjugate(infinitive: str, ending: str) -> Phrase:
    """Replace the -i of the infinitive by -as, -is, -os or -u."""
    upos = "AUX" if infinitive == "esti" else "VERB"
    return tag(infinitive[:-1] + ending, upos)


@dataclass(frozen=True)
class EsperantoPhrases:
    """What sentences are made of, over one stream of choices."""

    dice: Dice

    # Noun phrases

    def determiner(self, kind: str, *, plural: bool, case: str) -> Phrase:
        """The article, a demonstrative or a possessive."""
        if self.dice.chance(0.4 if kind in OWNED else 0.1):
            return tag(inflect(self.dice.one_of(OWNERS), plural=plural, case=case), "DET")
        if self.dice.chance(0.7):
            return tagged("la/DET")
        this = tagged("ĉi/PART") if self.dice.chance(0.5) else ()
        return (*this, *tag(inflect("tiu", plural=plural, case=case), "DET"))

    def inflected(self, kind: str, *, plural: bool, case: str, adjective: float) -> Phrase:
        """A noun of ``kind``, with an adjective of the same number and case, or without."""
        noun = inflect(self.dice.pick("nouns", kind), plural=plural, case=case)
        if kind in {"job", "kin", "closed", "lesson"} or not self.dice.chance(adjective):
            return tag(noun, "NOUN")
        quality = inflect(self.dice.pick("adjectives", kind), plural=plural, case=case)
        return (*tag(quality, "ADJ"), *tag(noun, "NOUN"))

    def definite(
        self, kind: str, *, case: str = NOMINATIVE, plural: bool = False, chance: float = 0.25
    ) -> Phrase:
        """A noun with a determiner: "tiujn malnovajn librojn"."""
        determiner = self.determiner(kind, plural=plural, case=case)
        noun = self.inflected(kind, plural=plural, case=case, adjective=chance)
        return (*determiner, *noun)

    def indefinite(self, kind: str, *, case: str = NOMINATIVE) -> Phrase:
        """A noun without determiner, or with a number: "tri pomojn"."""
        if self.dice.chance(0.5):
            return self.inflected(kind, plural=False, case=case, adjective=0.5)
        many = tag(inflect("multa", plural=True, case=case), "ADJ")
        figure = self.dice.tagged("numbers", "few", "NUM")
        amount = self.dice.one_of((figure, figure, many, ()))
        return (*amount, *self.inflected(kind, plural=True, case=case, adjective=0.35))

    def noun(self, kind: str, *, case: str = NOMINATIVE) -> Phrase:
        """A noun of ``kind``, with some determiner or none."""
        if kind in {"mass", "drink"}:
            article = tagged("la/DET") if self.dice.chance(0.5) else ()
            return (*article, *self.inflected(kind, plural=False, case=case, adjective=0.3))
        if kind == "lesson":
            article = tagged("la/DET") if self.dice.chance(0.2) else ()
            return (*article, *self.inflected(kind, plural=False, case=case, adjective=0))
        if kind != "place" and self.dice.chance(0.4):
            return self.indefinite(kind, case=case)
        return self.definite(kind, case=case, plural=self.dice.chance(0.3))

    def kin(self, *, case: str = NOMINATIVE) -> Phrase:
        """A relative of somebody: "nia onklo"."""
        owner = tag(self.dice.one_of(OWNERS) + case, "DET")
        return (*owner, *tag(self.dice.pick("nouns", "kin") + case, "NOUN"))

    def name(self, *, case: str = NOMINATIVE) -> Phrase:
        """A person's name."""
        return tag(self.dice.pick("names", "person") + case, "PROPN")

    def known(self, *, case: str = NOMINATIVE) -> Phrase:
        """A person, one, not by pronoun."""
        person = self.definite("person", case=case)
        return self.dice.one_of((self.kin(case=case), self.name(case=case), person))

    def someone(self) -> Phrase:
        """A subject that is a person, or several."""
        draw = self.dice.generator.random()
        if draw < 0.3:
            return tag(self.dice.one_of(PRONOUNS), "PRON")
        if draw < 0.4:
            return (*self.name(), *tagged("kaj/CCONJ"), *self.kin())
        if draw < 0.5:
            return self.definite("person", plural=True)
        return self.indefinite("person") if draw < 0.55 else self.known()

    def object(self, kind: str) -> Phrase:
        """A direct object of ``kind``, in the accusative."""
        if kind == "person":
            if self.dice.chance(0.25):
                return tag(self.dice.one_of(OTHERS), "PRON")
            return self.known(case=ACCUSATIVE)
        return self.noun(kind, case=ACCUSATIVE)

    def town(self) -> Phrase:
        """The name of a town or country."""
        return self.dice.tagged("names", "place", "PROPN")

    def spot(self) -> Phrase:
        """A place with the article: "la malnova biblioteko"."""
        place = self.inflected("place", plural=False, case=NOMINATIVE, adjective=0.25)
        return (*tagged("la/DET"), *place)

    def where(self) -> Phrase:
        """A place where something happens: "en la biblioteko", "en Romo"."""
        if self.dice.chance(0.25):
            return (*tagged("en/ADP"), *self.town())
        return (*self.dice.fixed(PLACES), *self.spot())

    # Clauses

    def manner(self) -> Phrase:
        """How, where or with whom somebody does something."""
        how = self.dice.tagged("adverbs", "manner", "ADV")
        company = (*tagged("kun/ADP"), *self.known())
        return self.dice.one_of((how, self.where(), company))

    def tail(self, kind: str) -> Phrase:
        """What follows a verb of ``kind``."""
        if kind in {"travel", "walk"}:
            return (*tagged("al/ADP"), *(self.town() if kind == "travel" else self.spot()))
        if kind == "act":
            return self.manner()
        return self.where() if kind in {"stay", "beast"} else self.object(kind)

    def frame(self, *kinds: str) -> Frame:
        """Draw a verb for a person, with its object, goal or place."""
        kind = self.dice.one_of(kinds or (*KINDS, "act", "act", "walk", "travel", "stay"))
        verb = self.dice.pick("verbs", "food" if kind == "mass" else kind)
        return Frame(verb, self.tail(kind))

    def predicate(self, tense: str, *, frame: Frame | None = None) -> Phrase:
        """A verb in ``tense`` with what follows it."""
        frame = frame or self.frame()
        return (*conjugate(frame.verb, tense), *frame.tail)

    def plain(self, tense: str) -> Phrase:
        """A whole affirmative clause in ``tense``, without a full stop."""
        return (*self.someone(), *self.predicate(tense))

    def tense(self) -> str:
        """Draw a tense."""
        return self.dice.one_of(TENSES)
