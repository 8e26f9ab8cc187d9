"""Where fetched repositories are kept: one folder a commit, a record of every file beside it, verified on each use.

``HF_HOME/adapterkit/HUB/OWNER--NAME/COMMIT/`` holds the files, ``COMMIT.json`` what they must be, ``revisions.json``
which commit a branch or tag meant when it was last asked for. A folder without its record does not count: it was
never finished. Hubs have folders of their own, so that what one gave is never taken for another's.
"""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from adapterkit.errors import FolderError, HubError, found
from adapterkit.files import read_json, sha256_of, write_json
from adapterkit.hub import web
from adapterkit.hub.listing import Listing, ask, download
from adapterkit.hub.names import is_commit

_FORMAT = 1
NOTES = ("adapterkit-digest.json",)
"""What loading a backbone notes beside its files, and computes again where they have changed."""
_STALE_SECONDS = 86_400


class NotKept(HubError):  # noqa: N818 - a kind of HubError, for rooms that know another place to look
    """The cache does not have what is asked for."""


class NotGiven(HubError):  # noqa: N818 - a kind of HubError, for rooms that know what else the name may mean
    """The Hub does not give what is asked for."""


@dataclass(frozen=True)
class Fetched:
    """A repository at one commit, on this machine and as it was when it was fetched.

    Attributes:
        folder: Where it is; to be read, not written.
        repository: Its Hub id.
        endpoint: The Hub it came from.
        key: The Hub's own id of the repository.
        commit: 40 hexadecimal digits.
        fetched: When, as an ISO date and time in UTC.
        files: Size and sha256 by path.
        card: The metadata of its README.
        note: What a user should know: that it comes from the cache, for one. Empty if nothing.
    """

    folder: Path
    repository: str
    endpoint: str
    key: str
    commit: str
    fetched: str
    files: Mapping[str, Mapping[str, Any]]
    card: Mapping[str, Any]
    note: str = ""


def fetch(
    repository: str, revision: str | None, wanted: Callable[[list[str]], list[str]]
) -> Fetched:
    """A repository's files at a revision, from the cache where that is sure to be the same.

    A full commit that is in the cache is taken from there, and the Hub is not asked. A branch or a tag is
    asked for; if the Hub cannot be reached, what it last meant is taken, and ``note`` says so.

    Raises:
        HubError: If the Hub says no (even if there is a copy), gives what cannot be right, or cannot be
            reached and there is no copy; or if the copy was altered.
    """
    known = pinned(repository, revision)
    if known is not None:
        return known
    try:
        return keep(repository, revision, inquire(repository, revision, wanted))
    except web.Unreachable as error:
        return from_cache(repository, revision, error)


def pinned(repository: str, revision: str | None, *, under: str = "") -> Fetched | None:
    """What the cache has of a full commit.

    Raises:
        HubError: If it was altered.
    """
    place = _place(repository, under)
    if revision is None or not is_commit(revision) or not (place / f"{revision}.json").is_file():
        return None
    return _verified(place, revision, "")


def inquire(
    repository: str,
    revision: str | None,
    wanted: Callable[[list[str]], list[str]],
    *,
    under: str = "",
) -> Listing:
    """What the Hub has of a repository, which must be the one that was known under this name.

    Raises:
        Unreachable: If it cannot be asked.
        HubError: If it says no, or something that cannot be right.
    """
    place = _place(repository, under)
    try:
        listing = ask(repository, revision, wanted)
    except web.Denied as error:
        raise NotGiven(f"{repository}: {error}{_copy_hint(place, revision)}") from None
    _check_same(place, listing)
    return listing


def keep(repository: str, revision: str | None, listing: Listing, *, under: str = "") -> Fetched:
    """Fetch what was listed, if the cache has it not.

    Raises:
        HubError: If it does not come, or not as it was listed.
    """
    place = _place(repository, under)
    if not (place / f"{listing.commit}.json").is_file():
        _bring(listing, place)
    _remember(place, revision, listing.commit)
    return _verified(place, listing.commit, _renamed(repository, listing))


def _place(repository: str, under: str = "") -> Path:
    """Its folder; of other kinds of repositories, of which other files are wanted, ``under`` a folder of theirs."""
    from huggingface_hub import constants

    home = web.endpoint()
    host = urlsplit(home).netloc.replace(":", "_")
    hub = f"{host}-{sha256(home.encode()).hexdigest()[:8]}"
    return Path(constants.HF_HOME) / "adapterkit" / hub / under / repository.replace("/", "--")


def kept() -> Iterator[tuple[str, str, Path]]:
    """Repository, commit and folder of everything that was fetched from this Hub."""
    for path in sorted(_place("-").parent.glob("*--*/*.json")):
        if is_commit(path.stem) and path.with_suffix("").is_dir():
            yield path.parent.name.replace("--", "/", 1), path.stem, path.with_suffix("")


def _bring(listing: Listing, place: Path) -> None:
    """Fetch all files beside their place, then put them there; the record comes last."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        _sweep(place)
        temporary = Path(tempfile.mkdtemp(dir=place, prefix=f".{listing.commit}."))
    except OSError as error:
        raise HubError(f"{place}: cannot be written ({error.strerror}); set HF_HOME") from None
    try:
        sums = download(listing, temporary)
        record = {
            "format": _FORMAT,
            "repository": listing.repository,
            "endpoint": web.endpoint(),
            "key": listing.key,
            "commit": listing.commit,
            "fetched": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "files": {n: {"size": listing.files[n].size, "sha256": s} for n, s in sums.items()},
            "card": dict(listing.card),
        }
        _settle(temporary, place, listing.commit, record)
    except OSError as error:
        raise HubError(
            f"{listing.repository}: cannot be kept in {place} ({error.strerror})"
        ) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _sweep(place: Path) -> None:
    """Throw away what a fetch left that was killed."""
    for left in place.glob(".*"):
        if left.is_dir() and time.time() - left.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(left, ignore_errors=True)


def _settle(temporary: Path, place: Path, commit: str, record: Mapping[str, Any]) -> None:
    """Put the folder and its record there; a folder that another process put there is as good, if it is whole."""
    target = place / commit
    # Without a record it is of a process that is about to write it, or was killed before it could.
    if target.exists() and file_problems(target, record["files"], besides=NOTES):
        shutil.rmtree(target, ignore_errors=True)
    if not target.exists():
        temporary.chmod(0o755)
        try:
            os.replace(temporary, target)
        except OSError:  # since we looked, somebody else has finished
            if not target.is_dir() or file_problems(target, record["files"], besides=NOTES):
                raise
    write_json(place / f"{commit}.json", record)


def _verified(place: Path, commit: str, note: str) -> Fetched:
    """What is kept of a commit, if every file is still what was fetched, and there is no other."""
    folder = place / commit
    try:
        record = read_json(place / f"{commit}.json")
        files = record["files"]
        problems = file_problems(folder, files, besides=NOTES)
        told = Fetched(
            folder,
            str(record["repository"]),
            str(record["endpoint"]),
            str(record["key"]),
            str(record["commit"]),
            str(record["fetched"]),
            files,
            record["card"],
            note,
        )
    except (FolderError, KeyError, TypeError, AttributeError) as error:
        raise HubError(f"{folder}: its record cannot be read ({error}); delete {place}") from None
    if problems or told.commit != commit:
        raise HubError(
            f"{folder}: was altered since it was fetched:{found(problems)}\nDelete {place} and fetch it again."
        )
    return told


def file_problems(
    folder: Path,
    files: Mapping[str, Mapping[str, Any]],
    *,
    links: bool = False,
    besides: Collection[str] = (),
) -> list[str]:
    """How ``folder`` differs from a record of its files: missing, altered, a link, or too many.

    Args:
        folder: Where they should be.
        files: Size and sha256 by path.
        links: Whether the folder may be one of huggingface_hub's cache, where files are links and others
            may be as well.
        besides: Paths that may be there as well.
    """
    problems = []
    for name, facts in files.items():
        path = folder / name
        if not path.is_file() or (path.is_symlink() and not links):
            problems.append(f"{name}: {'a link' if path.is_symlink() else 'missing'}")
        elif path.stat().st_size != facts["size"] or sha256_of(path) != facts["sha256"]:
            problems.append(f"{name}: altered (its sha256 differs)")
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    more = [] if links else sorted(there - set(files) - set(besides))
    return problems + [f"{name}: does not belong to it" for name in more]


def _revisions(place: Path) -> dict[str, Any]:
    path = place / "revisions.json"
    return read_json(path) if path.is_file() else {}


def _remember(place: Path, revision: str | None, commit: str) -> None:
    known = _revisions(place)
    if known.get(revision or "") != commit:
        # A shared cache may be read only: what is in it serves all the same.
        with contextlib.suppress(OSError):
            write_json(place / "revisions.json", {**known, revision or "": commit})


def from_cache(
    repository: str, revision: str | None, why: web.Unreachable, *, under: str = ""
) -> Fetched:
    """What a revision meant when it was last asked for, where the Hub cannot be asked.

    Raises:
        NotKept: If the cache does not have it; it names what is missing.
        HubError: If what it has was altered.
    """
    place = _place(repository, under)
    commit = _revisions(place).get(revision or "")
    known = isinstance(commit, str) and is_commit(commit)
    if not known or not (place / f"{commit}.json").is_file():
        at = f" at {revision!r}" if revision else ""
        kept = sorted(path.stem for path in place.glob("*.json") if is_commit(path.stem))
        other = f"; the cache has only {', '.join(kept)}" if kept else ""
        how = f"adapterkit pull {repository}" if not under else f"--backbone {repository}, any verb"
        raise NotKept(
            f"{repository}{at}: is not in the cache{other}, and the Hub cannot be asked: {why}. Fetch it once "
            f"where there is a network: {how}"
        ) from None
    told = _verified(place, str(commit), "")
    note = (
        f"{repository}: taken from the cache as fetched {told.fetched} ({told.commit[:12]}); {why}"
    )
    return replace(told, note=note)


def _copy_hint(place: Path, revision: str | None) -> str:
    commit = _revisions(place).get(revision or "")
    if not commit:
        return ""
    return f". An older copy is in the cache: revision={commit} still loads it, if that is what you want"


def _check_same(place: Path, listing: Listing) -> None:
    """A name that now belongs to another repository is not the one that was used before."""
    for path in place.glob("*.json"):
        if not is_commit(path.stem):
            continue
        known = read_json(path).get("key")
        if known != listing.key:
            raise HubError(
                f"{listing.repository}: is now another repository than the one fetched before (the Hub's id was "
                f"{known!r:.60}, is {listing.key!r:.60}); if that is right, delete {place}"
            )


def _renamed(repository: str, listing: Listing) -> str:
    if repository == listing.repository:
        return ""
    return f"{repository} is now called {listing.repository}"
