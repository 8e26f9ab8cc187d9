"""`run`: a recipe's grid; recipes of the other kind go on to `publish_recipe`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapterkit.cli.options import Device, Json, percent, print_json, print_table, refuse, say
from adapterkit.errors import AdapterkitError, found

if TYPE_CHECKING:
    from adapterkit.experiments.check import Checked
    from adapterkit.experiments.nodes import Node
    from adapterkit.experiments.runner import State
    from adapterkit.table import Row

_SHOWN = 40


def run(
    recipe: Annotated[Path, typer.Argument(help="A TOML file: recipes/NAME.toml.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder of the table and all parts; by default runs/NAME."),
    ] = None,
    table: Annotated[
        str,
        typer.Option("--table", help="Name of the table in OUT, for recipes that share a folder."),
    ] = "table",
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder of the data; by default $ADAPTERKIT_DATA."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Say everything that is wrong, and start nothing.")
    ] = False,
    progress: Annotated[
        bool, typer.Option("--progress", help="Say what is done and what is left; start nothing.")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="KEY=VALUE[,VALUE]: language=cym, method=own; repeat it."),
    ] = None,
    max_minutes: Annotated[
        float | None, typer.Option("--max-minutes", help="Begin nothing new after so long.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin unfinished trainings anew.")
    ] = False,
    push: Annotated[
        str | None,
        typer.Option("--push", help="Publish there: owner/name. For a [publish_language] recipe."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --push: send nothing, show all of it.")
    ] = False,
    device: Device = None,
    json: Json = False,
) -> None:
    """Run a recipe's grid, or bring a text to a published adapter; a killed run goes on.

    A grid: start it several times to share the work. The table is OUT/table.csv (and .parquet),
    the predictions are beside it. A recipe with [publish_language]: looks at the text, trains,
    scores, writes the card and pushes.

    Example: adapterkit run recipes/pos-dev.toml --data data --only language=afr --only seed=0

    Example: adapterkit run recipes/publish-language.toml --data data --push me/mini-hat --dry-run
    """
    from adapterkit.experiments.reading import PUBLISH, record_of

    grids = {
        "--progress": progress,
        "--only": only,
        "--max-minutes": max_minutes is not None,
        "--table": table != "table",
    }
    if PUBLISH not in record_of(recipe):
        refuse({"--push": push, "--dry-run": dry_run}, f"{recipe} has no [{PUBLISH}]")
    else:
        refuse(grids, f"{recipe} is no grid")
        _publish(
            recipe,
            out,
            data,
            push,
            check=check,
            dry_run=dry_run,
            fresh=fresh,
            device=device,
            json=json,
        )
        return
    from adapterkit.experiments import run as experiment
    from adapterkit.experiments.runner import state_of
    from adapterkit.experiments.store import Store

    folder = experiment.data_folder(data)
    if check or progress:
        checked = experiment.checked_recipe(recipe, folder)
        cells = experiment.asked_for(checked, only or [])
        store = Store(experiment.place_of(recipe, out))
        _show_plan(checked, state_of(store, cells), progress=progress, json=json)
        return
    done = experiment.run(
        recipe,
        out=out,
        table=table,
        data=data,
        only=only or [],
        max_minutes=max_minutes,
        fresh=fresh,
        device=device,
        progress=None,
        tell=say,
    )
    if done.outcome.failed:
        raise AdapterkitError(
            f"{len(done.outcome.failed)} of the parts failed; the others are done, and the same command tries "
            f"these again:{found(list(done.outcome.failed.values()))}"
        )
    if done.outcome.out_of_time:
        say(f"out of time: {len(done.state.left)} parts are left; the same command goes on")
    if json:
        print_json(
            {
                "out": str(done.out),
                "file": str(done.table),
                "table": [_as_dict(row) for row in done.rows],
                "left": len(done.state.left),
            }
        )
        return
    _print_rows(done.rows)
    typer.echo(f"table: {done.table}")


def _publish(
    recipe: Path,
    out: Path | None,
    data: Path | None,
    push: str | None,
    *,
    check: bool,
    dry_run: bool,
    fresh: bool,
    device: str | None,
    json: bool,
) -> None:
    from adapterkit.cli.publish_recipe import check_publishing, run_publishing
    from adapterkit.experiments.run import data_folder, place_of

    folder = data_folder(data)
    if check:
        check_publishing(recipe, folder, push=push, dry_run=dry_run, device=device, json=json)
        return
    place = place_of(recipe, out)
    run_publishing(
        recipe, folder, out=place, push=push, dry_run=dry_run, fresh=fresh, device=device, json=json
    )


def _as_dict(row: "Row") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(row)


def _print_rows(rows: "list[Row]") -> None:
    print_table(
        f"{len(rows)} rows, in %" + (f", the first {_SHOWN}" if len(rows) > _SHOWN else ""),
        ("task", "language", "method", "seed", "metric", "value"),
        [
            (
                row.task,
                row.language,
                row.method,
                str(row.seed),
                row.metric,
                percent(row.value, row.low or 0.0, row.high or 0.0),
            )
            for row in rows[:_SHOWN]
        ],
    )


def _show_plan(checked: "Checked", state: "State", *, progress: bool, json: bool) -> None:
    names = ("done", "running", "left")
    parts = dict(zip(names, (state.done, state.running, state.left), strict=True))
    if json:
        print_json(
            {
                "recipe": checked.recipe.name,
                "cells": len(checked.cells),
                "problems": [],
                "minutes_left": state.minutes_left,
                **{name: [node.label for node in nodes] for name, nodes in parts.items()},
            }
        )
        return
    kinds = [
        kind for kind in _KINDS if any(node.kind == kind for ns in parts.values() for node in ns)
    ]
    print_table(
        f"{checked.recipe.name}: nothing is wrong with it" if not progress else checked.recipe.name,
        ("", *names),
        [(_KINDS[kind], *(_count(nodes, kind) for nodes in parts.values())) for kind in kinds],
    )
    for node in state.running:
        typer.echo(f"running: {node.label}")
    if state.running or state.left:
        left = "unknown until one of each kind is done"
        if state.minutes_left is not None:
            left = f"about {state.minutes_left:.0f} minutes of one process"
        typer.echo(f"time left: {left}")


_KINDS = {
    "language": "language adapters",
    "task": "task adapters",
    "self": "task adapters on own labels",
    "continued": "backbones on raw text",
    "full": "backbones fine-tuned whole",
    "score": "rows",
}


def _count(nodes: "tuple[Node, ...]", kind: str) -> str:
    return str(sum(node.kind == kind for node in nodes))
