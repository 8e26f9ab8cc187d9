"""The demo's language: a small phrase grammar of English, Esperanto and Haitian Creole.

In it: what `grammar.py` offers. Not in it: the demo itself, which is a command of the command line.
"""

from .grammar import (
    LANGUAGES,
    DemoData,
    Sentence,
    demo_data,
    sentences,
    write_conllu,
    write_text,
)

__all__ = [
    "LANGUAGES",
    "DemoData",
    "Sentence",
    "demo_data",
    "sentences",
    "write_conllu",
    "write_text",
]
