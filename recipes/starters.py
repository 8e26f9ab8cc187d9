"""Make the starter collection: an English language adapter and an English POS adapter over it, for `mini`.

    python recipes/starters.py --data ../shared/data --out adapterkit/mini/starters

About ten minutes on two cores. Reads ``text/eng.txt.gz`` and ``ud/eng_ewt.{train,dev}.conllu.gz`` of the folder; the
sources and licences of both are in the cards that it writes.
"""

import argparse
from pathlib import Path

import adapterkit as ak

CARD = Path(__file__).parent.parent / "hub_cards" / "starter.md"
TEXT = (
    "Text: Common Voice sentences (CC0), ELTeC novels (public domain), African Storybook (CC BY 4.0), "
    "Pratham Books (CC BY 4.0)."
)
LABELS = "Labels: Universal Dependencies, English EWT (CC BY-SA 4.0), 3,000 training sentences."


def main() -> None:
    """Train both adapters and write them with their cards."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with text/ and ud/")
    parser.add_argument("--out", type=Path, required=True, help="where the adapters go")
    parser.add_argument("--steps", type=int, default=240, help="of the language adapter")
    options = parser.parse_args()
    backbone = ak.load_backbone("mini")
    corpus = ak.Corpus.from_files(
        options.data / "text" / "eng.txt.gz",
        language="eng",
        licence="CC0, public domain and CC BY 4.0 (see the card)",
    )
    english = ak.train_language(
        backbone,
        corpus,
        out=options.out / "eng",
        config=ak.LanguageConfig(steps=options.steps),
        overwrite=True,
    )
    task = ak.Tagging.from_files(
        options.data / "ud" / "eng_ewt.train.conllu.gz",
        dev=options.data / "ud" / "eng_ewt.dev.conllu.gz",
    )
    ak.train_task(
        backbone,
        task,
        over=english,
        out=options.out / "pos",
        config=ak.TaskConfig(epochs=3),
        overwrite=True,
    )
    write_card(
        options.out / "eng",
        "English language adapter for mini",
        "Stack it under a task adapter.",
        TEXT,
    )
    write_card(
        options.out / "pos",
        "English part-of-speech adapter for mini",
        "Universal POS tags. Trained over `mini:eng`; swap that for another language's adapter.",
        LABELS,
    )


def write_card(folder: Path, title: str, what: str, sources: str) -> None:
    """Write ``README.md`` into an adapter's folder."""
    card = CARD.read_text(encoding="utf-8").format(title=title, what=what, sources=sources)
    (folder / "README.md").write_text(card, encoding="utf-8")


if __name__ == "__main__":
    main()
