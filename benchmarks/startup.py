"""Start-up times against ``import torch``, alternating in one run: medians and ratios.

python benchmarks/startup.py
"""

import statistics
import subprocess
import sys
import time

COMMANDS = {
    "import torch": [sys.executable, "-c", "import torch"],
    "import adapterkit": [sys.executable, "-c", "import adapterkit"],
    "adapterkit --help": [sys.executable, "-m", "adapterkit", "--help"],
}
RUNS = 7


def measure(runs: int = RUNS) -> dict[str, float]:
    """Median seconds of each command, run in turn ``runs`` times after a warm-up."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(runs + 1):
        for name, command in COMMANDS.items():
            began = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            times[name].append(time.perf_counter() - began)
    return {name: statistics.median(values[1:]) for name, values in times.items()}


if __name__ == "__main__":
    medians = measure()
    for name, seconds in medians.items():
        print(
            f"{name:20} {seconds:.3f} s   {seconds / medians['import torch']:.3f} of import torch"
        )
