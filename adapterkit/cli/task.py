"""`train-task`, `predict` and `evaluate`."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapterkit.cli.options import (
    BackboneName,
    Device,
    Dtype,
    Fresh,
    Json,
    Language,
    Method,
    Overwrite,
    Rank,
    Seed,
    StackNames,
    check_can_write,
    load,
    load_stack,
    numbers,
    paths,
    percent,
    print_json,
    print_table,
    say,
    split_names,
    tell_training,
)
from adapterkit.errors import ConfigError

if TYPE_CHECKING:
    from adapterkit.evaluation import Evaluation
    from adapterkit.tasks.base import Task

COLUMNS = {"pos": "upos", "ner": "tags", "classification": "label", "tagging": None}
TaskName = Annotated[str, typer.Option("--task", help="pos, ner, tagging or classification.")]
Column = Annotated[
    str | None,
    typer.Option("--column", help="The labels' column or key, where it is not the usual one."),
]
Test = Annotated[list[Path], typer.Option("--test", help="Labelled file; repeat for several.")]


def make_task(
    name: str,
    *,
    train: list[Path] | None = None,
    dev: list[Path] | None = None,
    test: list[Path] | None = None,
    column: str | None,
    language: str | None,
) -> "Task[Any]":
    """The task a user named, with its files."""
    from adapterkit.tasks.classification import Classification
    from adapterkit.tasks.tagging import Tagging

    if name not in COLUMNS:
        raise ConfigError(f"--task {name}: must be one of {', '.join(COLUMNS)}")
    files = {"train": train or None, "dev": dev or None, "test": test or None}
    if name == "classification":
        return Classification.from_files(
            files["train"], dev=files["dev"], test=files["test"], column=column, language=language
        )
    for path in [*(train or ()), *(dev or ()), *(test or ())]:
        _check_no_table(path, column or "label")
    # Two-column files have no names of columns; the usual name of CoNLL-U and JSONL is the reader's default.
    usual = None if name != "ner" or _is_columns(train, dev, test) else COLUMNS["ner"]
    return Tagging.from_files(
        files["train"],
        dev=files["dev"],
        test=files["test"],
        column=column or usual,
        language=language,
    )


def _check_no_table(path: Path, label: str) -> None:
    """Refuse to tag a table of whole texts: its first line names their columns, or has their keys."""
    from adapterkit.data.lines import format_of, read_lines
    from adapterkit.data.tables import JSON_LINES, read_rows

    if not path.is_file():
        return
    if format_of(path) in JSON_LINES:
        columns = {str(key) for row in islice(read_rows(path), 1) for key in row.values}
    elif _is_columns([path]):
        columns = set(next((line for _, line in read_lines(path)), "").split("\t"))
    else:
        return
    if {"text", label} <= columns and "tokens" not in columns:
        raise ConfigError(f"{path}: has texts with a label each; use --task classification")


def _is_columns(*groups: list[Path] | None) -> bool:
    names = [path.name.removesuffix(".gz") for group in groups for path in group or ()]
    return not any(name.endswith((".jsonl", ".conllu")) for name in names)


def train_task(
    train: Annotated[
        list[Path], typer.Option("--train", help="Labelled file; repeat for several.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the adapter.")],
    over: Annotated[
        str,
        typer.Option("--over", help="Source language adapter (mini:eng, a folder). Empty: none."),
    ],
    backbone: BackboneName = "mini",
    task: TaskName = "pos",
    dev: Annotated[
        list[Path] | None, typer.Option("--dev", help="To choose the best weights by.")
    ] = None,
    column: Column = None,
    language: Language = None,
    target_ready: Annotated[
        str, typer.Option("--target-ready", help="Language adapters to cycle through, with commas.")
    ] = "",
    init: Annotated[
        str | None, typer.Option("--init", help="Go on from this task adapter.")
    ] = None,
    epochs: Annotated[
        float | None, typer.Option("--epochs", help="Passes over the examples.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", help="Optimizer steps instead of epochs.")
    ] = None,
    max_minutes: Annotated[
        float | None, typer.Option("--max-minutes", help="Stop after so long.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", help="Examples a step.")] = None,
    method: Method = "pfeiffer",
    rank: Rank = 8,
    leave_out: Annotated[
        str,
        typer.Option(
            "--leave-out",
            help="Layers without a bottleneck, with commas: 0,1,2. The lowest are faster to leave out.",
        ),
    ] = "",
    cache_mib: Annotated[
        int | None,
        typer.Option(
            "--cache-mib",
            help="Memory for what is computed once an example, below the first bottleneck; 0: none.",
        ),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option("--learning-rate", help="Peak of AdamW.")
    ] = None,
    head_rate: Annotated[
        float,
        typer.Option("--head-rate", help="Factor on the head's learning rate; for NER try 10."),
    ] = 1.0,
    seed: Seed = 0,
    device: Device = None,
    dtype: Dtype = None,
    fresh: Fresh = False,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Train a task adapter from labelled data, over a frozen language adapter.

    Example: adapterkit train-task --task pos --train eng.conllu --over mini:eng --out adapters/pos
    """
    from adapterkit.backbone.load import device_of
    from adapterkit.formats.adapterhub import load_adapter
    from adapterkit.settings import TaskConfig
    from adapterkit.training import task as training
    from adapterkit.training.language import planned_precision

    if cache_mib is not None and cache_mib < 0:
        raise ConfigError(f"--cache-mib {cache_mib}: must be 0 or more; 0: none")
    usual = TaskConfig()
    config = TaskConfig(
        epochs=usual.epochs if epochs is None else epochs,
        steps=steps,
        max_minutes=max_minutes,
        batch_size=usual.batch_size if batch_size is None else batch_size,
        learning_rate=learning_rate,
        head_rate=head_rate,
        method=method,
        rank=rank,
        leave_out=tuple(numbers(leave_out, "--leave-out")),
        cache_mib=usual.cache_mib if cache_mib is None else cache_mib or None,
        seed=seed,
    )
    tell_training()
    adapter = training.train_task(
        load(
            backbone,
            device=device,
            dtype=dtype or planned_precision(out, device_of(device), config.precision),
        ),
        make_task(task, train=train, dev=paths(dev), column=column, language=language),
        over=load_stack(over) if over else None,
        out=out,
        config=config,
        target_ready=[load_adapter(name) for name in split_names(target_ready)],
        init=load_adapter(init) if init else None,
        fresh=fresh,
        overwrite=overwrite,
    )
    chosen, run = adapter.provenance["selection"], adapter.provenance["run"]
    record = {
        "out": str(out),
        "labels": list(adapter.labels),
        "selection": chosen,
        "steps": run["steps"],
    }
    if chosen["split"] == "train":
        say(
            "warning: there was no --dev, so the best weights were chosen by examples that were trained on: "
            "the score is theirs, and says little of other texts"
        )
    if json:
        print_json({**record, "started_at_steps": run["started_at_steps"], "tokens": run["tokens"]})
        return
    typer.echo(
        f"{chosen['metric']} on {chosen['split']}: {100 * chosen['value']:.1f} %, {len(adapter.labels)} labels"
    )
    typer.echo(f"adapter: {out}")


def predict(
    texts: Annotated[list[str] | None, typer.Argument(help="Texts; or use --input.")] = None,
    stack: StackNames = "mini:eng,mini:pos",
    backbone: BackboneName = "mini",
    input: Annotated[
        Path | None, typer.Option("--input", help="File: .txt, .tsv, .jsonl, .conllu.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write; by default stdout.")
    ] = None,
    format: Annotated[
        str | None,
        typer.Option("--format", help="conllu, tsv or jsonl; by default by --out's name."),
    ] = None,
    language: Language = None,
    device: Device = None,
    dtype: Dtype = None,
    json: Json = False,
) -> None:
    """Predict labels for texts, or for a file.

    Example: adapterkit predict --stack adapters/cym,mini:pos "Croeso i Gymru ."
    """
    from adapterkit.data.labelled import read_words
    from adapterkit.data.writing import write_predictions
    from adapterkit.model import AdaptedModel
    from adapterkit.prediction import predict as label

    if bool(texts) == bool(input):
        raise ConfigError("predict needs texts or --input FILE, one of the two")
    check_can_write(out, "--out")
    _check_no_file(texts or ())
    words = read_words(input, language=language) if input else list(texts or ())
    model = AdaptedModel(load(backbone, device=device, dtype=dtype), load_stack(stack))
    found = label(model, words, language=language)
    kind = format or _format_of(out, classified=bool(found) and found[0].is_classified)
    column = (
        str(model.stack.adapters[-1].provenance.get("task", "upos"))
        if model.stack.adapters
        else "upos"
    )
    written = write_predictions(
        out, found, format="jsonl" if json else kind, column=column, source=input
    )
    if written is not None:
        typer.echo(written, nl=False)


def _check_no_file(texts: Sequence[str]) -> None:
    for text in texts:
        with suppress(OSError, ValueError):  # no path at all: too long, a zero byte
            if Path(text).is_file():
                raise ConfigError(f"{text} is a file: say --input {text}")


def _format_of(out: Path | None, *, classified: bool) -> str:
    suffix = out.suffix.removeprefix(".") if out else ""
    return suffix if suffix in ("conllu", "tsv", "jsonl") else "tsv" if classified else "conllu"


def evaluate(
    test: Test,
    stack: StackNames = "mini:eng,mini:pos",
    backbone: BackboneName = "mini",
    task: TaskName = "pos",
    column: Column = None,
    language: Language = None,
    baselines: Annotated[
        bool,
        typer.Option("--baselines", help="Also: source adapter kept, language adapter removed."),
    ] = False,
    source: Annotated[
        str | None, typer.Option("--source", help="Source adapter; by default found by provenance.")
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
    from adapterkit.evaluation import compare, evaluation, find_source
    from adapterkit.formats.adapterhub import load_adapter
    from adapterkit.formats.places import folder_of
    from adapterkit.model import AdaptedModel
    from adapterkit.publishing.record import check_measured, record_scores

    check_can_write(predictions, "--predictions")
    examples = make_task(task, test=test, column=column, language=language)
    reader, adapters = load(backbone, device=device, dtype=dtype), load_stack(stack)
    if record:
        check_measured(record, adapters)
    if baselines:
        beside = [folder_of(name) for name in split_names(stack)]
        kept = load_adapter(source) if source else find_source(adapters.adapters[-1], beside)
        same = kept.digest() == adapters.adapters[0].digest()
        if same:
            say("source adapter kept: it is this stack's own; compare with --source ADAPTER")
        rival = None if same else kept
        found = compare(reader, adapters, examples, source=rival, seed=seed)
    else:
        own = AdaptedModel(reader, adapters)
        found = {"own": evaluation(own, examples, seed=seed, progress=None)}
    if predictions:
        found["own"].write(predictions)
    if record:
        label = str(adapters.adapters[-1].provenance.get("task") or task)
        code = examples.examples("test")[0].language or language
        record_scores(record, found, adapters, task=label, language=code, test=test, seed=seed)
    if json:
        print_json(
            {k: v.scores.as_dict() for k, v in found.items()}
            if baselines
            else found["own"].scores.as_dict()
        )
        return
    _print_scores(found)
    if confusion:
        table = found["own"].confusion().rows()
        print_table(
            "gold (down) taken for (across)",
            [str(cell) for cell in table[0]],
            [[str(c) for c in row] for row in table[1:]],
        )


_NAMES = {"own": "this stack", "source": "source adapter kept", "none": "language adapter removed"}


def _print_scores(found: "dict[str, Evaluation]") -> None:
    """A row a score, the one that counts first, so that three conditions fit beside one another."""
    first = found["own"].scores
    names = sorted(first.metrics, key=lambda name: name != first.main)
    scores = [one.scores.metrics for one in found.values()]
    rows = [
        [
            name.replace("_", " "),
            *(percent(s[name].value, s[name].low, s[name].high) for s in scores),
        ]
        for name in names
    ]
    print_table(f"{first.examples} examples, in %", ["", *(_NAMES[name] for name in found)], rows)
