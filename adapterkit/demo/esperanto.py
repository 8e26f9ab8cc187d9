"""A phrase grammar of Esperanto: correct sentences with part-of-speech tags by construction.

In it: inflection (plural -j, accusative -n, tenses), phrases and the sentence templates. The tags
follow what UD says of Esperanto (the copula "esti" is AUX, "ĉi" is PART, a correlative before a noun
is DET and alone PRON) and, where it is silent, the universal guidelines: "ne" and "ĉu" are PART,
possessives before a noun are DET, "estas" meaning "there is" is VERB. Not in it: words, which are in
`lexicons/epo.toml`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from .phrases import ASK, COMMA, SHOUT, STOP, Dice, Phrase, tag, tagged

NOMINATIVE, ACCUSATIVE = "", "n"
OWNERS = ("mia", "via", "lia", "ŝia", "nia", "ilia")
OWNED = ("thing", "small", "text", "food")  # what people commonly call theirs
PRONOUNS = ("mi", "vi", "li", "ŝi", "ni", "ili")
KINDS = ("food", "mass", "drink", "thing", "small", "text", "person", "animal", "place", "lesson")
SPOTS = ("sur/ADP", "sub/ADP", "malantaŭ/ADP", "apud/ADP")
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
class Esperanto:
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

    def definite(self, kind: str, *, case: str = NOMINATIVE, plural: bool = False) -> Phrase:
        """A noun with a determiner: "tiujn malnovajn librojn"."""
        determiner = self.determiner(kind, plural=plural, case=case)
        noun = self.inflected(kind, plural=plural, case=case, adjective=0.25)
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
        options = (self.kin, self.name, lambda case: self.definite("person", case=case))
        return self.dice.one_of(options)(case=case)

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
                return tag(self.dice.one_of(PRONOUNS) + ACCUSATIVE, "PRON")
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

    # Sentences

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
        subject = self.definite(kind, plural=plural)
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
        """Li sendis poŝtkarton al sia... his own would need "sia", so the giver is a name or "mi"."""
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
