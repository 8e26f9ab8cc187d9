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


LockPath = Annotated[Path, typer.Option("--lock", help="The lockfile.")]
Folder = Annotated[Path, typer.Option("--out", help="The folder of the adapters' folders.")]


def lock(
    adapters: Annotated[
        list[str] | None,
        typer.Argument(help="Adapters on the Hub; none: all that are locked, again."),
    ] = None,
    revision: Revision = None,
    backbone: Annotated[
        list[str] | None,
        typer.Option(
            "--backbone",
            help="A backbone's Hub id; can be repeated. An old id (sw/wiki@ukp) is meant for the one named.",
        ),
    ] = None,
    path: LockPath = Path("adapterkit.lock"),
    update: Annotated[
        bool, typer.Option("--update", help="Accept that a branch or tag means another commit now.")
    ] = False,
    json: Json = False,
) -> None:
    """Pin adapters and backbones of a project, with commit and sha256 of every file.

    Example: adapterkit lock me/mini-cym --revision v1
    """
    from adapterkit.pulling.project import lock as pin

    pins = pin(
        adapters or (), revision=revision, backbones=backbone or (), path=path, update=update
    )
    if json:
        rows = [{key: getattr(p, key) for key in ("kind", "name", *_SHOWN)} for p in pins]
        print_json([{**row, "files": dict(p.files)} for row, p in zip(rows, pins, strict=True)])
        return
    cells = [(f"{p.kind} {p.name}", p.repository, p.revision or "default", p.commit) for p in pins]
    print_table(str(path), ("name", "repository", "revision", "commit"), cells)


_SHOWN = ("repository", "endpoint", "key", "revision", "commit", "digest", "backbone", "license")


def sync(
    path: LockPath = Path("adapterkit.lock"),
    out: Folder = Path("adapters"),
    json: Json = False,
) -> None:
    """Bring everything that the lockfile pins, exactly. What is there and right is left alone.

    Example: adapterkit sync --out adapters
    """
    from adapterkit.pulling.project import sync as bring

    done = bring(path, out=out)
    if json:
        print_json(done)
        return
    typer.echo(f"brought: {', '.join(done['brought']) or 'nothing'}")
    typer.echo(f"there already, as locked: {', '.join(done['there']) or 'nothing'}")


def verify(
    path: LockPath = Path("adapterkit.lock"),
    out: Folder = Path("adapters"),
    json: Json = False,
) -> None:
    """Check that every file is as the lockfile says. Asks nothing of the Hub.

    Example: adapterkit verify --out adapters
    """
    from adapterkit.pulling.project import verify as check

    names = check(path, out=out)
    if json:
        print_json({"verified": names})
        return
    typer.echo(f"as locked: {', '.join(names)}")
