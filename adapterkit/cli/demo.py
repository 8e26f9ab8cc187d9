"""`demo`."""

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from adapterkit.cli.options import Json, Seed, percent, print_json, print_table, say


def demo(
    out: Annotated[
        Path, typer.Option("--out", help="Folder for adapters, texts and the page.")
    ] = Path("demo-out"),
    seed: Seed = 0,
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Train the English adapters too.")
    ] = False,
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder of real data: adds real rows.")
    ] = None,
    json: Json = False,
) -> None:
    """The whole story on the backbone `mini`, offline, in a few minutes.

    Example: adapterkit demo --out demo-out
    """
    from adapterkit.demo.story import TOY, run, table_rows

    say(TOY)
    found = run(out, seed=seed, from_scratch=from_scratch, data=data, tell=say, program=_program())
    if json:
        print_json(found.as_dict())
        return
    cells = {
        (row.target, row.condition): percent(row.value, row.low, row.high)
        for row in table_rows(found)
    }
    print_table(
        "accuracy in %, parts of speech without a label of the language",
        ("target", "own adapter", "source kept", "removed"),
        [
            (name, *(cells[title, condition] for condition in ("own", "source", "none")))
            for name, title in found.titles.items()
        ],
    )
    for example in found.examples:
        line = " ".join(
            f"{word}/{tag}" for word, tag in zip(example.words, example.predicted, strict=True)
        )
        typer.echo(f"{example.language}: {line}")
    typer.echo("adapters: " + ", ".join(map(str, found.folders)))
    typer.echo(f"page: {found.page}")
    typer.echo(f"try: {found.commands[-1]}")


def _program() -> str:
    """How this program was called, where its plain name would not be found: ``.venv/bin/adapterkit``."""
    called = Path(sys.argv[0])
    found = shutil.which("adapterkit")
    return str(called) if called.name == "adapterkit" and not found else "adapterkit"
