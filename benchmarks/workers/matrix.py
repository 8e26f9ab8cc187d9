"""The machine's own rate: products of the sizes that a training step really has, in each precision asked for."""

import time

import torch
from torch.nn import functional

from benchmarks.protocol import Line, Message, main, serve
from benchmarks.workers.common import DTYPES, prepare, waiting

PIECE = 16384


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
    kind = DTYPES[dtype]
    inputs = {(n, i): torch.randn(n, i, device=device).to(kind) for n, i, _ in sizes}
    # A vocabulary is multiplied in pieces, and all products go into memory that is there: as in a step.
    pieces = [
        (inputs[n, i], torch.randn(min(PIECE, o - start), i, device=device).to(kind))
        for n, i, o in sizes
        for start in range(0, o, PIECE)
    ]
    room = torch.empty(max(x.shape[0] * w.shape[0] for x, w in pieces), device=device, dtype=kind)
    wait = waiting(device)
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        for x, weight in pieces:
            size = x.shape[0], weight.shape[0]
            torch.mm(x, weight.t(), out=room[: size[0] * size[1]].view(size))
        wait()
        best = min(best, time.perf_counter() - began)
    return sum(2 * n * i * o for n, i, o in sizes) / best


if __name__ == "__main__":
    main({"rates": rates})
