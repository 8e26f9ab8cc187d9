"""Claims: nobody does what a living process does, and what a dead one left is taken over once."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adapterkit.experiments import claims
from adapterkit.experiments.claims import Claims


def test_to_ask_makes_no_folder(tmp_path: Path) -> None:
    assert not Claims(tmp_path / "runs" / "claims").is_held("a")
    assert not list(tmp_path.iterdir())


def test_what_is_claimed_is_not_claimed_again_until_it_is_let_go(tmp_path: Path) -> None:
    ours, theirs = Claims(tmp_path), Claims(tmp_path)
    with ours.taken("a") as mine:
        assert mine
        assert theirs.is_held("a")
        assert not theirs.is_held("b")
        with theirs.taken("a") as twice:
            assert not twice
        assert theirs.is_held("a"), "who did not get it does not delete it"
    assert not theirs.is_held("a")
    assert list(tmp_path.iterdir()) == []


def test_an_error_lets_go(tmp_path: Path) -> None:
    with pytest.raises(KeyError), Claims(tmp_path).taken("a"):
        raise KeyError
    assert not Claims(tmp_path).is_held("a")


def test_the_claim_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom adapterkit.experiments.claims import Claims\n"
        "taken = Claims(Path(sys.argv[1])).taken('a')\nassert taken.__enter__()\n"
        "print('have it', flush=True)\nsys.stdin.read()\nos._exit(1)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "have it\n"
    with Claims(tmp_path).taken("a") as mine:
        assert not mine, "it lives"
    process.kill()
    process.communicate()
    assert len(list(tmp_path.iterdir())) == 1
    assert not Claims(tmp_path).is_held("a")
    with Claims(tmp_path).taken("a") as mine:
        assert mine
    assert list(tmp_path.iterdir()) == [], "the dead one's is cleared away, too"


def test_a_number_used_again_is_not_taken_for_the_dead_process(tmp_path: Path) -> None:
    claims._create(tmp_path / "a.0")
    record = json.loads((tmp_path / "a.0").read_text())
    assert Claims(tmp_path).is_held("a")
    (tmp_path / "a.0").write_text(json.dumps({**record, "born": "1"}))
    assert not Claims(tmp_path).is_held("a")


def test_of_another_machine_only_the_heart_beat_tells(tmp_path: Path) -> None:
    claims._create(tmp_path / "a.0")
    record = json.loads((tmp_path / "a.0").read_text())
    (tmp_path / "a.0").write_text(json.dumps({**record, "place": "elsewhere", "pid": 1}))
    assert Claims(tmp_path).is_held("a")
    old = time.time() - claims.DEAD_SECONDS - 1
    os.utime(tmp_path / "a.0", (old, old))
    assert not Claims(tmp_path).is_held("a")


def test_the_heart_beats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "BEAT_SECONDS", 0.02)
    with Claims(tmp_path).taken("a"):
        os.utime(tmp_path / "a.0", (1, 1))
        ends = time.monotonic() + 5
        while (tmp_path / "a.0").stat().st_mtime == 1 and time.monotonic() < ends:
            time.sleep(0.01)
        assert (tmp_path / "a.0").stat().st_mtime > 1


def test_of_many_that_find_a_dead_one_one_takes_it(tmp_path: Path) -> None:
    claims._create(tmp_path / "a.0")
    record = json.loads((tmp_path / "a.0").read_text())
    (tmp_path / "a.0").write_text(json.dumps({**record, "born": "1"}))
    first, second = Claims(tmp_path), Claims(tmp_path)
    assert first._next("a") == second._next("a") == tmp_path / "a.1"
    assert [claims._create(tmp_path / "a.1") for _ in range(3)] == [True, False, False]


def test_of_two_that_looked_at_different_moments_one_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = (Claims(tmp_path).taken("a") for _ in range(3))
    assert a.__enter__()
    is_alive, create = claims._is_alive, claims._create

    def after_a_let_go(path: Path) -> bool:
        monkeypatch.setattr(claims, "_is_alive", is_alive)
        a.__exit__(None, None, None)
        return is_alive(path)

    def after_c_took_it(path: Path) -> bool:
        monkeypatch.setattr(claims, "_create", create)
        assert c.__enter__()
        return create(path)

    monkeypatch.setattr(claims, "_is_alive", after_a_let_go)
    monkeypatch.setattr(claims, "_create", after_c_took_it)
    with b as mine:
        assert not mine, "b has seen a's claim, c none: they take different numbers"
    assert Claims(tmp_path).is_held("a"), "c's is still there"
    c.__exit__(None, None, None)
    assert list(tmp_path.iterdir()) == []


def test_who_comes_second_gives_up_whatever_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = claims._create

    def after_another(path: Path) -> bool:
        return create(tmp_path / "a.1") and create(path)

    monkeypatch.setattr(claims, "_create", after_another)
    with Claims(tmp_path).taken("a") as mine:
        assert not mine, "the other one may have looked before this one came"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.1"]


def test_a_claim_is_never_there_without_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def killed(part: Path, path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "link", killed)
    with pytest.raises(KeyboardInterrupt):
        claims._create(tmp_path / "a.0")
    assert not Claims(tmp_path).is_held("a")
    monkeypatch.setattr(os, "link", link)
    assert claims._create(tmp_path / "a.0")
    assert not claims._create(tmp_path / "a.0")


def test_without_links_claims_are_taken_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(part: Path, path: Path) -> None:
        raise PermissionError(1, "no links here")

    monkeypatch.setattr(os, "link", refused)
    with Claims(tmp_path).taken("a") as mine, Claims(tmp_path).taken("a") as theirs:
        assert mine
        assert not theirs
    assert list(tmp_path.iterdir()) == []


def test_letting_go_deletes_dead_claims_and_none_of_a_living_process(tmp_path: Path) -> None:
    claims._create(tmp_path / "a.0")
    alive = (tmp_path / "a.0").read_text()
    dead = json.dumps({**json.loads(alive), "born": "1"})
    (tmp_path / "a.0").write_text(dead)
    with Claims(tmp_path).taken("a") as mine:
        assert mine
        (tmp_path / "a.0").write_text(alive)  # one that is about to see that it is not alone
        (tmp_path / "a.2").write_text(dead)
    assert list(tmp_path.iterdir()) == [tmp_path / "a.0"]
