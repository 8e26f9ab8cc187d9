"""Publishing through huggingface_hub: what a repository holds, one commit, a tag. It knows no adapters.

Every function asks the Hub afresh. Whatever goes wrong is a `HubError`. Tokens are found as
huggingface_hub finds them (``HF_TOKEN``, ``hf auth login``).
"""

import contextlib
import hashlib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterkit.errors import HubError
from adapterkit.files import sha256_of
from adapterkit.hub.web import endpoint

if TYPE_CHECKING:
    from huggingface_hub import HfApi

SECONDS = 30.0
"""How long the Hub may be silent about a repository."""
PATIENCE = 120.0
"""How long it may be silent about anything else: a commit of many files takes its time."""
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}(?<![.-])", re.ASCII)
logger = logging.getLogger("adapterkit")


@dataclass(frozen=True)
class RemoteFile:
    """A file on the Hub.

    Attributes:
        size: Bytes, 0 where the Hub does not say.
        sha256: Of its bytes, for large files; empty for small ones.
        blob: Git's sha1 of a small file.
    """

    size: int
    sha256: str
    blob: str

    def holds(self, path: Path) -> bool:
        """Whether it has the bytes of the file ``path``."""
        if self.sha256:
            return self.sha256 == sha256_of(path)
        return bool(self.blob) and self.blob == git_blob(path)


@dataclass(frozen=True)
class Remote:
    """A repository at one commit.

    Attributes:
        repository: Its id, as the Hub has it.
        commit: The commit, 40 hex digits.
        private: Whether only its owners see it.
        files: Its files by path.
        tags: Commit of each tag.
    """

    repository: str
    commit: str
    private: bool
    files: Mapping[str, RemoteFile]
    tags: Mapping[str, str] = field(default_factory=dict)

    def holds(self, folder: Path) -> bool:
        """Whether it has every file of ``folder``, with the same bytes."""
        return not self.differences(folder)

    def differences(self, folder: Path) -> list[str]:
        """Files of ``folder`` that it lacks or has otherwise."""
        return [
            f"{path.name}: {'otherwise' if path.name in self.files else 'missing'}"
            for path in sorted(folder.iterdir())
            if path.name not in self.files or not self.files[path.name].holds(path)
        ]


def git_blob(path: Path) -> str:
    """Git's sha1 of a file, by which the Hub names small ones."""
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def look(repository: str, *, commit: str | None = None) -> Remote | None:
    """What ``repository`` holds at its main branch, or at ``commit``; None if there is none to be seen.

    Raises:
        HubError: If the Hub cannot be asked.
    """
    from huggingface_hub.errors import RepositoryNotFoundError

    client = api()
    with as_hub_error(f"{repository!r} could not be looked at"):
        try:
            info = client.model_info(
                repository, revision=commit, files_metadata=True, timeout=SECONDS
            )
        except RepositoryNotFoundError:
            return None
        refs = client.list_repo_refs(repository)
    return Remote(
        repository=info.id,
        commit=str(info.sha),
        private=bool(info.private),
        files={one.rfilename: _file(one) for one in info.siblings or ()},
        tags={tag.name: tag.target_commit for tag in refs.tags},
    )


def _file(sibling: Any) -> RemoteFile:
    return RemoteFile(
        size=sibling.size or 0,
        sha256=sibling.lfs.sha256 if sibling.lfs else "",
        blob=sibling.blob_id or "",
    )


def create(repository: str, *, private: bool) -> None:
    """Make an empty repository; one that is there already stays as it is.

    Raises:
        HubError: If the Hub refuses.
    """
    with as_hub_error(f"{repository!r} could not be created"):
        api().create_repo(repository, private=private, exist_ok=True)


def commit(
    repository: str, folder: Path, *, parent: str, delete: Sequence[str], message: str
) -> str:
    """Put the files of ``folder`` into ``repository`` as one commit on top of ``parent``.

    If the Hub's answer gets lost, it is looked up whether the commit was made.

    Returns:
        The new commit, 40 hex digits.

    Raises:
        HubError: If the Hub refuses, or somebody else has committed since ``parent``.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    operations: list[Any] = [
        CommitOperationAdd(path_in_repo=path.name, path_or_fileobj=str(path))
        for path in sorted(folder.iterdir())
    ]
    operations += [CommitOperationDelete(path_in_repo=name) for name in delete]
    try:
        with as_hub_error(f"{repository!r} could not be written to"):
            made = api().create_commit(
                repository, operations, commit_message=message, parent_commit=parent
            )
            return str(made.oid)
    except HubError as error:
        landed = _landed(repository, folder, parent)
        if landed is None:
            raise
        logger.info("the Hub's answer was lost (%s), but the commit was made: %s", error, landed)
        return landed


def _landed(repository: str, folder: Path, parent: str) -> str | None:
    """The head, if it is not ``parent`` any more and holds what was sent."""
    with contextlib.suppress(HubError):
        now = look(repository)
        if now is not None and now.commit != parent and now.holds(folder):
            return now.commit
    return None


def tag(repository: str, name: str, *, commit: str) -> None:
    """Name ``commit`` by a tag; a tag that names it already is as good.

    Raises:
        HubError: If the Hub refuses, or the tag names another commit.
    """
    try:
        with as_hub_error(f"{repository!r}: the tag {name!r} could not be made"):
            api().create_tag(repository, tag=name, revision=commit)
    except HubError as error:
        there = None
        with contextlib.suppress(HubError):
            now = look(repository)
            there = now.tags.get(name) if now is not None else None
        if there is None:
            raise
        if there != commit:
            raise HubError(
                f"{repository!r}: the tag {name!r} names another commit ({there[:12]}); somebody else has "
                "published meanwhile. Nothing is lost: run the same command again"
            ) from error


def is_public(repository: str, commit: str, *, files: bool = False) -> bool:
    """Whether anybody can see ``repository`` at ``commit``; False where that cannot be found out.

    Args:
        repository: Its id.
        commit: 40 hex digits.
        files: Whether anybody must get its files too, which of a gated one only some do.
    """
    from huggingface_hub import HfApi

    with contextlib.suppress(HubError), as_hub_error(""):
        info = HfApi(token=False).model_info(repository, revision=commit, timeout=SECONDS)
        closed = info.private or (files and info.gated)
        return not closed and info.sha == commit
    return False


def token_in_use() -> str | None:
    """The token that huggingface_hub would send, if there is one."""
    from huggingface_hub import get_token

    return get_token()


def check_repository(repository: str) -> None:
    """Refuse what cannot be a repository's id.

    Raises:
        HubError: That says what one looks like.
    """
    if not _REPOSITORY.fullmatch(repository) or ".." in repository or "--" in repository:
        raise HubError(f"{repository!r} is no Hub repository id; one looks like owner/name")


def api() -> "HfApi":
    """The client, for a Hub that may be sent a token.

    Raises:
        HubError: If the Hub is reached without encryption and is not this machine.
    """
    from huggingface_hub import HfApi

    endpoint()
    return HfApi(library_name="adapterkit")


@contextlib.contextmanager
def as_hub_error(what: str) -> Iterator[None]:
    """Turn whatever goes wrong inside into a `HubError` that begins with ``what``; nothing waits for ever."""
    try:
        with _bounded():
            yield
    except HubError:
        raise
    # The client lets through errors of httpx, of requests, of Xet's Rust and builtin ones.
    except Exception as error:
        raise HubError(f"{what}: {explain(error)}") from error


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    """Give requests that would wait for ever (huggingface_hub's own default) `PATIENCE`."""
    from huggingface_hub import get_session

    session: Any = get_session()
    if not hasattr(
        session, "build_request"
    ):  # requests, before huggingface_hub 1, has no such setting
        yield
        return
    before, session.timeout = session.timeout, PATIENCE
    try:
        yield
    finally:
        session.timeout = before


def explain(error: Exception) -> str:
    """What went wrong, in a line, and what to do about it."""
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled

    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set, so the Hub was not asked; unset it"
    if isinstance(error, LocalTokenNotFoundError):
        return _HINTS[401]
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if not isinstance(error, HfHubHTTPError) or error.response is None:
        return lines[0]
    status = int(error.response.status_code)
    said = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f"{_HINTS[status]} ({status}: {said})" if status in _HINTS else f"{status}: {said}"


_HINTS: dict[int, str] = {
    401: "the Hub does not know you: log in with `hf auth login`, or set HF_TOKEN",
    403: "the Hub does not let you: your token needs the right to write there",
    409: "somebody else is changing it right now; run the same command again",
    412: "somebody else has changed it meanwhile, so nothing was written and nothing is lost; look at "
    "what is there, and run the same command again to publish over it",
    413: "too large for the Hub",
    429: "too many requests; wait some minutes and run the same command again",
}
