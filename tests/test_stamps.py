"""A file is hashed again exactly when it may have changed."""

import os
from pathlib import Path

import pytest

from adapterkit import files
from adapterkit.files import sha256_of


def test_a_changed_file_is_hashed_again_even_with_its_old_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "SETTLED_SECONDS", -1.0)  # every file counts as settled
    path = tmp_path / "weights"
    path.write_bytes(b"aaaa")
    before, times = sha256_of(path), path.stat()
    while path.stat().st_ctime_ns == times.st_ctime_ns:  # one tick of the file system's clock
        path.write_bytes(b"bbbb")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert path.stat().st_mtime_ns == times.st_mtime_ns
    assert sha256_of(path) != before


def test_a_settled_file_is_hashed_once_and_a_young_one_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    plain = files._sha256

    def noted(path: Path) -> str:
        read.append(path)
        return plain(path)

    monkeypatch.setattr(files, "_sha256", noted)
    path = tmp_path / "weights"
    path.write_bytes(b"cccc")
    assert sha256_of(path) == sha256_of(path)
    assert len(read) == 2
    monkeypatch.setattr(files, "SETTLED_SECONDS", -1.0)
    assert sha256_of(path) == sha256_of(path)
    assert len(read) == 3
