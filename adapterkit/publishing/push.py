"""`push`: one commit that holds everything, checked on the Hub, and a tag.

The order makes it safe to be cut anywhere and repeated: the folder is built and checked here first; one commit
names its parent, so that it lands whole or not at all and never over somebody else's; the digests are read back;
then the version is tagged. A repetition finds what is there already and goes on from it.
"""

import logging
import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from adapterkit.cards.answers import unanswered
from adapterkit.cards.scores import SCORES_FILE
from adapterkit.errors import ConfigError, HubError, found
from adapterkit.files import sha256_of
from adapterkit.formats.guard import OWNED
from adapterkit.formats.pins import STACK_FILE, is_stack
from adapterkit.hub.upload import Remote, check_repository, commit, create, look, tag
from adapterkit.publishing.parcel import CARD, Parcel, Wish, texts_of
from adapterkit.publishing.sources import write_record
from adapterkit.publishing.stack_parcel import stack_parcel
from adapterkit.publishing.staging import adapter_parcel

_TAG = re.compile(r"v([1-9]\d{0,8})")
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".h5", ".msgpack", ".onnx", ".gguf")
OURS = frozenset((*OWNED, STACK_FILE, SCORES_FILE, CARD))
"""Names under which `push` writes; of these, what a new version has no more is deleted with it."""
logger = logging.getLogger("adapterkit")


@dataclass(frozen=True)
class Publication:
    """What was published, or with ``dry_run`` would be.

    Attributes:
        repository: Where, ``owner/name``.
        tag: Its version, ``v1``.
        commit: 40 hex digits; empty after a dry run.
        files: Size and sha256 of every file.
        texts: Contents of every file that is text, the card among them.
        deleted: Files of an older version that go.
        removed: Places of the provenance where a path or a user name was taken out.
        open_questions: Questions of the card without an answer.
        unchanged: Whether the Hub held it all before.
        private: Whether only its owners see it.
        dry_run: Whether nothing was sent.
        note: What else should be known, e.g. that the Hub could not be asked.
        stack: Whether it is a stack, not one adapter.
    """

    repository: str
    tag: str
    commit: str
    files: Mapping[str, Mapping[str, Any]]
    texts: Mapping[str, str]
    deleted: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    open_questions: tuple[str, ...] = ()
    unchanged: bool = False
    private: bool = False
    dry_run: bool = False
    note: str = ""
    stack: bool = False

    @property
    def load(self) -> str:
        """The line that loads it."""
        verb = "load_stack" if self.stack else "load_adapter"
        return f'ak.{verb}("{self.repository}", revision="{self.tag}")'


def push(
    folder: str | Path,
    repository: str,
    *,
    language: str | None = None,
    license: str | None = None,
    base_model: str | None = None,
    private: bool = False,
    dry_run: bool = False,
    answers: str | Path | None = None,
) -> Publication:
    """Publish a folder on the Hub: weights (or a stack's pins), provenance, scores and a card, as one commit with a tag.

    The folder itself is only read; `published.json` is written into it, for later publications that
    name it. Calling it again with the same folder changes nothing.

    Args:
        folder: An adapter's (AdapterHub's layout or PEFT's), or a stack's (`save_stack`).
        repository: ``owner/name``; made if it is not there.
        language: ISO 639 code, where the folder names none (a task adapter: of its labelled data).
        license: E.g. ``cc-by-4.0``.
        base_model: The backbone's Hub id, where the folder names only a local one.
        private: Make a new repository private.
        dry_run: Send nothing; tell exactly what would become public.
        answers: TOML file with the answers of the card; by default `card.toml` in the folder.

    Raises:
        FolderError: If the folder is wrong.
        ConfigError: If language, licence or the backbone's identity is missing, or something private
            would become public.
        HubError: If the Hub refuses, cannot be reached, or somebody else publishes at the same time.
    """
    check_repository(repository)
    if not isinstance(folder, str | Path):
        raise ConfigError(
            f"push takes a folder, not {folder!r:.80}; save it first: ak.save_adapter(adapter, folder)"
        )
    place = Path(folder).expanduser()
    wish = Wish(language, license, base_model, Path(answers) if answers else None, private)
    build = stack_parcel if is_stack(place) else adapter_parcel
    with tempfile.TemporaryDirectory(prefix="adapterkit-") as temporary:
        parcel = build(place, wish, repository, Path(temporary))
        made = deliver(parcel, repository, private=private, dry_run=dry_run)
    if not dry_run:
        remember(place, made, parcel.digest)
    return replace(
        made,
        stack=is_stack(place),
        removed=tuple(parcel.removed),
        open_questions=() if is_stack(place) else tuple(unanswered(parcel.answers)),
    )


def remember(folder: Path, made: Publication, digest: str) -> None:
    """Note in ``folder`` where it was published; a folder that cannot be written to is left as it is."""
    with suppress(OSError):
        write_record(
            folder, repository=made.repository, commit=made.commit, tag=made.tag, digest=digest
        )


def deliver(parcel: Parcel, repository: str, *, private: bool, dry_run: bool) -> Publication:
    """Bring a folder to the Hub: look, commit on top of what was seen, verify, tag.

    Raises:
        HubError: As `push`.
    """
    note, remote = "", None
    try:
        remote = look(repository)
    except HubError as error:
        if not dry_run:
            raise
        note = f"the Hub could not be asked, so this is told as for a new repository ({error})"
    if remote is not None:
        _check_remote(remote, private=private)
    version = _version(parcel, remote)
    made = Publication(
        repository=remote.repository if remote is not None else repository,
        tag=version,
        commit="",
        files=_sizes(parcel.folder),
        texts=texts_of(parcel.folder),
        deleted=_stale(parcel.folder, remote),
        unchanged=_is_there(parcel.folder, remote),
        private=remote.private if remote is not None else private,
        dry_run=dry_run,
        note=note,
    )
    return made if dry_run else _send(parcel.folder, made, remote)


def _send(folder: Path, made: Publication, remote: Remote | None) -> Publication:
    if remote is None:
        create(made.repository, private=made.private)
        remote = look(made.repository)
        if remote is None:
            raise HubError(
                f"{made.repository!r} was created, but the Hub does not show it; try again"
            )
        _check_remote(remote, private=made.private)
    head = remote.commit
    if not _is_there(folder, remote):
        head = commit(
            made.repository,
            folder,
            parent=remote.commit,
            delete=_stale(folder, remote),
            message=f"Publish {made.tag} with adapterkit",
        )
    _verify(folder, made.repository, head)
    if made.tag not in remote.tags:
        tag(made.repository, made.tag, commit=head)
    logger.info("published: %s, %s, commit %s", made.repository, made.tag, head)
    return replace(made, commit=head)


def _check_remote(remote: Remote, *, private: bool) -> None:
    if private and not remote.private:
        raise HubError(
            f"{remote.repository!r} is there already and everybody can see it, so --private cannot hold; "
            "make it private on the Hub first, or choose another name"
        )
    foreign = [name for name in remote.files if name.endswith(_WEIGHTS) and name not in OURS]
    if foreign:
        raise HubError(
            f"{remote.repository!r} holds something else than an adapter: {', '.join(sorted(foreign)[:3])}; "
            "choose another name"
        )


def _version(parcel: Parcel, remote: Remote | None) -> str:
    """Write the card of the version that this is: the last one's if it is the same, else the next one's."""
    numbers = [int(m[1]) for name in (remote.tags if remote else ()) if (m := _TAG.fullmatch(name))]
    last = max(numbers, default=0)
    if last:
        parcel.write_card(f"v{last}")
        if _is_there(parcel.folder, remote):
            return f"v{last}"
    parcel.write_card(f"v{last + 1}")
    return f"v{last + 1}"


def _is_there(folder: Path, remote: Remote | None) -> bool:
    return remote is not None and remote.holds(folder) and not _stale(folder, remote)


def _stale(folder: Path, remote: Remote | None) -> tuple[str, ...]:
    there = remote.files if remote is not None else {}
    return tuple(sorted(name for name in there if name in OURS and not (folder / name).exists()))


def _verify(folder: Path, repository: str, head: str) -> None:
    back = look(repository, commit=head)
    problems = ["the commit is not to be seen"] if back is None else back.differences(folder)
    if problems:
        raise HubError(
            f"{repository!r} does not hold what was sent, so it was not tagged:{found(problems)}\n"
            "Run the same command again."
        )


def _sizes(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        path.name: {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
        for path in sorted(folder.iterdir())
    }
