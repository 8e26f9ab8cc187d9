"""Attaching a saved adapter to a live backbone: milliseconds, and what they go to."""

from typing import Any

from benchmarks.contest import Contender, contest
from benchmarks.contests.inference import OURS
from benchmarks.options import Options
from benchmarks.shapes import folder_of

NAME = "load and attach"


def measure(options: Options) -> dict[str, Any]:
    """The same folder again and again, all warm after the first; beside it one that this process never loaded."""
    rounds = options.turns(15)
    name = options.shape()
    spec = {
        "kind": "attach",
        "backbone": str(folder_of(name)),
        "dtype": "float32",
        "device": options.device,
    }
    records = contest(
        [Contender(NAME, OURS, spec)],
        rounds=rounds,
        threads=options.threads,
        tell=options.tell,
    )
    parts = ("seconds", "first", "read", "build", "hook")
    milliseconds = {part: 1000 * records[NAME].median(part) for part in parts}
    return {
        "attach_ms": milliseconds.pop("seconds"),
        **{f"{part}_ms": value for part, value in milliseconds.items()},
        "rounds": rounds,
        "sizes": {"backbone": name, "reduction_factor": 2, "invertible": True},
    }
