"""Count the sentences of every test set that stand in any training text, and fail if there are any.

    python recipes/overlap.py --data ../shared/data --out docs/overlap.json

Training text is every file of text/ and every train split of ud/, ner/, sentiment/, topic/ and parallel/, and the
translations that `mini` learns from (`tatoeba.test`, `tico19.test`), which are exempt by name as test sets. `mini`
learns no translations of the dev and report languages, so these are not read there (`--left-out`). Half a minute on
one core. `adapterkit report TABLE --markdown FILE --overlap docs/overlap.json` states the counts.

Repeated sentences of fewer than 12 letters and digits are counted and do not make it fail.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from adapterkit.data.overlap import Overlap, count_overlap, read_sentences
from adapterkit.files import write_json

LABELLED = ("ud", "ner", "sentiment", "topic", "parallel")
LEARNT = ("tatoeba.test", "tico19.test")
LEFT_OUT = (
    "afr bel lit gle slk hat olo abk "  # dev languages
    "glv sme kpv mdf koi bho yor pcm ceb cym bre mkd hau jav kmr hye kat kaz uig "  # report languages
    "ace ban bjn bug min tgl epo"  # of NusaX, of UNER, the demo's
)


def main() -> None:
    """Count, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with text/, ud/, ...")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--left-out", default=LEFT_OUT, help="languages without translations")
    options = parser.parse_args()
    left_out = frozenset(options.left_out.split())
    tests = {name_of(path): read_sentences(path) for path in files(options.data, "test")}
    exempt = [name for name in LEARNT if name in tests]
    found = count_overlap(tests, training(options.data, left_out), exempt=exempt)
    for one in found:
        if one.repeated:
            print(
                f"{one.name}: {one.repeated} of {one.sentences}, {one.short} of them short"
                f"{' (exempt)' * one.exempt}; in {', '.join(f'{a} {n}' for a, n in one.sources)}"
            )
    clean = [one for one in found if not one.exempt]
    total, short = sum(one.repeated for one in clean), sum(one.short for one in clean)
    everything = sum(one.sentences for one in clean)
    print(f"{total} of {everything} sentences of {len(clean)} test sets, {short} of them short")
    if options.out:
        write_json(options.out, record(found))
    sys.exit(total > short)


def training(data: Path, left_out: frozenset[str]) -> Iterator[tuple[str, Iterator[str]]]:
    """Name and lines of everything that something is trained on."""
    texts = sorted((data / "text").glob("*.txt.gz"))
    learnt = [path for path in files(data, "test") if name_of(path) in LEARNT]
    for path in [*texts, *files(data, "train"), *learnt]:
        parallel = path.parent.name == "parallel"
        yield name_of(path), read_sentences(path, left_out=left_out if parallel else ())


def files(data: Path, split: str) -> list[Path]:
    """The labelled and parallel files of a split."""
    return [path for room in LABELLED for path in sorted((data / room).glob(f"*.{split}.*.gz"))]


def name_of(path: Path) -> str:
    """``cym_ccg.test`` of ``cym_ccg.test.conllu.gz``."""
    return path.name.removesuffix(".gz").rsplit(".", 1)[0]


def record(found: list[Overlap]) -> dict[str, object]:
    """As it is written."""
    return {"sets": [one.as_dict() for one in found]}


if __name__ == "__main__":
    main()
