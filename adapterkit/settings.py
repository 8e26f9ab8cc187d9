"""How adapters are trained, as frozen dataclasses. ``None`` means: decided from the corpus or the backbone.

Defaults and their sources: Pfeiffer et al. (2020) "MAD-X"; Pfeiffer et al. (2021) "UNKs Everywhere"
(the last layer dropped); Parovic et al. (2023) (steps and learning rates); `docs/log.md` (what we measured).
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from math import inf
from numbers import Integral, Real
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from adapterkit.config import METHODS, PRESETS
from adapterkit.errors import ConfigError, found

Precision = Literal["float32", "bfloat16"]

SMALL_CORPUS_BYTES = 1_000_000
"""Below about this much text a narrow bottleneck (reduction factor 16) is preferred."""


@dataclass(frozen=True)
class LanguageConfig:
    """How a language adapter is trained. ``None`` means: decided from the corpus or the backbone.

    Attributes:
        method: One of `METHODS`.
        rank: Of LoRA.
        reduction_factor: 2, or 16 under about 1 MB of text.
        invertible: Train a NICE coupling with it.
        drop_last_layer: Leave the last layer without a bottleneck (MAD-X 2.0).
        upper_layers: So many bottlenecks only, in the uppermost of the layers that would have one; by
            default all have. Without a coupling nothing below the lowest one asks for a gradient.
        restrict_vocabulary: Let the training loss go over the corpus' own pieces only (never the held-out).
        lower_layers: Bottlenecks in so many of the lowest layers only; by default in all.
        embedding_rows: Train a delta on the row of each piece that the corpus uses (no special tokens), in the
            embeddings and, where it is tied to them, in the vocabulary matrix.
        embedding_rows_at_least: A piece that occurs less often in the corpus has none.
        embedding_rows_rate: Factor on these deltas' learning rate; they have no weight decay.
        keep_start: Share of the adapter that training starts from (``init``) that stays in the result; by
            default 0.4 of another language's bottlenecks (not under a domain adapter), else 0.
        steps: Optimizer steps; by default by the size of the corpus.
        max_minutes: Stop after this much training time (added over resumed runs).
        batch_size: Blocks a step.
        block_length: Tokens a block.
        learning_rate: Peak of AdamW; by default by tokens a step and by width.
        warmup: Share of the steps with a rising learning rate; then linear to zero.
        weight_decay: Of AdamW.
        clip: Largest norm of all gradients of a step together; larger ones are scaled down.
        masking: Share of tokens to predict; of these 80 % masked, 10 % random, 10 % kept.
        evaluate_every: Steps between looks at the held-out loss (a checkpoint each).
        patience: Looks without a new best before stopping.
        heldout_blocks: At most so many blocks in the held-out loss.
        precision: Arithmetic of the frozen backbone while training; adapters are always float32.
        seed: Of everything random.
    """

    method: str = "pfeiffer"
    rank: int = 8
    reduction_factor: float | None = None
    invertible: bool = True
    drop_last_layer: bool = True
    upper_layers: int | None = None
    restrict_vocabulary: bool = False
    embedding_rows: bool = False
    embedding_rows_at_least: int = 5
    embedding_rows_rate: float = 1.0
    keep_start: float | None = None
    lower_layers: int | None = None
    steps: int | None = None
    max_minutes: float | None = None
    batch_size: int = 32
    block_length: int | None = None
    learning_rate: float | None = None
    warmup: float = 0.06
    weight_decay: float = 0.0
    clip: float | None = None
    masking: float = 0.15
    evaluate_every: int | None = None
    patience: int = 5
    heldout_blocks: int = 128
    precision: Precision | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        _check(
            self,
            positive=(
                "rank reduction_factor upper_layers lower_layers steps max_minutes batch_size block_length embedding_rows_at_least embedding_rows_rate "
                "learning_rate clip masking evaluate_every patience heldout_blocks"
            ),
            shares=("warmup", "masking", "keep_start"),
        )


@dataclass(frozen=True)
class TaskConfig:
    """How a task adapter is trained.

    Attributes:
        method: One of `METHODS`.
        rank: Of LoRA.
        reduction_factor: Of the task adapter's bottlenecks.
        drop_last_layer: Leave the last layer without a bottleneck (MAD-X 2.0).
        lower_layers: Bottlenecks in so many of the lowest layers only; by default in all.
        leave_out: More layers without a bottleneck, counted from 0; what lies below the first one that
            has a bottleneck is computed once an example.
        epochs: Passes over the training examples.
        steps: Optimizer steps instead of epochs.
        max_minutes: Stop after this much training time.
        batch_size: Examples a step.
        max_length: Tokens an input window; by default 128 or what the backbone can read.
        learning_rate: Peak of AdamW for adapter and head; by default by the width of the backbone.
        head_rate: Factor on the learning rate of the head. Above 1 it learns rare labels sooner (named
            entities); parts of speech transferred worse then (``docs/log.md``).
        warmup: Share of the steps with a rising learning rate; then linear to zero.
        weight_decay: Of AdamW.
        clip: Largest norm of all gradients of a step together; larger ones are scaled down.
        evaluate_every: Steps between looks at the dev set; by default ten looks a run.
        patience: Looks without a new best before stopping.
        seed: Of everything random.
        precision: Arithmetic of the frozen backbone while training.
        cache_mib: Memory, in MiB, for what no trained part changes, which is computed once an example;
            what does not fit is computed again in each pass. None keeps nothing.
    """

    method: str = "pfeiffer"
    rank: int = 8
    reduction_factor: float = 16
    drop_last_layer: bool = True
    lower_layers: int | None = None
    leave_out: tuple[int, ...] = ()
    epochs: float = 10
    steps: int | None = None
    max_minutes: float | None = None
    batch_size: int = 16
    max_length: int | None = None
    learning_rate: float | None = None
    head_rate: float = 1.0
    warmup: float = 0.06
    weight_decay: float = 0.0
    clip: float | None = None
    evaluate_every: int | None = None
    patience: int = 5
    seed: int = 0
    precision: Precision | None = None
    cache_mib: int | None = 512

    def __post_init__(self) -> None:
        _check(
            self,
            positive=(
                "rank reduction_factor lower_layers epochs steps max_minutes batch_size max_length "
                "learning_rate head_rate clip evaluate_every patience cache_mib"
            ),
            shares=("warmup",),
        )


@dataclass(frozen=True)
class SelfTrainingConfig:
    """How a task adapter goes on with labels that it gives to raw text itself.

    Attributes:
        sentences: Lines of the text that are labelled, drawn by content.
        rounds: How often they are labelled anew and learnt.
        by_word: Weight, in a word's label, of what is said of the same word everywhere in the text; the rest is of
            what is said of it here.
        epochs: Passes over the sentences, a round.
        batch_size: Sentences a step.
        learning_rate: Peak of AdamW; by default three times a task adapter's.
        seed: Of everything random.
        precision: Arithmetic of the frozen backbone while training.
    """

    sentences: int = 1500
    rounds: int = 2
    by_word: float = 0.75
    epochs: float = 2
    batch_size: int = 16
    learning_rate: float | None = None
    seed: int = 0
    precision: Precision | None = None

    def __post_init__(self) -> None:
        _check(
            self,
            positive="sentences rounds epochs batch_size learning_rate",
            shares=("by_word",),
        )


def as_record(config: LanguageConfig | TaskConfig | SelfTrainingConfig) -> dict[str, Any]:
    """The settings as plain JSON values, by name; `from_record` reads them.

    Settings that came later are left out where they change nothing, so that older grids and checkpoints go on.
    """
    return {k: v for k, v in asdict(config).items() if k not in _CAME_LATER or v != _CAME_LATER[k]}


_Config = TypeVar("_Config", LanguageConfig, TaskConfig, SelfTrainingConfig)


def from_record(kind: type[_Config], record: Mapping[str, Any]) -> _Config:
    """The settings that `as_record` wrote, also before some of them were there."""
    names = {field.name for field in fields(kind)}
    return kind(**{**{k: v for k, v in _CAME_LATER.items() if k in names}, **record})


_CAME_LATER = {"head_rate": 1.0, "keep_start": 0.0}
"""What a record without them means."""


_LARGEST = {"rank": 65_536, "reduction_factor": 1_000_000}
"""What readers of folders take, so that nothing is trained that could not be read."""


def _check(config: Any, *, positive: str, shares: tuple[str, ...]) -> None:
    values = {f.name: getattr(config, f.name) for f in fields(config)}
    problems = _of_another_kind(config)
    if problems:
        raise ConfigError(f"{type(config).__name__} cannot be used:{found(problems)}")
    _make_plain(config)
    problems = [
        f"{name} = {values[name]}: must be above 0, and finite"
        for name in positive.split()
        if values[name] is not None and not 0 < values[name] < inf  # nor nan
    ]
    problems += [
        f"{name} = {values[name]}: must be between 0 and 1"
        for name in shares
        if values[name] is not None and not 0 <= values[name] <= 1
    ]
    problems += [
        f"{name} = {values[name]}: no folder holds one above {largest:,}"
        for name, largest in _LARGEST.items()
        if (values.get(name) or 0) > largest
    ]
    decay = values.get("weight_decay", 0)
    if not 0 <= decay < inf:
        problems.append(f"weight_decay = {decay}: must be 0 or more, and finite")
    method = values.get("method", "pfeiffer")
    if method not in METHODS:
        problems.append(f"method = {method}: there are {', '.join(METHODS)}")
    elif method not in PRESETS:
        problems += [
            f"{name} = {values[name]}: {method} has no bottlenecks to leave out"
            for name in ("upper_layers", "lower_layers")
            if values.get(name) is not None
        ]
        if values.get("embedding_rows"):
            problems.append(f"embedding_rows: a {method} adapter's folder has no place for them")
    if problems:
        raise ConfigError(f"{type(config).__name__} cannot be used:{found(problems)}")


def _make_plain(config: Any) -> None:
    """Turn numbers of other libraries into Python's own: a checkpoint and a card can hold nothing else."""
    for field in fields(config):
        value = getattr(config, field.name)
        plain: object = value
        if _is_number(value):
            plain = int(value) if isinstance(value, Integral) else float(value)
        elif isinstance(value, list | tuple | range):
            plain = tuple(map(int, value))
        object.__setattr__(config, field.name, plain)  # it is frozen, and still being made


def _of_another_kind(config: Any) -> list[str]:
    """Settings whose value is no number, switch or name where one is needed."""
    problems = []
    for field in fields(config):
        value = getattr(config, field.name)
        kinds = _alternatives(field.type)
        if value is None and type(None) in kinds:
            continue
        for kind, fits, needed in _KINDS:
            if kind in kinds and not fits(value):
                problems.append(f"{field.name} = {value!r:.60}: must be {needed}")
    return problems


def _alternatives(kind: Any) -> tuple[object, ...]:
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


_KINDS: tuple[tuple[object, Callable[[object], bool], str], ...] = (
    (int, _is_whole, "a whole number"),
    (float, _is_number, "a number"),
    (bool, lambda value: isinstance(value, bool), "True or False"),
    (str, lambda value: isinstance(value, str), "a name"),
    (Precision, lambda value: value in get_args(Precision), " or ".join(get_args(Precision))),
    (
        tuple[int, ...],
        lambda value: isinstance(value, list | tuple | range) and all(map(_is_whole, value)),
        "a list of whole numbers",
    ),
)
"""What a setting's type asks of its value, and how an error says it."""
