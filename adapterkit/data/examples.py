"""Labelled examples as values: a tagged sentence and a labelled text.

What is not here: reading them (``labelled.py``) and turning them into batches (the tasks do that).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class TaggedSentence:
    """A sentence in words, with one tag a word.

    Attributes:
        words: The words, none of them empty.
        tags: One tag a word, as the file spells it.
        id: The sentence's name in its file, or ``""``.
        language: The sentence's language code, or ``""`` where it is not known.
    """

    words: tuple[str, ...]
    tags: tuple[str, ...]
    id: str = ""
    language: str = ""


@dataclass(frozen=True)
class LabelledText:
    """A text with one label.

    Attributes:
        text: The text, as the file has it.
        label: The label, always a string.
        id: The example's name in its file, or ``""``.
        language: The text's language code, or ``""`` where it is not known.
    """

    text: str
    label: str
    id: str = ""
    language: str = ""
