"""A phrase grammar of Esperanto: correct sentences with universal part-of-speech tags by construction.

Nouns and adjectives agree in number and case (-j, -n), verbs end in -as, -is, -os or -i. Tags follow UD: "estas"
is AUX before a predicate, possessives and correlatives in -iu are DET before a noun, "ne" is PART, "ĉu" PART.
Words are in `lexicons/epo.toml`.
"""

from adapterkit.demo.phrases import ASK, COMMA, STOP, Dice, Phrase, tag, tagged

_PRONOUNS = ("mi", "vi", "li", "ŝi", "ni", "ili")
_OWNERS = ("mia", "via", "lia", "ŝia", "nia", "ilia")
_FRAMES = ("food", "drink", "thing", "text", "animal", "place", "person")
_TENSES = ("as", "is", "is", "os")
_WHEN = {
    "as": ("nun/ADV", "ĉiutage/ADV", "hodiaŭ/ADV", ""),
    "is": ("hieraŭ/ADV", "antaŭ/ADP du/NUM tagoj/NOUN", ""),
    "os": ("morgaŭ/ADV", "baldaŭ/ADV", ""),
}


class Esperanto:
    """The grammar over one stream of choices."""

    def __init__(self, dice: Dice) -> None:
        self.dice = dice

    def sentence(self) -> Phrase:
        """One sentence from one of the templates."""
        template = self.dice.one_of(
            (self._statement, self._statement, self._statement, self._denial, self._question, self._copula)
            + (self._place, self._existence, self._two, self._because, self._says, self._wish, self._gift, self._compare)
        )
        return template()

    def _noun(self, kind: str, case: str = "") -> Phrase:
        """A noun phrase of ``kind``; ``case`` is "n" for objects."""
        d = self.dice
        if kind == "name":
            name = d.pick("names", "person")
            # Names that end in -o take the accusative; others stay as they are.
            return tag(name + case if name.endswith("o") else name, "PROPN")
        many = "j" if kind != "drink" and d.chance(0.35) else ""
        end = many + case
        stem = d.pick("nouns", kind)
        adjective = tag(d.pick("adjectives", "person" if kind == "female" else kind) + "a" + end, "ADJ") if d.chance(0.4) else ()
        return self._lead(many, case) + adjective + tag(stem + "o" + end, "NOUN")

    def _lead(self, many: str, case: str) -> Phrase:
        d = self.dice
        if many and d.chance(0.3):
            return d.tagged("numbers", "few", "NUM")
        which = d.one_of(("la", "la", "la", "tiu", "own", "none", "iu"))
        if which == "own":
            return tag(d.one_of(_OWNERS) + many + case, "DET")
        if which in ("tiu", "iu"):
            return tag(which + many + case, "DET")
        return tagged("la/DET") if which == "la" else ()

    def _subject(self) -> Phrase:
        d = self.dice
        if d.chance(0.3):
            return tag(d.one_of(_PRONOUNS), "PRON")
        return self._noun(d.one_of(("person", "person", "female", "name")))

    def _object(self, frame: str) -> Phrase:
        d = self.dice
        if frame == "person" and d.chance(0.3):
            return tag(d.one_of(_PRONOUNS) + "n", "PRON")
        return self._noun(frame, "n")

    def _where(self) -> Phrase:
        d = self.dice
        if d.chance(0.3):
            return tagged("en/ADP") + d.tagged("names", "place", "PROPN")
        old = tag(d.pick("adjectives", "place") + "a", "ADJ") if d.chance(0.3) else ()
        lead = d.fixed(("en/ADP la/DET", "apud/ADP la/DET", "malantaŭ/ADP la/DET", "antaŭ/ADP la/DET"))
        return lead + old + tag(d.pick("nouns", "place") + "o", "NOUN")

    def _predicate(self) -> tuple[str, Phrase]:
        """A verb's stem and what follows it."""
        d = self.dice
        frame = d.one_of((*_FRAMES, "act", "move", "stay"))
        if frame == "move":
            return d.pick("verbs", "move"), tagged("al/ADP la/DET") + tag(d.pick("nouns", "place") + "o", "NOUN")
        if frame == "act":
            return d.pick("verbs", "act"), d.tagged("adverbs", "manner", "ADV") if d.chance(0.5) else self._where()
        return d.pick("verbs", frame), self._where() if frame == "stay" else self._object(frame)

    def _clause(self, tense: str, *, negated: bool = False) -> Phrase:
        stem, tail = self._predicate()
        no = tagged("ne/PART") if negated else ()
        return self._subject() + no + tag(stem + tense, "VERB") + tail

    def _statement(self) -> Phrase:
        tense = self.dice.one_of(_TENSES)
        if self.dice.chance(0.25):
            stem, tail = self._predicate()
            can = self.dice.fixed(("povas/VERB", "devas/VERB", "povis/VERB"))
            return self._subject() + can + tag(stem + "i", "VERB") + tail + STOP
        return self._clause(tense) + self.dice.fixed(_WHEN[tense]) + STOP

    def _denial(self) -> Phrase:
        return self._clause(self.dice.one_of(_TENSES), negated=True) + STOP

    def _question(self) -> Phrase:
        ask = self.dice.fixed(("ĉu/PART", "ĉu/PART", "kial/ADV", "kiam/ADV"))
        return ask + self._clause(self.dice.one_of(_TENSES)) + ASK

    def _copula(self) -> Phrase:
        d = self.dice
        kind = d.one_of(("person", "thing", "place", "food", "text"))
        many = "j" if d.chance(0.3) else ""
        very = d.tagged("adverbs", "degree", "ADV") if d.chance(0.5) else ()
        subject = tagged("la/DET") + tag(d.pick("nouns", kind) + "o" + many, "NOUN")
        return subject + d.fixed(("estas/AUX", "estis/AUX")) + very + tag(d.pick("adjectives", kind) + "a" + many, "ADJ") + STOP

    def _place(self) -> Phrase:
        subject = self._noun(self.dice.one_of(("thing", "person", "animal", "name")))
        return subject + self.dice.fixed(("estas/AUX", "estis/AUX")) + self._where() + STOP

    def _existence(self) -> Phrase:
        d = self.dice
        return self._where() + tagged("estas/VERB") + d.tagged("numbers", "few", "NUM") + tag(d.pick("nouns", "animal") + "oj", "NOUN") + STOP

    def _two(self) -> Phrase:
        join = self.dice.fixed(("kaj/CCONJ", "sed/CCONJ"))
        return self._clause("is") + COMMA + join + self._clause("is") + STOP

    def _because(self) -> Phrase:
        join = self.dice.fixed(("ĉar/SCONJ", "dum/SCONJ"))
        return self._clause("is") + COMMA + join + self._clause("is") + STOP

    def _says(self) -> Phrase:
        said = tag(self.dice.pick("verbs", "say") + "is", "VERB")
        return self._subject() + said + COMMA + tagged("ke/SCONJ") + self._clause("as") + STOP

    def _wish(self) -> Phrase:
        stem, tail = self._predicate()
        return self._subject() + self.dice.fixed(("volas/VERB", "esperas/VERB")) + tag(stem + "i", "VERB") + tail + STOP

    def _gift(self) -> Phrase:
        gave = tag(self.dice.pick("verbs", "give") + self.dice.one_of(_TENSES), "VERB")
        return self._subject() + gave + self._noun("thing", "n") + tagged("al/ADP") + self._noun("person") + STOP

    def _compare(self) -> Phrase:
        d = self.dice
        first, second = (tag(d.pick("nouns", "animal") + "o", "NOUN") for _ in range(2))
        more = tagged("pli/ADV") + tag(d.pick("adjectives", "animal") + "a", "ADJ")
        return tagged("la/DET") + first + tagged("estas/AUX") + more + tagged("ol/SCONJ tiu/DET") + second + STOP
