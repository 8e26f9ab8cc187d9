"""The Hub of the tests itself: its faults happen as told, and it keeps what it was given."""

import base64
import gzip
import http.client
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.hub.hub import LocalHub
from tests.hub.server.lz4 import decompress
from tests.hub.server.web import MODEL, Router

PAGE = "/alice/one/resolve/main/a.json"


def get(hub: LocalHub, path: str, *, method: str = "GET", **headers: str) -> Any:
    connection = http.client.HTTPConnection(urlsplit(hub.url).netloc, timeout=10)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    try:
        return answer.status, dict(answer.getheaders()), answer.read()
    except http.client.IncompleteRead as error:
        return answer.status, dict(answer.getheaders()), error.partial
    finally:
        connection.close()


@pytest.fixture
def one(hub: LocalHub) -> LocalHub:
    """With one repository of one small and one large file."""
    hub.plant("alice/one", {"a.json": b'{"a": 1}', "w.bin": b"0123456789"})
    return hub


def test_large_files_come_from_a_second_origin(one: LocalHub) -> None:
    status, headers, _ = get(one, "/alice/one/resolve/main/w.bin")
    assert status == 302
    assert headers["Location"].startswith(one.second_url)
    assert headers["X-Linked-Size"] == "10"
    status, headers, body = get(one, urlsplit(headers["Location"]).path, Range="bytes=3-5")
    assert (status, body, headers["Content-Range"]) == (206, b"345", "bytes 3-5/10")


@pytest.mark.parametrize(
    ("do", "expected"),
    [
        ({"status": 503, "text": "no"}, (503, b"no")),
        ({"status_to": 418}, (418, b'{"a": 1}')),
        ({"cut": 3}, (200, b'{"a')),
        ({"flip": 0}, (200, b'k"a": 1}')),
        ({"extra": 2}, (200, b'{"a": 1}\0\0')),
        ({"body": base64.b64encode(b"else").decode()}, (200, b"else")),
        ({"json": [[["a"], 2]]}, (200, b'{"a": 2}')),
        ({"pieces": 3, "pause": 0.01}, (200, b'{"a": 1}')),
    ],
)
def test_a_fault_changes_the_answer_as_told(one: LocalHub, do: Any, expected: Any) -> None:
    one.fault(PAGE, do)
    status, _, body = get(one, PAGE)
    assert (status, body) == expected
    assert one.log()[-1]["faults"] == sorted(do)


def test_faults_change_headers_and_wait(one: LocalHub) -> None:
    one.fault(PAGE, {"set": {"ETag": "x", "X-Repo-Commit": None}, "gzip": True, "wait": 0.1})
    start = time.monotonic()
    _, headers, body = get(one, PAGE)
    assert time.monotonic() - start >= 0.1
    assert headers["ETag"] == "x"
    assert "X-Repo-Commit" not in headers
    assert gzip.decompress(body) == b'{"a": 1}'


@pytest.mark.parametrize("kind", ["drop", "lost"])
def test_a_lost_answer_is_of_something_done(one: LocalHub, kind: str) -> None:
    one.fault("/tag/", {kind: True})
    body = b'{"tag": "v1"}'
    connection = http.client.HTTPConnection(urlsplit(one.url).netloc, timeout=10)
    headers = {"Authorization": "Bearer hf_alice"}
    connection.request("POST", "/api/models/alice/one/tag/main", body, headers)
    with pytest.raises(ConnectionError):
        connection.getresponse()
    connection.close()
    assert bool(one.show("alice/one")["tags"]) == (kind == "lost")


def test_a_fault_comes_when_its_turn_is_and_goes(one: LocalHub) -> None:
    one.fault(PAGE, {"status": 500}, after=1, times=1)
    assert [get(one, PAGE)[0] for _ in range(3)] == [200, 500, 200]
    one.fault(PAGE, {"status": 500})
    one.heal()
    assert get(one, PAGE)[0] == 200


def test_an_endless_answer_ends_when_its_reader_leaves(one: LocalHub) -> None:
    one.fault(PAGE, {"endless": True})
    connection = http.client.HTTPConnection(urlsplit(one.url).netloc, timeout=10)
    connection.request("GET", PAGE)
    answer = connection.getresponse()
    assert len(answer.read(1_000_000)) == 1_000_000
    answer.close()
    connection.close()
    deadline = time.monotonic() + 5
    while "left" not in one.log()[-1] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert one.log()[-1]["left"]


def test_what_fails_in_the_server_is_an_answer(one: LocalHub) -> None:
    def broken(*unused: object, **parts: str) -> Any:
        raise KeyError(parts["name"])

    router = Router([("GET", MODEL, broken)])
    from tests.hub.server.web import Request

    request = Request("GET", "/api/models/a/b", {}, {}, b"", "")
    reply = router.answer(None, request)  # type: ignore[arg-type]
    assert reply.status == 500
    assert b"KeyError" in reply.body


def test_the_server_listens_on_loopback_only(one: LocalHub) -> None:
    for url in (one.url, one.second_url):
        assert urlsplit(url).hostname == "127.0.0.1"
    source = (Path(__file__).parent / "server" / "web.py").read_text()
    assert source.count('("127.0.0.1", port)') == 1


def test_lz4_frames_are_read() -> None:
    # One block: 4 literals, then a match of 8 at distance 4, then 5 literals.
    block = bytes([0x44]) + b"abcd" + b"\x04\x00" + bytes([0x50]) + b"vwxyz"
    frame = b"\x04\x22\x4d\x18\x60\x40\x82" + len(block).to_bytes(4, "little") + block + bytes(4)
    assert decompress(frame) == b"abcdabcdabcdvwxyz"
    plain = b"\x04\x22\x4d\x18\x60\x40\x82" + (0x80000003).to_bytes(4, "little") + b"xyz" + bytes(4)
    assert decompress(plain) == b"xyz"
