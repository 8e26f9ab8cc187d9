"""The low-rank parts in a PEFT weight file, by its header: which linear layers they change, and how. No torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapterkit.backbone.architectures import ARCHITECTURES
from adapterkit.backbone.layout import POOLER, ends_of, is_named
from adapterkit.config import Linear
from adapterkit.formats.peft_config import Pattern
from adapterkit.formats.values import plain_name
from adapterkit.header import FLOATS, TensorFacts

START = "base_model.model."
LORA, IA3 = (".lora_A.weight", ".lora_B.weight"), ".ia3_l"
OURS = {LORA[0]: "down.weight", LORA[1]: "up.weight", IA3: "scale"}
"""Our name of a part's tensors, by the end of PEFT's key."""

Facts = Mapping[str, TensorFacts]


@dataclass(frozen=True)
class Modules:
    """The low-rank parts of a file.

    Attributes:
        prefix: First part of their paths, e.g. ``roberta``; empty for a bare base model.
        linears: The linear layers that they change.
        names: Our name of each of their tensors, by its key.
        left_out: Paths of the parts that have no effect on what is computed here.
        keys: All keys that belong to a part.
        problems: What is wrong with them, a line each.
    """

    prefix: str
    linears: tuple[Linear, ...]
    names: Mapping[str, str]
    left_out: tuple[str, ...]
    keys: frozenset[str]
    problems: tuple[str, ...]


def read_modules(record: Mapping[str, Any], facts: Facts) -> Modules:
    """The parts of which ``facts`` tell, compared with the configuration in ``record``."""
    ends = LORA if record["peft_type"] == "LORA" else (IA3,)
    parts = _by_module(facts, ends)
    reader = _Reader(record, parts)
    linears: list[Linear] = []
    names: dict[str, str] = {}
    left_out: list[str] = []
    for bare in sorted(parts):
        inside = split_prefix(bare)[1]
        if inside == POOLER:
            left_out.append(inside)
            continue
        linear = reader.linear(bare, inside, [facts.get(f"{START}{bare}{end}") for end in ends])
        if linear is not None:
            linears.append(linear)
            at = f"patches.{inside.replace('.', '/')}"
            names |= {f"{START}{bare}{end}": f"{at}.{OURS[end]}" for end in ends}
    prefixes = sorted({split_prefix(bare)[0] for bare in parts})
    if len(prefixes) > 1:
        said = " and ".join(repr(prefix) if prefix else "no prefix" for prefix in prefixes)
        reader.problems.append(f"parts of different models: their keys have {said}")
    keys = frozenset(f"{START}{bare}{end}" for bare in parts for end in parts[bare])
    prefix = prefixes[0] if prefixes else ""
    return Modules(prefix, tuple(linears), names, tuple(left_out), keys, tuple(reader.problems))


def _by_module(facts: Facts, ends: tuple[str, ...]) -> dict[str, list[str]]:
    """The ends of the keys of each module, by its path."""
    parts: dict[str, list[str]] = {}
    for key in facts:
        for end in ends:
            if key.startswith(START) and key.endswith(end):
                parts.setdefault(key[len(START) : -len(end)], []).append(end)
    return parts


def split_prefix(path: str) -> tuple[str, str]:
    """A model's prefix (``roberta``, or none) and the path inside its base model."""
    first, _, rest = path.partition(".")
    prefixes = {row.prefix for row in ARCHITECTURES.values() if not row.own_base}
    return (first, rest) if first in prefixes and rest else ("", path)


class _Reader:
    """Reads one part after the other, and collects what is wrong with them."""

    def __init__(self, record: Mapping[str, Any], paths: Mapping[str, object]) -> None:
        self.record = record
        targets = record["target_modules"]
        self.targets = ends_of(targets if isinstance(targets, str) else tuple(targets))
        self.ranks = Pattern(record.get("rank_pattern"))
        self.alphas = Pattern(record.get("alpha_pattern"))
        self.problems = [
            f"{what}: {key!r:.80} matches no module"
            for what, pattern in (("rank_pattern", self.ranks), ("alpha_pattern", self.alphas))
            for key in pattern.idle(list(paths))
        ]

    def linear(self, bare: str, inside: str, parts: list[TensorFacts | None]) -> Linear | None:
        """The layer at ``bare``; None if something is wrong with it, which is noted then."""
        before = len(self.problems)
        key = f"{START}{bare}"
        if not all(plain_name(name) for name in inside.split(".")):
            self.problems.append(f"{key!r:.200}: no path of a module")
        if self.targets is not None and not is_named(bare, self.targets):
            self.problems.append(f"{key}: not named by target_modules")
        read = self._lora if self.record["peft_type"] == "LORA" else self._ia3
        linear = read(bare, inside, parts)
        return linear if len(self.problems) == before else None

    def _lora(self, bare: str, inside: str, parts: list[TensorFacts | None]) -> Linear:
        rank = int(self.ranks.of(bare, self.record.get("r", 8)))
        alpha = float(self.alphas.of(bare, self.record.get("lora_alpha", 8)))
        scaling = alpha / (rank**0.5 if self.record.get("use_rslora") else rank)
        inputs = self._size(bare, LORA[0], parts[0], (rank, None))
        outputs = self._size(bare, LORA[1], parts[1], (None, rank))
        return Linear(inside, inputs, outputs, rank, scaling)

    def _ia3(self, bare: str, inside: str, parts: list[TensorFacts | None]) -> Linear:
        # As PEFT has it: an end of the path here, of any length, unlike in target_modules.
        forward = bare.endswith(tuple(self.record.get("feedforward_modules") or ()))
        width = self._size(bare, IA3, parts[0], (1, None) if forward else (None, 1))
        return Linear(inside, width if forward else 0, 0 if forward else width, feedforward=forward)

    def _size(
        self, bare: str, end: str, fact: TensorFacts | None, wanted: tuple[int | None, int | None]
    ) -> int:
        """The width that the file alone tells: None in ``wanted``."""
        key = f"{START}{bare}{end}"
        if fact is None:
            self.problems.append(f"{key}: missing")
            return 0
        fits = len(fact.shape) == 2 and all(
            size == there or (size is None and there > 0)
            for size, there in zip(wanted, fact.shape, strict=True)
        )
        if not fits:
            said = ", ".join("a width" if size is None else str(size) for size in wanted)
            self.problems.append(f"{key}: shape {fact.shape}, needed ({said})")
            return 0
        if fact.dtype not in FLOATS:
            self.problems.append(f"{key}: dtype {fact.dtype}, a floating-point one is needed")
        return fact.shape[wanted.index(None)]
