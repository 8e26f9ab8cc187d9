"""What a repository holds at one commit: asked once, checked wholly, and then the only thing that is believed.

Every file's size and digest are known before its first byte is asked for: of an LFS file the sha256, of a small
one the id git gives to its bytes.
"""

import hashlib
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from adapterkit.errors import HubError, visible
from adapterkit.files import sha256_of
from adapterkit.hub import web
from adapterkit.hub.names import check_names, is_commit, is_id

MAX_FILE_BYTES = 4_000_000_000
MAX_SMALL_BYTES = 16_000_000
"""Of a file that is not under LFS: configurations and cards."""
MAX_BYTES = 8_000_000_000
MAX_FILES = 500
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class FileFacts:
    """Size of a file in bytes and what identifies its bytes: sha256 (LFS) or git's id (sha1)."""

    size: int
    digest: str

    @property
    def is_lfs(self) -> bool:
        """Whether the digest is a sha256."""
        return len(self.digest) == 64


@dataclass(frozen=True)
class Listing:
    """A repository at one commit.

    Attributes:
        repository: Its id now (after a renaming not what was asked for).
        key: The Hub's own id of it, which a new repository of the same name does not have.
        commit: 40 hexadecimal digits.
        files: All files that were wanted, by path.
        tags: The Hub's tags.
        card: The metadata of its README.
    """

    repository: str
    key: str
    commit: str
    files: Mapping[str, FileFacts]
    tags: tuple[str, ...]
    card: Mapping[str, Any]


def ask(repository: str, revision: str | None, wanted: Callable[[list[str]], list[str]]) -> Listing:
    """The repository at ``revision``, resolved to a commit once.

    Args:
        repository: Its id.
        revision: Branch, tag or commit; the default branch if None.
        wanted: Picks from all paths those that shall be fetched.

    Raises:
        HubError: If the Hub does not give it, or gives something that cannot be right.
    """
    path = f"/api/models/{repository}/revision/{quote(revision or 'main', safe='')}?blobs=true"
    record = web.get_json(path)
    if not isinstance(record, dict):
        raise _wrong(repository, "it is no object")
    commit, key, name = record.get("sha"), record.get("_id"), record.get("id")
    if not isinstance(commit, str) or not is_commit(commit):
        raise _wrong(repository, f"its commit is {commit!r:.100}")
    if revision is not None and is_commit(revision) and commit != revision:
        raise _wrong(repository, f"commit {revision} was asked for, {commit} came")
    if not isinstance(name, str) or not is_id(name) or not isinstance(key, str) or len(key) > 100:
        raise _wrong(repository, f"its id is {name!r:.100}, {key!r:.100}")
    sizes = _entries(repository, record.get("siblings"))
    names = wanted(list(sizes))
    check_names(repository, names)
    files = {name: _facts(repository, name, sizes[name]) for name in names}
    _check_sizes(repository, files)
    tags, card = record.get("tags"), record.get("cardData")
    told = tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else ()
    return Listing(name, key, commit, files, told, card if isinstance(card, dict) else {})


def _entries(repository: str, siblings: Any) -> dict[str, Any]:
    if not isinstance(siblings, list) or not all(
        isinstance(entry, dict) and isinstance(entry.get("rfilename"), str) for entry in siblings
    ):
        raise _wrong(repository, "it has no list of files")
    entries = {entry["rfilename"]: entry for entry in siblings}
    if len(entries) < len(siblings):
        raise _wrong(repository, "a file is listed twice")
    return entries


def _facts(repository: str, name: str, entry: Mapping[str, Any]) -> FileFacts:
    lfs = entry.get("lfs")
    size, digest = entry.get("size"), entry.get("blobId")
    if isinstance(lfs, dict):
        size, digest = lfs.get("size"), lfs.get("sha256")
        good = isinstance(digest, str) and _SHA256.fullmatch(digest) and size == entry.get("size")
    else:
        good = lfs is None and isinstance(digest, str) and is_commit(digest)
    if not good or not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise _wrong(repository, f"{name!r:.100} has size {size!r:.40} and digest {digest!r:.80}")
    return FileFacts(size, str(digest))


def _check_sizes(repository: str, files: Mapping[str, FileFacts]) -> None:
    if len(files) > MAX_FILES:
        raise HubError(f"{repository}: {len(files)} files; too many to be an adapter or a backbone")
    for name, facts in files.items():
        most = MAX_FILE_BYTES if facts.is_lfs else MAX_SMALL_BYTES
        if facts.size > most:
            raise HubError(
                f"{repository}: {name} has {facts.size} bytes, more than {most}; refused"
            )
    total = sum(facts.size for facts in files.values())
    if total > MAX_BYTES:
        raise HubError(f"{repository}: {total} bytes in all, more than {MAX_BYTES}; refused")


def _wrong(repository: str, why: str) -> HubError:
    return HubError(f"{repository}: the Hub's answer cannot be right: {visible(why)}")


def download(listing: Listing, folder: Path) -> dict[str, str]:
    """Fetch every file of ``listing`` into ``folder``, verified; return their sha256 by path.

    Raises:
        HubError: If a file does not come, or is not the one that was listed. What came stays in
            ``folder``, which is the caller's to throw away.
    """
    need = sum(facts.size for facts in listing.files.values())
    free = shutil.disk_usage(folder).free
    if need > free:
        raise HubError(f"{listing.repository}: needs {need} bytes, the disk of {folder} has {free}")
    return {name: _download(listing, name, folder / name) for name in sorted(listing.files)}


def _download(listing: Listing, name: str, target: Path) -> str:
    facts = listing.files[name]
    what = f"{listing.repository}: {name}"
    url = f"{web.endpoint()}/{listing.repository}/resolve/{listing.commit}/{quote(name)}"
    target.parent.mkdir(parents=True, exist_ok=True)

    with target.open("wb") as file:
        sums = _Sums(facts)

        def fetch() -> None:
            start = file.tell()
            with web.opened(url, start=start) as answer:
                _check_headers(what, answer.seen, facts, listing.commit)
                if answer.status == 200 and start:  # all of it again
                    start = file.seek(0)
                    file.truncate()
                    sums.begin()
                for piece in web.body(answer, facts.size - start, what):
                    sums.add(piece)
                    file.write(piece)
            if file.tell() < facts.size:
                missing = facts.size - file.tell()
                raise web.Unreachable(f"{what}: {missing} of {facts.size} bytes are missing")

        try:
            web.patiently(fetch, progress=file.tell)
        except web.Denied as error:
            raise HubError(f"{what}: {error}") from None
    if sums.digest() != facts.digest:
        raise HubError(f"{what}: its bytes are not the ones that the Hub lists; refused")
    return sums.sha256.hexdigest()


class _Sums:
    """Both digests of a file that comes piece by piece."""

    def __init__(self, facts: FileFacts) -> None:
        self.facts = facts
        self.begin()

    def begin(self) -> None:
        """Nothing has come."""
        self.sha256 = hashlib.sha256()
        self.git = hashlib.sha1(b"blob %d\0" % self.facts.size)

    def add(self, piece: bytes) -> None:
        """The next bytes."""
        self.sha256.update(piece)
        self.git.update(piece)

    def digest(self) -> str:
        """Of the kind that was listed."""
        return (self.sha256 if self.facts.is_lfs else self.git).hexdigest()


def _check_headers(what: str, seen: Mapping[str, str], facts: FileFacts, commit: str) -> None:
    """The answer must speak of the commit and the bytes that were listed."""
    told = seen.get("x-repo-commit", "")
    if told != commit:
        raise HubError(f"{what}: commit {commit} was asked for, the answer is of {told!r:.80}")
    tag = seen.get("x-linked-etag", seen.get("etag", ""))
    if tag.removeprefix("W/").strip('"') != facts.digest:
        raise HubError(f"{what}: listed as {facts.digest}, the answer is of {tag!r:.80}")


def is_same(path: Path, facts: FileFacts) -> bool:
    """Whether the file at ``path`` is the one that was listed."""
    if not path.is_file() or path.stat().st_size != facts.size:
        return False
    if facts.is_lfs:
        return sha256_of(path) == facts.digest
    return hashlib.sha1(b"blob %d\0" % facts.size + path.read_bytes()).hexdigest() == facts.digest
