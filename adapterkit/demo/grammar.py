"""Sentences and demo data from the phrase grammars: English, Esperanto and Haitian Creole.

In it: `sentences`, which draws distinct tagged sentences; `demo_data`, which splits them into raw text
and labelled sets that share no sentence; and writers for text and CoNLL-U. Not in it: the grammars
(`english.py`, `esperanto.py`, `creole.py`) and their words (`lexicons/`).

This is a toy. The words are real and the sentences correct, but a grammar of a few pages wrote them
all, so that the whole toolkit can be shown offline in minutes. Training and test sentences come from
the same templates and the same lexicon. A score on them says that the parts work together; it does
not say how well anything does on real text.
"""

import random
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError
from .creole import Creole
from .english import English
from .esperanto import Esperanto
from .phrases import Dice, Phrase, lexicon

LANGUAGES = ("eng", "epo", "hat")
PATIENCE = 200  # draws in a row without a new sentence before we say that the grammar is used up
PAIRED = 0.15  # share of the raw text lines that hold two sentences


@dataclass(frozen=True)
class Sentence:
    """One sentence: its words, their universal part-of-speech tags, and the text as people write it."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class DemoData:
    """Raw text lines and labelled sentences of one language; see `demo_data` for what is disjoint."""

    language: str
    text: tuple[str, ...]
    train: tuple[Sentence, ...]
    dev: tuple[Sentence, ...]
    test: tuple[Sentence, ...]


def grammar(language: str, dice: Dice) -> Callable[[], Phrase]:
    """The function that makes one phrase of ``language`` after another."""
    if language == "eng":
        return English(dice).sentence
    if language == "epo":
        return Esperanto(dice).sentence
    return Creole(dice).sentence


def key(text: str) -> str:
    """Reduce a text to what counts when two are compared: its case-folded letters and digits."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def detokenise(words: Sequence[str]) -> str:
    """Join words with spaces, none before a punctuation mark."""
    text = " ".join(words)
    for mark in ",.?!":
        text = text.replace(f" {mark}", mark)
    return text


def finish(phrase: Phrase) -> Sentence:
    """Turn a phrase into a sentence with a capital first letter."""
    words = [word for word, _ in phrase]
    words[0] = words[0][0].upper() + words[0][1:]
    return Sentence(tuple(words), tuple(upos for _, upos in phrase), detokenise(words))


def stream(language: str, *, seed: int, avoid: Collection[str] = ()) -> Iterator[Sentence]:
    """Draw distinct sentences without end.

    Args:
        language: One of `LANGUAGES`.
        seed: The same seed gives the same sentences.
        avoid: Texts that must not appear, compared on letters and digits.

    Raises:
        ConfigError: The language has no grammar, or the grammar has nothing new to say.
    """
    if language not in LANGUAGES:
        raise ConfigError(f"no demo grammar for {language!r}; there are {', '.join(LANGUAGES)}")
    make = grammar(language, Dice(random.Random(seed), lexicon(language)))
    seen = {key(text) for text in avoid}
    idle = 0
    while idle < PATIENCE:
        sentence = finish(make())
        known = key(sentence.text) in seen
        idle = idle + 1 if known else 0
        if not known:
            seen.add(key(sentence.text))
            yield sentence
    raise ConfigError(f"the demo grammar of {language!r} has no more new sentences; ask for fewer")


def sentences(
    language: str, *, count: int, seed: int, avoid: Collection[str] = ()
) -> list[Sentence]:
    """Draw ``count`` distinct sentences; the arguments are those of `stream`."""
    source = stream(language, seed=seed, avoid=avoid)
    return [next(source) for _ in range(count)]


def demo_data(
    language: str, *, seed: int, text_lines: int, labelled: int, dev: int = 200, test: int = 400
) -> DemoData:
    """Make the text and the labelled sets of one language.

    No sentence is in two of train, dev and test, and no dev or test sentence is in the text, compared
    on case-folded letters and digits. A training sentence may not be in the text either.

    Args:
        language: One of `LANGUAGES`.
        seed: The same seed gives the same data.
        text_lines: Number of lines of raw text; some hold two sentences.
        labelled: Number of labelled training sentences.
        dev: Number of labelled sentences to choose by.
        test: Number of labelled sentences to score on.

    Raises:
        ConfigError: The language has no grammar, or the grammar can't make that many sentences.
    """
    source = stream(language, seed=seed)
    tests, devs, trains = (
        tuple(next(source) for _ in range(count)) for count in (test, dev, labelled)
    )
    generator = random.Random(seed)
    lines = []
    for _ in range(text_lines):
        pair = generator.random() < PAIRED
        lines.append(" ".join(next(source).text for _ in range(1 + pair)))
    return DemoData(language, tuple(lines), trains, devs, tests)


def write_text(path: Path, sentences: Iterable[Sentence | str]) -> None:
    """Write one sentence, or one line of text, a line."""
    texts = (item if isinstance(item, str) else item.text for item in sentences)
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8", newline="\n")


def write_conllu(path: Path, sentences: Iterable[Sentence], *, language: str) -> None:
    """Write CoNLL-U with the columns we know: number, form and universal tag."""
    blocks = (
        block(sentence, name=f"demo-{language}-{number}")
        for number, sentence in enumerate(sentences, start=1)
    )
    path.write_text("".join(blocks), encoding="utf-8", newline="\n")


def block(sentence: Sentence, *, name: str) -> str:
    """One sentence in CoNLL-U, its empty last line included."""
    words = zip(sentence.words, sentence.tags, strict=True)
    rows = [f"{i}\t{word}\t_\t{upos}" + "\t_" * 6 for i, (word, upos) in enumerate(words, start=1)]
    head = [f"# sent_id = {name}", f"# text = {sentence.text}"]
    return "\n".join([*head, *rows]) + "\n\n"
