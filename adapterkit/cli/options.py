"""Options that several verbs share, and printing tables and JSON."""

import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from adapterkit.errors import ConfigError, visible
from adapterkit.languages import meant

if TYPE_CHECKING:
    from adapterkit.backbone.frozen import Backbone
    from adapterkit.composition.stack import Stack
    from adapterkit.settings import Precision

BackboneName = Annotated[str, typer.Option("--backbone", help="mini, a folder, or a Hub id.")]
StackNames = Annotated[
    str,
    typer.Option(
        "--stack", help="Adapters, first to last, with commas: adapters/cym,mini:pos. Empty: none."
    ),
]
Device = Annotated[
    str | None, typer.Option("--device", help="cpu, cuda, ...; by default a GPU if there is one.")
]
Dtype = Annotated[
    str | None,
    typer.Option(
        "--dtype",
        help="float32, bfloat16, float64, float16 on a GPU, or auto: what this machine multiplies faster.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of everything random.")]
Method = Annotated[
    str,
    typer.Option("--method", help="pfeiffer, houlsby, parallel, scaled_parallel, lora or ia3."),
]
Rank = Annotated[int | None, typer.Option("--rank", help="Of LoRA; by default 8.")]
NO_RANK = "only LoRA has a rank, and --method is {}; leave it out, or say --method lora"
MaxMinutes = Annotated[float | None, typer.Option("--max-minutes", help="Stop after so long.")]
LearningRate = Annotated[float | None, typer.Option("--learning-rate", help="Peak of AdamW.")]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Start over: ignore a checkpoint that is there.")
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace an adapter that is already there.")
]


def language_code(value: str | None) -> str | None:
    """The code of a language that was typed by its name; an unknown code with a warning."""
    if value is None:
        return None
    code, note = meant(value)
    if note:
        logging.getLogger("adapterkit").warning("%s", note)
    return code


Language = Annotated[
    str | None,
    typer.Option(
        "--language",
        callback=language_code,
        help="ISO 639 code; also filters files with many languages.",
    ),
]

LanguageCode = Annotated[
    str,
    typer.Option("--language", callback=language_code, help="ISO 639 code of the text's language."),
]
Encoding = Annotated[str | None, typer.Option("--encoding", help="Of the files, if not UTF-8.")]
TextField = Annotated[
    str, typer.Option("--text-field", help="The key of the text in .jsonl files.")
]


def load(backbone: str, *, device: str | None, dtype: str | None) -> "Backbone":
    """Load the backbone a user named."""
    from adapterkit.backbone.load import load_backbone

    return load_backbone(backbone, device=device, dtype=dtype)


def load_to_train(
    backbone: str,
    out: Path,
    *,
    device: str | None,
    dtype: str | None,
    precision: "Precision | None",
) -> "Backbone":
    """Load the backbone a user named in the precision that a training into ``out`` will run in."""
    from adapterkit.backbone.device import device_of
    from adapterkit.training.runs import planned_precision

    chosen = dtype or planned_precision(out, device_of(device), precision)
    return load(backbone, device=device, dtype=chosen)


def load_stack(names: str) -> "Stack":
    """Load the adapters of ``a,b,c`` into a stack; a name may be that of a published stack.

    Raises:
        ConfigError: If a task adapter stands before another adapter.
    """
    from adapterkit.composition.kinds import require_no_task
    from adapterkit.composition.stack import Stack
    from adapterkit.stacks import load_parts

    parts = [adapter for name in split_names(names) for adapter in load_parts(name)]
    require_no_task(parts[:-1], but=f"in a stack there is one at most, and it stands last: {names}")
    for adapter in parts[1:]:
        if adapter.invertible is not None:
            say(
                f"warning: {adapter.name!r} has a coupling on the embeddings, and of a stack only the first adapter's is used; "
                "if it is the language adapter, put it first"
            )
    return Stack(*parts)


def split_names(names: str) -> list[str]:
    """The parts of ``a,b,c``."""
    return [name.strip() for name in names.split(",") if name.strip()]


def numbers(text: str, option: str) -> list[int]:
    """The numbers of ``0,1,2``."""
    found = split_names(text)
    if not all(name.isdecimal() for name in found):
        raise ConfigError(f"{option} {text}: numbers with commas are needed, such as 0,1,2")
    return [int(name) for name in found]


def refuse(options: Mapping[str, object], why: str) -> None:
    """Refuse options that would change nothing.

    Args:
        options: What was given, by the option's name; None, False and what is empty were not.
        why: That they have no meaning here, and what to do.

    Raises:
        ConfigError: If one was given.
    """
    given = [name for name, value in options.items() if value or type(value) in (int, float)]
    if given:
        raise ConfigError(f"{', '.join(given)}: {why}")


def print_json(record: Mapping[str, Any] | Sequence[Any]) -> None:
    """One JSON value on stdout."""
    typer.echo(json.dumps(record, ensure_ascii=False, indent=2, sort_keys=True))


def print_table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]], *, dense: bool = False
) -> None:
    """A table on stdout. Cells are shown as they are: what looks like markup is none.

    Args:
        title: What stands over it.
        header: Names of its columns.
        rows: Its cells.
        dense: No room beside the cells, and the names of rows are not broken: for many narrow columns.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    padding = (0, 0) if dense else (0, 1)
    table = Table(title=Text(visible(title)), title_justify="left", padding=padding)
    for number, name in enumerate(header):
        justify: Literal["left", "right"] = "right" if number else "left"
        whole = dense and not number
        table.add_column(name, justify=justify, overflow="fold", no_wrap=whole)
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    Console().print(table)


def say(text: str) -> None:
    """A line on stderr."""
    typer.echo(visible(text), err=True)


def tell_training() -> None:
    """Show on stderr what a training logs about itself."""
    logging.getLogger("adapterkit.training").setLevel(logging.INFO)


def percent(value: float, low: float, high: float, *, signed: bool = False) -> str:
    """``71.3 [69.0, 73.5]``; a difference, ``signed``: ``+1.3 [-0.2, +2.8]``."""
    shown = [f"{100 * one:{'+' if signed else ''}.1f}" for one in (value, low, high)]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def peak_memory_bytes() -> int:
    """The most memory this process has held so far."""
    import resource
    import sys

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024


def check_can_write(path: Path | None, option: str) -> Path | None:
    """Refuse a file that could not be written, before anything is computed for it.

    Returns:
        The file: where a link is named, what it leads to.

    Raises:
        ConfigError: If a folder or a pipe stands there, or no file can be made there.
    """
    if path is None:
        return None
    if path.is_fifo() or path.is_socket():
        raise ConfigError(f"{option} {path}: is a pipe; name a file")
    if path.is_dir():
        raise ConfigError(f"{option} {path}: is a folder; name a file, such as {path / 'out.tsv'}")
    home = next(place for place in path.absolute().parents if place.exists())
    if not home.is_dir() or not os.access(home, os.W_OK | os.X_OK):
        why = "may not be written to" if home.is_dir() else "is no folder"
        raise ConfigError(f"{option} {path}: cannot be written, {home} {why}")
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def paths(values: Sequence[Path] | None) -> list[Path]:
    """A list of files, empty if none was given."""
    return list(values or [])
