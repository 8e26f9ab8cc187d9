"""The text `mini` learns from: rows of one language, and rows of a sentence with its translation.

A data folder holds ``text/CODE.txt.gz`` (a sentence a line) and ``parallel/*.tsv.gz`` and ``topic/sib200.train.tsv.gz``.
"""

import csv
import gzip
import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from recipes.mini.languages import LEFT_OUT
from recipes.mini.vocabulary import batched

BOS, PAD, EOS = 0, 1, 2
Rows = NDArray[np.uint16]


def lines(data: Path, language: str) -> Iterator[str]:
    """The sentences of a language."""
    with gzip.open(data / "text" / f"{language}.txt.gz", "rt", encoding="utf-8") as file:
        for line in file:
            yield line.rstrip("\n")


def rows_of(data: Path, language: str, tokenizer: Tokenizer, length: int, seed: int) -> Rows:
    """Rows of ``length`` tokens: each starts with a sentence, and more follow until it is full.

    What does not fit into a row is dropped, so every row starts where a sentence starts. Sentences are shuffled.
    """
    sentences = list(lines(data, language))
    random.Random(f"{seed} {language}").shuffle(sentences)
    rows, row = [], [BOS]
    for some in batched(sentences, 2_000):
        for encoding in tokenizer.encode_batch_fast(some, add_special_tokens=False):
            row += [*encoding.ids, EOS]
            if len(row) >= length:
                rows.append([*row[: length - 1], EOS])
                row = [BOS]
    return np.array(rows, np.uint16).reshape(-1, length)


def pairs(data: Path) -> list[tuple[str, str]]:
    """Sentences and their translations, languages left out never among them, in a fixed order."""
    found: set[tuple[str, str]] = set()
    for group in groups(data):
        texts = sorted(set(group))
        shuffled = random.Random(repr(texts))
        for text in texts:
            other = shuffled.choice(texts)
            if other != text:
                found.add((text, other))
    return sorted(found)


def groups(data: Path) -> Iterator[list[str]]:
    """Lists of sentences that are translations of each other."""
    by_id: defaultdict[str, list[str]] = defaultdict(list)
    for row in table(data / "topic" / "sib200.train.tsv.gz"):
        if row["lang"] not in LEFT_OUT:
            by_id[row["id"]].append(row["text"])
    yield from by_id.values()
    by_english: defaultdict[str, list[str]] = defaultdict(list)
    for row in table(data / "parallel" / "tatoeba.test.tsv.gz"):
        if row["lang"] not in LEFT_OUT:
            by_english[row["eng"]].append(row["text"])
    for english, others in by_english.items():
        yield [english, *others]
    for name in ("tico19.train", "nusax_mt.train"):
        for row in table(data / "parallel" / f"{name}.tsv.gz"):
            yield [text for code, text in row.items() if text and code not in LEFT_OUT]


def table(file: Path) -> Iterator[dict[str, str]]:
    """The rows of a tab-separated table with a header line."""
    with gzip.open(file, "rt", encoding="utf-8", newline="") as opened:
        yield from csv.DictReader(opened, delimiter="\t", quoting=csv.QUOTE_NONE)


def pair_rows(found: list[tuple[str, str]], tokenizer: Tokenizer, length: int) -> Rows:
    """Rows of a sentence and its translation, padded; both are cut to half of the row."""
    half = (length - 4) // 2
    rows = np.full((len(found), length), PAD, np.uint16)
    for at in range(0, len(found), 2_000):
        some = found[at : at + 2_000]
        sides = [
            tokenizer.encode_batch_fast([pair[side] for pair in some], add_special_tokens=False)
            for side in (0, 1)
        ]
        for row, (one, other) in enumerate(zip(*sides, strict=True), start=at):
            ids = [BOS, *one.ids[:half], EOS, EOS, *other.ids[:half], EOS]
            rows[row, : len(ids)] = ids
    return rows
