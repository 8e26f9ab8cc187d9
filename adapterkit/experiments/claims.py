"""Claims: several processes share a folder of work, and nobody does what another one is doing.

A claim is a small file that only one process can create (`files.create_once`). It names its owner, and its time is
renewed while the owner lives. Claims of the same work are numbered: who finds all of them dead creates the next
number, which again only one can do, and then looks again: a claim holds only if it is the one living claim of its
work. So of two that took different numbers, having looked at different moments, whoever came second sees the first
and gives up (both do, if each sees the other, and come back later). A living claim is deleted by its owner alone.
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

from adapterkit.files import create_once

BEAT_SECONDS = 20.0
DEAD_SECONDS = 300.0
"""A claim from another machine that was not renewed for so long is dead."""


class Claims:
    """The claims in one folder.

    Args:
        folder: Made when something is claimed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def is_held(self, work: str) -> bool:
        """Whether a living process (this one too) has claimed ``work``."""
        return bool(self._living(work))

    @contextmanager
    def taken(self, work: str) -> Iterator[bool]:
        """Try to claim ``work``; yields whether it is ours until the block ends.

        Whoever got it must look again whether the work has been done meanwhile.
        """
        path = self._next(work)
        if self._living(work) or not _create(path):
            yield False
            return
        if self._living(work) != [path]:
            path.unlink()
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
            # The dead ones first: while ours lives nobody takes their numbers.
            for old in self._all(work):
                if not _is_alive(old):
                    old.unlink(missing_ok=True)
            path.unlink(missing_ok=True)

    def _all(self, work: str) -> list[Path]:
        return list(self.folder.glob(f"{work}.*"))

    def _living(self, work: str) -> list[Path]:
        return [path for path in self._all(work) if _is_alive(path)]

    def _next(self, work: str) -> Path:
        numbers = [int(path.suffix[1:]) for path in self._all(work)]
        return self.folder / f"{work}.{max(numbers, default=-1) + 1}"


def _create(path: Path) -> bool:
    owner = {"place": _place(), "pid": os.getpid(), "born": _born(os.getpid())}
    return create_once(path, json.dumps(owner).encode())


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
