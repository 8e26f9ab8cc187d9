"""The source adapter of a task adapter: the language adapter that it was trained over, found again by its digest."""

from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import TypeAlias

from adapterkit.composition.adapter import Adapter
from adapterkit.errors import ConfigError, FolderError
from adapterkit.files import read_json
from adapterkit.formats.adapterhub import load_adapter
from adapterkit.formats.guard import OWN_FILE
from adapterkit.formats.places import starters

_Named: TypeAlias = tuple[str, str]  # digest and name


def find_source(task_adapter: Adapter, beside: Sequence[Path]) -> Adapter:
    """The one source adapter of a task adapter, as `find_sources` finds it.

    Raises:
        ConfigError: As there, and if it was trained over a language adapter and a domain adapter on it.
    """
    first, *others = find_sources(task_adapter, beside)
    if others:
        names = ", ".join(repr(one.name) for one in (first, *others))
        raise ConfigError(
            f"task adapter {task_adapter.name!r} was trained over {names}, one on the other; say which counts (source)"
        )
    return first


def find_sources(task_adapter: Adapter, beside: Sequence[Path]) -> tuple[Adapter, ...]:
    """What a task adapter was trained over: a language adapter, and the domain adapters on it.

    Its provenance names them by digest, in order, those of its first task first. Of several tasks over several
    language adapters it is the first whose adapters are all found.

    Args:
        task_adapter: The adapter.
        beside: Folders in whose neighbourhood to look; starters are looked at as well, and what cannot be
            read is passed over.

    Raises:
        ConfigError: If the provenance names none, or they are not all to be found.
    """
    over = task_adapter.provenance.get("over") or []
    entries = [entry for entry in over if isinstance(entry, dict)]
    wanted = [
        (e["digest"], str(e.get("name"))) for e in entries if isinstance(e.get("digest"), str)
    ]
    if not wanted:
        raise ConfigError(
            f"task adapter {task_adapter.name!r} does not say over which language adapter it was trained; pass --source"
        )
    folders, unread = _folders_by_digest(beside)
    found: dict[str, Adapter] = {}
    for digest, _ in wanted:
        if digest not in found and (one := _first_whole(folders.get(digest, ()), unread)):
            found[digest] = one
    for group in _by_task(wanted, task_adapter.provenance.get("examples")):
        if all(digest in found for digest, _ in group):
            first, *others = [found[digest] for digest, _ in group]
            return (first, *takewhile(lambda one: one.kind == "domain", others))
    lost = ", ".join(dict.fromkeys(name for digest, name in wanted if digest not in found))
    damaged = f" (these cannot be read: {', '.join(unread)})" if unread else ""
    raise ConfigError(
        f"the source adapter {lost!r} of {task_adapter.name!r} was not found beside it{damaged}; pass --source"
    )


def _by_task(wanted: Sequence[_Named], examples: object) -> list[Sequence[_Named]]:
    """``wanted`` apart for each task: a provenance names all that lay under one task, then under the next."""
    tasks = len(examples) if isinstance(examples, list) and examples else 1
    size = len(wanted) // tasks if len(wanted) % tasks == 0 else 1
    return [wanted[start : start + size] for start in range(0, len(wanted), size)]


def _folders_by_digest(beside: Sequence[Path]) -> tuple[dict[str, list[Path]], list[str]]:
    """Folders beside these, and starters, by what their records say; and names of those that say nothing."""
    around = dict.fromkeys(folder.resolve().parent for folder in beside)
    places = [place.parent for one in around for place in sorted(one.glob(f"*/{OWN_FILE}"))]
    found: dict[str, list[Path]] = {}
    unread = []
    for folder in [*places, *starters().values()]:
        try:
            found.setdefault(str(read_json(folder / OWN_FILE).get("digest")), []).append(folder)
        except FolderError:  # a neighbour's damage is not the source's
            unread.append(folder.name)
    return found, unread


def _first_whole(folders: Sequence[Path], unread: list[str]) -> Adapter | None:
    for folder in folders:
        try:
            return load_adapter(folder)
        except FolderError:
            unread.append(folder.name)
    return None
