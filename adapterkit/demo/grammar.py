"""Sentences and demo data from the phrase grammars: English, Esperanto and Haitian Creole.

In it: `sentences`, which draws distinct tagged sentences; `demo_data`, which splits them into raw
text and labelled sets that share no sentence; and writers for text and CoNLL-U. Not in it: the
grammars (`english.py`, `esperanto.py`, `creole.py`), their words (`lexicons/`), and what the demo
does with them (`story.py`).

This is a toy. The words are real and the sentences correct, but a grammar of a few pages wrote
them all, so that the whole toolkit can be shown offline in minutes. Training and test sentences
come from the same templates and the same lexicon. A score on them says that the parts work
together; it does not say how well anything does on real text.
"""

import random
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapterkit.demo.creole import Creole
from adapterkit.demo.english import English
from adapterkit.demo.esperanto import Esperanto
from adapterkit.demo.phrases import Dice, Phrase, lexicon
from adapterkit.errors import ConfigError
from adapterkit.files import write_bytes

SOURCE, TARGETS = "eng", ("epo", "hat")
LANGUAGES = (SOURCE, *TARGETS)
PATIENCE = 200  # draws in a row without a new sentence before we say that the grammar is used up
PAIRED = 0.15  # share of the raw text lines that hold two sentences


@dataclass(frozen=True)
class Sentence:
    """One sentence: its words, their universal part-of-speech tags, and how people write it."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class DemoData:
    """Raw text lines and labelled sentences of one language; `demo_data` says what is disjoint."""

    language: str
    text: tuple[str, ...]
    train: tuple[Sentence, ...]
    dev: tuple[Sentence, ...]
    test: tuple[Sentence, ...]


def grammar(language: str, seed: int) -> Callable[[], Phrase]:
    """The function that makes one phrase of ``language`` after another."""
    generator = random.Random(seed)
    if language == "eng":
        return English(Dice(generator, lexicon("eng"))).sentence
    if language == "epo":
        return Esperanto(Dice(generator, lexicon("epo"))).sentence
    return Creole(Dice(generator, lexicon("creole"))).sentence


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
    make = grammar(language, seed)
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
    language: str, *, seed: int, lines: int, train: int = 0, dev: int = 0, test: int = 0
) -> DemoData:
    """Make the text and the labelled sets of one language.

    All sentences differ, whatever they are for, and no dev or test sentence stands inside a line of
    the text, alone or within a longer sentence, compared on case-folded letters and digits.

    Args:
        language: One of `LANGUAGES`.
        seed: The same seed gives the same data.
        lines: Number of lines of raw text; some hold two sentences.
        train: Number of labelled sentences to train on.
        dev: Number of labelled sentences to choose by.
        test: Number of labelled sentences to score on.

    Raises:
        ConfigError: The language has no grammar, or the grammar can't make that many sentences.
    """
    source = stream(language, seed=seed)
    tests = tuple(next(source) for _ in range(test))
    devs = tuple(next(source) for _ in range(dev))
    trains = tuple(next(source) for _ in range(train))
    held = [key(sentence.text) for sentence in (*tests, *devs)]
    text = text_lines(source, held=held, count=lines, seed=seed)
    return DemoData(language, text, trains, devs, tests)


def text_lines(
    source: Iterator[Sentence], *, held: Sequence[str], count: int, seed: int
) -> tuple[str, ...]:
    """Write ``count`` lines of one or two sentences, none of which contains a key in ``held``."""
    generator = random.Random(seed)
    lines: list[str] = []
    while len(lines) < count:
        pair = generator.random() < PAIRED
        line = " ".join(next(source).text for _ in range(1 + pair))
        reduced = key(line)
        if not any(sentence in reduced for sentence in held):
            lines.append(line)
    return tuple(lines)


def write_text(path: Path, lines: Iterable[str]) -> Path:
    """Write one line of text a line, and give ``path`` back."""
    write_bytes(path, "".join(f"{line}\n" for line in lines).encode("utf-8"))
    return path


def write_conllu(path: Path, sentences: Iterable[Sentence]) -> Path:
    """Write CoNLL-U with number, form and universal tag, and give ``path`` back."""
    blocks = (block(item, name=f"demo-{n}") for n, item in enumerate(sentences, start=1))
    write_bytes(path, "".join(blocks).encode("utf-8"))
    return path


def block(sentence: Sentence, *, name: str) -> str:
    """One sentence in CoNLL-U, its empty last line included."""
    words = zip(sentence.words, sentence.tags, strict=True)
    rows = [f"{i}\t{word}\t_\t{upos}" + "\t_" * 6 for i, (word, upos) in enumerate(words, start=1)]
    head = [f"# sent_id = {name}", f"# text = {sentence.text}"]
    return "\n".join([*head, *rows]) + "\n\n"
