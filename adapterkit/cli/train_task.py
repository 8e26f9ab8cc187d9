"""`train-task`: a task adapter from labelled data."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from adapterkit.cli.labelled import Column, TaskName, TextColumn, make_task
from adapterkit.cli.options import (
    NO_RANK,
    BackboneName,
    Device,
    Dtype,
    Fresh,
    Json,
    Language,
    LearningRate,
    MaxMinutes,
    Method,
    Overwrite,
    Rank,
    Seed,
    load_stack,
    load_to_train,
    numbers,
    paths,
    print_json,
    refuse,
    say,
    split_names,
    tell_training,
)
from adapterkit.errors import ConfigError, visible

_FEW_LABELS = 8


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
    text_field: TextColumn = None,
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
    max_minutes: MaxMinutes = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", help="Examples a step.")] = None,
    method: Method = "pfeiffer",
    rank: Rank = None,
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
    learning_rate: LearningRate = None,
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
    from adapterkit.formats.adapterhub import load_adapter
    from adapterkit.settings import TaskConfig
    from adapterkit.training import task as training

    if cache_mib is not None and cache_mib < 0:
        raise ConfigError(f"--cache-mib {cache_mib}: must be 0 or more; 0: none")
    refuse({"--rank": rank if method != "lora" else None}, NO_RANK.format(method))
    usual = TaskConfig()
    config = TaskConfig(
        epochs=usual.epochs if epochs is None else epochs,
        steps=steps,
        max_minutes=max_minutes,
        batch_size=usual.batch_size if batch_size is None else batch_size,
        learning_rate=learning_rate,
        head_rate=head_rate,
        method=method,
        rank=usual.rank if rank is None else rank,
        leave_out=tuple(numbers(leave_out, "--leave-out")),
        cache_mib=usual.cache_mib if cache_mib is None else cache_mib or None,
        seed=seed,
    )
    tell_training()
    adapter = training.train_task(
        load_to_train(backbone, out, device=device, dtype=dtype, precision=config.precision),
        make_task(
            task, train=train, dev=paths(dev), column=column, text=text_field, language=language
        ),
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
        f"{chosen['metric']} on {chosen['split']}: {100 * chosen['value']:.1f} %, {_named(adapter.labels)}"
    )
    typer.echo(f"adapter: {out}")


def _named(labels: Sequence[str]) -> str:
    few = f": {', '.join(map(visible, labels))}" if len(labels) <= _FEW_LABELS else ""
    return f"{len(labels)} labels{few}"
