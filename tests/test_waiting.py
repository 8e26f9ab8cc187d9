import sys

import pytest

from adapterkit.training.progress import Silent, reporter
from adapterkit.waiting import waiting


@pytest.fixture(autouse=True)
def a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich draws, though stderr is a file


def test_a_bar_comes_only_when_patience_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    with waiting("texts", 4, show=True, patience=60) as done:
        done(2)
        done(2)
    assert capsys.readouterr().err == ""
    with waiting("texts", 4, show=True, patience=0) as done:
        done(1)
        done(2)
    shown = capsys.readouterr().err
    assert "texts" in shown
    assert "3/4" in shown


def test_nothing_is_shown_where_nobody_looks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with waiting("texts", 1, patience=0) as done:
        done(1)
    with waiting("texts", 1, show=False, patience=0) as done:
        done(1)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with waiting("texts", 1, patience=0) as done:
        done(1)
    assert "1/1" in capsys.readouterr().err


def test_the_bar_goes_when_the_work_fails(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        with waiting("texts", 1, show=True, patience=0) as done:
            done(1)
            raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        fails()
    shown = capsys.readouterr().err
    assert "1/1" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("1/1")  # the cursor is back
    assert shown.endswith("\x1b[2K")  # and the line is gone


def test_what_others_print_meanwhile_stays_where_they_print_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with waiting("texts", 2, show=True, patience=0) as done:
        done(1)
        sys.stdout.write("a result\n")
        done(1)
    shown = capsys.readouterr()
    assert shown.out == "a result\n"
    assert "a result" not in shown.err


class OnlyWritten:
    def write(self, text: str) -> None:
        raise AssertionError(text)

    def flush(self) -> None:
        """Nothing."""


@pytest.mark.parametrize("stderr", [None, OnlyWritten()])
def test_a_program_without_a_proper_stderr_shows_nothing(
    stderr: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", stderr)
    with waiting("texts", 1, patience=0) as done:
        done(1)
    with reporter("training", "loss", None) as report:
        assert isinstance(report, Silent)
