"""Attacks 1 to 25: a Hub, or somebody between it and us, that lies. Each reaches the client, and is refused."""

import gzip
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

import adapterkit as ak
from adapterkit.errors import HubError
from adapterkit.hub import web
from tests.hub.hub import LocalHub
from tests.hub.makers import (
    CONFIG,
    NAME,
    WEIGHTS,
    forget_sessions,
    old_adapter,
    path_of,
    refused,
    small_adapter,
    text,
)

INFO = f"/api/models/{NAME}/revision/"
UP = "../../../../../../"
"""From inside the cache to the test's own folder, and no further."""


@pytest.fixture
def one(local: LocalHub) -> LocalHub:
    """With one good adapter."""
    local.plant(NAME, small_adapter())
    return local


def attack(hub: LocalHub, tmp_path: Path, path: str, do: Any, match: str, **rule: Any) -> Any:
    """Pull under a fault; returns the requests it was answered to."""
    hub.fault(path, do, **rule)
    with refused(hub, tmp_path, match) as hits:
        ak.pull(NAME, tmp_path / "out")
    assert hits(), "the attack never reached the client"
    return hits()


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG])
def test_01_an_etag_that_climbs(one: LocalHub, tmp_path: Path, name: str) -> None:
    do = {"set": {"ETag": f'"{UP}escaped"', "X-Linked-ETag": f'"{UP}escaped"'}}
    hits = attack(one, tmp_path, path_of(name), do, "the answer is of")
    assert UP in hits[0]["headers"]["ETag"]


def test_02_an_etag_that_is_an_absolute_path(one: LocalHub, tmp_path: Path) -> None:
    where = f'"{tmp_path}/escaped"'
    hits = attack(one, tmp_path, path_of(CONFIG), {"set": {"ETag": where}}, "the answer is of")
    assert hits[0]["headers"]["ETag"] == where


def test_03_a_commit_header_that_climbs(one: LocalHub, tmp_path: Path) -> None:
    do = {"set": {"X-Repo-Commit": f"{UP}escaped"}}
    hits = attack(one, tmp_path, path_of(CONFIG), do, "commit .* was asked for")
    assert hits[0]["status"] == 200


def test_04_a_commit_header_that_climbs_on_a_404(one: LocalHub, tmp_path: Path) -> None:
    headers = {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": f"{UP}escaped"}
    do = {"status": 404, "headers": headers}
    hits = attack(one, tmp_path, path_of(CONFIG), do, "the Hub itself lists is not there")
    assert hits[0]["headers"]["X-Repo-Commit"] == f"{UP}escaped"


@pytest.mark.parametrize("commit", [f"{UP}escaped", "main", "0" * 39, 7, None])
def test_05_a_commit_that_is_none(one: LocalHub, tmp_path: Path, commit: Any) -> None:
    attack(one, tmp_path, INFO, {"json": [[["sha"], commit]]}, "its commit is")


def test_06_no_etag(one: LocalHub, tmp_path: Path) -> None:
    do = {"set": {"ETag": None, "X-Linked-ETag": None}}
    attack(one, tmp_path, path_of(WEIGHTS), do, "the answer is of ''")


def test_07_no_commit(one: LocalHub, tmp_path: Path) -> None:
    do = {"set": {"X-Repo-Commit": None}}
    attack(one, tmp_path, path_of(WEIGHTS), do, "the answer is of ''")


@pytest.mark.parametrize("place", ["/cdn/", path_of(CONFIG)])
def test_08_a_flipped_bit(one: LocalHub, tmp_path: Path, place: str) -> None:
    hits = attack(one, tmp_path, place, {"flip": -1}, "not the ones that the Hub lists")
    assert hits[0]["sent"] > 0


@pytest.mark.parametrize("do", [{"cut": 100}, {"body": text(b"short")}])
def test_09_a_body_that_is_too_short(one: LocalHub, tmp_path: Path, do: Any) -> None:
    hits = attack(one, tmp_path, "/cdn/", do, "are missing|broke off")
    assert len(hits) == web.TRIES  # a broken line may mend; this one did not


def test_10_a_body_that_is_too_long(one: LocalHub, tmp_path: Path) -> None:
    hits = attack(one, tmp_path, "/cdn/", {"extra": 1}, "more than the .* bytes")
    assert len(hits) == 1


def test_11_a_body_without_an_end(one: LocalHub, tmp_path: Path) -> None:
    attack(one, tmp_path, path_of(CONFIG), {"endless": True}, "more than the .* bytes")
    deadline = time.monotonic() + 5
    while "left" not in one.log()[-1] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert one.log()[-1]["sent"] < 50_000_000  # we left; sockets had buffered the rest


def test_11_an_endless_answer_about_the_repository(
    one: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "MAX_JSON_BYTES", 100_000)
    attack(one, tmp_path, INFO, {"endless": True}, "more than the .* bytes")


@pytest.mark.parametrize("place", ["/cdn/", INFO])
def test_12_a_gzip_bomb(one: LocalHub, tmp_path: Path, place: str) -> None:
    bomb = gzip.compress(b"\0" * 20_000_000)
    do = {"body": text(bomb), "set": {"Content-Encoding": "gzip"}}
    hits = attack(one, tmp_path, place, do, "more than the .* bytes")
    assert hits[0]["sent"] == len(bomb)


def test_12_a_gzip_bomb_is_not_unpacked_in_memory_either(one: LocalHub, tmp_path: Path) -> None:
    do = {"body": text(gzip.compress(bytes(20_000_000))), "set": {"Content-Encoding": "gzip"}}
    tracemalloc.start()
    attack(one, tmp_path, path_of(CONFIG), do, "more than the .* bytes")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_12_an_unknown_packing(one: LocalHub, tmp_path: Path) -> None:
    do = {"set": {"Content-Encoding": "br"}}
    attack(one, tmp_path, path_of(CONFIG), do, "was not asked for")


def test_13_a_slow_drip(one: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "LEAST_TIME", 0.1)
    monkeypatch.setattr(web, "SLOWEST", 1e9)
    monkeypatch.setattr(web, "TRIES", 1)
    start = time.monotonic()
    attack(one, tmp_path, path_of(CONFIG), {"pieces": 5, "pause": 0.03}, "comes too slowly")
    assert time.monotonic() - start < 3


LIMIT = '"resolvers";r=0;t={}'


@pytest.mark.parametrize("headers", [{"Retry-After": "7200"}, {"RateLimit": LIMIT.format(7200)}])
def test_14_a_wait_of_hours(one: LocalHub, tmp_path: Path, headers: Any) -> None:
    start = time.monotonic()
    do = {"status": 429, "headers": headers}
    attack(one, tmp_path, path_of(CONFIG), do, "asks to wait 7200 seconds")
    assert time.monotonic() - start < 3


@pytest.mark.parametrize(
    ("headers", "least"),
    [
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "1"}, 1),
        ({"RateLimit": LIMIT.format(1)}, 1),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
    ],
)
def test_14_a_short_wait_is_waited(
    one: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, headers: Any, least: int
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    one.fault(path_of(CONFIG), {"status": 429, "headers": headers}, times=1)
    ak.pull(NAME, tmp_path / "out")
    assert (tmp_path / "out" / CONFIG).is_file()
    assert waits == [least or pytest.approx(least, abs=0.1)]


def test_15_a_next_page_at_another_origin(one: LocalHub, tmp_path: Path) -> None:
    link = f'<{one.second_url}{INFO}main?cursor=1>; rel="next"'
    one.fault("/api/models", {"set": {"Link": link}})
    ak.pull(NAME, tmp_path / "out")
    assert [e for e in one.log() if e["headers"].get("Link") == link]
    assert not [e for e in one.log() if e["origin"] == one.second_url and "/api/" in e["path"]]


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG])
def test_16_a_redirect_to_another_origin_gets_no_token(
    one: LocalHub, tmp_path: Path, name: str
) -> None:
    one.configure({"redirect": False})
    entry = one.second_url + f"/{NAME}/resolve/main/{name}"
    here = f"http://127.0.0.1:{one.url.rsplit(':', 1)[1]}"
    one.fault(path_of(name), {"set": {"Location": entry}, "status_to": 302}, times=1)
    ak.pull(NAME, tmp_path / "out")
    there = [e for e in one.log() if e["origin"] == one.second_url]
    assert [e["path"] for e in there] == [f"/{NAME}/resolve/main/{name}"]
    assert not any(e["token"] for e in there)
    assert all(e["token"] for e in one.log() if e["origin"] == here)


@pytest.mark.parametrize(
    "where",
    ["http://192.0.2.1/x", "file:///etc/hostname", "ftp://127.0.0.1/x", "//", "javascript:1", ""],
)
def test_17_a_redirect_to_http_or_a_file(one: LocalHub, tmp_path: Path, where: str) -> None:
    do = {"status": 302, "headers": {"Location": where}}
    attack(one, tmp_path, path_of(CONFIG), do, "only https:// is followed|redirected more than")


def test_17_a_redirect_in_a_circle(one: LocalHub, tmp_path: Path) -> None:
    do = {"status": 302, "headers": {"Location": f"/{NAME}/resolve/main/{CONFIG}"}}
    attack(one, tmp_path, path_of(CONFIG), do, "redirected more than")


def test_18_safetensors_that_are_not_there_do_not_lead_to_the_pickle(
    local: LocalHub, tmp_path: Path
) -> None:
    local.plant(NAME, {**old_adapter(), **small_adapter()})
    do = {"status": 404, "headers": {"X-Error-Code": "EntryNotFound"}}
    attack(local, tmp_path, path_of(WEIGHTS), do, "is not there")
    local.heal()
    ak.pull(NAME, tmp_path / "out")
    assert (tmp_path / "out" / WEIGHTS).read_bytes() == small_adapter()[WEIGHTS]
    assert not [entry for entry in local.log() if entry["path"].endswith(".bin")]


def test_19_a_listing_and_files_that_disagree(one: LocalHub, tmp_path: Path) -> None:
    names = sorted([".gitattributes", *small_adapter()])
    place = ["siblings", names.index(WEIGHTS), "lfs", "sha256"]
    attack(one, tmp_path, INFO, {"json": [[place, "ab" * 32]]}, "listed as abab")


def test_20_a_head_and_a_get_that_disagree(one: LocalHub, tmp_path: Path) -> None:
    other = small_adapter(seed=2)[WEIGHTS]
    do = {"body": text(other)}
    attack(one, tmp_path, "/cdn/", do, "not the ones that the Hub lists", method="GET")
    assert not [entry for entry in one.log() if entry["method"] == "HEAD"]  # nothing hangs on it


def test_21_another_commit_than_was_asked_for(one: LocalHub, tmp_path: Path) -> None:
    first = one.show(NAME)["branches"]["main"]
    second = one.plant(NAME, small_adapter(seed=2))
    one.fault(INFO, {"json": [[["sha"], second]]})
    with refused(one, tmp_path, f"commit {first} was asked for"):
        ak.pull(NAME, tmp_path / "out", revision=first)
    one.heal()
    one.fault(path_of(CONFIG), {"set": {"X-Repo-Commit": second}})
    with refused(one, tmp_path, f"commit {first} was asked for") as hits:
        ak.pull(NAME, tmp_path / "out", revision=first)
    assert hits()


def test_22_a_tag_that_was_moved(one: LocalHub, tmp_path: Path) -> None:
    first = one.show(NAME)["branches"]["main"]
    one.change(NAME, {"tags": {"v1": first}})
    path = tmp_path / "adapterkit.lock"
    ak.lock([NAME], revision="v1", path=path)
    before = path.read_bytes()
    second = one.plant(NAME, small_adapter(seed=2))
    one.change(NAME, {"tags": {"v1": second}})
    with pytest.raises(HubError, match=f"was commit {first} when it was locked"):
        ak.lock(path=path)
    assert path.read_bytes() == before
    ak.sync(path, out=tmp_path / "adapters")  # the lock holds the commit, whatever the tag means
    assert (tmp_path / "adapters/cym" / WEIGHTS).read_bytes() == small_adapter()[WEIGHTS]
    ak.lock(path=path, update=True)
    assert second in path.read_text()


@pytest.mark.parametrize("cached", [True, False])
def test_23_a_name_that_belongs_to_another_repository_now(
    one: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cached: bool
) -> None:
    path = tmp_path / "adapterkit.lock"
    ak.lock([NAME], path=path)
    one.change(NAME, {"key": "f" * 24})
    if cached:
        with refused(one, tmp_path, "is now another repository"):
            ak.pull(NAME, tmp_path / "out")
        return
    monkeypatch.setattr(constants, "HF_HOME", str(tmp_path / "home/second"))
    with pytest.raises(HubError, match="is another repository than the one that was locked"):
        ak.sync(path, out=tmp_path / "adapters")
    assert not (tmp_path / "adapters").exists()


def test_24_private_after_it_was_cached(
    one: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = ak.pull(NAME).commit
    one.change(NAME, {"private": True})
    monkeypatch.setenv("HF_TOKEN", "hf_bob")
    with refused(one, tmp_path, f"no such repository.*revision={commit}"):
        ak.pull(NAME, tmp_path / "out")
    assert one.log()[-1]["status"] == 404
    assert ak.pull(NAME, tmp_path / "out", revision=commit).commit == commit  # said, and then meant


def test_25_a_token_is_not_sent_without_encryption(
    one: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.empty_log()
    monkeypatch.setattr(constants, "ENDPOINT", one.url.replace("127.0.0.1", "hub.invalid"))
    monkeypatch.setenv("HTTP_PROXY", one.url)  # were it asked, the test's Hub would see it
    monkeypatch.setenv("http_proxy", one.url)
    forget_sessions()  # the next one looks at the proxy
    with refused(one, tmp_path, "only https:// is used"):
        ak.pull(NAME, tmp_path / "out")
    forget_sessions()
    assert one.log() == []
