"""A phrase grammar of Haitian Creole: correct sentences with part-of-speech tags by construction.

In it: the sentence templates; their parts are in `creole_phrases.py`. The tags follow UD Haitian
Creole Adolphe: "te", "ap", "pral", "ka", "dwe" and "se" are AUX, "pa" is ADV, "èske" is PART,
possessors after the noun are PRON, "jodi a" is NOUN and DET; plural "yo" after a noun, on which
the treebank wavers, is always DET here.
"""

from collections.abc import Callable
from dataclasses import dataclass

from adapterkit.demo.creole_phrases import (
    CAN,
    DONE,
    FUTURE,
    NOW,
    PAST,
    SETTINGS,
    TOMORROW,
    WHEN,
    YESTERDAY,
    CreolePhrases,
    Frame,
    define,
    mark,
)
from adapterkit.demo.phrases import ASK, COMMA, SHOUT, STOP, Phrase, tag, tagged

SPOTS = ("sou/ADP", "anba/ADP", "dèyè/ADP", "devan/ADP")


@dataclass(frozen=True)
class Creole(CreolePhrases):
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
        rest = (self.request, self.weather, self.answer, self.beast, self.habit)
        return (*common, *common, *asking, *being, *joined, *rest)

    def statement(self) -> Phrase:
        """Pwofesè a ap li yon liv."""
        frame = self.frame()
        marker = self.marker(frame)
        clause = self.clause(self.someone(), frame, marker)
        lasting = frame.verb in self.dice.lexicon["verbs"]["stative"]
        draw = self.dice.generator.random()
        if lasting or draw < 0.55:
            return (*clause, *STOP)
        time = self.dice.fixed(WHEN[marker])
        return (*clause, *time, *STOP) if draw < 0.8 else (*time, *COMMA, *clause, *STOP)

    def habit(self) -> Phrase:
        """Timoun yo toujou jwe nan lakou a. Mwen bwè kafe chak maten."""
        frame = self.frame(dynamic=True)
        subject, verb = self.someone(), (*tag(frame.verb, "VERB"), *frame.tail)
        if self.dice.chance(0.4):
            often = self.dice.tagged("adverbs", "middle", "ADV")
            return (*subject, *often, *verb, *STOP)
        day = self.dice.tagged("days", "when", "NOUN")
        time = self.dice.one_of((day, tagged("jou/NOUN"), tagged("maten/NOUN"), tagged("swa/NOUN")))
        return (*subject, *verb, *tagged("chak/DET"), *time, *STOP)

    def denial(self) -> Phrase:
        """Yo pa t vann machin lan."""
        frame, subject = self.frame(), self.someone()
        if self.dice.chance(0.2):
            never = (*tagged("pa/ADV janm/ADV"), *tag(frame.verb, "VERB"), *frame.tail)
            return (*subject, *never, *STOP)
        return (*self.clause(subject, frame, self.marker(frame), negative=True), *STOP)

    def question(self) -> Phrase:
        """Èske tonton ou te vizite Pòtoprens?"""
        frame = self.frame()
        clause = self.clause(self.someone(), frame, self.marker(frame))
        return (*tagged("èske/PART"), *clause, *ASK)

    def asking_what(self) -> Phrase:
        """Kisa elèv yo te li nan lekòl la?"""
        kind = self.dice.one_of(("food", "drink", "thing", "text"))
        frame = self.frame(kind, dynamic=True)
        where = self.where() if self.dice.chance(0.6) else ()
        noun = self.dice.tagged("nouns", kind, "NOUN")
        which = (*self.dice.fixed(("ki/DET", "konbyen/DET")), *noun)
        which = tagged("kisa/PRON") if kind == "drink" or self.dice.chance(0.6) else which
        clause = self.clause(self.someone(), Frame(frame.verb, where), self.marker(frame))
        return (*which, *clause, *ASK)

    def asking_where(self) -> Phrase:
        """Ki kote kle mwen yo ye? Poukisa Mari ap kriye?"""
        draw = self.dice.generator.random()
        if draw < 0.25:
            thing = self.definite(self.dice.one_of(("small", "text", "animal")))
            return (*tagged("ki/DET kote/NOUN"), *thing, *tagged("ye/VERB"), *ASK)
        if draw < 0.4:
            live = self.dice.fixed(("rete/VERB", "te/AUX rete/VERB", "ap/AUX travay/VERB"))
            return (*tagged("ki/DET kote/NOUN"), *self.known(), *live, *ASK)
        frame = self.frame(dynamic=True)
        clause = self.clause(self.someone(), frame, self.marker(frame))
        return (*self.dice.fixed(("poukisa/ADV", "kilè/ADV")), *clause, *ASK)

    def asking_who(self) -> Phrase:
        """Kiyès ki te ekri lèt sa a?"""
        frame = self.frame()
        marker = self.dice.one_of((DONE, PAST, FUTURE))
        clause = self.clause(tagged("kiyès/PRON ki/PRON"), frame, marker)
        return (*clause, *ASK)

    def degree(self, quality: Phrase) -> Phrase:
        """Strengthen an adjective, or not: "twò gwo", "gwo anpil"."""
        before = self.dice.fixed(("twò/ADV", "trè/ADV", "byen/ADV"))
        strong = ((*before, *quality), (*quality, *tagged("anpil/ADV")))
        return self.dice.one_of((quality, quality, *strong))

    def description(self) -> Phrase:
        """Kay mwen an pa twò gwo."""
        kind = self.dice.one_of(("person", "animal", "thing", "text", "place", "food", "drink"))
        subject = define(self.bare(kind, 0)) if kind == "drink" else self.definite(kind, 0)
        quality = kind
        if kind == "person":
            subject, quality = self.someone(), self.dice.one_of(("person", "feeling"))
        past = self.dice.chance(0.35)
        negation = tagged("pa/ADV") if self.dice.chance(0.2) else ()
        was = mark("t" if negation else "te") if past else ()
        adjective = self.degree(self.dice.tagged("adjectives", quality, "ADJ"))
        return (*subject, *negation, *was, *adjective, *STOP)

    def profession(self) -> Phrase:
        """Frè li se yon bon chofè."""
        subject = self.dice.one_of((self.kin, self.name, self.pronoun))()
        before = self.dice.fixed(("bon/ADJ", "jèn/ADJ")) if self.dice.chance(0.4) else ()
        job = (*before, *self.dice.tagged("nouns", "job", "NOUN"))
        where = self.where() if self.dice.chance(0.4) else ()
        one = tagged("yon/DET") if self.dice.chance(0.8) or before else ()
        return (*subject, *tagged("se/AUX"), *one, *job, *where, *STOP)

    def location(self) -> Phrase:
        """Kle yo sou tab la."""
        if self.dice.chance(0.4):
            subject, where = self.someone(), self.where()
        else:
            subject = self.definite(self.dice.one_of(("small", "text", "animal")))
            where = (*self.dice.fixed(SPOTS), *define(self.bare("furniture", 0.2)))
        negation = tagged("pa/ADV") if self.dice.chance(0.2) else ()
        was = mark("t" if negation else "te") if self.dice.chance(0.35) else ()
        return (*subject, *negation, *was, *where, *STOP)

    def existence(self) -> Phrase:
        """Gen twa chat nan lakou a."""
        kind = self.dice.one_of(("animal", "small", "text", "person"))
        verb = self.dice.fixed(("gen/VERB", "te/AUX gen/VERB", "gen/VERB"))
        return (*verb, *self.indefinite(kind), *self.where(), *STOP)

    def coordination(self) -> Phrase:
        """Pyè ap prepare soup la, men Mari ap li yon liv."""
        marker = self.dice.one_of((PAST, NOW, FUTURE, CAN))
        joint = self.dice.fixed((",/PUNCT men/CCONJ", "epi/CCONJ", ",/PUNCT epi/CCONJ", "e/CCONJ"))
        return (*self.plain(marker), *joint, *self.plain(marker), *STOP)

    def subordination(self) -> Phrase:
        """Lè envite yo te rive, nou te nan lakou a."""
        first, second, joints = self.dice.one_of(SETTINGS)
        main, side = self.plain(first), (*self.dice.fixed(joints), *self.plain(second))
        return (*side, *COMMA, *main, *STOP) if self.dice.chance(0.35) else (*main, *side, *STOP)

    def opinion(self) -> Phrase:
        """Kiltivatè a panse ke chwal la fatige."""
        verb = self.dice.tagged("verbs", "say", "VERB")
        was = mark("te") if self.dice.chance(0.3) else ()
        frame = self.frame()
        content = self.clause(self.someone(), frame, self.marker(frame))
        content = content if self.dice.chance(0.6) else self.description()[:-1]
        return (*self.someone(), *was, *verb, *tagged("ke/SCONJ"), *content, *STOP)

    def wish(self) -> Phrase:
        """Nou vle vizite mize a."""
        content = self.frame(dynamic=True)
        verb = self.dice.tagged("verbs", "wish", "VERB")
        negation = tagged("pa/ADV") if self.dice.chance(0.2) else ()
        was = mark("t" if negation else "te") if self.dice.chance(0.25) else ()
        infinitive = (*tag(content.verb, "VERB"), *content.tail)
        return (*self.someone(), *negation, *was, *verb, *infinitive, *STOP)

    def gift(self) -> Phrase:
        """Li te bay matant li yon liv. Yo voye yon mesaj bay Jan."""
        gift = self.noun(self.dice.one_of(("small", "text")))
        if self.dice.chance(0.35):
            frame = Frame("voye", (*gift, *tagged("bay/VERB"), *self.known()))
        else:
            frame = Frame(self.dice.pick("verbs", "give"), (*self.known(), *gift))
        return (*self.clause(self.someone(), frame, self.marker(frame)), *STOP)

    def comparison(self) -> Phrase:
        """Chen sa a pi gwo pase chat la."""
        kind = self.dice.one_of(("animal", "thing", "person", "place"))
        more = (*tagged("pi/ADV"), *self.dice.tagged("adjectives", f"more_{kind}", "ADJ"))
        was = mark("te") if self.dice.chance(0.25) else ()
        first, second = self.definite(kind, 0), self.definite(kind, 0)
        return (*first, *was, *more, *tagged("pase/ADP"), *second, *STOP)

    def request(self) -> Phrase:
        """Tanpri, fèmen pòt la! Ban mwen kle a, tanpri."""
        order = (*self.dice.tagged("verbs", "close", "VERB"), *self.definite("closed"))
        if self.dice.chance(0.5):
            gift = self.definite(self.dice.one_of(("small", "text")))
            order = (*self.dice.fixed(("ban/VERB mwen/PRON", "montre/VERB mwen/PRON")), *gift)
        if self.dice.chance(0.35):
            return (*tagged("tanpri/INTJ"), *COMMA, *order, *SHOUT)
        if self.dice.chance(0.35):
            return (*tagged("pa/ADV"), *order, *SHOUT)
        return (*order, *COMMA, *tagged("tanpri/INTJ"), *STOP)

    def weather(self) -> Phrase:
        """Lapli ap tonbe nan vil Jakmèl jodi a."""
        where = (*tagged("nan/ADP vil/NOUN"), *self.town())
        hot = (*tagged("fè/VERB"), *self.dice.tagged("adjectives", "weather", "ADJ"))
        very = tagged("anpil/ADV") if self.dice.chance(0.4) else ()
        options = (
            (tagged("lapli/NOUN ap/AUX tonbe/VERB"), ("jodi/NOUN a/DET", "ankò/ADV", "")),
            (tagged("lapli/NOUN te/AUX tonbe/VERB"), YESTERDAY),
            (tagged("lapli/NOUN pral/AUX tonbe/VERB"), TOMORROW),
            ((*tagged("li/PRON"), *hot, *very), ("jodi/NOUN a/DET", "kounye/ADV a/DET", "")),
            ((*tagged("li/PRON te/AUX"), *hot, *very), YESTERDAY),
        )
        verb, times = self.dice.one_of(options)
        return (*verb, *where, *self.dice.fixed(times), *STOP)

    def relative(self) -> Phrase:
        """Mwen konnen yon fanm ki travay nan lopital la."""
        person = (*tagged("yon/DET"), *self.bare("person", 0.2))
        frame = self.frame()
        inside = self.clause(tagged("ki/PRON"), frame, self.dice.one_of((DONE, PAST, PAST)))
        outer = Frame(self.dice.pick("verbs", "person"), (*person, *inside))
        return (*self.clause(self.someone(), outer, self.marker(outer)), *STOP)

    def answer(self) -> Phrase:
        """Wi, yo renmen pwofesè a."""
        if self.dice.chance(0.4):
            return (*tagged("non/INTJ"), *COMMA, *self.denial())
        frame = self.frame()
        clause = self.clause(self.someone(), frame, self.marker(frame))
        return (*self.dice.fixed(("wi/INTJ", "o/INTJ", "wi/INTJ")), *COMMA, *clause, *STOP)

    def beast(self) -> Phrase:
        """Yon ti chen ap kouri dèyè kay la."""
        frame = self.frame("beast")
        if self.dice.chance(0.5):
            frame = Frame(self.dice.pick("verbs", "hunt"), self.noun("animal"))
        return (*self.clause(self.noun("animal"), frame, self.marker(frame)), *STOP)
