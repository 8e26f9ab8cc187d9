"""Quality: the held-out loss after the same steps on the very same masked batches, on ``mini`` and real text.

Nats a masked token, each contender by its own forward in the arithmetic it was trained in. The `adapters` library
in its documented way trains layers of the masked-LM head along with the adapter; so it also runs with them frozen, and
with the learning rate of its documentation instead of ours.
"""

import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.contest import Contender, single
from benchmarks.contests.language_training import ADAPTERS, BF16, FP32, OURS, OURS_IN, THEIRS
from benchmarks.options import Options
from benchmarks.shapes import folder_of

FULL = {"steps": 200, "batch": 32, "length": 64, "heldout_batches": 4, "lines": 12_000}
QUICK = {"steps": 2, "batch": 2, "length": 16, "heldout_batches": 1, "lines": 300}
FROZEN = f"{ADAPTERS}, head frozen"
DOCUMENTED = f"{ADAPTERS}, documented rate"
# Of all contenders but one; a sixth of what the package takes for mini by default.
LEARNING_RATE = 1e-3
# The one in the library's documentation of language adapters.
DOCUMENTED_RATE = 1e-4


def measure(options: Options) -> dict[str, Any]:
    """Every contender once a seed, one after the other."""
    sizes = QUICK if options.quick else FULL
    losses: dict[str, list[float]] = {}
    before: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(options.seeds):
            batches = str(Path(folder) / f"batches{seed}.npz")
            message = {"seed": seed, "batches": batches}
            options.tell(f"seed {seed}: writing the batches down")
            single(_writer(options, sizes), message, threads=options.threads)
            for one in contenders(options, sizes):
                answer = single(one, message, threads=options.threads)
                losses.setdefault(one.name, []).append(answer["loss"])
                before += [answer["before"]] if one.name == FP32 else []
                options.tell(f"seed {seed}: {one.name} {answer['loss']:.4f}")
    return {
        **figures(losses),
        "loss_before": statistics.mean(before),
        "losses": losses,
        "sizes": {**sizes, "seeds": options.seeds, "learning_rate": LEARNING_RATE},
        "text": options.text.name if options.text else "demo grammar, Esperanto",
    }


def _spec(options: Options, sizes: dict[str, int]) -> dict[str, Any]:
    return {
        **sizes,
        "backbone": str(folder_of("mini")),
        "device": options.device,
        "learning_rate": LEARNING_RATE,
        "text": str(options.text.resolve()) if options.text else None,
        "precision": "float32",
    }


def _writer(options: Options, sizes: dict[str, int]) -> Contender:
    return Contender("batches", OURS, {**_spec(options, sizes), "kind": "batches"})


def contenders(options: Options, sizes: dict[str, int]) -> list[Contender]:
    """Who takes part."""
    spec = {**_spec(options, sizes), "kind": "quality"}
    there = [Contender(OURS_IN[kind], OURS, {**spec, "precision": kind}) for kind in options.dtypes]
    if options.adapters is not None:
        for name, rate in (
            (ADAPTERS, LEARNING_RATE),
            (FROZEN, LEARNING_RATE),
            (DOCUMENTED, DOCUMENTED_RATE),
        ):
            own = {**spec, "frozen_head": name == FROZEN, "learning_rate": rate}
            there.append(Contender(name, THEIRS, own, options.adapters))
    return there


def figures(losses: dict[str, list[float]]) -> dict[str, float | None]:
    """Means over seeds, and how far bfloat16 is above float32, as a fraction."""
    means = {name: statistics.mean(values) for name, values in losses.items()}
    return {
        "loss_fp32": means[FP32],
        "loss_bf16": means.get(BF16),
        "loss_adapters": means.get(ADAPTERS),
        "loss_adapters_head_frozen": means.get(FROZEN),
        "loss_adapters_documented_rate": means.get(DOCUMENTED),
        "bf16_over_fp32": means[BF16] / means[FP32] - 1 if BF16 in means else None,
    }
