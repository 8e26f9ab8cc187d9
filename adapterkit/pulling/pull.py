"""`pull`: an adapter from the Hub into a folder, verified, loaded once, converted where it is an old pickle.

The folder appears in one step, when all of that has gone well; before, and after any failure, what was there stays.
"""

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterkit.errors import AdapterkitError, ConfigError, FolderError, HubError, found
from adapterkit.files import folder_in_one_step, read_json, sha256_of, write_json
from adapterkit.formats.adapterhub import read_folder, save_adapter
from adapterkit.formats.compositions import load_composition
from adapterkit.formats.guard import CONFIG, SETUP
from adapterkit.formats.peft_description import name_from
from adapterkit.formats.pins import CLEARED, is_stack, read_pins, require_free
from adapterkit.hub.fetching import fetch
from adapterkit.hub.store import Fetched

if TYPE_CHECKING:
    from adapterkit.composition.adapter import Adapter

ORIGIN = "pulled.json"
"""Says of a pulled folder where it is from; other loaders ignore it."""
_OURS = (*CLEARED, ORIGIN)


@dataclass(frozen=True)
class Pulled:
    """What `pull` brought.

    Attributes:
        out: The folder; without ``out=`` the one in the cache, which is only to be read.
        repository: Its Hub id.
        endpoint: The Hub it came from.
        key: The Hub's own id of the repository.
        commit: 40 hexadecimal digits; with it as ``revision`` the same bytes come again.
        files: Size and sha256 of each file, by path, as they are in ``out``.
        converted: Old pickles, each read as plain tensors and written anew as safetensors.
        digest: sha256 over the names, shapes and values of the weights; "" of a composition.
        note: What else to know, e.g. that it came from the cache. Empty if nothing.
    """

    out: Path
    repository: str
    endpoint: str
    key: str
    commit: str
    files: Mapping[str, Mapping[str, Any]]
    converted: tuple[str, ...] = ()
    digest: str = ""
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "out": str(self.out), "converted": list(self.converted)}


def pull(
    reference: str,
    out: str | Path | None = None,
    *,
    revision: str | None = None,
    backbone: str | None = None,
    overwrite: bool = False,
) -> Pulled:
    """Fetch an adapter from the Hub, whatever folders there are here.

    Args:
        reference: A Hub id (``owner/name``), the URL of a repository or a revision, or an old AdapterHub id
            (``sw/wiki@ukp``).
        out: The new folder; without it the adapter is only fetched into the cache, from where
            `load_adapter` takes it, without a network as well.
        revision: Branch, tag or commit.
        backbone: Which backbone an old AdapterHub id is meant for.
        overwrite: Replace an adapter that is in ``out`` already, and what was pulled with it; no other file.

    Raises:
        HubError: If the Hub does not give it, or it is not what it should be.
        FolderError: If what came is no adapter that can be loaded.
        ConfigError: If ``out`` holds an adapter and ``overwrite`` is off, or any other file of a name that came.
    """
    place = None if out is None else Path(out).expanduser()
    if place is not None:
        require_free(place, overwrite=overwrite)
    fetched = bring(reference, revision=revision, backbone=backbone)
    return install(fetched, place, overwrite=overwrite)


def bring(reference: str, *, revision: str | None = None, backbone: str | None = None) -> Fetched:
    """Fetch an adapter into the cache. Another pull's record, where a repository has one, is none of its files.

    Raises:
        HubError: If the Hub does not give it, or it is not what it should be.
    """
    fetched = fetch(reference, revision=revision, backbone=backbone)
    return replace(fetched, files={n: f for n, f in fetched.files.items() if n != ORIGIN})


def install(fetched: Fetched, out: Path | None, *, overwrite: bool = False) -> Pulled:
    """Load what was fetched, and put a copy of it at ``out``.

    Raises:
        FolderError: If it is no adapter that can be loaded.
        ConfigError: If a file in ``out`` would be replaced that may not be.
    """
    if out is None:
        adapter = loaded(fetched, fetched.folder)
        return _told(fetched, fetched.folder, adapter, fetched.files, ())
    old = pickles(fetched.files)
    with folder_in_one_step(out, owned=_OURS) as new:
        for name in fetched.files:
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(fetched.folder / name, new / name)
        adapter = loaded(fetched, new)
        if adapter is not None and adapter.name == name_from(new):
            adapter.name = name_from(out)  # its files have none, and ``new`` is only for now
        converted = _convert(fetched, adapter, new, old) if old and adapter is not None else ()
        files = {
            path.relative_to(new).as_posix(): {
                "size": path.stat().st_size,
                "sha256": sha256_of(path),
            }
            for path in sorted(new.rglob("*"))
            if path.is_file()
        }
        told = _told(fetched, out, adapter, files, converted)
        record = {key: value for key, value in told.as_dict().items() if key not in ("out", "note")}
        write_json(new / ORIGIN, record)
        _check_untaken(new, out, overwrite=overwrite)
        earlier = origin_of(out).get("files") if overwrite else None
    _clear_earlier(out, earlier if isinstance(earlier, dict) else {}, files)
    return told


def _clear_earlier(out: Path, earlier: Mapping[str, Any], files: Mapping[str, Any]) -> None:
    """Delete what was pulled before, is as it was then, and has no part in what is there now: a card, a licence."""
    for name, told in earlier.items():
        path = out / name
        inside = out.resolve() in path.resolve().parents
        if name in files or not inside or path.is_symlink() or not path.is_file():
            continue
        if isinstance(told, dict) and told.get("sha256") == sha256_of(path):
            path.unlink()


def _check_untaken(new: Path, out: Path, *, overwrite: bool) -> None:
    """Refuse to replace or clear away files of ``out``, but for an adapter's where ``overwrite`` is on."""
    inside = [path.relative_to(new) for path in new.rglob("*")]
    folders = [Path(), *(path for path in inside if (new / path).is_dir())]
    ours = {(folder / name).as_posix() for folder in folders for name in _OURS}
    files = {path.as_posix() for path in inside if (new / path).is_file()}
    earlier = origin_of(out).get("files") if overwrite else None
    free = {*ours, *(earlier if isinstance(earlier, dict) else ())} if overwrite else set()
    taken = sorted(name for name in {*files, *ours} - free if os.path.lexists(out / name))
    if taken:
        raise ConfigError(
            f"{out}: files that are there would be replaced by other ones:{found(taken)}\n"
            "Choose another folder, or move them away."
        )


def _told(
    fetched: Fetched,
    out: Path,
    adapter: "Adapter | None",
    files: Mapping[str, Mapping[str, Any]],
    converted: tuple[str, ...],
) -> Pulled:
    return Pulled(
        out=out,
        repository=fetched.repository,
        endpoint=fetched.endpoint,
        key=fetched.key,
        commit=fetched.commit,
        files=files,
        converted=converted,
        digest=adapter.digest() if adapter is not None else "",
        note=fetched.note,
    )


def loaded(fetched: Fetched, folder: Path) -> "Adapter | None":
    """The adapter in ``folder``; None if it is a composition, or a stack that pins its parts, which have been read too.

    Raises:
        HubError: If there is neither.
        FolderError: If it cannot be loaded; the message names the repository.
    """
    try:
        if (folder / SETUP).is_file():
            load_composition(folder)
            return None
        if is_stack(folder):
            read_pins(folder)  # its parts are fetched, and compared, by whoever loads it
            return None
        if not (folder / CONFIG).is_file():
            names = ", ".join(sorted(fetched.files)) or "nothing that an adapter is made of"
            raise HubError(
                f"{folder}: is no adapter's repository, it has no {CONFIG}; it has {names}"
            )
        return read_folder(folder)
    except AdapterkitError as error:
        # The folder is one of ours that nobody will find again; its name on the Hub tells more.
        text = str(error).replace(str(folder), f"{fetched.repository}@{fetched.commit[:12]}")
        raise type(error)(text) from None


def pickles(files: Iterable[str]) -> list[str]:
    """The old pickles that an adapter's own weights may be in; what sub-folders hold is not its."""
    return sorted(name for name in files if name.endswith(".bin") and "/" not in name)


def _convert(fetched: Fetched, adapter: "Adapter", folder: Path, old: list[str]) -> tuple[str, ...]:
    digest = adapter.digest()
    save_adapter(adapter, folder)
    if read_folder(folder).digest() != digest:
        raise FolderError(f"{fetched.repository}: does not read back as it was written")
    return tuple(name for name in old if not (folder / name).exists())


def origin_of(folder: Path) -> dict[str, Any]:
    """What a pulled folder says of where it is from; empty of one that was not pulled.

    Raises:
        FolderError: If that cannot be read.
    """
    path = folder / ORIGIN
    return read_json(path) if path.is_file() else {}
