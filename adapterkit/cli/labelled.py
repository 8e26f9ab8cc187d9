"""From what a user wrote to a task: its kind, its files, their columns."""

import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapterkit.cli.options import refuse, say
from adapterkit.errors import ConfigError

if TYPE_CHECKING:
    from adapterkit.tasks.base import Task

COLUMNS = {"pos": "upos", "ner": "tags", "classification": "label", "tagging": None}
TaskName = Annotated[str, typer.Option("--task", help="pos, ner, tagging or classification.")]
Column = Annotated[
    str | None,
    typer.Option("--column", help="The labels' column or key, where it is not the usual one."),
]
TextColumn = Annotated[
    str | None,
    typer.Option("--text-field", help="The texts' column or key, where it is not 'text'."),
]


def make_task(
    name: str,
    *,
    train: list[Path] | None = None,
    dev: list[Path] | None = None,
    test: list[Path] | None = None,
    column: str | None,
    text: str | None,
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
            files["train"],
            dev=files["dev"],
            test=files["test"],
            text=text or "text",
            column=column,
            language=language,
        )
    refuse({"--text-field": text}, "is of texts with a label each, for --task classification")
    for path in [*(train or ()), *(dev or ()), *(test or ())]:
        _check_no_table(path, column or "label")
    made = Tagging.from_files(
        files["train"],
        dev=files["dev"],
        test=files["test"],
        column=column or (COLUMNS["ner"] if name == "ner" else None),
        language=language,
    )
    if name == "ner" and not made.has_spans():
        labels = sorted({tag for split in made.splits.values() for s in split for tag in s.tags})
        say(
            f"warning: --task ner, and no label marks a name as B-PER does, only {', '.join(labels[:10])}: "
            "they are scored word by word, not by names"
        )
    return made


def takes_language(task: str, path: Path) -> bool:
    """Whether a file of ``task`` can be read with a language: a table only if it has ``lang`` to filter it by."""
    from adapterkit.data.lines import format_of
    from adapterkit.data.tables import JSON_LINES, TABLES, read_rows

    tables = TABLES if task == "classification" else JSON_LINES
    return format_of(path) not in tables or any("lang" in row.values for row in read_rows(path))


def _check_no_table(path: Path, label: str) -> None:
    """Refuse to tag a table of whole texts: its first line names their columns, or has their keys."""
    from adapterkit.data.lines import format_of, read_lines
    from adapterkit.data.tables import JSON_LINES, read_rows

    if not path.is_file():
        return
    if format_of(path) in JSON_LINES:
        columns = {str(key) for row in islice(read_rows(path), 1) for key in row.values}
    elif format_of(path) != ".conllu":
        columns = set(re.split("[\t,;]", next((line for _, line in read_lines(path)), "")))
    else:
        return
    if {"text", label} <= columns and "tokens" not in columns:
        raise ConfigError(f"{path}: has texts with a label each; use --task classification")
