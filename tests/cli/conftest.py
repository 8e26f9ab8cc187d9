"""The program, run within the tests' process, and small files for it."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from adapterkit.cli.app import main
from tests.tiny import lines

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["adapterkit", *map(str, words)])
        capfd.readouterr()
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        out = capfd.readouterr()
        return code, out.out, out.err

    return call


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "cym.txt"
    path.write_text("\n".join(lines(150)) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    rows = []
    for line in lines(40, seed=2):
        for number, word in enumerate(line.split(), start=1):
            rows.append(
                f"{number}\t{word}\t_\t{'NOUN' if word[0] in 'aeiou' else 'VERB'}" + "\t_" * 6
            )
        rows.append("")
    path = tmp_path / "x.conllu"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path
