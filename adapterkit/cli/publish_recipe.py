"""`run` of a recipe with a section ``[publish_language]``: from a text file to a published adapter."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from adapterkit.cli.options import print_json, say
from adapterkit.cli.publish import publication_record, show_publication

if TYPE_CHECKING:
    from adapterkit.data.corpus import Profile
    from adapterkit.experiments.data import DataFolder
    from adapterkit.experiments.publish_language import Result


def check_publishing(
    recipe: Path,
    data: "DataFolder",
    *,
    push: str | None,
    dry_run: bool,
    device: str | None,
    json: bool,
) -> None:
    """Say all that is wrong with the recipe, then what is in its text; start nothing."""
    from adapterkit.experiments.publish_check import checked_plan, fit_text, report_lines

    plan = checked_plan(recipe, data, push=push, dry_run=dry_run, device=device)
    profile = fit_text(plan)
    if json:
        print_json({"recipe": recipe.stem, "problems": [], **_text(profile)})
        return
    typer.echo(f"{recipe.stem}: nothing is wrong with it")
    for line in report_lines(profile):
        typer.echo(line)
    for warning in profile.warnings():
        say(f"accepted: {warning}")


def run_publishing(
    recipe: Path,
    data: "DataFolder",
    *,
    out: Path,
    push: str | None,
    dry_run: bool,
    fresh: bool,
    device: str | None,
    json: bool,
) -> None:
    """Run it and show what came of it."""
    from adapterkit.experiments.publish_language import publish_language

    found = publish_language(
        recipe,
        out=out,
        data=data,
        repository=push,
        dry_run=dry_run,
        fresh=fresh,
        device=device,
        progress=None,
        tell=say,
    )
    if json:
        print_json(_record(found))
        return
    if found.publication is not None:
        show_publication(found.publication)
    typer.echo(f"adapter: {found.folder}")
    typer.echo(f"card: {found.card}")
    if found.then:
        typer.echo(f"publish it: {found.then}")


def _text(profile: "Profile") -> dict[str, Any]:
    return {"corpus": profile.as_dict(), "warnings": profile.warnings()}


def _record(found: "Result") -> dict[str, Any]:
    made = found.publication
    return {
        "folder": str(found.folder),
        "trained": found.trained,
        "heldout_loss": dict(found.heldout_loss),
        "scores": [one.as_dict() for one in found.scores],
        "card": str(found.card),
        "publication": publication_record(made) if made is not None else None,
        "next": found.then or None,
        **_text(found.profile),
    }
