"""`push`, `convert` and `stack`: publishing on the Hub, and making things fit for it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapterkit.cli.options import (
    BackboneName,
    Json,
    Overwrite,
    language_code,
    load,
    print_json,
    print_table,
    say,
    split_names,
)

if TYPE_CHECKING:
    from adapterkit.publishing.push import Publication


def push(
    folder: Annotated[Path, typer.Argument(help="An adapter's folder, or a stack's.")],
    repository: Annotated[str, typer.Argument(help="Where to: owner/name on the Hub.")],
    language: Annotated[
        str | None,
        typer.Option(
            "--language",
            callback=language_code,
            help="ISO 639 code, where the folder names no language.",
        ),
    ] = None,
    license: Annotated[
        str | None,
        typer.Option("--license", "--licence", help="E.g. cc-by-4.0, cc-by-sa-4.0, cc0-1.0."),
    ] = None,
    base_model: Annotated[
        str | None,
        typer.Option("--base-model", help="The backbone's Hub id, where the folder has none."),
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Option("--answers", help="Answers of the card; by default FOLDER/card.toml."),
    ] = None,
    private: Annotated[
        bool, typer.Option("--private", help="Make a new repository private.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Send nothing; show all that would be public.")
    ] = False,
    json: Json = False,
) -> None:
    """Publish an adapter on the Hub: weights, provenance, scores and a card, in one commit.

    Safe to repeat after any failure. Log in first with `hf auth login` (or set HF_TOKEN).

    Example: adapterkit push adapters/cym me/mini-cym --license cc-by-4.0 --dry-run
    """
    from adapterkit.publishing.push import push as publish

    made = publish(
        folder,
        repository,
        language=language,
        license=license,
        base_model=base_model,
        private=private,
        dry_run=dry_run,
        answers=answers,
    )
    if json:
        print_json(publication_record(made))
        return
    show_publication(made)


def publication_record(made: "Publication") -> dict[str, Any]:
    """A publication as ``--json`` prints it."""
    return {
        "repository": made.repository,
        "tag": made.tag,
        "commit": made.commit or None,
        "load": made.load,
        "files": dict(made.files),
        "texts": dict(made.texts) if made.dry_run else {},
        "deleted": list(made.deleted),
        "removed": list(made.removed),
        "open_questions": list(made.open_questions),
        "unchanged": made.unchanged,
        "private": made.private,
        "dry_run": made.dry_run,
        "note": made.note or None,
    }


def show_publication(made: "Publication") -> None:
    """Print what was published, or all that would be."""
    if made.note:
        say(made.note)
    if made.open_questions:
        say(
            f"the card says 'unknown' where these have no answer in card.toml: {', '.join(made.open_questions)}"
        )
    if made.removed:
        say(f"taken out of the provenance (paths, user names): {', '.join(made.removed)}")
    seen = "private" if made.private else "public"
    title = f"{made.repository} {made.tag}, {seen}"
    rows = [
        (name, f"{entry['bytes']:,}", str(entry["sha256"])) for name, entry in made.files.items()
    ]
    print_table(title, ("file", "bytes", "sha256"), rows)
    if made.deleted:
        typer.echo(f"deleted with it: {', '.join(made.deleted)}")
    if made.dry_run:
        for name, text in made.texts.items():
            typer.echo(f"\n===== {name} =====\n{text}")
        typer.echo("dry run: nothing was sent")
        return
    state = "was there already" if made.unchanged else "published"
    typer.echo(f"{state}: {made.repository}, {made.tag}, commit {made.commit}")
    typer.echo(f"load it: {made.load}")


def convert(
    folder: Annotated[str, typer.Argument(help="An adapter's folder, or a Hub id.")],
    out: Annotated[Path, typer.Option("--out", help="The new folder.")],
    backbone: Annotated[
        str | None,
        typer.Option("--backbone", help="What it was made for: checked, and its digest recorded."),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option(
            "--language", callback=language_code, help="ISO 639 code, where the folder names none."
        ),
    ] = None,
    revision: Annotated[
        str | None, typer.Option("--revision", help="Branch, tag or commit of a Hub id.")
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option("--to", help="adapterhub or peft; LoRA and IA3 exist in both."),
    ] = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Write an adapter anew, ready to publish: old .bin files become safetensors, with checksums.

    Example: adapterkit convert old/sw-wiki --backbone xlm-roberta-base --out adapters/swa
    """
    from adapterkit.formats.conversion import convert as write_anew

    facts = load(backbone, device="cpu", dtype=None).facts if backbone else None
    done = write_anew(
        folder,
        out,
        backbone=facts,
        language=language,
        revision=revision,
        layout=layout,
        overwrite=overwrite,
    )
    if json:
        print_json(done.as_dict())
        return
    rows = [
        (name, f"{entry['bytes']:,}", str(entry["sha256"])) for name, entry in done.after.items()
    ]
    print_table(f"{done.out} ({done.layout} layout)", ("file", "bytes", "sha256"), rows)
    typer.echo(f"the same weights: sha256 {done.digest} over {done.parameters:,} numbers")
    for change in done.changes:
        typer.echo(f"changed: {change}")
    if done.left_behind:
        typer.echo(f"not taken along: {', '.join(done.left_behind)}")
    for need in done.missing:
        typer.echo(f"before it can be published: {need}")


def stack(
    parts: Annotated[
        str, typer.Argument(help="Published adapters, first to last: me/mini-cym,mini:pos.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the stack.")],
    backbone: BackboneName = "mini",
    language: Annotated[
        str | None,
        typer.Option(
            "--language",
            callback=language_code,
            help="In which it predicts; by default the first part's.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a stack that is already there.")
    ] = False,
    json: Json = False,
) -> None:
    """Pin published adapters together, so that one id gives a working predictor.

    Publish the folder with push; load it with ak.load_stack.

    Example: adapterkit stack me/mini-cym,mini:pos --out stacks/cym-pos
    """
    from adapterkit.formats.inspection import inspect
    from adapterkit.stacks import save_stack

    place = save_stack(
        split_names(parts), out, backbone=backbone, language=language, overwrite=overwrite
    )
    told = inspect(place)
    if json:
        print_json({"out": str(out), **told})
        return
    rows = [(one["reference"], one["kind"], one["commit"], one["digest"]) for one in told["parts"]]
    print_table(
        f"{out}: {told['task']}, {told['language']}", ("part", "kind", "commit", "sha256"), rows
    )
