"""`report`: a table of results as a page, pictures, a text."""

from pathlib import Path
from typing import Annotated

import typer

from adapterkit.cli.options import Json, Seed, print_json, say, split_names
from adapterkit.errors import ConfigError


def report(
    tables: Annotated[
        list[Path],
        typer.Argument(help="Tables of results, .csv or .parquet, as `adapterkit run` makes them."),
    ],
    out: Annotated[Path | None, typer.Option("--out", help="HTML page to write.")] = None,
    png: Annotated[
        Path | None, typer.Option("--png", help="Folder for the pictures as PNG files.")
    ] = None,
    svg: Annotated[
        Path | None, typer.Option("--svg", help="Folder for the pictures as SVG files.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", help="Markdown file to write.")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            help="The method that is looked at closely; by default own-blended where the first table has it, else own. "
            "One of several settings by its name in the report: 'own · steps 480'.",
        ),
    ] = None,
    rivals: Annotated[
        str, typer.Option("--rivals", help="What it is measured against, with commas.")
    ] = "source-kept,no-language-adapter,full-fine-tuning",
    cell: Annotated[
        str | None,
        typer.Option("--cell", help="Whose confusions to show: its digest, or how that begins."),
    ] = None,
    overlap: Annotated[
        Path | None, typer.Option("--overlap", help="Counts written by recipes/overlap.py.")
    ] = None,
    seed: Seed = 0,
    resamples: Annotated[
        int, typer.Option("--resamples", min=1, help="Of the bootstrap behind each interval.")
    ] = 1000,
    json: Json = False,
) -> None:
    """What transfers where, with intervals: one self-contained page from tables of results.

    Example: adapterkit report results/table.csv --out results.html --png pictures

    Example: adapterkit report runs/report/pos.csv runs/report/topic.csv --markdown results.md
    """
    from adapterkit.files import write_bytes
    from adapterkit.pages.pictures import check_can_draw, write_pictures, write_vectors
    from adapterkit.pages.report import make_report
    from adapterkit.pages.results_page import page_of
    from adapterkit.pages.results_text import text_of

    if not (out or png or svg or markdown or json):
        raise ConfigError(
            "nothing to write: give --out FILE.html, --markdown FILE, --png FOLDER, --svg FOLDER or --json"
        )
    if png:
        check_can_draw()
    made = make_report(
        tables,
        own=method,
        rivals=split_names(rivals),
        cell=cell,
        overlap=overlap,
        seed=seed,
        resamples=resamples,
    )
    for note in made.notes:
        say(f"warning: {note}")
    if out:
        write_bytes(out, page_of(made, resamples=resamples).encode("utf-8"))
        say(f"page: {out}")
    if markdown:
        write_bytes(markdown, text_of(made, resamples=resamples).encode("utf-8"))
        say(f"text: {markdown}")
    if svg:
        say(f"pictures: {len(write_vectors(svg, made.drawings()))} in {svg}")
    if png:
        say(f"pictures: {len(write_pictures(png, made.drawings()))} in {png}")
    if json:
        print_json(made.as_dict())
        return
    for sentences in made.summary():
        typer.echo(" ".join(sentences))
