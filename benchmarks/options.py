"""What every benchmark is told."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.contest import Tell


@dataclass(frozen=True)
class Options:
    """Of one run.

    Attributes:
        quick: Tiny sizes: to see that it works, not for numbers.
        threads: Of every worker.
        tell: Told about progress.
        rounds: Rounds to measure; by default the benchmark's own number.
        adapters: Interpreter of the environment with the adapters library; None leaves it out.
        device: ``cpu`` or ``cuda``.
        backbone: Shape of the backbone; by default the benchmark's own.
        text: Real text for the benchmarks of quality.
        seeds: How many seeds these run.
    """

    quick: bool
    threads: int
    tell: Tell
    rounds: int | None = None
    adapters: Path | None = None
    device: str = "cpu"
    backbone: str | None = None
    text: Path | None = None
    seeds: int = 1

    def turns(self, full: int) -> int:
        """Rounds to measure, of which a full run makes ``full``."""
        return self.rounds or (1 if self.quick else full)

    def shape(self, full: str = "xlmr") -> str:
        """Name of the backbone's shape, which in a full run is ``full``."""
        return self.backbone or ("tiny" if self.quick else full)
