"""What a test makes go wrong, by rules over the requests' method and path, and the log of all requests.

A rule is a JSON object: ``method`` and ``path`` (regular expressions that must match wholly and somewhere),
``after`` (how many matches to let by first), ``times`` (how often it works; absent: always), and ``do``, of which
one or more of:

    status, headers, text   answer this instead of doing anything
    drop                    break the connection before anything is done
    lost                    do it, then break the connection without an answer
    wait                    seconds before the answer
    cut                     send the true length, but only so many bytes of the body
    pieces, pause           send so many bytes at a time, with a pause in seconds after each
    set                     headers of the true answer that are changed (null: taken out)
    status_to               another status on the true answer
    flip                    change the byte at this place of the body
    body                    another body (base64)
    extra                   so many bytes more, and a length that says so
    endless                 send zeros until the client leaves
    gzip                    compress the body, and say so
    json                    values put into the body's JSON: [[["key", 0, "key"], value], ...]
"""

import base64
import gzip
import json
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.hub.server.web import Handler, Reply, Request

if TYPE_CHECKING:
    from tests.hub.server.control import Hub


@dataclass
class Rule:
    """A fault and when it happens."""

    do: dict[str, Any]
    method: str = ".*"
    path: str = ""
    after: int = 0
    times: int | None = None
    seen: int = 0

    def hits(self, request: Request) -> bool:
        """Whether it happens now; counts what it sees."""
        if not re.fullmatch(self.method, request.method) or not re.search(self.path, request.path):
            return False
        self.seen += 1
        late = self.times is not None and self.seen > self.after + self.times
        return self.seen > self.after and not late


@dataclass
class Faults:
    """All rules, and what was asked."""

    hub: "Hub"
    rules: list[Rule] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)

    def play(self, handler: Handler, request: Request) -> None:
        """Answer ``request``, with every fault whose turn it is."""
        if request.path.startswith("/-/"):
            handler.send(self.hub.router.answer(self.hub, request))
            return
        with self.hub.storage.lock:
            do: dict[str, Any] = {}
            for rule in self.rules:
                if rule.hits(request):
                    do |= rule.do
            entry = _entry(request, do)
            self.log.append(entry)
        if "wait" in do:
            time.sleep(do["wait"])
        if do.get("drop"):
            handler.drop()
            return
        if "status" in do:
            text = do.get("text", "a fault of the test").encode()
            reply = Reply(do["status"], dict(do.get("headers", {})), text)
        else:
            reply = altered(self.hub.router.answer(self.hub, request), do)
        entry["status"] = reply.status
        entry["headers"] = dict(reply.headers)
        if do.get("lost"):
            handler.drop()
        elif do.get("endless"):
            _endless(handler, reply, entry)
        else:
            entry["sent"] = handler.send(
                reply, pieces=do.get("pieces", 0), pause=do.get("pause", 0.0), cut=do.get("cut", -1)
            )


def _entry(request: Request, do: dict[str, Any]) -> dict[str, Any]:
    return {
        "method": request.method,
        "path": request.path,
        "origin": request.origin,
        "query": request.query,
        "token": "authorization" in request.headers,
        "range": request.headers.get("range", ""),
        "user": request.user,
        "faults": sorted(do),
        "status": 0,
        "sent": 0,
        "headers": {},
    }


def altered(reply: Reply, do: dict[str, Any]) -> Reply:
    """A true answer, as the fault wants it."""
    if "json" in do and reply.status == 200:
        value = json.loads(reply.body)
        for place, new in do["json"]:
            value = _put(value, place, new)
        reply.body = json.dumps(value).encode()
    if "flip" in do and reply.body:
        data = bytearray(reply.body)
        data[do["flip"] % len(data)] ^= 0x10
        reply.body = bytes(data)
    if "body" in do:
        reply.body = base64.b64decode(do["body"])
    if "extra" in do:
        reply.body += b"\0" * do["extra"]
    if do.get("gzip"):
        reply.body = gzip.compress(reply.body)
        reply.headers["Content-Encoding"] = "gzip"
    reply.headers |= do.get("set", {})
    reply.status = do.get("status_to", reply.status)
    return reply


def _put(value: Any, place: list[Any], new: Any) -> Any:
    if not place:
        return new
    inner = value
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = new
    return value


def _endless(handler: Handler, reply: Reply, entry: dict[str, Any]) -> None:
    handler.close_connection = True
    handler.send_response(reply.status)
    for key, value in reply.headers.items():
        if value is not None and key.lower() != "content-length":
            handler.send_header(key, value)
    handler.send_header("Connection", "close")
    handler.end_headers()
    data = reply.body or b"\0"
    try:
        for _ in range(20_000):  # over a gigabyte; nobody should come so far
            handler.wfile.write(data)
            entry["sent"] += len(data)
            data = b"\0" * 65536
    except OSError:
        entry["left"] = True
