"""A phrase grammar of English: correct sentences with universal part-of-speech tags by construction.

In it: noun phrases, clauses and the sentence templates. The tags follow UD English EWT: possessive
"my" is PRON, "not" and infinitive "to" are PART, existential "is" is VERB, "today" is NOUN, "when" is
ADV. Not in it: words (`lexicons/eng.toml`) and their forms (`english_forms.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass

from .english_forms import Clause, Frame, Nominal, article, be, conjugate, finite, number
from .phrases import ASK, COMMA, SHOUT, STOP, Dice, Phrase, tag, tagged

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
OBJECTS = tuple(f"{word}/PRON" for word in ("me", "you", "him", "her", "us", "them"))
KINDS = ("food", "mass", "drink", "thing", "small", "text", "person", "animal", "place", "lesson")
SPOTS = ("on/ADP", "under/ADP", "behind/ADP", "near/ADP")
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
class English:
    """The grammar, over one stream of choices."""

    dice: Dice

    def sentence(self) -> Phrase:
        """Make one sentence from one of the templates."""
        return self.dice.one_of(self.templates())()

    def templates(self) -> tuple[Callable[[], Phrase], ...]:
        """All sentence templates; the commonest stand more than once."""
        common = (self.statement, self.statement, self.denial, self.question, self.subordination)
        asking = (self.asking_what, self.asking_where, self.asking_who)
        being = (self.description, self.profession, self.location, self.existence, self.comparison)
        joined = (self.coordination, self.opinion, self.wish, self.relative, self.gift)
        rest = (self.request, self.weather, self.answer, self.beast)
        return (*common, *common, *asking, *being, *joined, *rest)

    # Noun phrases

    def an(self, phrase: Phrase) -> Phrase:
        """Put "a" or "an" before ``phrase``."""
        sounds = self.dice.lexicon["sounds"]
        return article(phrase, frozenset(sounds["an"]), frozenset(sounds["a"]))

    def adjective(self, kind: str, chance: float) -> Phrase:
        """Draw an attributive adjective for a noun of ``kind``, or none."""
        drawn = self.dice.tagged("adjectives", kind, "ADJ")
        return drawn if self.dice.chance(chance) else ()

    def definite(self, kind: str) -> Nominal:
        """A noun with a definite determiner: "these old books"."""
        singular, plural = number(self.dice.pick("nouns", kind))
        adjective = self.adjective(kind, 0.25)
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

    def substance(self, kind: str) -> Nominal:
        """A mass noun: "the cold water", "some rice", "milk"."""
        determiner = self.dice.fixed(("the/DET", "the/DET", "some/DET", "", "my/PRON", "our/PRON"))
        noun = self.dice.tagged("nouns", kind, "NOUN")
        return Nominal((*determiner, *self.adjective(kind, 0.3), *noun), "third")

    def kin(self) -> Nominal:
        """A relative of somebody: "our uncle"."""
        return Nominal((*self.dice.fixed(OWNERS), *self.dice.tagged("nouns", "kin", "NOUN")), "third")

    def name(self) -> Nominal:
        """A person's name."""
        return Nominal(self.dice.tagged("names", "person", "PROPN"), "third")

    def known(self) -> Nominal:
        """A person, not by pronoun."""
        return self.dice.one_of((self.kin, self.name, lambda: self.definite("person")))()

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
        time = day if tense in {"past", "modal"} and self.dice.chance(0.3) else self.dice.fixed(when)
        return finite(subject, frame, tense=tense, modal=modal), time

    def plain(self, tense: str, *, subject: Nominal | None = None) -> Phrase:
        """A whole affirmative clause in ``tense``, without a full stop."""
        clause = finite(subject or self.someone(), self.frame(), tense=tense)
        return (*clause.subject, *clause.plain, *clause.tail)

    # Sentences

    def statement(self) -> Phrase:
        """The nurse often reads a book."""
        subject, frame = self.someone(), self.frame()
        if self.dice.chance(0.15) and not frame.stative:
            clause = finite(subject, frame, tense=self.dice.one_of(("present", "past")))
            often = self.dice.tagged("adverbs", "middle", "ADV")
            return (*clause.subject, *often, *clause.plain, *clause.tail, *STOP)
        clause, time = self.free(subject, frame)
        time = time if self.dice.chance(0.4) else ()
        return (*clause.subject, *clause.plain, *clause.tail, *time, *STOP)

    def denial(self) -> Phrase:
        """They did not sell the car."""
        clause, _ = self.free(self.someone(), self.frame())
        negation = (*clause.operator, *tagged("not/PART"), *clause.rest)
        return (*clause.subject, *negation, *clause.tail, *STOP)

    def question(self) -> Phrase:
        """Has your uncle visited London?"""
        clause, _ = self.free(self.someone(), self.frame())
        return (*clause.operator, *clause.subject, *clause.rest, *clause.tail, *ASK)

    def asking_what(self) -> Phrase:
        """What did the students read in the library?"""
        frame = self.frame("food", "drink", "thing", "text", dynamic=True)
        clause, _ = self.free(self.someone(), frame)
        where = self.where() if self.dice.chance(0.6) else ()
        return (*tagged("what/PRON"), *clause.operator, *clause.subject, *clause.rest, *where, *ASK)

    def asking_where(self) -> Phrase:
        """Where is my bag? Why does Anna study history?"""
        if self.dice.chance(0.3):
            thing = self.definite(self.dice.one_of(("small", "text", "animal")))
            return (*tagged("where/ADV"), *be(thing.person), *thing.phrase, *ASK)
        word, kinds = self.dice.one_of((("where/ADV", ("thing", "small", "text")), ("why/ADV", KINDS)))
        clause, _ = self.free(self.someone(), self.frame(*kinds, dynamic=True))
        return (*tagged(word), *clause.operator, *clause.subject, *clause.rest, *clause.tail, *ASK)

    def asking_who(self) -> Phrase:
        """Who wrote this letter?"""
        clause, _ = self.free(Nominal(tagged("who/PRON"), "third"), self.frame())
        return (*clause.subject, *clause.plain, *clause.tail, *ASK)

    def description(self) -> Phrase:
        """My house is not very big."""
        kind = self.dice.one_of(("person", "animal", "thing", "text", "place", "food", "drink"))
        subject = self.definite(kind) if kind != "drink" else self.substance(kind)
        quality = kind
        if kind == "person":
            subject, quality = self.someone(), self.dice.one_of(("person", "feeling"))
        verb = be(subject.person, past=self.dice.chance(0.35))
        negation = tagged("not/PART") if self.dice.chance(0.2) else ()
        degree = self.dice.tagged("adverbs", "degree", "ADV") if self.dice.chance(0.5) else ()
        adjective = self.dice.tagged("adjectives", quality, "ADJ")
        return (*subject.phrase, *verb, *negation, *degree, *adjective, *STOP)

    def profession(self) -> Phrase:
        """Her brother is a famous painter."""
        subject = self.dice.one_of((self.kin, self.name, lambda: Nominal(tagged("she/PRON"), "third")))()
        job = (*self.adjective("person", 0.5), *self.dice.tagged("nouns", "job", "NOUN"))
        where = self.where() if self.dice.chance(0.4) else ()
        verb = be("third", past=self.dice.chance(0.3))
        return (*subject.phrase, *verb, *self.an(job), *where, *STOP)

    def location(self) -> Phrase:
        """The keys are on the table."""
        if self.dice.chance(0.4):
            subject, where = self.someone(), self.where()
        else:
            subject = self.definite(self.dice.one_of(("small", "text", "animal")))
            where = (*self.dice.fixed(SPOTS), *self.base())
        verb = be(subject.person, past=self.dice.chance(0.3))
        negation = tagged("not/PART") if self.dice.chance(0.2) else ()
        return (*subject.phrase, *verb, *negation, *where, *STOP)

    def base(self) -> Phrase:
        """A piece of furniture that something lies on."""
        noun, _ = number(self.dice.pick("nouns", "furniture"))
        return (*tagged("the/DET"), *self.adjective("furniture", 0.2), *tag(noun, "NOUN"))

    def existence(self) -> Phrase:
        """There are three cats under the table."""
        subject = self.indefinite(self.dice.one_of(("animal", "small", "text", "person")))
        present = "is" if subject.person == "third" else "are"
        past = "was" if subject.person == "third" else "were"
        verb = tag(past if self.dice.chance(0.3) else present, "VERB")
        return (*tagged("there/PRON"), *verb, *subject.phrase, *self.where(), *STOP)

    def coordination(self) -> Phrase:
        """Peter cooks the soup, and Anna washes the plates."""
        tense = self.dice.one_of(("present", "past", "past"))
        first, second = self.plain(tense), self.plain(tense)
        joint = self.dice.fixed(("and/CCONJ", "but/CCONJ"))
        return (*first, *COMMA, *joint, *second, *STOP)

    def subordination(self) -> Phrase:
        """When the bus came, we were in the park."""
        first, second, joints = self.dice.one_of(SETTINGS)
        main, side = self.plain(first), (*self.dice.fixed(joints), *self.plain(second))
        return (*side, *COMMA, *main, *STOP) if self.dice.chance(0.35) else (*main, *side, *STOP)

    def opinion(self) -> Phrase:
        """The farmer thinks that the horse is old."""
        tense = self.dice.one_of(("present", "past"))
        verb = conjugate(self.dice.pick("verbs", "say"))
        clause = finite(self.someone(), Frame(verb, tagged("that/SCONJ"), True), tense=tense)
        content = self.plain(tense) if self.dice.chance(0.6) else self.description()[:-1]
        return (*clause.subject, *clause.plain, *clause.tail, *content, *STOP)

    def wish(self) -> Phrase:
        """We want to visit the museum."""
        content = self.frame(dynamic=True)
        infinitive = (*tagged("to/PART"), *tag(content.verb.base, "VERB"), *content.tail)
        frame = Frame(conjugate(self.dice.pick("verbs", "wish")), infinitive, True)
        clause = finite(self.someone(), frame, tense=self.dice.one_of(("present", "past")))
        return (*clause.subject, *clause.plain, *clause.tail, *STOP)

    def gift(self) -> Phrase:
        """He sent a postcard to his aunt."""
        gift = self.noun(self.dice.one_of(("small", "text"))).phrase
        taker = (*tagged("to/ADP"), *self.known().phrase)
        verb = conjugate(self.dice.pick("verbs", "give"))
        clause, time = self.free(self.someone(), Frame(verb, (*gift, *taker), False))
        return (*clause.subject, *clause.plain, *clause.tail, *time, *STOP)

    def comparison(self) -> Phrase:
        """This hat is more expensive than that coat."""
        kind = self.dice.one_of(("animal", "thing", "person", "place"))
        first, second = self.definite(kind), self.definite(kind)
        short = self.dice.tagged("comparatives", kind, "ADJ")
        long = (*tagged("more/ADV"), *self.dice.tagged("adjectives", "more", "ADJ"))
        quality = long if kind in {"thing", "place"} and self.dice.chance(0.4) else short
        verb = be(first.person)
        return (*first.phrase, *verb, *quality, *tagged("than/ADP"), *second.phrase, *STOP)

    def request(self) -> Phrase:
        """Please open the window!"""
        verb = conjugate(self.dice.pick("verbs", "close"))
        order = (*tag(verb.base, "VERB"), *self.definite_closed())
        if self.dice.chance(0.5):
            gift = self.definite(self.dice.one_of(("small", "text"))).phrase
            order = (*self.dice.fixed(("bring/VERB", "give/VERB", "show/VERB")), *tagged("me/PRON"), *gift)
        if self.dice.chance(0.4):
            return (*tagged("please/INTJ"), *order, *STOP)
        if self.dice.chance(0.4):
            return (*tagged("do/AUX not/PART"), *order, *SHOUT)
        return (*order, *COMMA, *tagged("please/INTJ"), *SHOUT)

    def definite_closed(self) -> Phrase:
        """Something that can be opened."""
        noun, _ = number(self.dice.pick("nouns", "closed"))
        return (*self.dice.fixed((*DEFINITE, *OWNERS)), *self.adjective("small", 0.2), *tag(noun, "NOUN"))

    def weather(self) -> Phrase:
        """It was very cold in Boston yesterday."""
        cold = self.dice.tagged("adjectives", "weather", "ADJ")
        very = self.dice.tagged("adverbs", "degree", "ADV") if self.dice.chance(0.4) else ()
        now = self.dice.fixed(("is/AUX raining/VERB", "is/AUX snowing/VERB"))
        options = (
            ((*tagged("is/AUX"), *very, *cold), ("today/NOUN", "now/ADV", "")),
            ((*tagged("was/AUX"), *very, *cold), ("yesterday/NOUN", "last/ADJ week/NOUN", "")),
            ((*tagged("will/AUX be/AUX"), *very, *cold), ("tomorrow/NOUN", "next/ADJ week/NOUN")),
            (now, ("today/NOUN", "again/ADV", "")),
            (tagged("rained/VERB"), ("yesterday/NOUN", "last/ADJ week/NOUN")),
        )
        verb, times = self.dice.one_of(options)
        where = (*tagged("in/ADP"), *self.town())
        return (*tagged("it/PRON"), *verb, *where, *self.dice.fixed(times), *STOP)

    def relative(self) -> Phrase:
        """The woman who works in the bank has three children."""
        head = self.definite("person")
        who = finite(Nominal(tagged("who/PRON"), head.person), self.frame(), tense="present")
        phrase = (*head.phrase, *who.subject, *who.plain, *who.tail)
        return (*self.plain("present", subject=Nominal(phrase, head.person)), *STOP)

    def answer(self) -> Phrase:
        """Yes, they like the teacher."""
        if self.dice.chance(0.4):
            return (*tagged("no/INTJ"), *COMMA, *self.denial())
        word = self.dice.fixed(("yes/INTJ", "oh/INTJ", "well/INTJ", "yes/INTJ"))
        return (*word, *COMMA, *self.statement())

    def beast(self) -> Phrase:
        """A small dog is chasing the ducks."""
        subject = self.noun("animal")
        if self.dice.chance(0.5):
            frame = self.frame("beast")
        else:
            verb = conjugate(self.dice.pick("verbs", "hunt"))
            states = self.dice.lexicon["verbs"]["stative"]
            frame = Frame(verb, self.noun("animal").phrase, verb.base in states)
        clause, _ = self.free(subject, frame)
        return (*clause.subject, *clause.plain, *clause.tail, *STOP)
