"""A phrase grammar of English: correct sentences with universal part-of-speech tags by construction.

In it: noun phrases that agree with their determiner, verb groups that agree with their subject, and
the sentence templates. The tags follow UD English EWT (possessive "my" is PRON, "not" and infinitive
"to" are PART, existential "is" is VERB, "today" is NOUN). Not in it: words, which are in
`lexicons/eng.toml`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from .phrases import ASK, COMMA, SHOUT, STOP, Dice, Phrase, tag, tagged

OWNERS = tuple(f"{word}/PRON" for word in ("my", "your", "his", "her", "our", "their"))
SINGULAR = ("the/DET", "the/DET", "this/DET", "that/DET", "every/DET", *OWNERS[:3])
PLURAL = ("the/DET", "the/DET", "these/DET", "those/DET", "some/DET", "many/ADJ", *OWNERS[3:])
PRONOUNS = (("I", "first"), ("you", "plural"), ("we", "plural"), ("they", "plural"))
PRONOUNS += (("he", "third"), ("she", "third"))
OBJECTS = tuple(f"{word}/PRON" for word in ("me", "you", "him", "her", "us", "them"))
MODALS = ("can/AUX", "must/AUX", "should/AUX", "could/AUX")
NEAR = ("near/ADP", "in/ADP", "behind/ADP", "in/ADP")
OBJECT_KINDS = ("food", "mass", "drink", "thing", "text", "person", "animal", "place", "lesson")
SPOTS = ("on/ADP", "under/ADP", "behind/ADP", "near/ADP")
WHEN = {
    "present": ("every/DET day/NOUN", "every/DET week/NOUN", "in/ADP the/DET morning/NOUN"),
    "past": ("yesterday/NOUN", "last/ADJ week/NOUN", "two/NUM days/NOUN ago/ADV"),
    "future": ("tomorrow/NOUN", "next/ADJ week/NOUN", "soon/ADV", "tonight/NOUN"),
    "progressive": ("now/ADV", "today/NOUN", "at/ADP the/DET moment/NOUN"),
    "perfect": ("already/ADV", "today/NOUN", "many/ADJ times/NOUN"),
    "modal": ("today/NOUN", "tomorrow/NOUN", "now/ADV", "before/ADP noon/NOUN"),
}
TENSES = ("present", "past", "past", "future", "progressive", "perfect", "modal")
LASTING = ("present", "past", "past")  # verbs like "know" have no progressive


class Nominal(NamedTuple):
    """A noun phrase or pronoun and what its verb must agree with: first, third or plural."""

    phrase: Phrase
    person: str


class Verb(NamedTuple):
    """The forms of one verb."""

    base: str
    third: str
    past: str
    participle: str
    gerund: str


class Clause(NamedTuple):
    """Subject, operator (none in "she sings") and the rest of the verb group, and what follows."""

    subject: Nominal
    operator: Phrase
    rest: Phrase
    tail: Phrase
    tense: str


def with_s(word: str) -> str:
    """Add the ending of plural nouns and of verbs in the third person."""
    if word.endswith(("s", "sh", "ch", "x", "o")) and word not in {"radio", "photo"}:
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


def conjugate(entry: str) -> Verb:
    """Make all forms of a lexicon entry: four forms, or the base of a regular verb."""
    base, *others = entry.split("/")
    if others:
        past, participle, gerund = others
        return Verb(base, with_s(base), past, participle, gerund)
    stem = base[:-1] + "i" if base.endswith("y") and base[-2] not in "aeiou" else base
    past = stem + ("d" if base.endswith("e") else "ed")
    return Verb(base, with_s(base), past, past, base.removesuffix("e") + "ing")


def be(person: str, past: bool) -> Phrase:
    """Choose the form of "be"."""
    forms = {"first": ("am", "was"), "third": ("is", "was"), "plural": ("are", "were")}
    return tag(forms[person][past], "AUX")


@dataclass(frozen=True)
class English:
    """The grammar, over one stream of choices."""

    dice: Dice

    def sentence(self) -> Phrase:
        """Make one sentence from one of the templates, each as likely."""
        return self.dice.one_of(self.templates())()

    def templates(self) -> tuple[Callable[[], Phrase], ...]:
        """All sentence templates."""
        return (
            *(self.statement,) * 5,
            *(self.denial,) * 2,
            *(self.question,) * 2,
            self.asking_what,
            self.asking_where,
            self.asking_who,
            self.description,
            self.profession,
            self.location,
            self.existence,
            self.coordination,
            *(self.subordination,) * 2,
            self.opinion,
            self.wish,
            self.gift,
            self.comparison,
            self.request,
            self.weather,
            self.relative,
            self.answer,
            self.beast,
        )

    # Noun phrases

    def article(self, phrase: Phrase) -> Phrase:
        """Put "a" or "an" before ``phrase``, by the sound of its first word."""
        word = phrase[0][0]
        sounds = self.dice.lexicon["sounds"]
        vowel = word in sounds["an"] or (word[0] in "aeiou" and word not in sounds["a"])
        return (*tag("an" if vowel else "a", "DET"), *phrase)

    def adjective(self, kind: str, chance: float) -> Phrase:
        """Draw an attributive adjective of ``kind``, or none."""
        if kind not in self.dice.lexicon["adjectives"] or not self.dice.chance(chance):
            return ()
        return self.dice.tagged("adjectives", kind, "ADJ")

    def noun(self, kind: str, chance: float = 0.35) -> Nominal:
        """A noun of ``kind`` with its determiner and perhaps an adjective or a number."""
        singular, _, plural = self.dice.pick("nouns", kind).partition("/")
        adjective = self.adjective(kind, chance)
        draw = self.dice.generator.random()
        if draw < 0.45:
            determiner = self.dice.fixed(SINGULAR)
            return Nominal((*determiner, *adjective, *tag(singular, "NOUN")), "third")
        if draw < 0.65:
            return Nominal(self.article((*adjective, *tag(singular, "NOUN"))), "third")
        number = self.dice.tagged("numbers", "few", "NUM")
        determiner = number if self.dice.chance(0.3) else self.dice.fixed(PLURAL)
        many = tag(plural or with_s(singular), "NOUN")
        return Nominal((*determiner, *adjective, *many), "plural")

    def substance(self, kind: str) -> Nominal:
        """A mass noun: "the cold water", "some rice", "milk"."""
        noun = self.dice.tagged("nouns", kind, "NOUN")
        determiner = self.dice.fixed(("the/DET", "some/DET", "", *OWNERS[:2]))
        adjective = self.adjective("taste" if kind == "mass" else kind, 0.3)
        return Nominal((*determiner, *adjective, *noun), "third")

    def kin(self) -> Nominal:
        """A relative of somebody: "our uncle"."""
        return Nominal((*self.dice.fixed(OWNERS), *self.dice.tagged("nouns", "kin", "NOUN")), "third")

    def name(self) -> Nominal:
        """A person's name."""
        return Nominal(self.dice.tagged("names", "person", "PROPN"), "third")

    def known(self) -> Nominal:
        """A person other than by pronoun."""
        return self.dice.one_of((self.kin, self.name, lambda: self.noun("person")))()

    def pair(self) -> Nominal:
        """Two people: "Anna and my brother"."""
        first, second = self.name(), self.kin()
        return Nominal((*first.phrase, *tagged("and/CCONJ"), *second.phrase), "plural")

    def someone(self) -> Nominal:
        """A subject that is a person."""
        if self.dice.chance(0.3):
            word, person = self.dice.one_of(PRONOUNS)
            return Nominal(tag(word, "PRON"), person)
        return self.pair() if self.dice.chance(0.15) else self.known()

    def object(self, kind: str) -> Phrase:
        """An object of ``kind``."""
        if kind == "lesson":
            return self.dice.tagged("nouns", kind, "NOUN")
        if kind == "person":
            return self.dice.fixed(OBJECTS) if self.dice.chance(0.25) else self.known().phrase
        if kind in {"mass", "drink"}:
            return self.substance(kind).phrase
        return self.noun(kind).phrase

    def where(self) -> Phrase:
        """A place where something happens: "in the old library", "near Rome"."""
        if self.dice.chance(0.25):
            return (*tagged("in/ADP"), *self.dice.tagged("names", "place", "PROPN"))
        place = (*self.adjective("place", 0.3), *self.place_noun())
        return (*self.dice.fixed(NEAR), *tagged("the/DET"), *place)

    def place_noun(self) -> Phrase:
        """The singular of a place."""
        return tag(self.dice.pick("nouns", "place").partition("/")[0], "NOUN")

    # Verb groups

    def clause(self, subject: Nominal, *, lasting: bool = True) -> Clause:
        """A clause about a person: verb, object or place, and perhaps a time that fits the tense."""
        kind = self.dice.one_of((*OBJECT_KINDS, "act", "act", "move", "stay"))
        frame = {"mass": "food", "lesson": "teach"}.get(kind, kind)
        verb = conjugate(self.dice.pick("verbs", frame))
        stative = verb.base in self.dice.lexicon["verbs"]["stative"] or verb.base in {"live", "stay"}
        tense = self.dice.one_of(LASTING if stative and lasting else TENSES)
        if kind == "move":
            tail = (*tagged("to/ADP"), *self.target())
        elif kind == "stay":
            tail = self.where()
        elif kind == "act":
            tail = self.manner()
        else:
            tail = self.object(kind)
        return self.finite(subject, verb, tense, tail)

    def target(self) -> Phrase:
        """The place somebody goes to."""
        if self.dice.chance(0.3):
            return self.dice.tagged("names", "place", "PROPN")
        return (*tagged("the/DET"), *self.adjective("place", 0.25), *self.place_noun())

    def manner(self) -> Phrase:
        """How, where or with whom somebody does something."""
        manner = self.dice.tagged("adverbs", "manner", "ADV")
        company = (*tagged("with/ADP"), *self.known().phrase)
        return self.dice.one_of((manner, self.where(), company))

    def finite(self, subject: Nominal, verb: Verb, tense: str, tail: Phrase) -> Clause:
        """Bring ``verb`` into ``tense`` and make it agree with ``subject``."""
        operator: Phrase = ()
        rest = tag(verb.third if subject.person == "third" else verb.base, "VERB")
        if tense == "past":
            rest = tag(verb.past, "VERB")
        elif tense == "progressive":
            operator, rest = be(subject.person, False), tag(verb.gerund, "VERB")
        elif tense == "perfect":
            has = "has" if subject.person == "third" else "have"
            operator, rest = tag(has, "AUX"), tag(verb.participle, "VERB")
        elif tense in {"future", "modal"}:
            operator = tagged("will/AUX") if tense == "future" else self.dice.fixed(MODALS)
            rest = tag(verb.base, "VERB")
        return Clause(subject, operator, rest, tail, tense)
