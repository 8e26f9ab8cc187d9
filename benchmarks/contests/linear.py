"""How inference grows: with the number of tokens, with the length, with the number of adapters loaded."""

from typing import Any

from benchmarks.contest import Contender, contest
from benchmarks.contests.inference import OURS
from benchmarks.figures import Record, slope
from benchmarks.options import Options
from benchmarks.shapes import folder_of

Point = dict[str, int]
NAME = "series"
STEPS = {"batch": 1, "length": 1, "alive": 10}


def points(*, quick: bool) -> dict[str, list[Point]]:
    """The three series: more rows of one length, longer rows, more adapters alive."""
    length, few = (16, 2) if quick else (64, 8)
    batches = (1, 2, 4) if quick else (1, 2, 4, 8, 16, 32, 64)
    lengths = (8, 16, 32) if quick else (16, 32, 64, 128, 256, 512)
    alive = (1, 2, 3) if quick else (1, 10, 50)
    return {
        "batch": [{"batch": batch, "length": length, "alive": 1} for batch in batches],
        "length": [{"batch": few, "length": one, "alive": 1} for one in lengths],
        "alive": [{"batch": few, "length": length, "alive": number} for number in alive],
    }


def measure(options: Options) -> dict[str, Any]:
    """Every point of every series once a round."""
    rounds = options.turns(5)
    name = options.shape()
    spec = {
        "kind": "series",
        "backbone": str(folder_of(name)),
        "dtype": "float32",
        "device": options.device,
    }
    wanted = points(quick=options.quick)
    # Of many adapters as many take their turn in a round as there is time for.
    messages = [
        {**point, "steps": STEPS[name]} for name, series in wanted.items() for point in series
    ]
    records = contest(
        [Contender(NAME, OURS, spec)],
        rounds=rounds,
        threads=options.threads,
        tell=options.tell,
        messages=messages,
    )
    found = series_of(wanted, records[NAME])
    batches, alive = found["batch"], [one["seconds"] for one in found["alive"]]
    return {
        "exponent": slope([one["tokens"] for one in batches], [one["seconds"] for one in batches]),
        "flatness": max(alive) / min(alive),
        "series": found,
        "peak_bytes": records[NAME].peak_bytes,
        "rounds": rounds,
        "turns": STEPS["alive"],
        "sizes": {"backbone": name},
    }


def series_of(wanted: dict[str, list[Point]], record: Record) -> dict[str, list[dict[str, float]]]:
    """Each point with the median seconds of its rounds, which follow one another in ``record``."""
    count = sum(len(series) for series in wanted.values())
    medians = iter(Record(record.rounds[place::count]).median("seconds") for place in range(count))
    return {
        name: [_told(point, next(medians) / STEPS[name]) for point in series]
        for name, series in wanted.items()
    }


def _told(point: Point, seconds: float) -> dict[str, float]:
    tokens = point["batch"] * point["length"]
    return {**point, "tokens": tokens, "seconds": seconds, "tokens_per_second": tokens / seconds}
