# mypy: ignore-errors
# This file puts itself in the way of the library on purpose.
"""A language training in a process of its own, to be killed. Prints what it does, line by line."""

import os
import sys
import time
from pathlib import Path

import adapterkit.files
from adapterkit.backbone.load import load_backbone
from adapterkit.data.corpus import Corpus
from adapterkit.settings import LanguageConfig
from adapterkit.training import checkpoint, language, loop
from tests.tiny import lines


def main(backbone: str, out: str, hang_at: int) -> None:
    """Train; while writing checkpoint number ``hang_at`` (from 0), hang with half of it on the disk."""
    written = 0
    fsync = os.fsync

    def slow_fsync(handle: int) -> None:
        nonlocal written
        if written == hang_at:
            os.ftruncate(handle, os.fstat(handle).st_size // 2)
            print("WRITING", flush=True)  # noqa: T201
            time.sleep(60)
        written += 1
        fsync(handle)

    step = loop._Run.step

    def telling_step(run: loop._Run) -> None:
        step(run)
        print(f"STEP {run.progress.step}", flush=True)  # noqa: T201

    adapterkit.files.os.fsync = slow_fsync
    loop._Run.step = telling_step
    assert checkpoint.CHECKPOINT
    config = LanguageConfig(
        steps=36, batch_size=4, block_length=24, evaluate_every=3, patience=3, learning_rate=0.3,
        heldout_blocks=4, precision="float32", seed=5,
    )  # fmt: skip
    corpus = Corpus.from_lines(lines(150), language="cym")
    language.train_language(
        load_backbone(backbone), corpus, out=Path(out), config=config, progress=False
    )
    print("DONE", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
