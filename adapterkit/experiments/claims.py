"""Claims: several processes share a folder of work, and nobody does what another one is doing.

A claim is a small file that only one process can create (``O_EXCL``). It names its owner, and its time is
renewed while the owner lives. Claims of the same work are numbered: who finds the newest one dead creates the
next number, which again only one can do, so a claim is taken over exactly once and never deleted by a stranger.
"""

import contextlib
import hashlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BEAT_SECONDS = 20.0
DEAD_SECONDS = 300.0
"""A claim from another machine that was not renewed for so long is dead."""


class Claims:
    """The claims in one folder.

    Args:
        folder: Made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def is_held(self, work: str) -> bool:
        """Whether a living process (this one too) has claimed ``work``."""
        newest = self._newest(work)
        return newest is not None and _is_alive(self._path(work, newest))

    @contextmanager
    def taken(self, work: str) -> Iterator[bool]:
        """Try to claim ``work``; yields whether it is ours until the block ends.

        Whoever got it must look again whether the work has been done meanwhile.
        """
        newest = self._newest(work)
        if newest is not None and _is_alive(self._path(work, newest)):
            yield False
            return
        number = 0 if newest is None else newest + 1
        path = self._path(work, number)
        if not _create(path):
            yield False
            return
        stop = threading.Event()
        beat = threading.Thread(target=_renew, args=(path, stop), daemon=True)
        beat.start()
        try:
            yield True
        finally:
            stop.set()
            beat.join()
            # From the newest down: whoever looks meanwhile finds a dead one, or none.
            for old in range(number, -1, -1):
                self._path(work, old).unlink(missing_ok=True)

    def _path(self, work: str, number: int) -> Path:
        return self.folder / f"{work}.{number}"

    def _newest(self, work: str) -> int | None:
        numbers = [int(path.suffix[1:]) for path in self.folder.glob(f"{work}.*")]
        return max(numbers, default=None)


def _create(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except FileExistsError:
        return False
    with os.fdopen(handle, "w") as file:
        json.dump({"place": _place(), "pid": os.getpid(), "born": _born(os.getpid())}, file)
    return True


def _renew(path: Path, stop: threading.Event) -> None:
    while not stop.wait(BEAT_SECONDS):
        with contextlib.suppress(OSError):
            os.utime(path)


def _is_alive(path: Path) -> bool:
    try:
        age = time.time() - path.stat().st_mtime
        text = path.read_text()
    except FileNotFoundError:
        return False
    try:
        owner = json.loads(text)
        place, pid, born = owner["place"], int(owner["pid"]), owner["born"]
    except (ValueError, KeyError, TypeError):
        return (
            age < DEAD_SECONDS
        )  # created a moment ago and not written yet, or its owner died then
    if place == _place():
        return _runs(pid) and _born(pid) == born
    return age < DEAD_SECONDS


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _born(pid: int) -> str:
    """When a process began, as Linux counts it, so that a number used again is not taken for it."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _place() -> str:
    """Where process numbers mean the same: this machine, since it was started, and this container."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text())
    with contextlib.suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]
