"""Start-up times against ``import torch``; see `benchmarks.startup`."""

from typing import Any

from benchmarks import startup
from benchmarks.options import Options


def measure(options: Options) -> dict[str, Any]:
    """Medians of the commands, run in turn, and each over ``import torch``."""
    rounds = options.turns(startup.RUNS)
    medians = startup.measure(rounds)
    whole = medians["import torch"]
    return {
        "rounds": rounds,
        "seconds": medians,
        "over_import_torch": {name: value / whole for name, value in medians.items()},
    }
