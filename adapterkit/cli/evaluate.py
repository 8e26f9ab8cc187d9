"""`evaluate`: scores of a stack with intervals, and the baselines beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapterkit.cli.labelled import Column, TaskName, TextColumn, make_task, takes_language
from adapterkit.cli.options import (
    BackboneName,
    Device,
    Dtype,
    Json,
    Seed,
    StackNames,
    check_can_write,
    language_code,
    load,
    load_stack,
    percent,
    print_json,
    print_table,
    refuse,
    say,
    split_names,
)
from adapterkit.errors import ConfigError

if TYPE_CHECKING:
    from adapterkit.composition.adapter import Adapter
    from adapterkit.composition.stack import Stack
    from adapterkit.evaluation import Evaluation
    from adapterkit.metrics import Score


def evaluate(
    test: Annotated[list[Path], typer.Option("--test", help="Labelled file; repeat for several.")],
    stack: StackNames = "mini:eng,mini:pos",
    backbone: BackboneName = "mini",
    task: TaskName = "pos",
    column: Column = None,
    text_field: TextColumn = None,
    language: Annotated[
        str | None,
        typer.Option(
            "--language",
            callback=language_code,
            help="ISO 639 code; also filters files with many languages. With --record: what the card says.",
        ),
    ] = None,
    baselines: Annotated[
        bool,
        typer.Option("--baselines", help="Also: source adapter kept, language adapter removed."),
    ] = False,
    source: Annotated[
        str | None,
        typer.Option(
            "--source",
            help="Source adapter, or with commas all that the task adapter was trained over; by default found by "
            "provenance.",
        ),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            "--against", help="Also: another stack on the same examples; repeat for several."
        ),
    ] = None,
    predictions: Annotated[
        Path | None, typer.Option("--predictions", help="Write gold and predicted labels here.")
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option("--record", help="Adapter folder whose card shall show these scores."),
    ] = None,
    confusion: Annotated[
        bool, typer.Option("--confusion", help="Show which label is taken for which.")
    ] = False,
    seed: Seed = 0,
    device: Device = None,
    dtype: Dtype = None,
    json: Json = False,
) -> None:
    """Score a stack on labelled data, with 95 % intervals.

    Example: adapterkit evaluate --stack adapters/cym,mini:pos --test cym.conllu --baselines
    """
    from adapterkit.evaluation import (
        CONDITIONS,
        check_scorable,
        evaluation,
        gains_of,
        warn_of_unknown,
    )
    from adapterkit.model import AdaptedModel
    from adapterkit.publishing.record import check_measured, language_of_scores, record_scores

    if not baselines:
        refuse({"--source": source}, "is one of the baselines; add --baselines, or leave it out")
    predictions = check_can_write(predictions, "--predictions")
    # A table that tells no languages cannot be filtered; what is recorded of it is what the user says.
    filtered = not record or any(takes_language(task, path) for path in test)
    asked = language if filtered else None
    examples = make_task(task, test=test, column=column, text=text_field, language=asked)
    code = language_of_scores(examples.examples("test"), language) if record else ""
    if record and not code:
        say(
            "warning: the examples do not tell their language, so the card will not: --language cym"
        )
    reader, adapters = load(backbone, device=device, dtype=dtype), load_stack(stack)
    if record:
        check_measured(record, adapters)
    models = {
        name: AdaptedModel(reader, made)
        for name, made in _stacks(adapters, stack, source, against or (), baselines).items()
    }
    for model in models.values():
        check_scorable(model, examples)
    found = {
        name: evaluation(model, examples, seed=seed, progress=None)
        for name, model in models.items()
    }
    warn_of_unknown(adapters, found["own"].gold)
    gains = gains_of(found, seed=seed)
    if predictions:
        found["own"].write(predictions)
    if record:
        label = str(adapters.adapters[-1].provenance.get("task") or task)
        known = {name: one for name, one in found.items() if name in CONDITIONS}
        record_scores(
            record, known, gains, adapters, task=label, language=code, test=test, seed=seed
        )
    if json:
        records = _records(found, gains, confusion=confusion)
        print_json(records if baselines or against else records["own"])
        return
    print_scores(found, gains)
    if confusion:
        table = found["own"].confusion().rows()
        print_table(
            "gold (down) taken for (across)",
            ["", *(str(cell) for cell in table[0][1:])],
            [[str(c) for c in row] for row in table[1:]],
            dense=True,
        )


def _stacks(
    own: "Stack", names: str, source: str | None, against: Sequence[str], baselines: bool
) -> "dict[str, Stack]":
    """All that is scored, by the name of its condition or as the user wrote it; this stack first."""
    from adapterkit.evaluation import CONDITIONS, conditions_of
    from adapterkit.formats.places import folder_of

    stacks = {"own": own}
    if baselines:
        _check_comparable(own, names)
        rival = _rival(own, source, [folder_of(name) for name in split_names(names)])
        stacks = conditions_of(own, source=rival)
    for name in against:
        if name in CONDITIONS:
            raise ConfigError(f"--against {name}: is what a baseline is called; write ./{name}")
        stacks[name] = load_stack(name)
    return stacks


def _check_comparable(stack: "Stack", names: str) -> None:
    if len(stack.adapters) < 2:
        raise ConfigError(
            f"--baselines: a language adapter and a task adapter on it are compared, and --stack {names!r} has "
            f"{len(stack.adapters)}; name both, such as --stack mini:eng,mini:pos"
        )


def _rival(stack: "Stack", source: str | None, beside: list[Path]) -> "Stack | Adapter | None":
    """What was under the task adapter in its training; None if that is this stack's own."""
    from adapterkit.composition.kinds import require_no_task
    from adapterkit.composition.stack import Stack
    from adapterkit.sources import find_sources

    if source:
        kept = load_stack(source).adapters
        require_no_task(kept, but=f"--source {source} is what the task adapter was trained over")
    else:
        kept = find_sources(stack.adapters[-1], beside)
    own = stack.adapters[:1] if len(kept) == 1 else stack.adapters[:-1]
    if [one.digest() for one in kept] == [one.digest() for one in own]:
        say("source adapter kept: it is this stack's own; compare with --source ADAPTER")
        return None
    return kept[0] if len(kept) == 1 else Stack(*kept)


def _records(
    found: "Mapping[str, Evaluation]", gains: "Mapping[str, Score]", *, confusion: bool
) -> dict[str, dict[str, Any]]:
    """As ``--json`` prints them; ``gain`` is what this stack gains over that rival."""
    records = {name: one.scores.as_dict() for name, one in found.items()}
    for name, gain in gains.items():
        records[name]["gain"] = {"value": gain.value, "interval": [gain.low, gain.high]}
    if confusion:
        records["own"]["confusion"] = asdict(found["own"].confusion())
    return records


_NAMES = {"own": "this stack", "source": "source adapter kept", "none": "language adapter removed"}


def _shown(score: "Score", *, signed: bool = False) -> str:
    """With its interval, where there is one."""
    shown = percent(score.value, score.low, score.high, signed=signed)
    return shown if score.resampled else shown.split()[0]


def print_scores(found: "Mapping[str, Evaluation]", gains: "Mapping[str, Score]") -> None:
    """A row a score, the one that counts first, and what it gains, so that three conditions fit beside one another."""
    from adapterkit.resampling import leaves_out_zero

    first = found["own"].scores
    names = sorted(first.metrics, key=lambda name: name != first.main)
    scores = [one.scores.metrics for one in found.values()]
    rows = [
        [
            name.replace("_", " "),
            *(_shown(s[name]) for s in scores),
        ]
        for name in names
    ]
    if gains:
        shown = (_shown(gain, signed=True) for gain in gains.values())
        rows.insert(1, ["gain over", "", *shown])
    head = ["", *(_NAMES.get(name, name) for name in found)]
    if len(found) > 3:  # turned, and only the score that counts: more columns are folded
        head, *rows = [list(row) for row in zip(head, *rows[:2], strict=True)]
    print_table(f"{first.examples} examples, in %", head, rows)
    unsure = [_NAMES.get(name, name) for name, g in gains.items() if not leaves_out_zero(g)]
    if unsure:
        say(f"no reliable gain in {names[0].replace('_', ' ')} over: {', '.join(unsure)}")
