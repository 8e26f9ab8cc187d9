"""A phrase grammar of Esperanto: correct sentences with part-of-speech tags by construction.

In it: the sentence templates; their parts are in `esperanto_phrases.py`. The tags follow what UD
says of Esperanto (the copula "esti" is AUX, "ĉi" is PART, a correlative before a noun is DET and
alone PRON) and, where it is silent, the universal guidelines: "ne" and "ĉu" are PART, possessives
before a noun are DET, "estas" meaning "there is" is VERB.
"""

from collections.abc import Callable
from dataclasses import dataclass

from adapterkit.demo.esperanto_phrases import (
    ACCUSATIVE,
    JOINTS,
    NOMINATIVE,
    PAST,
    PRESENT,
    WHEN,
    EsperantoPhrases,
    conjugate,
    inflect,
)
from adapterkit.demo.phrases import ASK, COMMA, SHOUT, STOP, Phrase, tag, tagged

SPOTS = ("sur/ADP", "sub/ADP", "malantaŭ/ADP", "apud/ADP")


@dataclass(frozen=True)
class Esperanto(EsperantoPhrases):
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
        """La instruisto ofte legas gazeton."""
        tense, draw = self.tense(), self.dice.generator.random()
        if draw < 0.15:
            often = self.dice.tagged("adverbs", "middle", "ADV")
            return (*self.someone(), *often, *self.predicate(PRESENT), *STOP)
        if draw < 0.35:
            return (*self.plain(tense), *self.dice.fixed(WHEN[tense]), *STOP)
        if draw < 0.5:
            return (*self.dice.fixed(WHEN[tense]), *self.plain(tense), *STOP)
        day = self.dice.tagged("days", "when", "ADV") if draw < 0.6 else ()
        return (*day, *self.plain(tense), *STOP)

    def denial(self) -> Phrase:
        """Ili ne vendis la aŭton."""
        return (*self.someone(), *tagged("ne/PART"), *self.predicate(self.tense()), *STOP)

    def question(self) -> Phrase:
        """Ĉu via onklo vizitis Londonon?"""
        return (*tagged("ĉu/PART"), *self.plain(self.tense()), *ASK)

    def asking_what(self) -> Phrase:
        """Kion la lernantoj legis en la biblioteko?"""
        kind = self.dice.one_of(("food", "drink", "thing", "text"))
        verb = conjugate(self.dice.pick("verbs", kind), self.tense())
        what = tagged("kion/PRON")
        if self.dice.chance(0.4):
            noun = self.dice.pick("nouns", kind)
            which = tag(inflect("kiu", plural=True, case=ACCUSATIVE), "DET")
            what = (*which, *tag(inflect(noun, plural=True, case=ACCUSATIVE), "NOUN"))
            what = tagged("kion/PRON") if kind == "drink" else what
        where = self.where() if self.dice.chance(0.6) else ()
        return (*what, *verb, *self.someone(), *where, *ASK)

    def asking_where(self) -> Phrase:
        """Kie estas mia sako? Kial Petro studas historion?"""
        draw = self.dice.generator.random()
        if draw < 0.3:
            thing = self.definite(self.dice.one_of(("small", "text", "animal")))
            return (*tagged("kie/ADV estas/AUX"), *thing, *ASK)
        if draw < 0.5:
            verb = conjugate(self.dice.pick("verbs", "stay"), self.tense())
            return (*tagged("kie/ADV"), *verb, *self.someone(), *ASK)
        return (*self.dice.fixed(("kial/ADV", "kiam/ADV")), *self.plain(self.tense()), *ASK)

    def asking_who(self) -> Phrase:
        """Kiu skribis ĉi tiun leteron?"""
        return (*tagged("kiu/PRON"), *self.predicate(self.tense()), *ASK)

    def description(self) -> Phrase:
        """Miaj ŝuoj ne estas tre malnovaj."""
        kind = self.dice.one_of(("person", "animal", "thing", "text", "place", "food", "drink"))
        plural = kind != "drink" and self.dice.chance(0.35)
        subject = self.definite(kind, plural=plural, chance=0)
        mood = kind == "person" and self.dice.chance(0.5)
        quality = self.dice.pick("adjectives", "feeling" if mood else kind)
        negation = tagged("ne/PART") if self.dice.chance(0.2) else ()
        degree = self.dice.tagged("adverbs", "degree", "ADV") if self.dice.chance(0.5) else ()
        adjective = tag(inflect(quality, plural=plural, case=NOMINATIVE), "ADJ")
        return (*subject, *negation, *conjugate("esti", self.tense()), *degree, *adjective, *STOP)

    def profession(self) -> Phrase:
        """Lia frato estas fama pentristo."""
        subject = self.dice.one_of((self.kin, self.name, lambda: tagged("li/PRON")))()
        quality = self.dice.tagged("adjectives", "person", "ADJ") if self.dice.chance(0.5) else ()
        job = (*quality, *self.dice.tagged("nouns", "job", "NOUN"))
        where = self.where() if self.dice.chance(0.4) else ()
        return (*subject, *conjugate("esti", self.tense()), *job, *where, *STOP)

    def location(self) -> Phrase:
        """La ŝlosiloj estas sur la tablo."""
        if self.dice.chance(0.4):
            subject, where = self.someone(), self.where()
        else:
            kind = self.dice.one_of(("small", "text", "animal"))
            subject = self.definite(kind, plural=self.dice.chance(0.35))
            base = self.inflected("furniture", plural=False, case=NOMINATIVE, adjective=0.2)
            where = (*self.dice.fixed(SPOTS), *tagged("la/DET"), *base)
        negation = tagged("ne/PART") if self.dice.chance(0.2) else ()
        return (*subject, *negation, *conjugate("esti", self.tense()), *where, *STOP)

    def existence(self) -> Phrase:
        """Estas tri katoj en la ĝardeno."""
        kind = self.dice.one_of(("animal", "small", "text", "person"))
        verb = self.dice.fixed(("estas/VERB", "estis/VERB", "estas/VERB"))
        return (*verb, *self.indefinite(kind), *self.where(), *STOP)

    def coordination(self) -> Phrase:
        """Petro kuiras la supon, sed Maria legas libron."""
        tense = self.tense()
        joint = self.dice.fixed((",/PUNCT sed/CCONJ", "kaj/CCONJ", ",/PUNCT kaj/CCONJ"))
        return (*self.plain(tense), *joint, *self.plain(tense), *STOP)

    def subordination(self) -> Phrase:
        """Kiam la gastoj venis, ni estis en la parko."""
        tense = self.tense()
        main, side = self.plain(tense), (*self.dice.fixed(JOINTS), *self.plain(tense))
        first, second = (side, main) if self.dice.chance(0.35) else (main, side)
        return (*first, *COMMA, *second, *STOP)

    def opinion(self) -> Phrase:
        """La kamparano pensas, ke la ĉevalo estas maljuna."""
        verb = conjugate(self.dice.pick("verbs", "say"), self.dice.one_of((PRESENT, PAST)))
        content = self.plain(self.tense())
        content = content if self.dice.chance(0.6) else self.description()[:-1]
        return (*self.someone(), *verb, *COMMA, *tagged("ke/SCONJ"), *content, *STOP)

    def wish(self) -> Phrase:
        """Ni volas viziti la muzeon."""
        content = self.frame()
        infinitive = (*tag(content.verb, "VERB"), *content.tail)
        negation = tagged("ne/PART") if self.dice.chance(0.2) else ()
        verb = conjugate(self.dice.pick("verbs", "wish"), self.tense())
        return (*self.someone(), *negation, *verb, *infinitive, *STOP)

    def gift(self) -> Phrase:
        """Mi sendis poŝtkarton al ŝia onklino."""
        giver = self.dice.one_of((self.name(), tagged("mi/PRON"), tagged("ni/PRON")))
        gift = self.noun(self.dice.one_of(("small", "text")), case=ACCUSATIVE)
        verb = conjugate(self.dice.pick("verbs", "give"), self.tense())
        return (*giver, *verb, *gift, *tagged("al/ADP"), *self.known(), *STOP)

    def comparison(self) -> Phrase:
        """Ĉi tiu hundo estas pli granda ol tiu kato."""
        kind = self.dice.one_of(("animal", "animal", "person"))
        plural = self.dice.chance(0.3)
        quality = self.dice.pick("adjectives", "more" if kind == "animal" else kind)
        adjective = tag(inflect(quality, plural=plural, case=NOMINATIVE), "ADJ")
        than = (*tagged("pli/ADV"), *adjective, *tagged("ol/ADP"))
        verb = conjugate("esti", self.dice.one_of((PRESENT, PAST)))
        return (*self.definite(kind, plural=plural), *verb, *than, *self.definite(kind), *STOP)

    def request(self) -> Phrase:
        """Bonvolu malfermi la fenestron!"""
        verb, thing = self.dice.pick("verbs", "close"), self.definite("closed", case=ACCUSATIVE)
        if self.dice.chance(0.5):
            kind = self.dice.one_of(("small", "text"))
            thing = (*tagged("al/ADP mi/PRON"), *self.definite(kind, case=ACCUSATIVE))
            verb = self.dice.pick("verbs", "hand")
        if self.dice.chance(0.4):
            return (*tagged("bonvolu/VERB"), *tag(verb, "VERB"), *thing, *SHOUT)
        order = (*conjugate(verb, "u"), *thing)
        if self.dice.chance(0.3):
            return (*tagged("ne/PART"), *order, *SHOUT)
        return (*order, *COMMA, *tagged("mi/PRON petas/VERB"), *STOP)

    def weather(self) -> Phrase:
        """Hieraŭ estis tre malvarme en Berlino."""
        tense = self.tense()
        where, when = (*tagged("en/ADP"), *self.town()), self.dice.fixed(WHEN[tense][:1])
        verb = conjugate(self.dice.pick("weather", "verb"), tense)
        if self.dice.chance(0.5):
            degree = self.dice.tagged("adverbs", "degree", "ADV") if self.dice.chance(0.4) else ()
            cold = self.dice.tagged("weather", "adverb", "ADV")
            verb = (*conjugate("esti", tense), *degree, *cold)
        return self.dice.one_of(((*when, *verb, *where, *STOP), (*verb, *where, *when, *STOP)))

    def relative(self) -> Phrase:
        """La virino, kiu laboras en la banko, havas tri infanojn."""
        plural = self.dice.chance(0.4)
        who = tag(inflect("kiu", plural=plural, case=NOMINATIVE), "PRON")
        head = self.definite("person", plural=plural)
        inside = (*COMMA, *who, *self.predicate(PRESENT), *COMMA)
        return (*head, *inside, *self.predicate(self.tense()), *STOP)

    def answer(self) -> Phrase:
        """Jes, ili ŝatas la instruiston."""
        if self.dice.chance(0.4):
            return (*tagged("ne/INTJ"), *COMMA, *self.denial())
        word = self.dice.fixed(("jes/INTJ", "ho/INTJ", "nu/INTJ", "jes/INTJ"))
        return (*word, *COMMA, *self.plain(self.tense()), *STOP)

    def beast(self) -> Phrase:
        """Malgranda hundo ĉasas la anasojn."""
        subject = self.noun("animal")
        if self.dice.chance(0.5):
            return (*subject, *self.predicate(self.tense(), frame=self.frame("beast")), *STOP)
        verb = conjugate(self.dice.pick("verbs", "hunt"), self.tense())
        return (*subject, *verb, *self.noun("animal", case=ACCUSATIVE), *STOP)
