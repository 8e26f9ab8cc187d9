"""Run all benchmarks and write docs/benchmarks.json, and from it docs/benchmarks.md and its plot.

    python benchmarks/page.py                              # everything; what follows -- goes to run.py
    python benchmarks/page.py --only attach rows           # these again, the others stay as they are
    python benchmarks/page.py --render                     # page and plot again, nothing measured
    python benchmarks/page.py --out /tmp/try -- --quick    # to try it out
    python benchmarks/page.py --name benchmarks-float32    # another machine's, beside this one's

No number stands in the page that is not in the JSON file.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from adapterkit.files import read_json, write_bytes, write_json
from benchmarks import cost
from benchmarks.contest import ROOT
from benchmarks.plot import draw
from benchmarks.run import BENCHMARKS
from benchmarks.tables import (
    ATTACH,
    HELDOUT,
    INFERENCE,
    LINEAR,
    ROWS,
    TASK_TRAINING,
    TRAINING,
    Figure,
)

Result = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is asked for, keep it, and write page and plot."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS))
    parser.add_argument("--without", nargs="+", choices=BENCHMARKS, default=[])
    parser.add_argument("--render", action="store_true", help="measure nothing")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="folder (docs)")
    parser.add_argument("--name", default="benchmarks", help="of the three files (benchmarks)")
    parser.add_argument("passed", nargs="*", metavar="-- ...", help="passed on to run.py")
    given = parser.parse_args(arguments)
    record, page_file, plot = (given.out / f"{given.name}.{kind}" for kind in ("json", "md", "svg"))
    asked = [name for name in given.only if name not in given.without]
    for name in () if given.render else asked:
        results = read_json(record) if record.is_file() else {}
        write_json(record, {**results, name: measured(name, given.passed)})
    results = read_json(record)
    draw(results, plot)
    write_bytes(page_file, page(results, plot.name).encode())


def measured(name: str, passed: Sequence[str]) -> Result:
    """Run one benchmark in a process of its own."""
    command = [sys.executable, str(ROOT / "benchmarks" / "run.py"), name, "--json", *passed]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: Result = json.loads(done.stdout)
    return result


def page(results: dict[str, Result], plot: str = "benchmarks.svg") -> str:
    """The page, a section for each benchmark that was run, with the plot of that name."""
    sections: dict[str, Callable[[Result], list[str]]] = {
        "language-training": _training,
        "language-options": _options,
        "task-training": _task_training,
        "heldout": _heldout,
        "inference": _inference,
        "rows": _rows,
        "attach": _attach,
        "pool": _pool,
        "linear": _linear,
        "startup": _startup,
    }
    out = [
        "# Benchmarks",
        "",
        f"Written by `benchmarks/page.py` from `{Path(plot).stem}.json`. All contenders of a benchmark take turns in one run, each in a",
        "process of its own that is idle while another runs; figures are medians over rounds and ratios of medians, with the",
        "lowest and highest ratio of a round beside them. Backbones of real shape have random weights. Peak memory is the most",
        "that the whole process ever held.",
        *_left_out(results),
        "",
        f"![training speed, cost against tokens, cost against adapters loaded]({plot})",
    ]
    for name, section in sections.items():
        if name in results:
            out += ["", *section(results[name]), "", *_measured_with(results[name])]
    return "\n".join(out) + "\n"


def _left_out(results: dict[str, Result]) -> list[str]:
    if all(one.get("bfloat16", True) for one in results.values()):
        return []
    return [
        "",
        "**Contenders in bfloat16 were left out** (a processor without instructions for it takes a hundred times as long), and "
        "figures about them are not measured.",
    ]


def _training(result: Result) -> list[str]:
    sizes = result["sizes"]
    kinds = [kind for kind in ("float32", "bfloat16") if kind in result["matrix_rates"]]
    rates, streamed = (
        " and ".join(f"{result[key][kind] / 1e9:,.0f} GFLOP/s in {kind}" for kind in kinds)
        for key in ("matrix_rates", "matrix_rates_streamed")
    )
    faster = kinds[-1]
    autocast = "with bf16 autocast" if faster == "bfloat16" else "in float32"
    return [
        "## Training a language adapter",
        "",
        f"Backbone `{sizes['backbone']}`, batch {sizes['batch']} x {sizes['length']}; an invertible Pfeiffer adapter with "
        "reduction factor 2 in every layer, 15 % of the tokens to predict, AdamW.",
        "`adapters` runs as its documentation says: `AdapterTrainer` over an `AutoModelForMaskedLM`, with the trainer's defaults "
        "(dropout of the backbone on, clipped gradients).",
        f"The lines of `mini` have batch {sizes['mini_batch']} x {sizes['mini_length']}; the plain loop is torch and transformers "
        f"{autocast}, logits at masked positions only, and fused AdamW.",
        "",
        *_contenders(result, "a step"),
        "",
        *_figures(result, TRAINING),
        "",
        f"The machine multiplies at {rates}: the best of the sizes that the step has, measured in the same run. The share of it that "
        "is used is",
        "",
        "    2 x multiply-adds a token x tokens/s / rate",
        "",
        f"with {result['multiply_adds_per_token'] / 1e6:,.1f} million multiply-adds a token. {_formula()}",
        "",
        "| part of the step | multiply-adds, millions |",
        "| --- | --- |",
        *(
            f"| {name.replace('_', ' ')} | {count / 1e6:,.1f} |"
            for name, count in result["multiply_adds"].items()
        ),
        "",
        f"That rate is of matrices that stay in the cache. One after the other, as a step meets them, the model's own are "
        f"multiplied at {streamed}. Where the time of a {faster} step goes (torch's profiler, a run of its own):",
        "",
        "| kind of operation | share of the time |",
        "| --- | --- |",
        *(f"| {kind} | {share:.0%} |" for kind, share in result["profile"].items()),
    ]


def _formula() -> str:
    """What `cost` says of itself, without its title."""
    said = (cost.__doc__ or "").partition("\n\n")[2].strip().replace("``", "`")
    return said[0].upper() + said[1:]


def _heldout(result: Result) -> list[str]:
    sizes = result["sizes"]
    return [
        "## The same quality",
        "",
        f"`mini`, text: {result['text']}, {sizes['steps']} steps of {sizes['batch']} x {sizes['length']} tokens, the very same masked "
        f"batches for all, seeds: {sizes['seeds']}. Held-out loss in nats a masked token, each by its own forward.",
        "In its documented way `adapters` trains layers of the masked-LM head along with the adapter, at a rate of 1e-4; with the head "
        "frozen, it trains what we do. Our learning rate is 1e-3. "
        "It never runs the coupling's inverse before the vocabulary matrix; we do.",
        "",
        *_figures(result, HELDOUT),
    ]


def _options(result: Result) -> list[str]:
    sizes, texts = result["sizes"], result["losses"]
    return [
        "## Options of training a language adapter",
        "",
        f"Off by default. The backbone is `mini`; {sizes['steps']} steps of {sizes['batch']} x {sizes['length']} tokens, seeds: "
        f"{sizes['seeds']}; held-out loss in nats a masked token over the whole vocabulary (mean over seeds), in the precision that "
        f"is chosen by measuring. The upper half are {sizes['upper']} bottlenecks in the uppermost layers that have one (the last "
        f"layer has none in any row); the texts' own pieces are {result['own_pieces']:,.0f} of the vocabulary (mean over texts). Speed "
        "and memory are of steps on random tokens, by turns (lowest and highest round in brackets).",
        "",
        f"| option | {' | '.join(f'loss, {text}' for text in texts)} | above the default | tokens/s over the default | peak memory over it |",
        "| --- " * (len(texts) + 4) + "|",
        *(
            f"| {name} | {' | '.join(f'{statistics.mean(texts[text][name]):.3f}' for text in texts)} | "
            f"{result['above_default'][name]:+.2%} | {_with_spread(result, '', name)} | "
            f"{result['memory_over_default'][name]:.2f} |"
            for name in result["above_default"]
        ),
        "",
        f"Speed alone, backbone `{sizes['big']}`, batch {sizes['big_batch']} x {sizes['big_length']} of "
        f"{sizes['big_own_pieces']:,} different pieces, {sizes.get('big_precision', 'bfloat16')} (upper half: {sizes['big_upper']} bottlenecks):",
        "",
        "| option | tokens/s | over the default | peak memory over it |",
        "| --- | --- | --- | --- |",
        *(
            f"| {name} | {one['tokens_per_second']:,.0f} | {_with_spread(result, 'big_', name)} | "
            f"{result['big_memory_over_default'][name]:.2f} |"
            for name, one in result["big_contenders"].items()
        ),
    ]


def _with_spread(result: Result, which: str, name: str) -> str:
    low, high = result[f"{which}speed_spread"][name]
    return f"{result[f'{which}speed_over_default'][name]:.2f} ({low:.2f} to {high:.2f})"


def _task_training(result: Result) -> list[str]:
    sizes = result["sizes"]
    return [
        "## Training a task adapter",
        "",
        f"`mini`, part of speech on {sizes['examples']} examples of one to six sentences of the demo's English, batch "
        f"{sizes['batch']}, over an invertible language adapter with reduction factor 2. The task adapter stands in every layer "
        "but the last, or in the upper half of them. A round is one pass; the first, in which what lies below the first trained "
        "bottleneck is computed, is the warm-up. Padding does not count as tokens.",
        "",
        *_contenders(result, "a pass"),
        "",
        *_figures(result, TASK_TRAINING),
    ]


def _inference(result: Result) -> list[str]:
    return [
        "## Inference",
        "",
        f"{_sizes(result)}. The stack is an invertible language adapter with reduction factor 2 and a task adapter with 16; "
        "the last hidden state is computed, without a gradient.",
        "",
        *_contenders(result, "a batch"),
        "",
        *_figures(result, INFERENCE),
    ]


def _rows(result: Result) -> list[str]:
    return [
        "## Many languages in one batch",
        "",
        f"{_sizes(result)}. Every row has a language of its own (an invertible adapter with reduction factor 2) under one task "
        "adapter; against all rows in one language, and against `adapters`, which takes one language at a time.",
        "",
        *_contenders(result, "a batch"),
        "",
        *_figures(result, ROWS),
    ]


def _attach(result: Result) -> list[str]:
    return [
        "## Attaching a saved adapter to a live backbone",
        "",
        f"Backbone `{result['sizes']['backbone']}`, an invertible adapter with reduction factor 2, warm.",
        "",
        *_figures(result, ATTACH),
    ]


def _pool(result: Result) -> list[str]:
    mib = {key: result[f"pool_{key}_bytes"] / 2**20 for key in ("bound", "held", "resident")}
    first = result.get("pool_first_load_ms")
    first = "" if first is None else f", {first:.1f} ms the first time, when its files are hashed"
    return [
        "## A pool of adapters",
        "",
        f"{result['pool_adapters']} invertible adapters with reduction factor 2 on backbone "
        f"`{result['sizes']['backbone']}`, each asked for once a round, under a bound of {mib['bound']:,.0f} MiB: "
        f"{result['pool_in_memory']} are in memory at the end ({mib['held']:,.0f} MiB of weights); the process is "
        f"{mib['resident']:,.0f} MiB larger than before the first. Getting one that is not in memory takes "
        f"{result['pool_load_ms']:.1f} ms (median){first}, a batch of eight rows with eight of them "
        f"{result['pool_encode_ms']:.0f} ms, loading included.",
    ]


def _linear(result: Result) -> list[str]:
    points = [
        f"| {words} | {p['batch']} x {p['length']} | {p['alive']} | {p['seconds']:.3f} | {p['tokens_per_second']:,.0f} |"
        for name, words in (
            ("batch", "more rows"),
            ("length", "longer rows"),
            ("alive", "more adapters"),
        )
        for p in result["series"][name]
    ]
    taken = result.get("turns")
    turns = "two of them took turns" if taken is None else f"they take turns, {taken} in a round"
    return [
        "## Cost against tokens and against adapters loaded",
        "",
        f"Backbone `{result['sizes']['backbone']}`, a language and a task adapter, float32, no gradient. Where many adapters are "
        f"loaded, {turns}.",
        "",
        *_figures(result, LINEAR),
        "",
        "| series | batch | adapters loaded | seconds | tokens/s |",
        "| --- | --- | --- | --- | --- |",
        *points,
    ]


def _startup(result: Result) -> list[str]:
    return [
        "## Start-up",
        "",
        "| command | seconds | over `import torch` |",
        "| --- | --- | --- |",
        *(
            f"| `{name}` | {seconds:.3f} | {result['over_import_torch'][name]:.3f} |"
            for name, seconds in result["seconds"].items()
        ),
    ]


def _sizes(result: Result) -> str:
    sizes = result["sizes"]
    return f"Backbone `{sizes['backbone']}`, batch {sizes['batch']} x {sizes['length']}"


def _contenders(result: Result, unit: str) -> list[str]:
    rows = [
        f"| {name} | {one['tokens_per_second']:,.0f} | {one['seconds']:.3f} | {one['peak_bytes'] / 2**30:.2f} |"
        for name, one in result["contenders"].items()
    ]
    return [
        f"| contender | tokens/s | seconds {unit} | peak memory, GiB |",
        "| --- | --- | --- | --- |",
        *rows,
    ]


def _figures(result: Result, wanted: Sequence[Figure]) -> list[str]:
    spread = result.get("ranges", {})
    lines = ["| figure | value | lowest and highest round | aim |", "| --- | --- | --- | --- |"]
    for key, words, aim in wanted:
        value = result.get(key)
        shown = "not measured" if value is None else f"{value:.3f}"
        ends = "{:.3f} to {:.3f}".format(*spread[key]) if key in spread else ""
        lines.append(f"| {words} | {shown} | {ends} | {aim} |")
    return lines


def _measured_with(result: Result) -> list[str]:
    with_what = result["provenance"]
    versions = ", ".join(f"{name} {number}" for name, number in with_what["versions"].items())
    beside = with_what["versions_beside_adapters"] or {}
    theirs = ", ".join(f"{name} {number}" for name, number in beside.items())
    rounds = f", {result['rounds']} rounds" if "rounds" in result else ""
    quick = "**Tiny sizes, to see that it works; no result.** " if result["quick"] else ""
    return [
        f"{quick}{with_what['processor']}, {with_what['threads']} threads, {result['device']}{rounds}; {versions}"
        + (f"; `adapters` beside {theirs}." if theirs else ".")
    ]


if __name__ == "__main__":
    main()
