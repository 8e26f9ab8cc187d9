"""A pool of adapters behind one backbone: 500 of them under a bound of memory, each asked for once."""

from typing import Any

from benchmarks.contest import Contender, contest
from benchmarks.options import Options
from benchmarks.shapes import folder_of

NAME = "pool"
FULL = {"count": 500, "max_bytes": 1 << 30, "factor": 2, "length": 64}
QUICK = {"count": 20, "max_bytes": 1 << 16, "factor": 2, "length": 16}


def measure(options: Options) -> dict[str, Any]:
    """Every adapter once a round; after the first round all are known, few are in memory."""
    rounds = options.turns(3)
    sizes = QUICK if options.quick else FULL
    name = options.shape()
    spec = {
        **sizes,
        "kind": "pool",
        "backbone": str(folder_of(name)),
        "dtype": "float32",
        "device": options.device,
    }
    records = contest(
        [Contender(NAME, "benchmarks.workers.ours_pool", spec)],
        rounds=rounds,
        threads=options.threads,
        tell=options.tell,
    )
    found = records[NAME]
    return {
        "pool_adapters": sizes["count"],
        "pool_bound_bytes": sizes["max_bytes"],
        "pool_in_memory": int(found.median("loaded")),
        "pool_held_bytes": int(found.median("held")),
        "pool_resident_bytes": int(found.median("resident") - found.median("before")),
        "pool_first_load_ms": 1000 * found.median("first"),
        "pool_load_ms": 1000 * found.median("seconds"),
        "pool_encode_ms": 1000 * found.median("encode"),
        "rounds": rounds,
        "sizes": {"backbone": name, **sizes},
    }
