"""Noun phrases and clauses of the English demo grammar, tagged.

In it: nouns with their determiners, people and places, verbs with what follows them, tense and
time. Not in it: whole sentences (`english.py`), forms of words (`english_forms.py`), words
(`lexicons/eng.toml`).
"""

from dataclasses import dataclass

from adapterkit.demo.english_forms import Clause, Frame, Nominal, article, conjugate, finite, number
from adapterkit.demo.phrases import Dice, Phrase, tag, tagged

OWNERS = tuple(f"{word}/PRON" for word in ("my", "your", "his", "her", "our", "their"))
OWNED = ("thing", "small", "text", "food")  # what people commonly call theirs
DEFINITE = ("the/DET", "the/DET", "the/DET", "this/DET", "that/DET")
DEFINITE_MANY = ("the/DET", "the/DET", "the/DET", "these/DET", "those/DET")
QUANTIFIERS = ("some/DET", "many/ADJ", "two/NUM", "three/NUM", "a/DET few/ADJ")
PRONOUNS = (
    ("I", "first"),
    ("you", "plural"),
    ("we", "plural"),
    ("they", "plural"),
    ("he", "third"),
    ("she", "third"),
)
OBJECTS = tuple(f"{word}/PRON" for word in ("him", "her", "them", "everyone"))  # never the subject
KINDS = ("food", "mass", "drink", "thing", "small", "text", "person", "animal", "place", "lesson")
WHEN = {
    "present": ("every/DET day/NOUN", "every/DET week/NOUN", "in/ADP the/DET morning/NOUN"),
    "past": ("yesterday/NOUN", "last/ADJ week/NOUN", "two/NUM days/NOUN ago/ADV"),
    "will": ("tomorrow/NOUN", "next/ADJ week/NOUN", "soon/ADV", "tonight/NOUN"),
    "progressive": ("now/ADV", "at/ADP the/DET moment/NOUN", "again/ADV"),
    "perfect": ("already/ADV", "today/NOUN", "before/ADV"),
    "modal": ("today/NOUN", "tomorrow/NOUN", "now/ADV", "before/ADP noon/NOUN"),
}
MODALS = ("will", "will", "can", "must", "should", "could")
SETTINGS = (  # the two tenses of a complex sentence and the words that may join them
    ("past", "past", ("because/SCONJ", "when/ADV", "before/SCONJ", "after/SCONJ")),
    ("present", "present", ("because/SCONJ", "when/ADV", "if/SCONJ")),
    ("modal", "present", ("if/SCONJ", "when/ADV", "because/SCONJ", "before/SCONJ")),
)


@dataclass(frozen=True)
class EnglishPhrases:
    """What sentences are made of, over one stream of choices."""

    dice: Dice

    # Noun phrases

    def an(self, phrase: Phrase) -> Phrase:
        """Put "a" or "an" before ``phrase``."""
        sounds = self.dice.lexicon["sounds"]
        return article(phrase, frozenset(sounds["an"]), frozenset(sounds["a"]))

    def adjective(self, kind: str, chance: float) -> Phrase:
        """Draw an attributive adjective for a noun of ``kind``, or none."""
        drawn = self.dice.tagged("adjectives", kind, "ADJ")
        return drawn if self.dice.chance(chance) else ()

    def definite(self, kind: str, chance: float = 0.25) -> Nominal:
        """A noun with a definite determiner: "these old books"."""
        singular, plural = number(self.dice.pick("nouns", kind))
        adjective = self.adjective(kind, chance)
        owned = self.dice.chance(0.4 if kind in OWNED else 0.1)
        if self.dice.chance(0.65):
            determiner = self.dice.fixed(OWNERS if owned else DEFINITE)
            return Nominal((*determiner, *adjective, *tag(singular, "NOUN")), "third")
        determiner = self.dice.fixed(OWNERS if owned else DEFINITE_MANY)
        return Nominal((*determiner, *adjective, *tag(plural, "NOUN")), "plural")

    def indefinite(self, kind: str) -> Nominal:
        """A noun with an article or a number: "an old book", "six books"."""
        singular, plural = number(self.dice.pick("nouns", kind))
        adjective = self.adjective(kind, 0.35)
        if self.dice.chance(0.5):
            return Nominal(self.an((*adjective, *tag(singular, "NOUN"))), "third")
        figure = self.dice.tagged("numbers", "few", "NUM")
        amount = figure if self.dice.chance(0.4) else self.dice.fixed(QUANTIFIERS)
        return Nominal((*amount, *adjective, *tag(plural, "NOUN")), "plural")

    def noun(self, kind: str) -> Nominal:
        """A noun of ``kind`` with some determiner."""
        return self.definite(kind) if self.dice.chance(0.6) else self.indefinite(kind)

    def substance(self, kind: str, chance: float = 0.3) -> Nominal:
        """A mass noun: "the cold water", "some rice", "milk"."""
        determiner = self.dice.fixed(("the/DET", "the/DET", "some/DET", "", "my/PRON", "our/PRON"))
        noun = self.dice.tagged("nouns", kind, "NOUN")
        return Nominal((*determiner, *self.adjective(kind, chance), *noun), "third")

    def kin(self) -> Nominal:
        """A relative of somebody: "our uncle"."""
        phrase = (*self.dice.fixed(OWNERS), *self.dice.tagged("nouns", "kin", "NOUN"))
        return Nominal(phrase, "third")

    def name(self) -> Nominal:
        """A person's name."""
        return Nominal(self.dice.tagged("names", "person", "PROPN"), "third")

    def known(self) -> Nominal:
        """A person, not by pronoun."""
        return self.dice.one_of((self.kin(), self.name(), self.definite("person")))

    def pronoun(self) -> Nominal:
        """A personal pronoun as a subject."""
        word, person = self.dice.one_of(PRONOUNS)
        return Nominal(tag(word, "PRON"), person)

    def someone(self) -> Nominal:
        """A subject that is a person, or two."""
        draw = self.dice.generator.random()
        if draw < 0.3:
            return self.pronoun()
        if draw < 0.4:
            pair = (*self.name().phrase, *tagged("and/CCONJ"), *self.kin().phrase)
            return Nominal(pair, "plural")
        return self.indefinite("person") if draw < 0.45 else self.known()

    def object(self, kind: str) -> Phrase:
        """An object of ``kind``."""
        if kind == "lesson":
            return self.dice.tagged("nouns", kind, "NOUN")
        if kind == "person":
            return self.dice.fixed(OBJECTS) if self.dice.chance(0.25) else self.known().phrase
        if kind == "place":
            return self.definite(kind).phrase
        return self.substance(kind).phrase if kind in {"mass", "drink"} else self.noun(kind).phrase

    def town(self) -> Phrase:
        """The name of a town or country."""
        return self.dice.tagged("names", "place", "PROPN")

    def spot(self) -> Phrase:
        """A place with the article: "the old library"."""
        place, _ = number(self.dice.pick("nouns", "place"))
        return (*tagged("the/DET"), *self.adjective("place", 0.25), *tag(place, "NOUN"))

    def where(self) -> Phrase:
        """A place where something happens: "in the library", "near Rome"."""
        if self.dice.chance(0.25):
            return (*tagged("in/ADP"), *self.town())
        return (*self.dice.fixed(("in/ADP", "in/ADP", "near/ADP", "behind/ADP")), *self.spot())

    # Clauses

    def manner(self) -> Phrase:
        """How, where or with whom somebody does something."""
        how = self.dice.tagged("adverbs", "manner", "ADV")
        company = (*tagged("with/ADP"), *self.known().phrase)
        return self.dice.one_of((how, self.where(), company))

    def frame(self, *kinds: str, dynamic: bool = False) -> Frame:
        """Draw a verb for a person, with its object, goal or place."""
        kind = self.dice.one_of(kinds or (*KINDS, "act", "act", "walk", "travel", "stay"))
        states = self.dice.lexicon["verbs"]["stative"]
        table = self.dice.lexicon["verbs"]["food" if kind == "mass" else kind]
        verbs = [verb for verb in map(conjugate, table) if not (dynamic and verb.base in states)]
        verb = self.dice.one_of(verbs)
        return Frame(verb, self.tail(kind), verb.base in states)

    def tail(self, kind: str) -> Phrase:
        """What follows a verb of ``kind``."""
        if kind == "travel":
            return (*tagged("to/ADP"), *self.town())
        if kind == "walk":
            return (*tagged("to/ADP"), *self.spot())
        if kind in {"act", "beast"}:
            return self.manner() if kind == "act" else self.where()
        return self.where() if kind == "stay" else self.object(kind)

    def free(self, subject: Nominal, frame: Frame) -> tuple[Clause, Phrase]:
        """Put a frame into any tense that suits it, with an expression of time for that tense."""
        if frame.stative:
            return finite(subject, frame, tense=self.dice.one_of(("present", "past"))), ()
        tenses = ("present", "past", "past", "progressive", "perfect", "modal", "modal")
        tense, modal = self.dice.one_of(tenses), self.dice.one_of(MODALS)
        when = WHEN["will" if tense == "modal" and modal == "will" else tense]
        day = (*tagged("on/ADP"), *self.dice.tagged("names", "day", "PROPN"))
        dated = tense in {"past", "modal"} and self.dice.chance(0.3)
        time = day if dated else self.dice.fixed(when)
        return finite(subject, frame, tense=tense, modal=modal), time

    def plain(self, tense: str, *, subject: Nominal | None = None) -> Phrase:
        """A whole affirmative clause in ``tense``, without a full stop."""
        clause = finite(subject or self.someone(), self.frame(), tense=tense)
        return (*clause.subject, *clause.plain, *clause.tail)
