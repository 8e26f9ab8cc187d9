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
        texts: Real text for the benchmarks of quality, a language a file.
        seeds: How many seeds these run.
        bfloat16: Whether contenders in bfloat16 take part.
    """

    quick: bool
    threads: int
    tell: Tell
    rounds: int | None = None
    adapters: Path | None = None
    device: str = "cpu"
    backbone: str | None = None
    texts: tuple[Path, ...] = ()
    seeds: int = 1
    bfloat16: bool = True

    @property
    def text(self) -> Path | None:
        """The only text, for a benchmark that takes one; None for the demo's.

        Raises:
            ValueError: If there are several.
        """
        if len(self.texts) > 1:
            raise ValueError(f"one --text is needed here, not {len(self.texts)}")
        return self.texts[0] if self.texts else None

    def turns(self, full: int) -> int:
        """Rounds to measure, of which a full run makes ``full``."""
        return self.rounds or (1 if self.quick else full)

    @property
    def dtypes(self) -> tuple[str, ...]:
        """Precisions that contenders run in, the fastest last."""
        return ("float32", "bfloat16") if self.bfloat16 else ("float32",)

    @property
    def chosen(self) -> str | None:
        """Precision of contenders that choose it by themselves, as the product does: None, or what is left."""
        return None if self.bfloat16 else "float32"

    def shape(self, full: str = "xlmr") -> str:
        """Name of the backbone's shape, which in a full run is ``full``."""
        return self.backbone or ("tiny" if self.quick else full)
