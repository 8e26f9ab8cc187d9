"""`predict`: labels for texts, or for a file."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adapterkit.cli.labelled import TextColumn
from adapterkit.cli.options import (
    BackboneName,
    Device,
    Dtype,
    Language,
    StackNames,
    check_can_write,
    load,
    load_stack,
    refuse,
    say,
)
from adapterkit.errors import ConfigError, first_of

if TYPE_CHECKING:
    from adapterkit.composition.base import Composition

FORMATS = ("conllu", "tsv", "jsonl")


def predict(
    texts: Annotated[list[str] | None, typer.Argument(help="Texts; or use --input.")] = None,
    stack: StackNames = "mini:eng,mini:pos",
    backbone: BackboneName = "mini",
    input: Annotated[
        Path | None, typer.Option("--input", help="File: .txt, .tsv, .csv, .jsonl, .conllu.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write; by default stdout.")
    ] = None,
    format: Annotated[
        str | None,
        typer.Option("--format", help="conllu, tsv or jsonl; by default by --out's name."),
    ] = None,
    text_field: TextColumn = None,
    language: Language = None,
    device: Device = None,
    dtype: Dtype = None,
    json: Annotated[
        bool, typer.Option("--json", help="JSON lines, one a text: as --format jsonl.")
    ] = False,
) -> None:
    """Predict labels for texts, or for a file.

    Example: adapterkit predict --stack adapters/cym,mini:pos "Croeso i Gymru ."
    """
    from adapterkit.data.labelled import read_words
    from adapterkit.data.lines import format_of
    from adapterkit.data.tables import TABLES
    from adapterkit.data.writing import write_predictions
    from adapterkit.model import AdaptedModel
    from adapterkit.prediction import predict as label

    if bool(texts) == bool(input):
        raise ConfigError("predict needs texts or --input FILE, one of the two")
    if not input or format_of(input) not in TABLES:
        refuse({"--text-field": text_field}, "is of --input FILE with columns or keys")
    _check_format(format, out, json=json)
    out = check_can_write(out, "--out")
    _check_are_texts(texts or ())
    parts = load_stack(stack)
    whole = parts.head is not None and parts.head.config.head_type != "tagging"
    words = (
        read_words(input, text_column=text_field, language=language, whole=whole)
        if input
        else list(texts or ())
    )
    model = AdaptedModel(load(backbone, device=device, dtype=dtype), parts)
    found = label(model, words, language=language)
    kind = _format_of(out, classified=bool(found) and found[0].is_classified)
    kind = "jsonl" if json else format or kind
    if kind != "jsonl":
        _warn_of_left_out([n for n, one in enumerate(found, 1) if not (one.tokens or one.labels)])
    written = write_predictions(
        out, found, format=kind, column=_column_of(model.stack), source=input
    )
    if written is not None:
        typer.echo(written, nl=False)


def _warn_of_left_out(empty: Sequence[int]) -> None:
    if empty:
        say(
            f"warning: {len(empty)} without a word left out (number {first_of(empty)}); --format jsonl has a line for each"
        )


def _check_format(format: str | None, out: Path | None, *, json: bool) -> None:
    if format not in (None, *FORMATS):
        raise ConfigError(f"--format {format}: must be one of {', '.join(FORMATS)}")
    named = _suffix_of(out)
    if named not in ("", *FORMATS) and not (format or json):
        raise ConfigError(
            f"--out {out}: name it .conllu, .tsv or .jsonl (.gz may follow), or say --format"
        )
    refuse(
        {"--json": json and format not in (None, "jsonl")},
        f"is JSON lines, and --format is {format}; leave one of the two out",
    )
    refuse(
        {"--json": json and named in {*FORMATS} - {"jsonl"}},
        f"not with --out {out}, which is {named} by its name; leave --json out, or write a .jsonl file",
    )


def _column_of(stack: "Composition") -> str:
    """Where CoNLL-U keeps such labels: as the training data had it; spans of any name are named entities."""
    from adapterkit.metrics import is_span_scheme

    if not stack.adapters:
        return "upos"
    last = stack.adapters[-1]
    column = str(last.provenance.get("task", "upos"))
    return "ner" if column == "tags" and is_span_scheme(last.labels) else column


def _check_are_texts(texts: Sequence[str]) -> None:
    from adapterkit.formats.guard import CONFIG
    from adapterkit.formats.places import STARTER, starters

    shipped = {f"{STARTER}{name}" for name in starters()}
    for text in texts:
        with suppress(OSError, ValueError):  # no path at all: too long, a zero byte
            if Path(text).is_file():
                raise ConfigError(f"{text} is a file: say --input {text}")
            if text in shipped or (Path(text) / CONFIG).is_file():
                raise ConfigError(
                    f"{text} is an adapter, no text: the parts of a stack stand in one word with commas (--stack a,b)"
                )


def _format_of(out: Path | None, *, classified: bool) -> str:
    return _suffix_of(out) or ("tsv" if classified else "conllu")


def _suffix_of(out: Path | None) -> str:
    """The format that a file's name says, or nothing where it says none."""
    from adapterkit.data.lines import format_of
    from adapterkit.data.tables import JSON_LINES

    suffix = format_of(out) if out else ""
    return "jsonl" if suffix in JSON_LINES else suffix.removeprefix(".")
