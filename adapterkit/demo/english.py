"""A phrase grammar of English: correct sentences with part-of-speech tags by construction.

In it: the sentence templates; their parts are in `english_phrases.py`. The tags follow UD English
EWT: possessive "my" is PRON, "not" and infinitive "to" are PART, existential "is" is VERB, "today"
is NOUN, "when" is ADV.
"""

from collections.abc import Callable
from dataclasses import dataclass

from adapterkit.demo.english_forms import Frame, Nominal, be, conjugate, finite, number
from adapterkit.demo.english_phrases import DEFINITE, KINDS, OWNERS, SETTINGS, EnglishPhrases
from adapterkit.demo.phrases import ASK, COMMA, SHOUT, STOP, Phrase, tag, tagged

SPOTS = ("on/ADP", "under/ADP", "behind/ADP", "near/ADP")


@dataclass(frozen=True)
class English(EnglishPhrases):
    """The sentences of the grammar."""

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
        objects = (("where/ADV", ("thing", "small", "text")), ("why/ADV", KINDS))
        word, kinds = self.dice.one_of(objects)
        clause, _ = self.free(self.someone(), self.frame(*kinds, dynamic=True))
        return (*tagged(word), *clause.operator, *clause.subject, *clause.rest, *clause.tail, *ASK)

    def asking_who(self) -> Phrase:
        """Who wrote this letter?"""
        clause, _ = self.free(Nominal(tagged("who/PRON"), "third"), self.frame())
        return (*clause.subject, *clause.plain, *clause.tail, *ASK)

    def description(self) -> Phrase:
        """My house is not very big."""
        kind = self.dice.one_of(("person", "animal", "thing", "text", "place", "food", "drink"))
        subject = self.definite(kind, 0) if kind != "drink" else self.substance(kind, 0)
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
        pronoun = Nominal(self.dice.fixed(("he/PRON", "she/PRON")), "third")
        subject = self.dice.one_of((self.kin(), self.name(), pronoun))
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
            bring = self.dice.fixed(("bring/VERB", "give/VERB", "show/VERB"))
            order = (*bring, *tagged("me/PRON"), *gift)
        if self.dice.chance(0.4):
            return (*tagged("please/INTJ"), *order, *STOP)
        if self.dice.chance(0.4):
            return (*tagged("do/AUX not/PART"), *order, *SHOUT)
        return (*order, *COMMA, *tagged("please/INTJ"), *SHOUT)

    def definite_closed(self) -> Phrase:
        """Something that can be opened."""
        noun, _ = number(self.dice.pick("nouns", "closed"))
        determiner = self.dice.fixed((*DEFINITE, *OWNERS))
        return (*determiner, *self.adjective("small", 0.2), *tag(noun, "NOUN"))

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
