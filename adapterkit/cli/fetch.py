"""`pull`, and `lock`, `sync` and `verify`: adapters from the Hub, and the lockfile that pins a project's."""

from pathlib import Path
from typing import Annotated

import typer

from adapterkit.cli.options import Json, Overwrite, print_json, print_table

Revision = Annotated[str | None, typer.Option("--revision", help="Branch, tag or commit.")]


def pull(
    repository: Annotated[
        str,
        typer.Argument(help="owner/name on the Hub, a URL of it, or an old id (sw/wiki@ukp)."),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The new folder; without it, only into the cache."),
    ] = None,
    revision: Revision = None,
    backbone: Annotated[
        str | None, typer.Option("--backbone", help="Which one an old AdapterHub id is meant for.")
    ] = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Fetch an adapter from the Hub: verified, loaded once, and only then put in its place.

    Old .bin weights are read as plain tensors and written anew as safetensors.

    Example: adapterkit pull me/mini-cym --revision v1 --out adapters/cym
    """
    from adapterkit.pulling.pull import pull as bring

    done = bring(repository, out, revision=revision, backbone=backbone, overwrite=overwrite)
    if json:
        print_json(done.as_dict())
        return
    rows = [(name, f"{told['size']:,}", str(told["sha256"])) for name, told in done.files.items()]
    print_table(f"{done.repository} in {done.out}", ("file", "bytes", "sha256"), rows)
    for name in done.converted:
        typer.echo(f"converted: {name}, an old pickle, is safetensors now, with the same weights")
    typer.echo(f"commit {done.commit}: with it as --revision the same bytes come again")
