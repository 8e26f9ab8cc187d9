"""The machine's own rate: products of the sizes that a training step really has, in each precision asked for."""

import time

import torch
from torch.nn import functional

from benchmarks.protocol import Line, Message, main, serve
from benchmarks.workers.common import DTYPES, prepare, waiting


def rates(line: Line, spec: Message) -> None:
    """Answer each message with rates in operations a second, by dtype.

    ``..._rate`` is the best over all sizes, of one matrix over and over, which stays in the cache;
    ``..._streamed`` that of every matrix of the model in turn, which do not.
    """
    prepare()
    sizes = [tuple(size) for size in spec["sizes"]]
    repeats = int(spec["repeats"])

    def work(message: Message) -> Message:
        best = {
            name: max(_rate(size, name, spec["device"], repeats) for size in sizes)
            for name in spec["dtypes"]
        }
        streams = {
            name: _streamed(spec["weights"], name, spec["device"]) for name in spec["dtypes"]
        }
        return {f"{name}_rate": value for name, value in best.items()} | {
            f"{name}_streamed": value for name, value in streams.items()
        }

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


def _streamed(sizes: list[list[int]], dtype: str, device: str) -> float:
    inputs = {(n, i): torch.randn(n, i, device=device).to(DTYPES[dtype]) for n, i, _ in sizes}
    weights = [torch.randn(o, i, device=device).to(DTYPES[dtype]) for _, i, o in sizes]
    wait = waiting(device)
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        for (rows, width, _), weight in zip(sizes, weights, strict=True):
            functional.linear(inputs[rows, width], weight)
        wait()
        best = min(best, time.perf_counter() - began)
    return sum(2 * n * i * o for n, i, o in sizes) / best


if __name__ == "__main__":
    main({"rates": rates})
