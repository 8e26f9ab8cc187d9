"""The machine's own rate: products of the sizes that a training step really has, in float32 and bfloat16."""

import time

import torch
from torch.nn import functional

from benchmarks.protocol import Line, Message, main, serve
from benchmarks.workers.common import DTYPES, prepare, waiting


def rates(line: Line, spec: Message) -> None:
    """Answer each message with the best rate over all sizes, in operations a second, by dtype."""
    prepare()
    sizes = [tuple(size) for size in spec["sizes"]]
    repeats = int(spec["repeats"])

    def work(message: Message) -> Message:
        best = {
            name: max(_rate(size, name, spec["device"], repeats) for size in sizes)
            for name in DTYPES
        }
        return {f"{name}_rate": value for name, value in best.items()}

    serve(line, work)


def _rate(size: tuple[int, ...], dtype: str, device: str, repeats: int) -> float:
    rows, inputs, outputs = size
    x = torch.randn(rows, inputs, device=device).to(DTYPES[dtype])
    weight = torch.randn(outputs, inputs, device=device).to(DTYPES[dtype])
    wait = waiting(device)
    best = float("inf")
    for _ in range(repeats + 1):
        began = time.perf_counter()
        functional.linear(x, weight)
        wait()
        best = min(best, time.perf_counter() - began)
    return 2 * rows * inputs * outputs / best


if __name__ == "__main__":
    main({"rates": rates})
