"""`search`: finding published adapters."""

from dataclasses import asdict
from typing import Annotated

import typer

from adapterkit.cli.options import Json, print_json, print_table, say
from adapterkit.errors import visible
from adapterkit.languages import language_name


def search(
    language: Annotated[
        str | None, typer.Option("--language", help="Swahili, Kiswahili, sw, swh or sw-KE.")
    ] = None,
    task: Annotated[
        str | None, typer.Option("--task", help="pos, ner, classification, or any other word.")
    ] = None,
    backbone: Annotated[str | None, typer.Option("--backbone", help="Its name or Hub id.")] = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            help="lora, ia3, bottleneck (all of them), or pfeiffer, houlsby, parallel: those bottlenecks, and "
            "those that do not say which they are.",
        ),
    ] = None,
    license: Annotated[
        str | None, typer.Option("--license", "--licence", help="E.g. cc-by-4.0.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="The most to be shown.")] = 50,
    offline: Annotated[
        bool, typer.Option("--offline", help="Only look into what earlier searches found.")
    ] = False,
    json: Json = False,
) -> None:
    """Find published adapters, with a line that loads each.

    Asked for a language and a task, it also shows language adapters of the language and task
    adapters of the task: stacked, they do the task in the language.

    Example: adapterkit search --language Swahili --task ner
    """
    from adapterkit.searching.search import search as find

    answer = find(language, task, backbone, method, license, limit=limit, offline=offline)
    if answer.note:
        say(visible(answer.note))
    if json:
        rows = [{**asdict(row), "bytes": row.bytes or None, "load": row.load} for row in answer]
        print_json({"found": rows, "note": answer.note or None, **_understood(answer.question)})
        return
    names = ", ".join(f"{language_name(code)} ({code})" for code in answer.question.languages)
    title = f"{len(answer)} found" + (f" for {names}" if names else "")
    header = ("repository", "kind", "languages", "task", "backbone", "MB", "changed", "downloads")
    table = [
        (
            row.repository,
            row.kind or "?",
            ", ".join(row.languages[:4]),
            ", ".join(row.tasks[:2]),
            row.backbone or "?",
            f"{row.bytes / 1e6:.1f}" if row.bytes else "?",
            row.modified,
            f"{row.downloads:,}",
        )
        for row in answer
    ]
    print_table(title, header, table)
    for row in answer:
        half = "" if row.matches == "all" else f"  # for the {row.matches}"
        typer.echo(f"{row.load}{half}")
        for score in row.scores:
            typer.echo(f"    {visible(score)}")


def _understood(question: object) -> dict[str, object]:
    from adapterkit.searching.search import Question

    assert isinstance(question, Question)
    return {"languages": list(question.languages), "tasks": list(question.tasks)}
