"""Run one benchmark: all contenders in one run, alternating; medians, ratios of medians, peak memory.

    python benchmarks/run.py language-training --rounds 5
    python benchmarks/run.py inference --quick --json

Progress is on stderr, the result on stdout: a table, or with --json one object.
"""

import argparse
import importlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.environments import adapters_python, provenance
from benchmarks.options import Options
from benchmarks.shapes import SHAPES

BENCHMARKS = {
    "language-training": "training a language adapter: speed, memory, share of the matrix rate",
    "language-options": "what options of training a language adapter cost in quality, and gain in speed",
    "task-training": "training a task adapter: batches by length, and what is computed once",
    "heldout": "held-out loss after the same steps on the same masked batches",
    "inference": "what a stack costs over the bare backbone; transformers and peft beside it",
    "rows": "32 rows in 32 languages in one batch",
    "attach": "a saved adapter onto a live backbone",
    "pool": "500 adapters behind one backbone under a bound of memory",
    "linear": "how cost grows with tokens and with adapters loaded",
    "startup": "import and --help against import torch",
}
AGAINST_ADAPTERS = ("language-training", "heldout", "rows")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark that the command line names and print what it found."""
    given = _parser().parse_args(arguments)
    result = run(given.name, options_of(given))
    print(json.dumps(result, indent=2) if given.json else "\n".join(lines(result)))


def run(name: str, options: Options) -> dict[str, Any]:
    """Run a benchmark.

    Returns:
        Its figures by name, with what they were measured with; JSON values.
    """
    module = importlib.import_module(f"benchmarks.contests.{name.replace('-', '_')}")
    result: dict[str, Any] = module.measure(options)
    theirs = options.adapters if name in AGAINST_ADAPTERS else None
    return {
        "benchmark": name,
        **result,
        "quick": options.quick,
        "bfloat16": options.bfloat16,
        "device": options.device,
        "provenance": provenance(options.threads, theirs),
    }


def options_of(given: argparse.Namespace) -> Options:
    """What the command line says, with the environment of ``adapters`` found or made."""
    theirs = None
    if given.name in AGAINST_ADAPTERS and not given.without_adapters:
        # A quick run only looks whether it works: it downloads nothing.
        theirs = adapters_python(given.adapters_python, make=not given.quick, tell=tell)
    bfloat16 = not given.without_bfloat16 and (given.quick or has_bfloat16(given.device))
    if not bfloat16:
        tell("contenders in bfloat16 are left out")
    return Options(
        bfloat16=bfloat16,
        quick=given.quick,
        threads=given.threads,
        tell=tell,
        rounds=given.rounds,
        adapters=theirs,
        device=given.device,
        backbone=given.backbone,
        texts=tuple(given.text),
        seeds=given.seeds,
    )


def has_bfloat16(device: str) -> bool:
    """Whether it is worth measuring: without instructions for bfloat16 a contender takes a hundred times as long."""
    import torch

    from adapterkit.backbone.precision import multiplies_bfloat16

    return multiplies_bfloat16(torch.device(device))


def tell(text: str) -> None:
    """Progress, on stderr."""
    print(text, file=sys.stderr, flush=True)


def lines(result: dict[str, Any]) -> list[str]:
    """A result for people: its figures, then its contenders."""
    out = [str(result["benchmark"])]
    spread = result.get("ranges", {})
    for name, value in result.items():
        if isinstance(value, float) or value is None:
            beside = "  ({:.3f} to {:.3f})".format(*spread[name]) if name in spread else ""
            shown = "not measured" if value is None else f"{value:12.4g}"
            out.append(f"  {name:26} {shown}{beside}")
    for name, one in result.get("contenders", {}).items():
        out.append(
            f"  {name:42} {one['tokens_per_second']:10,.0f} tokens/s"
            f" {one['seconds']:9.3f} s {one['peak_bytes'] / 2**30:7.2f} GiB"
        )
    for name, series in (result.get("series") or {}).items():
        out += [
            f"  {name}: {one['tokens']} tokens, {one['alive']} loaded, {one['seconds']:.3f} s"
            for one in series
        ]
    for name, value in result.get("over_import_torch", {}).items():
        out.append(f"  {name:26} {result['seconds'][name]:8.3f} s  {value:6.3f} of import torch")
    return out


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = "\n".join(f"{name}: {what}" for name, what in BENCHMARKS.items())
    parser.add_argument("name", choices=BENCHMARKS, metavar="NAME", help=names.replace("\n", "; "))
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it works")
    parser.add_argument("--rounds", type=int, help="rounds to measure; one more is the warm-up")
    parser.add_argument("--threads", type=int, default=_cores(), help="of every worker (all cores)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--backbone", choices=SHAPES, help="another shape than the benchmark's own")
    text = (
        "heldout, language-options: text files, a language each (heldout: one); without, the demo's"
    )
    parser.add_argument("--text", type=Path, nargs="+", default=(), metavar="FILE", help=text)
    parser.add_argument("--seeds", type=int, default=1, help="of the same two: how many")
    parser.add_argument(
        "--adapters-python", type=Path, help="where the adapters library is installed"
    )
    parser.add_argument("--without-adapters", action="store_true", help="leave that library out")
    parser.add_argument(
        "--without-bfloat16",
        action="store_true",
        help="leave contenders in bfloat16 out, as where the processor has no instructions for it",
    )
    return parser


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    main()
