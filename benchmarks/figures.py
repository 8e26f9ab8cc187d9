"""From rounds to figures: medians, ratios of medians with their spread, slopes. Plain arithmetic."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Round = dict[str, float]


@dataclass
class Record:
    """What one contender did.

    Attributes:
        rounds: Its answers, one a round, the warm-up left out.
        ready_bytes: Peak memory once it was loaded.
        peak_bytes: Peak memory at its end.
    """

    rounds: list[Round] = field(default_factory=list)
    ready_bytes: int = 0
    peak_bytes: int = 0

    def values(self, name: str) -> list[float]:
        """One of its numbers, round by round."""
        return [one[name] for one in self.rounds]

    def median(self, name: str) -> float:
        """The median over rounds."""
        return statistics.median(self.values(name))

    def speeds(self) -> list[float]:
        """Tokens a second, round by round."""
        return [one["tokens"] / one["seconds"] for one in self.rounds]

    @property
    def speed(self) -> float:
        """Median of the tokens a second."""
        return statistics.median(self.speeds())


@dataclass(frozen=True)
class Ratio:
    """A ratio of medians, with the lowest and highest ratio of a round."""

    value: float
    low: float
    high: float


def ratio(above: Sequence[float] | None, below: Sequence[float] | None) -> Ratio | None:
    """Ratio of the medians of two contenders' rounds; None if one did not take part."""
    if above is None or below is None:
        return None
    each = [a / b for a, b in zip(above, below, strict=True)]
    value = statistics.median(above) / statistics.median(below)
    return Ratio(value, min(each), max(each))


def speed_ratio(records: Mapping[str, Record], above: str, below: str) -> Ratio | None:
    """How many times the tokens a second of ``below`` those of ``above`` are."""
    speeds = [records[name].speeds() if name in records else None for name in (above, below)]
    return ratio(*speeds)


def time_ratio(records: Mapping[str, Record], above: str, below: str) -> Ratio | None:
    """How many times the seconds of ``below`` those of ``above`` are."""
    times = [
        records[name].values("seconds") if name in records else None for name in (above, below)
    ]
    return ratio(*times)


def memory_ratio(records: Mapping[str, Record], above: str, below: str) -> float | None:
    """Peak memory of one process over another's."""
    if above not in records or below not in records:
        return None
    return records[above].peak_bytes / records[below].peak_bytes


def slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    """The exponent e of ``y = c x**e``, by least squares on logarithms."""
    logs = [math.log(x) for x in xs], [math.log(y) for y in ys]
    return statistics.linear_regression(*logs).slope


def table(records: Mapping[str, Record]) -> dict[str, dict[str, float]]:
    """What is reported of each contender."""
    return {
        name: {
            "tokens_per_second": record.speed,
            "seconds": record.median("seconds"),
            "peak_bytes": record.peak_bytes,
            "loaded_bytes": record.ready_bytes,
        }
        for name, record in records.items()
    }


def keys(ratios: Mapping[str, Ratio | None]) -> dict[str, object]:
    """Ratios as a result holds them: the values by name, and their spread beside them."""
    spread = {name: [one.low, one.high] for name, one in ratios.items() if one is not None}
    values = {name: None if one is None else one.value for name, one in ratios.items()}
    return {**values, "ranges": spread}
