"""Task training on ``mini``: what batches by length and computing once what lies below the trained part are worth.

A round is one pass over the examples; the first pass, in which the states are computed, is the warm-up.
"""

from typing import Any

from benchmarks.contest import Contender, contest
from benchmarks.figures import keys, memory_ratio, speed_ratio, table
from benchmarks.options import Options
from benchmarks.shapes import folder_of

OURS = "benchmarks.workers.ours_task"
FULL, QUICK = {"batch": 16, "examples": 512}, {"batch": 2, "examples": 8}
EVERY, UPPER = "every layer", "upper half"
RANDOM, SORTED, CACHED = "random batches", "batches by length", "by length, computed once"
WAYS = {
    RANDOM: {"by_length": False, "cache": False},
    SORTED: {"by_length": True, "cache": False},
    CACHED: {"by_length": True, "cache": True},
}
LEFT_OUT = {EVERY: (), UPPER: (0, 1, 2)}


def measure(options: Options) -> dict[str, Any]:
    """Two placements, three ways each, alternating pass by pass."""
    rounds = options.turns(5)
    sizes = QUICK if options.quick else FULL
    steps = sizes["examples"] // sizes["batch"]
    records = contest(
        contenders(options, sizes),
        rounds=rounds,
        threads=options.threads,
        tell=options.tell,
        messages=({"steps": steps},),
    )
    found = {}
    for placement, short in ((EVERY, "every"), (UPPER, "upper")):
        for key, above, below in (
            ("by_length", SORTED, RANDOM),
            ("once", CACHED, SORTED),
            ("both", CACHED, RANDOM),
        ):
            pair = name_of(placement, above), name_of(placement, below)
            found[f"{key}_{short}"] = speed_ratio(records, *pair)
    memory = {
        f"memory_once_{short}": memory_ratio(
            records, name_of(placement, CACHED), name_of(placement, SORTED)
        )
        for placement, short in ((EVERY, "every"), (UPPER, "upper"))
    }
    return {
        **keys(found),
        **memory,
        "contenders": table(records),
        "rounds": rounds,
        "sizes": {"backbone": "mini", **sizes},
    }


def name_of(placement: str, way: str) -> str:
    """What a contender is called."""
    return f"{placement}, {way}"


def contenders(options: Options, sizes: dict[str, int]) -> list[Contender]:
    """Who takes part."""
    spec = {
        **sizes,
        "kind": "training",
        "backbone": str(folder_of("mini")),
        "device": options.device,
        "precision": options.chosen,
        "seed": 0,
    }
    return [
        Contender(name_of(placement, way), OURS, {**spec, **switches, "leave_out": layers})
        for placement, layers in LEFT_OUT.items()
        for way, switches in WAYS.items()
    ]
