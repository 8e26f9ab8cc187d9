"""Language-adapter training: tokens a second, memory, and the share of the machine's matrix rate that is used.

An invertible Pfeiffer adapter with reduction factor 2 in every layer, AdamW, 15 % of the tokens to predict.
"""

from dataclasses import dataclass
from typing import Any

from benchmarks import cost
from benchmarks.contest import Contender, contest, single
from benchmarks.figures import Record, keys, memory_ratio, speed_ratio, table
from benchmarks.kinds import KINDS, REST
from benchmarks.options import Options
from benchmarks.shapes import SHAPES, Shape, folder_of

OURS, THEIRS = "benchmarks.workers.ours_training", "benchmarks.workers.theirs"
FP32, BF16, ADAPTERS = "adapterkit float32", "adapterkit bfloat16", "adapters"
OURS_IN = {"float32": FP32, "bfloat16": BF16}
MINI, PLAIN = "mini: adapterkit", "mini: plain loop"
MATRIX, MINI_MATRIX = "matrix rate", "mini: matrix rate"


@dataclass(frozen=True)
class Sizes:
    """Of the batches, with the big backbone and with ``mini``."""

    batch: int
    length: int
    mini_batch: int
    mini_length: int


FULL, QUICK = Sizes(4, 128, 32, 64), Sizes(2, 16, 2, 16)
MASKING, FACTOR, BLOCKS = 0.15, 2, 64


def measure(options: Options) -> dict[str, Any]:
    """All contenders, alternating step by step."""
    rounds = options.turns(7)
    sizes = QUICK if options.quick else FULL
    name = options.shape()
    shape, step = step_of(name, sizes.batch, sizes.length)
    small = step_of("mini", sizes.mini_batch, sizes.mini_length)
    records = contest(
        contenders(options, name, sizes),
        rounds=rounds,
        threads=options.threads,
        tell=options.tell,
    )
    rates, of_mini = records.pop(MATRIX), records.pop(MINI_MATRIX)
    best = {kind: rates.median(f"{kind}_rate") for kind in options.dtypes}
    streamed = {kind: rates.median(f"{kind}_streamed") for kind in options.dtypes}
    shares, of_streamed = (
        {
            kind: cost.share_of_rate(shape, step, records[OURS_IN[kind]].speed, rate)
            for kind, rate in of.items()
        }
        for of in (best, streamed)
    )
    mini_rate = of_mini.median(f"{options.dtypes[-1]}_rate")
    of_ours, of_plain = (
        cost.share_of_rate(*small, records[who].speed, mini_rate) for who in (MINI, PLAIN)
    )
    return {
        **ratios(records),
        "mini_rate_share": of_ours,
        "mini_plain_rate_share": of_plain,
        "matrix_rate_share": shares.get("bfloat16"),
        "matrix_rate_share_fp32": shares["float32"],
        "matrix_rate_share_streamed": of_streamed.get("bfloat16"),
        "matrix_rate_share_streamed_fp32": of_streamed["float32"],
        "matrix_rates": best,
        "matrix_rates_streamed": streamed,
        "multiply_adds_per_token": cost.multiply_adds(shape, step) / step.tokens,
        "multiply_adds": cost.parts(shape, step),
        "profile": profile(options, name, sizes),
        "contenders": table(records),
        "rounds": rounds,
        "sizes": {"backbone": name, **vars(sizes)},
    }


def profile(options: Options, name: str, sizes: Sizes) -> dict[str, float]:
    """Shares of the time of a step in the faster precision, by kind of operation."""
    spec = {
        "kind": "profile",
        "backbone": str(folder_of(name)),
        "device": options.device,
        "precision": options.dtypes[-1],
        "batch": sizes.batch,
        "length": sizes.length,
    }
    worker = Contender("profile", "benchmarks.workers.ours_profile", spec)
    answer = single(worker, {}, threads=options.threads)
    return {kind: float(answer[kind]) for kind in (*KINDS, REST)}


def step_of(name: str, batch: int, length: int) -> tuple[Shape, cost.Step]:
    """The backbone of that name, and the step that is trained on it here."""
    shape = SHAPES[name]
    return shape, cost.step_of(shape, batch=batch, length=length, masking=MASKING, factor=FACTOR)


def machine(options: Options, called: str, of: tuple[Shape, cost.Step]) -> Contender:
    """Measures how fast the machine multiplies what a step multiplies."""
    spec = {
        "kind": "rates",
        "sizes": cost.matrices(*of),
        "weights": cost.weights(*of),
        "repeats": 50 if options.quick else 5,  # of tiny products one and all may fall into a pause
        "dtypes": options.dtypes,
        "device": options.device,
    }
    return Contender(called, "benchmarks.workers.matrix", spec)


def contenders(options: Options, name: str, sizes: Sizes) -> list[Contender]:
    """Who takes part; ``adapters`` only where its environment is."""
    spec = {
        "kind": "training",
        "backbone": str(folder_of(name)),
        "device": options.device,
        "batch": sizes.batch,
        "length": sizes.length,
        "blocks": BLOCKS,
    }
    small = {
        **spec,
        "backbone": str(folder_of("mini")),
        "batch": sizes.mini_batch,
        "length": sizes.mini_length,
        "precision": options.chosen,
    }
    there = [
        *(Contender(OURS_IN[kind], OURS, {**spec, "precision": kind}) for kind in options.dtypes),
        Contender(MINI, OURS, small),
        Contender(PLAIN, "benchmarks.workers.plain", {**small, "autocast": options.bfloat16}),
        machine(options, MATRIX, step_of(name, sizes.batch, sizes.length)),
        machine(options, MINI_MATRIX, step_of("mini", sizes.mini_batch, sizes.mini_length)),
    ]
    if options.adapters is not None:
        there.insert(0, Contender(ADAPTERS, THEIRS, spec, options.adapters))
    return there


def ratios(records: dict[str, Record]) -> dict[str, Any]:
    """Speeds and memory against each other; null where a contender is missing."""
    speeds = {
        "ratio_bf16": speed_ratio(records, BF16, ADAPTERS),
        "ratio_fp32": speed_ratio(records, FP32, ADAPTERS),
        "ratio_mini": speed_ratio(records, MINI, PLAIN),
    }
    return {
        **keys(speeds),
        "memory_ratio": memory_ratio(records, BF16, ADAPTERS),
        "memory_ratio_fp32": memory_ratio(records, FP32, ADAPTERS),
        "memory_ratio_mini": memory_ratio(records, MINI, PLAIN),
    }
