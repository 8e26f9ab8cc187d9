"""Options of training a language adapter that are off by default: what each costs in quality, and gains in speed.

Quality on ``mini`` and real text: the held-out loss over the whole vocabulary after the same number of steps. Speed
of steps on random tokens, all contenders by turns, on ``mini`` and on a backbone with a large vocabulary.
"""

import statistics
from typing import Any

from benchmarks.contest import Contender, contest, single
from benchmarks.contests.language_training import OURS
from benchmarks.figures import Record, memory_ratio, speed_ratio, table
from benchmarks.options import Options
from benchmarks.shapes import SHAPES, folder_of

FULL = {"steps": 150, "batch": 32, "length": 64, "heldout_batches": 4, "lines": 12_000}
QUICK = {"steps": 2, "batch": 2, "length": 16, "heldout_batches": 1, "lines": 300}
BIG_FULL, BIG_QUICK = {"big_batch": 4, "big_length": 128}, {"big_batch": 2, "big_length": 16}
LEARNING_RATE = 1e-3
ROUNDS, STEPS = 11, 4
"""Rounds, and steps a contender makes in each: differences here are of a few per cent."""
BLOCKS = 2048
"""Of random tokens: many, so that every one of the own pieces occurs in them."""
OWN_PIECES = 20_000
"""Different pieces in the random tokens for the big backbone, whose shape has no real tokenizer: a guess."""
DEFAULT = "default"
UPPER_BARE, RESTRICTED = "upper half, no coupling", "own pieces"
Losses = dict[str, dict[str, list[float]]]


def contenders(layers: int) -> dict[str, dict[str, Any]]:
    """Each option by name: what it changes, for a backbone of so many layers."""
    half = {"upper": layers // 2}
    return {
        DEFAULT: {},
        "no coupling": {"invertible": False},
        "upper half": half,
        UPPER_BARE: {**half, "invertible": False},
        RESTRICTED: {"restricted": True},
    }


def measure(options: Options) -> dict[str, Any]:
    """Quality first, which also counts the pieces of the texts; then speed."""
    sizes = QUICK if options.quick else FULL
    losses, own = quality(options, sizes)
    there = contenders(SHAPES["mini"].layers)
    spec = {**_spec(options, "mini"), "precision": options.chosen, "own_pieces": round(own)}
    small = speed(options, {**spec, "batch": sizes["batch"], "length": sizes["length"]}, there)
    name, big = options.shape(), BIG_QUICK if options.quick else BIG_FULL
    big_there = contenders(SHAPES[name].layers)
    spec = {**_spec(options, name), "precision": options.dtypes[-1], "own_pieces": OWN_PIECES}
    large = speed(
        options,
        {**spec, "batch": big["big_batch"], "length": big["big_length"]},
        {name: big_there[name] for name in (DEFAULT, UPPER_BARE, RESTRICTED)},
    )
    return {
        "above_default": above_default(losses),
        **ratios(small),
        **{f"big_{key}": value for key, value in ratios(large).items()},
        "losses": losses,
        "own_pieces": own,
        "contenders": table(small),
        "big_contenders": table(large),
        "rounds": options.turns(ROUNDS),
        "sizes": {
            **sizes,
            **big,
            "big": name,
            "big_precision": options.dtypes[-1],
            "big_own_pieces": OWN_PIECES,
            "upper": SHAPES["mini"].layers // 2,
            "big_upper": SHAPES[name].layers // 2,
            "seeds": options.seeds,
            "learning_rate": LEARNING_RATE,
        },
    }


def _spec(options: Options, name: str) -> dict[str, Any]:
    return {
        "kind": "training",
        "backbone": str(folder_of(name)),
        "device": options.device,
        "drop_last": True,
        "blocks": BLOCKS,
    }


def quality(options: Options, sizes: dict[str, int]) -> tuple[Losses, float]:
    """Train every contender once a text and seed, one after the other.

    Returns:
        Held-out losses by text, contender and seed; how many pieces the texts have, on average.
    """
    losses: Losses = {}
    own = []
    for text in options.texts or (None,):
        name = text.name.partition(".")[0] if text else "demo grammar, Esperanto"
        spec = {
            **_spec(options, "mini"),
            **sizes,
            "kind": "quality",
            "learning_rate": LEARNING_RATE,
            "precision": options.chosen,
            "text": str(text.resolve()) if text else None,
        }
        for seed in range(options.seeds):
            for who, changed in contenders(SHAPES["mini"].layers).items():
                one = Contender(who, OURS, {**spec, **changed})
                answer = single(one, {"seed": seed}, threads=options.threads)
                losses.setdefault(name, {}).setdefault(who, []).append(answer["loss"])
                own.append(answer["own_pieces"])
                options.tell(f"{name}, seed {seed}: {who} {answer['loss']:.4f}")
    return losses, statistics.mean(own)


def speed(
    options: Options, spec: dict[str, Any], there: dict[str, dict[str, Any]]
) -> dict[str, Record]:
    """Let the contenders train by turns."""
    return contest(
        [Contender(name, OURS, {**spec, **changed}) for name, changed in there.items()],
        rounds=options.turns(ROUNDS),
        threads=options.threads,
        tell=options.tell,
        messages=({"steps": STEPS},),
    )


def above_default(losses: Losses) -> dict[str, float]:
    """By contender, how far its loss is above the default's, as a fraction: the mean over texts and seeds."""
    each: dict[str, list[float]] = {}
    for by_name in losses.values():
        for name, values in by_name.items():
            pairs = zip(values, by_name[DEFAULT], strict=True)
            each.setdefault(name, []).extend(value / base - 1 for value, base in pairs)
    return {name: statistics.mean(values) for name, values in each.items()}


def ratios(records: dict[str, Record]) -> dict[str, dict[str, Any]]:
    """Speed and peak memory over the default's, by contender, and the spread of the speeds over rounds."""
    speeds = {name: speed_ratio(records, name, DEFAULT) for name in records}
    return {
        "speed_over_default": {name: one.value for name, one in speeds.items() if one},
        "speed_spread": {name: [one.low, one.high] for name, one in speeds.items() if one},
        "memory_over_default": {name: memory_ratio(records, name, DEFAULT) for name in records},
    }
