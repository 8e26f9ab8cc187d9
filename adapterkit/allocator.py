"""What one step frees, the next one takes again, instead of handing it to the system and asking for it anew.

glibc gives memory back as soon as 128 KiB to 64 MiB of it lie free, so that each step of a loop begins with
thousands of page faults, and every page is zeroed. Without them ``mini`` trains 5 to 10 % faster on two cores.
"""

import contextlib
import ctypes
import sys
from collections.abc import Iterator
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Numbers of the parameters in mallopt(3)."""
_NEVER = -1
_HEAP = 32 * 2**20
"""Bytes, the most that glibc allows: larger tensors are mapped one by one and go back when they are freed."""


@contextlib.contextmanager
def memory_kept() -> Iterator[None]:
    """Within, what is freed stays with the process. On other C libraries than glibc this changes nothing.

    Afterwards the thresholds are those that glibc's own rise to in a process that frees large tensors, so the
    next that is freed takes along what lies free.
    """
    libc = _glibc()
    if libc is None:
        yield
        return
    libc.mallopt(_MMAP_THRESHOLD, _HEAP)
    libc.mallopt(_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    finally:
        libc.mallopt(_TRIM_THRESHOLD, 2 * _HEAP)


@cache
def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "gnu_get_libc_version") else None
