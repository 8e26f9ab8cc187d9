"""`lock`, `sync` and `verify`: a project's adapters and backbones, pinned, brought and checked.

A lock is exact: a file that is missing, another or too many is an error, and so is a repository that only has the
name of the one that was locked. First use records, later use verifies.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapterkit.errors import AdapterkitError, ConfigError, FolderError, HubError, found
from adapterkit.files import sha256_of
from adapterkit.formats.adapterhub import read_folder
from adapterkit.formats.guard import OWNED
from adapterkit.hub import web
from adapterkit.hub.fetching import backbone_files, cached_backbone, fetch_backbone
from adapterkit.hub.names import name_problems, parse
from adapterkit.hub.store import Fetched, file_problems
from adapterkit.pulling.lockfile import LOCK, Pin, is_facts, read_lock, write_lock
from adapterkit.pulling.pull import ORIGIN, bring, install, loaded, origin_of, pickles

FOLDER = "adapters"


def lock(
    adapters: Sequence[str] = (),
    *,
    revision: str | None = None,
    backbones: Sequence[str] = (),
    path: str | Path = LOCK,
    update: bool = False,
) -> list[Pin]:
    """Fetch adapters and backbones, load the adapters once, and pin them in the lockfile beside what is in it.

    Args:
        adapters: Hub ids, URLs, old AdapterHub ids. With none (and no backbones), all that the lockfile has are
            asked for again, at the revisions they were locked at.
        revision: Branch, tag or commit, of all of ``adapters``; without it those that URLs name.
        backbones: Hub ids. An old AdapterHub id is meant for the one of them.
        path: The lockfile.
        update: Accept that a revision means another commit now, or a name another repository.

    Returns:
        All pins of the lockfile.

    Raises:
        HubError: If the Hub does not give one, or a revision has moved and ``update`` is off.
        ConfigError: If an old AdapterHub id is named without exactly one backbone, or ``revision`` is given
            without adapters.
        FolderError: If the lockfile cannot be read, or nothing is named and there is none.
    """
    if revision is not None and not adapters:
        raise ConfigError(f"revision {revision!r} is that of adapters to lock, and none is named")
    path = Path(path)
    known = read_lock(path) if path.is_file() or not (adapters or backbones) else []
    backbone = backbones[0] if len(backbones) == 1 else None
    new = [_adapter_pin(reference, revision, backbone) for reference in adapters]
    new += [_backbone_pin(name, None) for name in backbones]
    if not new:
        new = [
            _adapter_pin(pin.repository, pin.revision or None)
            if pin.kind == "adapter"
            else _backbone_pin(pin.repository, pin.revision or None)
            for pin in known
        ]
    pins = known
    for pin in new:
        pins = _with(pins, pin, update=update)
    write_lock(path, pins)
    return pins


def _with(pins: list[Pin], new: Pin, *, update: bool) -> list[Pin]:
    """``pins`` with ``new`` in the place of those of the same repository, under the name that it had."""
    olds = [pin for pin in pins if _is_of_same(pin, new)]
    for old in olds if not update else ():
        _check_unmoved(old, new)
    others = [pin for pin in pins if pin not in olds]
    name = olds[0].name if olds else _free_name(new, others)
    return [*others, _same_but_time(olds[0] if olds else None, replace(new, name=name))]


def _is_of_same(one: Pin, other: Pin) -> bool:
    """Whether both are of one repository: by its name, or by the Hub's own id after it was renamed."""
    if (one.kind, one.repository) == (other.kind, other.repository):
        return True
    return bool(one.key) and (one.kind, one.key) == (other.kind, other.key)


def _free_name(new: Pin, others: list[Pin]) -> str:
    """Its own name, or with its owner's where that is another's on some systems, or no folder's."""
    taken = {pin.name.casefold() for pin in others}
    usable = new.name.casefold() not in taken and not name_problems([new.name])
    return new.name if usable else new.repository.replace("/", "--")


def _check_unmoved(was: Pin, now: Pin) -> None:
    if was.key and now.key and was.key != now.key:
        raise HubError(
            f"{now.repository}: is another repository than the one that was locked (the Hub's id was {was.key}, "
            f"is {now.key}); if that is right: adapterkit lock --update"
        )
    if was.revision == now.revision and was.commit != now.commit:
        raise HubError(
            f"{now.repository}: {now.revision or 'the default branch'} was commit {was.commit} when it was locked, "
            f"and is {now.commit} now; if that is what you want: adapterkit lock --update"
        )


def _same_but_time(was: Pin | None, now: Pin) -> Pin:
    return was if was is not None and replace(was, locked=now.locked) == now else now


def _adapter_pin(reference: str, revision: str | None, backbone: str | None = None) -> Pin:
    meant = parse(reference, backbone=backbone or "a", home=web.endpoint())
    if backbone is None and meant != parse(reference, backbone="b", home=web.endpoint()):
        raise ConfigError(
            f"{reference}: an old AdapterHub id, one for each backbone; lock it together with the one that it is "
            "meant for, e.g. --backbone FacebookAI/xlm-roberta-base, or name its repository, e.g. "
            "AdapterHub/xlm-roberta-base-sw-wiki_pfeiffer"
        )
    fetched = bring(reference, revision=revision, backbone=backbone)
    adapter = loaded(fetched, fetched.folder)
    licence = fetched.card.get("license")
    return Pin(
        kind="adapter",
        name=fetched.repository.rsplit("/", 1)[-1],
        repository=fetched.repository,
        endpoint=fetched.endpoint,
        key=fetched.key,
        revision=revision or meant.revision or "",
        commit=fetched.commit,
        files=fetched.files,
        digest=adapter.digest() if adapter else "",
        backbone=adapter.backbone.name if adapter else "",
        backbone_digest=adapter.backbone.digest if adapter else "",
        license=licence if isinstance(licence, str) else "",
        locked=_now(),
    )


def _backbone_pin(repository: str, revision: str | None) -> Pin:
    if "/" not in repository:
        raise ConfigError(
            f"--backbone {repository}: a Hub id (owner/name) is needed; what ships with adapterkit needs no pin"
        )
    folder = fetch_backbone(repository, revision=revision)
    wanted = backbone_files([path.name for path in sorted(folder.iterdir()) if path.is_file()])
    paths = [folder / name for name in wanted]
    files = {p.name: {"size": p.stat().st_size, "sha256": sha256_of(p)} for p in paths}
    return Pin(
        kind="backbone",
        name=repository.rsplit("/", 1)[-1],
        repository=repository,
        endpoint=web.endpoint(),
        revision=revision or "",
        commit=folder.name,
        files=files,
        locked=_now(),
    )


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def sync(path: str | Path = LOCK, *, out: str | Path = FOLDER) -> dict[str, list[str]]:
    """Bring everything that the lockfile pins: adapters into folders of ``out``, backbones into the cache.

    What is there already and right is left alone.

    Returns:
        Names under ``brought`` and ``there``.

    Raises:
        HubError: If the Hub gives something else than what was locked, or nothing.
        FolderError: If a folder in ``out`` holds something else; it is left as it is.
    """
    done: dict[str, list[str]] = {"brought": [], "there": []}
    for pin in read_lock(Path(path)):
        _check_endpoint(pin)
        if pin.kind == "backbone":
            known = cached_backbone(pin.repository, pin.commit)
            folder = fetch_backbone(pin.repository, revision=pin.commit)
            _check(pin, file_problems(folder, pin.files, links=True), HubError)
            done["brought" if known is None else "there"].append(pin.name)
            continue
        place = Path(out) / pin.name
        if place.exists():
            _check(pin, _folder_problems(place, pin), FolderError)
            done["there"].append(pin.name)
            continue
        fetched = bring(pin.repository, revision=pin.commit)
        _check_fetched(pin, fetched)
        install(fetched, place)
        done["brought"].append(pin.name)
    return done


def _check_endpoint(pin: Pin) -> None:
    if pin.endpoint != web.endpoint():
        raise HubError(
            f"{pin.repository}: was locked at {pin.endpoint}, and HF_ENDPOINT is {web.endpoint()} now"
        )


def _check_fetched(pin: Pin, fetched: Fetched) -> None:
    if pin.key and pin.key != fetched.key:
        raise HubError(
            f"{pin.repository}: is another repository than the one that was locked (the Hub's id was {pin.key}, "
            f"is {fetched.key})"
        )
    told = [f"{name}: was not locked" for name in sorted(set(fetched.files) - set(pin.files))]
    told += [f"{name}: missing" for name in sorted(set(pin.files) - set(fetched.files))]
    told += [
        f"{name}: another one than the one that was locked (its sha256 differs)"
        for name in sorted(set(pin.files) & set(fetched.files))
        if dict(pin.files[name]) != dict(fetched.files[name])
    ]
    _check(pin, told, HubError)


def _folder_problems(folder: Path, pin: Pin) -> list[str]:
    if not folder.is_dir():
        return [f"{folder}: there is no such folder (adapterkit sync brings it)"]
    if not (pin.digest and pickles(pin.files)):
        return file_problems(folder, pin.files, besides=(ORIGIN,))
    try:  # it was converted: its own files are other ones, with the same weights
        problems = file_problems(folder, _converted_files(folder, pin), besides=(ORIGIN,))
        same = read_folder(folder).digest() == pin.digest
    except AdapterkitError as error:
        return [str(error)]
    return problems if same else [*problems, f"{folder}: other weights than those locked"]


def _converted_files(folder: Path, pin: Pin) -> dict[str, Mapping[str, Any]]:
    """What the files of a converted adapter must be: as they were written when it was pulled, the others as locked.

    Raises:
        FolderError: If the folder does not say so of the locked commit.
    """
    origin = origin_of(folder)
    files = origin.get("files")
    if origin.get("commit") != pin.commit or not isinstance(files, dict):
        raise FolderError(
            f"{folder}: {ORIGIN} does not say that it was pulled at the locked commit"
        )
    written = {name: told for name, told in files.items() if name in OWNED and is_facts(told)}
    return written | {name: told for name, told in pin.files.items() if name not in OWNED}


def _check(pin: Pin, problems: list[str], kind: type[AdapterkitError]) -> None:
    if problems:
        raise kind(f"{pin.repository} at {pin.commit[:12]}: not as locked:{found(problems)}")


def verify(path: str | Path = LOCK, *, out: str | Path = FOLDER) -> list[str]:
    """Check that everything is as the lockfile says. The Hub is not asked.

    Returns:
        The names of what was checked.

    Raises:
        FolderError: With all that is missing, another or too many.
    """
    pins = read_lock(Path(path))
    problems = []
    for pin in pins:
        if pin.kind == "adapter":
            there = _folder_problems(Path(out) / pin.name, pin)
        else:
            there = _cached_problems(pin)
        problems += [f"{pin.repository}: {problem}" for problem in there]
    if problems:
        raise FolderError(f"{path}: not as locked:{found(problems)}")
    return [pin.name for pin in pins]


def _cached_problems(pin: Pin) -> list[str]:
    try:
        folder = cached_backbone(pin.repository, pin.commit)
    except HubError as error:
        return [str(error)]
    if folder is None:
        return ["is not in the cache (adapterkit sync brings it)"]
    return file_problems(folder, pin.files, links=True)
