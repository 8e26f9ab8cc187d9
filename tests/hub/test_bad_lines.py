"""Lines that break and Hubs that are down: what is tried again, what is left, and what the cache is for."""

import errno
import json
import logging
import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

import adapterkit as ak
from adapterkit.errors import HubError
from adapterkit.files import write_json
from adapterkit.hub import listing, store, web
from adapterkit.hub.catalogue import list_repositories
from tests.hub.hub import LocalHub
from tests.hub.makers import (
    CONFIG,
    NAME,
    WEIGHTS,
    everything,
    path_of,
    small_adapter,
    text,
)


@pytest.fixture
def one(local: LocalHub) -> LocalHub:
    """With one good adapter, and its log empty."""
    local.plant(NAME, small_adapter())
    local.empty_log()
    return local


def test_offline_the_cache_is_used_and_that_is_said(
    one: LocalHub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    commit = ak.pull(NAME).commit
    one.empty_log()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with caplog.at_level(logging.WARNING, logger="adapterkit"):
        ak.load_adapter(NAME)
    assert "taken from the cache as fetched 20" in caplog.text
    assert "HF_HUB_OFFLINE" in caplog.text
    with pytest.raises(
        HubError, match=r"alice/none: is not in the cache.*adapterkit pull alice/none"
    ):
        ak.load_adapter("alice/none")
    with pytest.raises(
        HubError, match=f"at 'v1': is not in the cache; the cache has only {commit}"
    ):
        ak.load_adapter(NAME, revision="v1")
    assert one.log() == []


@pytest.mark.parametrize("do", [{"drop": True}, {"status": 503}, {"status": 500}])
def test_a_hub_that_is_down_is_tried_again_then_the_cache_is_used(
    one: LocalHub, caplog: pytest.LogCaptureFixture, do: Any
) -> None:
    ak.pull(NAME)
    one.empty_log()
    one.fault("/api/", do)
    with caplog.at_level(logging.WARNING, logger="adapterkit"):
        ak.load_adapter(NAME)
    assert len(one.log()) == web.TRIES
    assert "taken from the cache" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("do", [{"drop": True}, {"cut": 3}, {"status": 500}, {"lost": True}])
def test_cut_at_any_request_a_pull_leaves_nothing_and_succeeds_when_repeated(
    local: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, do: Any
) -> None:
    local.plant(NAME, small_adapter())
    local.configure({"redirect": "cut" not in do})  # of a redirect the body does not matter
    monkeypatch.setattr(web, "TRIES", 1)
    ak.pull(NAME)
    requests = len(local.log())
    assert requests >= len(small_adapter()) + 1
    for number in range(requests):
        monkeypatch.setattr(constants, "HF_HOME", str(tmp_path / f"home/{number}"))
        local.heal()
        local.empty_log()
        local.fault("", do, after=number, times=1)
        out = tmp_path / str(number)
        with pytest.raises(HubError):
            ak.pull(NAME, out)
        assert [bool(entry["faults"]) for entry in local.log()] == [False] * number + [True]
        assert not out.exists()
        ak.pull(NAME, out)
        assert {k: v for k, v in everything(out).items() if k != "pulled.json"} == small_adapter()


def test_a_line_that_breaks_once_is_no_news(one: LocalHub, tmp_path: Path) -> None:
    one.fault("", {"drop": True}, after=2, times=1)
    one.fault("/cdn/", {"cut": 50}, times=1)
    ak.pull(NAME, tmp_path / "out")
    assert (tmp_path / "out" / WEIGHTS).read_bytes() == small_adapter()[WEIGHTS]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_disk_that_takes_no_more_is_no_fault_of_the_hub(
    one: LocalHub, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    ak.pull(NAME)
    one.plant(NAME, small_adapter(seed=2))
    one.empty_log()

    def full(sums: Any, piece: bytes) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(listing._Sums, "add", full)
    with pytest.raises(HubError, match=os.strerror(number)) as caught:
        ak.load_adapter(NAME)
    assert not isinstance(caught.value, web.Unreachable)
    resolved = [entry["path"] for entry in one.log() if "/resolve/" in entry["path"]]
    assert len(resolved) == 1


def test_a_hub_that_asks_for_a_long_wait_leaves_the_cache(
    one: LocalHub, caplog: pytest.LogCaptureFixture
) -> None:
    ak.pull(NAME)
    one.empty_log()
    one.fault("/api/", {"status": 429, "headers": {"Retry-After": "3600"}})
    with caplog.at_level(logging.WARNING, logger="adapterkit"):
        ak.load_adapter(NAME)
    assert len(one.log()) == 1
    assert "taken from the cache" in caplog.text
    assert "asks to wait 3600 seconds" in caplog.text


def test_two_pulls_at_once_both_succeed(one: LocalHub, tmp_path: Path) -> None:
    one.fault(path_of(CONFIG), {"wait": 0.1})
    done: list[str] = []

    def run(number: int) -> None:
        done.append(ak.pull(NAME, tmp_path / str(number)).digest)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 3
    assert len(set(done)) == 1


def test_a_folder_that_another_process_has_not_recorded_yet_stays(
    one: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = one.show(NAME)["branches"]["main"]
    write, remove = write_json, shutil.rmtree
    recorded, removed = list[str](), list[str]()

    def slow(path: Path, record: Any) -> None:
        recorded.append(path.stem)
        if recorded == [commit]:
            ak.pull(NAME)  # the other one, between our folder and our record
        write(path, record)

    def watched(path: Path, **options: Any) -> None:
        removed.append(Path(path).name)
        remove(path, **options)

    monkeypatch.setattr(store, "write_json", slow)
    monkeypatch.setattr(shutil, "rmtree", watched)
    ak.pull(NAME)
    assert recorded.count(commit) == 2
    assert commit not in removed


def test_a_folder_that_another_process_puts_there_first_is_as_good(
    one: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, others = os.replace, list[str]()

    def late(source: Any, target: Any) -> None:
        if Path(source).is_dir() and not others:
            others.append("")
            others[0] = ak.pull(NAME).digest
        replace(source, target)

    monkeypatch.setattr(os, "replace", late)
    assert ak.pull(NAME).digest == others[0]


def test_a_cache_that_can_only_be_read_serves_what_it_has(
    one: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = ak.pull(NAME).digest
    one.change(NAME, {"tags": {"v1": one.show(NAME)["branches"]["main"]}})

    def read_only(path: Path, record: Any) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(store, "write_json", read_only)
    assert ak.load_adapter(NAME, revision="v1").digest() == digest


def test_a_fetch_that_was_killed_is_done_again(one: LocalHub, tmp_path: Path) -> None:
    folder = ak.pull(NAME).out
    folder.with_name(f"{folder.name}.json").unlink()  # killed between the folder and its record
    (folder / WEIGHTS).write_bytes(b"half")
    left, young = folder.with_name(".left"), folder.with_name(".young")
    for place in (left, young):
        place.mkdir()
    os.utime(left, (0, 0))
    ak.pull(NAME, tmp_path / "out")
    assert (tmp_path / "out" / WEIGHTS).read_bytes() == small_adapter()[WEIGHTS]
    assert not left.exists()
    assert young.exists()


@pytest.mark.parametrize(
    "bad",
    [
        rb'{"id": "a/b", "cardData": {"language": "\ud83d"}}',
        b'{"id": "a/b", "cardData": ' + b"[" * 60 + b"]" * 60 + b"}",
        b"[" * 100_000 + b"]" * 100_000,
        b'{"id": "a/b", "downloads": NaN}',
        b'{"id": "a/b", "cardData": {"language": "\xff"}}',
    ],
)
def test_a_strangers_broken_card_hides_nobody_elses(local: LocalHub, bad: bytes) -> None:
    good = {"id": "me/a,[{", "sha": "0" * 40, "tags": ['"]}, \\', "\\"], "cardData": {"a": [1, {}]}}
    told = {**good, "id": "me/good"}
    first, second = json.dumps(good).encode(), json.dumps(told).encode()
    local.fault("/api/models", {"body": text(b" [" + b", ".join((first, bad, second)) + b"]\n")})
    assert web.get_json("/api/models") == [good, told]
    assert [one.repository for one in list_repositories(())] == ["me/good"]


@pytest.mark.parametrize("body", [b'[{"a": 1}', b"[1] 2", b'["a', b"[1]]", b"", b"no", b'["\\'])
def test_a_listing_that_is_cut_is_an_error(local: LocalHub, body: bytes) -> None:
    local.fault("/api/models", {"body": text(body)})
    with pytest.raises(HubError, match="no JSON"):
        web.get_json("/api/models")


def test_quotes_without_an_end_take_no_time(local: LocalHub) -> None:
    local.fault("/api/models", {"body": text(b"[" + b'"\\' * 2_000_000)})
    before = time.monotonic()
    with pytest.raises(HubError, match="no JSON"):
        web.get_json("/api/models")
    assert time.monotonic() - before < 10
