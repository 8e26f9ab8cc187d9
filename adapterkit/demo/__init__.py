"""The demo's language: a small phrase grammar of English, Esperanto and Haitian Creole.

In it: what `grammar.py` offers. Not in it: what the demo does with it, which is in `story.py`.
"""

from adapterkit.demo.grammar import (
    LANGUAGES,
    SOURCE,
    TARGETS,
    DemoData,
    Sentence,
    demo_data,
    sentences,
    write_conllu,
    write_text,
)

__all__ = [
    "LANGUAGES",
    "SOURCE",
    "TARGETS",
    "DemoData",
    "Sentence",
    "demo_data",
    "sentences",
    "write_conllu",
    "write_text",
]
