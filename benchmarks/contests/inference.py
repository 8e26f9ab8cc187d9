"""Inference: what a stack of a language and a task adapter costs over the bare backbone; transformers and peft beside it."""

from typing import Any

from benchmarks.contest import Contender, contest
from benchmarks.figures import keys, speed_ratio, table, time_ratio
from benchmarks.options import Options
from benchmarks.shapes import folder_of

OURS, PLAIN = "benchmarks.workers.ours_inference", "benchmarks.workers.plain"
FULL, QUICK = {"batch": 32, "length": 64}, {"batch": 2, "length": 16}
DTYPES = {"fp32": "float32", "bf16": "bfloat16"}


def measure(options: Options) -> dict[str, Any]:
    """All contenders, alternating batch by batch."""
    rounds = options.turns(9)
    sizes = QUICK if options.quick else FULL
    name = options.shape()
    records = contest(
        contenders(options, name, sizes),
        rounds=rounds,
        threads=options.threads,
        tell=options.tell,
    )
    found = {
        f"overhead_{short}": time_ratio(records, f"stack {dtype}", f"bare {dtype}")
        for short, dtype in DTYPES.items()
    }
    found["overhead_over_transformers"] = time_ratio(
        records, "stack float32", "transformers float32"
    )
    found["bare_over_transformers"] = speed_ratio(records, "bare float32", "transformers float32")
    found["lora_over_peft"] = speed_ratio(records, "lora float32", "peft lora float32")
    return {
        **keys(found),
        "contenders": table(records),
        "rounds": rounds,
        "sizes": {"backbone": name, **sizes},
    }


def contenders(options: Options, name: str, sizes: dict[str, int]) -> list[Contender]:
    """Who takes part."""
    spec = {
        **sizes,
        "kind": "inference",
        "backbone": str(folder_of(name)),
        "device": options.device,
    }
    ours = [
        Contender(f"{stack} {dtype}", OURS, {**spec, "stack": stack, "dtype": dtype})
        for dtype in options.dtypes
        for stack in ("bare", "stack")
    ]
    single = {**spec, "dtype": "float32"}
    # ModernBERT has query, key and value in one matrix.
    targets = ["Wqkv"] if name == "mmbert" else ["query", "value"]
    return [
        *ours,
        Contender("transformers float32", PLAIN, single),
        Contender("lora float32", OURS, {**single, "stack": "lora"}),
        Contender("peft lora float32", PLAIN, {**single, "lora": targets}),
    ]
