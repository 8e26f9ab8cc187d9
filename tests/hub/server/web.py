"""HTTP: requests, replies, routes, and the socket. The only place that knows `http.server`."""

import contextlib
import json
import re
import socket
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from tests.hub.server.control import Hub


@dataclass
class Request:
    """What a client asks; ``user`` is who its token says, "" if it has none."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    origin: str
    user: str = ""

    def one(self, name: str, default: str = "") -> str:
        """The last value of a query's key."""
        return self.query.get(name, [default])[-1]

    def says(self, name: str) -> bool:
        """Whether a key of the query means yes (0.36 writes True, 2.x true)."""
        return self.one(name).lower() in ("true", "1")

    def json(self) -> Any:
        """The body as JSON."""
        try:
            return json.loads(self.body or b"null")
        except ValueError:
            raise Refusal(400, "", "the body is no JSON") from None


@dataclass
class Reply:
    """What is answered; ``body`` is sent as it is."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Refusal(Exception):  # noqa: N818 - the Hub's no, which is an answer
    """An answer that is an error of the Hub."""

    def __init__(
        self, status: int, code: str, message: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.headers = headers or {}

    def reply(self) -> Reply:
        """Itself as an answer."""
        headers = {"X-Error-Message": self.message.encode("ascii", "replace").decode()}
        if self.code:
            headers["X-Error-Code"] = self.code
        return as_json({"error": self.message}, self.status, {**headers, **self.headers})


Action = Callable[..., Reply]
Route = tuple[str, str, Action]
REPO = r"(?P<owner>[^/]+)/(?P<name>[^/]+)"
MODEL = rf"/api/models/{REPO}"


def as_json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    """An answer in JSON."""
    told = {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
    return Reply(status, told, json.dumps(value).encode())


class Router:
    """Routes, tried in their order."""

    def __init__(self, routes: list[Route]) -> None:
        self.routes = [(method, re.compile(pattern), action) for method, pattern, action in routes]

    def answer(self, hub: "Hub", request: Request) -> Reply:
        """What the first fitting route answers."""
        try:
            for method, pattern, action in self.routes:
                match = pattern.fullmatch(request.path)
                if match and method in (request.method, "GET" if request.method == "HEAD" else ""):
                    parts = {key: unquote(value or "") for key, value in match.groupdict().items()}
                    return action(hub, request, **parts)
            raise Refusal(404, "", f"no such page: {request.path}")
        except Refusal as refusal:
            return refusal.reply()
        except Exception:
            # A socket that just drops makes clients try for minutes; an error must be an answer.
            return as_json({"error": traceback.format_exc()}, 500)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = 30
    server: "Server"

    def handle_one_request(self) -> None:
        """As the library's, for every method."""
        try:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline:
                self.close_connection = True
                return
            if self.parse_request():
                self._serve()
                self.wfile.flush()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        hub = self.server.hub
        headers = {key.lower(): value for key, value in self.headers.items()}
        request = Request(
            self.command,
            parts.path,
            parse_qs(parts.query, keep_blank_values=True),
            headers,
            self._body(),
            f"http://127.0.0.1:{self.server.server_port}",
        )
        token = headers.get("authorization", "").removeprefix("Bearer ").strip()
        request.user = hub.user_of(token)
        hub.faults.play(self, request)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def send(self, reply: Reply, *, pieces: int = 0, pause: float = 0.0, cut: int = -1) -> int:
        """Send ``reply``, in pieces with pauses or cut after some bytes; return the bytes sent."""
        self.send_response(reply.status)
        told = {"Content-Length": str(len(reply.body)), "Date": self.date_time_string()}
        told |= {key: value for key, value in reply.headers.items()}
        for key, value in told.items():
            if value is not None:
                self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD" or reply.status in (204, 304):
            return 0
        body = reply.body if cut < 0 else reply.body[:cut]
        step = pieces or max(len(body), 1)
        sent = 0
        for start in range(0, len(body), step):
            self.wfile.write(body[start : start + step])
            self.wfile.flush()
            sent += len(body[start : start + step])
            if pause:
                time.sleep(pause)
        if cut >= 0:
            self.drop()
        return sent

    def drop(self) -> None:
        """Break the connection."""
        self.close_connection = True
        self.wfile.flush()
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def send_response(self, code: int, message: str | None = None) -> None:
        """The status line only: `send` writes the headers."""
        self.send_response_only(code, message)

    def log_message(self, *unused: Any) -> None:
        """Nothing on stderr; what was asked is in the server's log."""


class Server(ThreadingHTTPServer):
    """Listens on loopback, nowhere else."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, hub: "Hub", port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.hub = hub

    def start(self) -> None:
        """Serve in a thread of its own."""
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, *unused: Any) -> None:
        """A client that went away is no news."""
