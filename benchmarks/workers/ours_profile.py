"""Where the time of adapterkit's own training step goes, by kind of operation."""

import torch
from torch.profiler import profile

from adapterkit.data.blocks import Blocks
from adapterkit.training.masked_lm import vocabulary_of
from benchmarks.kinds import KINDS, REST
from benchmarks.protocol import Line, Message, main, serve
from benchmarks.workers.common import prepare, random_rows
from benchmarks.workers.ours_training import config_of, loaded, problem_of

STEPS = 5


def profiled(line: Line, spec: Message) -> None:
    """Answer each message with the share of each of `KINDS`, and of the rest, in some steps."""
    prepare()
    backbone = loaded(spec)
    config = config_of(backbone, spec, steps=100, learning_rate=1e-4)
    rows = random_rows(spec["batch"], spec["length"], backbone.vocabulary)
    blocks = Blocks(rows, vocabulary_of(backbone))
    problem = problem_of(backbone, config, blocks, blocks)
    optimizer = torch.optim.AdamW(problem.trained.parameters(), lr=1e-4, fused=True)

    def step(number: int) -> None:
        loss, _ = problem.loss(number)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()

    def work(message: Message) -> Message:
        for number in range(3):
            step(number)
        with profile() as seen:
            for number in range(STEPS):
                step(number)
        times = {event.key: float(event.self_cpu_time_total) for event in seen.key_averages()}
        total = sum(times.values())
        shares = {
            kind: sum(times.get(n, 0.0) for n in names) / total for kind, names in KINDS.items()
        }
        return {**shares, REST: 1 - sum(shares.values())}

    serve(line, work)


if __name__ == "__main__":
    main({"profile": profiled})
