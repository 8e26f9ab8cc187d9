"""Rows in as many languages as there are rows, against rows in one language, and against `adapters` in a loop."""

from typing import Any

from benchmarks.contest import Contender, contest
from benchmarks.contests.inference import DTYPES, OURS
from benchmarks.figures import Ratio, keys, speed_ratio, table
from benchmarks.options import Options
from benchmarks.shapes import folder_of

FULL, QUICK = {"batch": 32, "length": 64}, {"batch": 3, "length": 16}
LOOP = "adapters, language by language, float32"


def measure(options: Options) -> dict[str, Any]:
    """All contenders, alternating batch by batch."""
    rounds = options.turns(7)
    sizes = QUICK if options.quick else FULL
    name = options.shape()
    records = contest(
        contenders(options, name, sizes),
        rounds=rounds,
        threads=options.threads,
        tell=options.tell,
    )
    found = {
        f"rows_over_one_{short}": speed_ratio(records, f"rows {dtype}", f"stack {dtype}")
        for short, dtype in DTYPES.items()
    }
    found["rows_over_one"] = lowest([one for one in found.values() if one is not None])
    found["rows_over_adapters"] = speed_ratio(records, "rows float32", LOOP)
    found["rows_over_adapters_bf16"] = speed_ratio(records, "rows bfloat16", LOOP)
    return {
        **keys(found),
        "contenders": table(records),
        "rounds": rounds,
        "sizes": {"backbone": name, "languages": sizes["batch"], **sizes},
    }


def lowest(ratios: list[Ratio]) -> Ratio:
    """The ratio that is worst for us."""
    return min(ratios, key=lambda one: one.value)


def contenders(options: Options, name: str, sizes: dict[str, int]) -> list[Contender]:
    """Who takes part; ``adapters`` only where its environment is."""
    spec = {**sizes, "backbone": str(folder_of(name)), "device": options.device}
    there = [
        Contender(
            f"{stack} {dtype}", OURS, {**spec, "kind": "inference", "stack": stack, "dtype": dtype}
        )
        for dtype in options.dtypes
        for stack in ("stack", "rows")
    ]
    if options.adapters is not None:
        loop = {**spec, "kind": "loop", "dtype": "float32"}
        there.append(Contender(LOOP, "benchmarks.workers.theirs", loop, options.adapters))
    return there
