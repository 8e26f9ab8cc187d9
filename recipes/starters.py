"""Make the starter collection for `mini`: an English language adapter, and task adapters over it.

    python recipes/starters.py --data ../shared/data --out adapterkit/mini/starters
    python recipes/starters.py --data ../shared/data --out /tmp/again --only eng,topic

Parts of speech (`pos`), topics (`topic`) and named entities (`ner`).
About a quarter of an hour on two cores. Reads ``text/eng.txt.gz``, ``ud/eng_ewt.{train,dev}.conllu.gz``,
``ner/uner.{train,dev}.jsonl.gz`` and ``topic/sib200.{train,dev}.tsv.gz`` of the folder; sources and licences stand in the
cards that it writes.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import adapterkit as ak

CARD = Path(__file__).parent.parent / "hub_cards" / "starter.md"
TEXT = (
    "Text: Common Voice sentences (CC0), ELTeC novels (public domain), African Storybook (CC BY 4.0), "
    "Pratham Books (CC BY 4.0)."
)
OVER = "Trained over `mini:eng`; swap that for another language's adapter."


@dataclass(frozen=True)
class Starter:
    """A task adapter of the collection.

    Attributes:
        title: Of its card.
        what: It does, in a sentence.
        labels: Where they are from.
        task: Its examples, from the data folder.
        epochs: Passes over them.
        head_rate: Factor on the head's learning rate.
    """

    title: str
    what: str
    labels: str
    task: Callable[[Path], ak.Tagging | ak.Classification]
    epochs: int = 3
    head_rate: float = 1.0


def pos(data: Path) -> ak.Tagging:
    """UPOS of English EWT."""
    ud = data / "ud"
    return ak.Tagging.from_files(ud / "eng_ewt.train.conllu.gz", dev=ud / "eng_ewt.dev.conllu.gz")


def ner(data: Path) -> ak.Tagging:
    """Persons, organisations and places of Universal NER, English EWT."""
    folder = data / "ner"
    return ak.Tagging.from_files(
        folder / "uner.train.jsonl.gz",
        dev=folder / "uner.dev.jsonl.gz",
        column="tags",
        language="eng",
    )


def topic(data: Path) -> ak.Classification:
    """The seven topics of SIB-200, English."""
    folder = data / "topic"
    return ak.Classification.from_files(
        folder / "sib200.train.tsv.gz", dev=folder / "sib200.dev.tsv.gz", language="eng"
    )


TASKS = {
    "pos": Starter(
        "English part-of-speech adapter for mini",
        "Universal POS tags.",
        "Labels: Universal Dependencies, English EWT (CC BY-SA 4.0), 3,000 training sentences.",
        pos,
    ),
    "ner": Starter(
        "English named-entity adapter for mini",
        "Persons, organisations and places (IOB2).",
        "Labels: Universal NER, English EWT (CC BY-SA 4.0), 3,000 training sentences.",
        ner,
        epochs=8,
        head_rate=10,
    ),
    "topic": Starter(
        "English topic adapter for mini",
        "Seven topics of a sentence: science and technology, travel, politics, sports, health, entertainment, geography.",
        "Labels: SIB-200 (Apache-2.0) over FLORES-200 sentences (CC BY-SA 4.0), 701 training sentences.",
        topic,
        epochs=10,
    ),
}


def main() -> None:
    """Train the adapters that are asked for and write them with their cards."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with text/, ud/ ...")
    parser.add_argument("--out", type=Path, required=True, help="where the adapters go")
    parser.add_argument("--steps", type=int, default=240, help="of the language adapter")
    parser.add_argument("--backbone", default="mini", help="`mini` or a folder of its like")
    parser.add_argument("--only", default=",".join(["eng", *TASKS]), help="with commas")
    options = parser.parse_args()
    wanted = options.only.split(",")
    unknown = set(wanted) - {"eng", *TASKS}
    if unknown:
        parser.error(f"--only: there is no {', '.join(sorted(unknown))}")
    backbone = ak.load_backbone(options.backbone)
    if "eng" in wanted:
        language(backbone, options)
    english = ak.load_adapter(options.out / "eng")
    for name in TASKS:
        if name in wanted:
            task(backbone, english, name, options)


def language(backbone: ak.Backbone, options: Any) -> None:
    """The English language adapter."""
    corpus = ak.Corpus.from_files(
        options.data / "text" / "eng.txt.gz",
        language="eng",
        licence="CC0, public domain and CC BY 4.0 (see the card)",
    )
    ak.train_language(
        backbone,
        corpus,
        out=options.out / "eng",
        config=ak.LanguageConfig(steps=options.steps, learning_rate=3e-3),
        overwrite=True,
    )
    write_card(
        options.out / "eng",
        "English language adapter for mini",
        "Stack it under a task adapter.",
        TEXT,
    )


def task(backbone: ak.Backbone, english: ak.Adapter, name: str, options: Any) -> None:
    """The task adapter ``name`` over the English one."""
    starter = TASKS[name]
    trained = ak.train_task(
        backbone,
        starter.task(options.data),
        over=english,
        out=options.out / name,
        config=ak.TaskConfig(epochs=starter.epochs, head_rate=starter.head_rate),
        name=name,
        overwrite=True,
    )
    # Half the bytes; it is loaded as float32.
    ak.save_adapter(trained.half(), options.out / name)
    write_card(options.out / name, starter.title, f"{starter.what} {OVER}", starter.labels)


def write_card(folder: Path, title: str, what: str, sources: str) -> None:
    """Write ``README.md`` into an adapter's folder."""
    card = CARD.read_text(encoding="utf-8").format(title=title, what=what, sources=sources)
    (folder / "README.md").write_text(card, encoding="utf-8")


if __name__ == "__main__":
    main()
