"""A phrase grammar of Haitian Creole: correct sentences with universal part-of-speech tags by construction.

Nothing is inflected. The definite determiner stands after the noun phrase and follows its last sound: "la" after
a consonant, "lan" after a nasal consonant, "a" after an oral vowel, "an" after a nasal vowel; "yo" for many.
Tags follow UD Haitian Creole Adolphe: tense and mood markers AUX, "pa" ADV, "se" AUX, "yo" DET after a noun.
Words are in `lexicons/hat.toml`.
"""

from adapterkit.demo.phrases import ASK, COMMA, STOP, Dice, Phrase, tag, tagged

_PRONOUNS = ("mwen", "ou", "li", "nou", "yo")
_FRAMES = ("food", "drink", "thing", "text", "animal", "place", "person")
_MARKERS = ("te/AUX", "te/AUX", "ap/AUX", "pral/AUX", "")
_WHEN = {
    "te/AUX": ("yè/ADV", "semèn/NOUN pase/ADJ", ""),
    "ap/AUX": ("kounye/ADV a/DET", "jodi/ADV a/DET", ""),
    "pral/AUX": ("demen/ADV", "talè/ADV", ""),
    "": ("chak/DET jou/NOUN", ""),
}
_PLAIN = ("vle", "konnen", "renmen", "bezwen", "kwè")
"""Verbs of states: the bare verb is their present."""


def determiner(word: str) -> str:
    """The definite determiner that follows ``word``.

    Source: the rule of standard Haitian orthography (official since 1979).
    """
    if word.endswith(("nm", "n", "m", "ng")) and not word.endswith(("an", "en", "on")):
        return "lan"
    if word.endswith(("an", "en", "on")):
        return "an"
    return "a" if word[-1] in "aeiouèòéà" else "la"


class Haitian:
    """The grammar over one stream of choices."""

    def __init__(self, dice: Dice) -> None:
        self.dice = dice

    def sentence(self) -> Phrase:
        """One sentence from one of the templates."""
        template = self.dice.one_of(
            (self._statement, self._statement, self._statement, self._denial, self._question, self._copula)
            + (self._place, self._existence, self._two, self._because, self._says, self._wish, self._gift, self._compare)
            + (self._identity,)
        )
        return template()

    def _noun(self, kind: str) -> Phrase:
        """A noun phrase of ``kind``, with its determiner before or after it."""
        d = self.dice
        if kind == "name":
            return d.tagged("names", "person", "PROPN")
        core = d.tagged("nouns", kind, "NOUN")
        if kind != "drink" and d.chance(0.2):
            core = d.tagged("before", "any", "ADJ") + core
        elif d.chance(0.25):
            core = core + d.tagged("adjectives", kind, "ADJ")
        return self._determined(core, kind)

    def _determined(self, core: Phrase, kind: str) -> Phrase:
        d = self.dice
        draw = d.generator.random()
        if draw < 0.25 and kind != "drink":
            return tagged("yon/DET") + core
        if draw < 0.35 and kind != "drink":
            return d.tagged("numbers", "few", "NUM") + core
        if draw < 0.5:
            return core + tag(d.one_of(("mwen", "li", "nou")), "PRON")
        if draw < 0.6:
            return core + tagged("sa/DET a/DET")
        if draw < 0.75 and kind != "drink":
            return core + tagged("yo/DET")
        return core + tag(determiner(core[-1][0]), "DET")

    def _subject(self) -> Phrase:
        d = self.dice
        if d.chance(0.35):
            return tag(d.one_of(_PRONOUNS), "PRON")
        return self._noun(d.one_of(("person", "person", "name")))

    def _object(self, frame: str) -> Phrase:
        d = self.dice
        if frame == "person" and d.chance(0.3):
            return tag(d.one_of(_PRONOUNS), "PRON")
        return self._noun(frame)

    def _where(self) -> Phrase:
        d = self.dice
        if d.chance(0.3):
            return tagged("nan/ADP") + d.tagged("names", "place", "PROPN")
        place = d.tagged("nouns", "place", "NOUN")
        return d.fixed(("nan/ADP", "nan/ADP", "devan/ADP", "dèyè/ADP", "bò/ADP")) + place + tag(determiner(place[0][0]), "DET")

    def _predicate(self) -> tuple[str, Phrase]:
        """A verb and what follows it."""
        d = self.dice
        frame = d.one_of((*_FRAMES, "act", "move", "stay"))
        if frame == "move":
            place = d.tagged("nouns", "place", "NOUN")
            return d.pick("verbs", "move"), tagged("nan/ADP") + place + tag(determiner(place[0][0]), "DET")
        if frame == "act":
            return d.pick("verbs", "act"), d.tagged("adverbs", "manner", "ADV") if d.chance(0.5) else self._where()
        return d.pick("verbs", frame), self._where() if frame == "stay" else self._object(frame)

    def _clause(self, marker: str, *, negated: bool = False) -> Phrase:
        verb, tail = self._predicate()
        if marker == "ap/AUX" and verb in _PLAIN:
            marker = ""
        no = tagged("pa/ADV") if negated else ()
        return self._subject() + no + tagged(marker) + tag(verb, "VERB") + tail

    def _statement(self) -> Phrase:
        d = self.dice
        if d.chance(0.2):
            verb, tail = self._predicate()
            return self._subject() + d.fixed(("ka/AUX", "dwe/AUX", "te/AUX ka/AUX")) + tag(verb, "VERB") + tail + STOP
        marker = d.one_of(_MARKERS)
        return self._clause(marker) + d.fixed(_WHEN[marker] if marker != "ap/AUX" else ("",)) + STOP

    def _denial(self) -> Phrase:
        return self._clause(self.dice.one_of(("te/AUX", "te/AUX", "pral/AUX", "")), negated=True) + STOP

    def _question(self) -> Phrase:
        ask = self.dice.fixed(("èske/ADV", "èske/ADV", "poukisa/ADV"))
        return ask + self._clause(self.dice.one_of(_MARKERS)) + ASK

    def _copula(self) -> Phrase:
        d = self.dice
        kind = d.one_of(("person", "thing", "place", "food", "text"))
        noun = d.tagged("nouns", kind, "NOUN")
        was = d.fixed(("te/AUX", "", ""))
        end = d.fixed(("anpil/ADV", "", ""))
        return noun + tag(determiner(noun[0][0]), "DET") + was + d.tagged("adjectives", kind, "ADJ") + end + STOP

    def _identity(self) -> Phrase:
        d = self.dice
        who = d.one_of((d.tagged("names", "person", "PROPN"), tag(d.one_of(_PRONOUNS[:3]), "PRON")))
        return who + tagged("se/AUX yon/DET") + d.tagged("nouns", "person", "NOUN") + STOP

    def _place(self) -> Phrase:
        subject = self._noun(self.dice.one_of(("thing", "person", "animal", "name")))
        return subject + self.dice.fixed(("te/AUX", "")) + self._where() + STOP

    def _existence(self) -> Phrase:
        d = self.dice
        return tagged("gen/VERB") + d.tagged("numbers", "few", "NUM") + d.tagged("nouns", "animal", "NOUN") + self._where() + STOP

    def _two(self) -> Phrase:
        join = self.dice.fixed(("epi/CCONJ", "men/CCONJ"))
        return self._clause("te/AUX") + COMMA + join + self._clause("te/AUX") + STOP

    def _because(self) -> Phrase:
        return self._clause("te/AUX") + tagged("paske/SCONJ") + self._clause("te/AUX") + STOP

    def _says(self) -> Phrase:
        said = tagged("te/AUX") + self.dice.tagged("verbs", "say", "VERB")
        return self._subject() + said + tagged("ke/SCONJ") + self._clause("te/AUX") + STOP

    def _wish(self) -> Phrase:
        verb, tail = self._predicate()
        return self._subject() + self.dice.fixed(("vle/VERB", "te/AUX vle/VERB")) + tag(verb, "VERB") + tail + STOP

    def _gift(self) -> Phrase:
        # The receiver comes first, without a preposition: "Li bay Mari liv la."
        d = self.dice
        given = d.tagged("nouns", "thing", "NOUN")
        who = d.one_of((d.tagged("names", "person", "PROPN"), tag(d.one_of(_PRONOUNS), "PRON")))
        gave = d.fixed(("te/AUX", "pral/AUX")) + d.fixed(("bay/VERB", "montre/VERB", "voye/VERB", "vann/VERB"))
        return self._subject() + gave + who + given + tag(determiner(given[0][0]), "DET") + STOP

    def _compare(self) -> Phrase:
        d = self.dice
        first, second = (d.tagged("nouns", "animal", "NOUN") for _ in range(2))
        more = tagged("pi/ADV") + d.fixed(("gwo/ADJ", "rapid/ADJ", "piti/ADJ", "bèl/ADJ"))
        lead = first + tag(determiner(first[0][0]), "DET")
        return lead + more + tagged("pase/ADP") + second + tag(determiner(second[0][0]), "DET") + STOP
