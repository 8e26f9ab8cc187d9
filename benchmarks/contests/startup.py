"""Start-up times against ``import torch``; see `benchmarks.startup`."""

from typing import Any

from benchmarks import startup
from benchmarks.options import Options


def measure(options: Options) -> dict[str, Any]:
    """Medians of the commands, run in turn, and each over ``import torch``."""
    medians = startup.measure(options.turns(startup.RUNS))
    whole = medians["import torch"]
    return {
        "seconds": medians,
        "over_import_torch": {name: value / whole for name, value in medians.items()},
    }
