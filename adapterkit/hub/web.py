"""One bounded, careful GET: huggingface_hub's session, token and endpoint, but our own rules for what comes back.

Redirects are followed by hand: to https (or loopback) only, and the token stays with the Hub's own origin.
Bodies have a size and a deadline before they are read. Waits are ours, however long the Hub asks for. Whatever the
network or a library raises becomes a `HubError`.
"""

import logging
import re
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

from adapterkit.errors import AdapterkitError, HubError, visible
from adapterkit.files import MAX_JSON_BYTES, from_json
from adapterkit.version import __version__

TRIES = 3
PAUSE = 1.0
"""Seconds before the second try; doubled for each further one."""
LONGEST_PAUSE = 60.0
"""What a Hub that is busy may ask for; if it asks for more we leave, and say so."""
WORTHWHILE = 2**20
TIMEOUT = 20.0
"""Seconds without a single byte."""
LEAST_TIME, SLOWEST = 30.0, 20_000.0
"""A body may take this many seconds, and one more for each so many bytes."""
_HOPS = 5
_PIECE = 2**16
_RESET = re.compile(r";t=(\d{1,11})(?:;|$)")
_JSON_SIGN = re.compile(rb'[\[\]{},]|"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""What nests or parts, and whole strings, in which such signs mean nothing; no byte is looked at twice."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
logger = logging.getLogger("adapterkit")
T = TypeVar("T")


class Unreachable(HubError):  # noqa: N818 - a kind of HubError, for rooms that fetch
    """Nothing is known of what was asked: no network, no answer, or an answer that means "not now"."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class Denied(HubError):  # noqa: N818 - likewise
    """The Hub answered, and the answer is no: there is no such thing, or not for this token."""


@dataclass(frozen=True)
class Answer:
    """A response whose body has not been read.

    Attributes:
        headers: By name in small letters.
        seen: The headers of all hops that came from the Hub's own origin, the first of each name.
        pieces: The body as it comes over the wire.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    seen: Mapping[str, str]
    pieces: Iterator[bytes]


def endpoint() -> str:
    """The Hub that is asked (``HF_ENDPOINT``).

    Raises:
        HubError: If it is reached without encryption and is not this machine.
    """
    from huggingface_hub import constants

    url = str(constants.ENDPOINT).rstrip("/")
    if not _safe(url, url):
        raise HubError(
            f"the Hub's address is {visible(url)}: only https:// is used (a token and weights would travel "
            "unprotected); set HF_ENDPOINT"
        )
    return url


def is_offline() -> bool:
    """Whether the user wants no network (``HF_HUB_OFFLINE``)."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def get_json(path: str) -> Any:
    """The JSON at a path of the Hub; of a list, the entries that can be right.

    A listing holds what hundreds of strangers wrote. An entry with half a character, a number that is none
    or a nesting without end is left out, and the others are there.

    Raises:
        HubError: If it does not give it, or not in time, or more than `MAX_JSON_BYTES`.
    """

    def ask() -> Any:
        with opened(endpoint() + path) as answer:
            data = b"".join(body(answer, MAX_JSON_BYTES, f"the answer of {path}"))
        try:
            return _good_entries(data) if data.lstrip().startswith(b"[") else from_json(data)
        except ValueError as error:
            raise HubError(f"{path}: the Hub's answer is no JSON ({visible(str(error))})") from None

    return patiently(ask)


def _good_entries(data: bytes) -> list[Any]:
    """The entries of a JSON list, without those that `from_json` refuses.

    Raises:
        ValueError: If it is no list.
    """
    try:
        return list(from_json(data))
    except ValueError:
        entries = []
        for entry in _entries(data):
            with suppress(ValueError):
                entries.append(from_json(entry))
        return entries


def _entries(data: bytes) -> Iterator[bytes]:
    """The bytes of each entry of a JSON list."""
    depth, start, end = 0, 0, 0
    for match in _JSON_SIGN.finditer(data):
        sign = match.group()
        depth += (sign in (b"[", b"{")) - (sign in (b"]", b"}"))
        if depth == 1 and sign == b"[":
            start = match.end()
        elif depth == 0 or (depth == 1 and sign == b","):
            yield data[start : match.start()]
            start = end = match.end()
        if depth == 0:
            break
    if depth or not end or data[end:].strip():
        raise ValueError("a list that does not end, or more than a list")


def patiently(ask: Callable[[], T], *, progress: Callable[[], int] = lambda: 0) -> T:
    """What ``ask`` returns; where it finds the Hub unreachable, after some more tries.

    Args:
        ask: What to try.
        progress: How many bytes have come so far. While megabytes come between two failures, the tries
            are not counted: a long file comes over a bad line too.

    Raises:
        Unreachable: If the last try found it so, or it asks for a longer wait than `LONGEST_PAUSE`.
        HubError: What else a try raised.
    """
    number, before = 0, 0
    while True:
        try:
            return ask()
        except Unreachable as error:
            if progress() - before >= WORTHWHILE:
                number, before = 0, progress()
            wait = PAUSE * 2**number if error.wait is None else error.wait
            number += 1
            if number >= TRIES or is_offline():
                raise
            if wait > LONGEST_PAUSE:
                raise Unreachable(
                    f"the Hub asks to wait {wait:.0f} seconds before the next request; try again then"
                ) from None
            logger.info("the Hub: %s; again in %.1f s", error, wait)
            time.sleep(wait)


@contextmanager
def opened(url: str, *, start: int = 0) -> Iterator[Answer]:
    """GET ``url``, following redirects; the body is still to be read.

    Args:
        url: What to get.
        start: The byte from which on it is wanted; the Hub may give (status 200) the whole all the same.

    Raises:
        Unreachable: If there is no answer, or one that means "not now".
        Denied: If the answer is no.
        HubError: If it leads somewhere it must not.
    """
    with ExitStack() as stack:
        # Only what sending raises is the Hub's: a full disk, where the body is written, is none of its errors.
        yield _answered(stack, url, start)


def _answered(stack: ExitStack, url: str, start: int) -> Answer:
    """The answer at the end of all redirects; it stays open until ``stack`` ends."""
    from huggingface_hub import constants, get_session, get_token

    if is_offline():
        raise Unreachable("offline (HF_HUB_OFFLINE is set)")
    home = endpoint()
    token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
    seen: dict[str, str] = {}
    try:
        for _ in range(_HOPS):
            headers = {"Accept-Encoding": "identity", "User-Agent": f"adapterkit/{__version__}"}
            if start:
                headers["Range"] = f"bytes={start}-"
            if token and _origin(url) == _origin(home):
                headers["Authorization"] = f"Bearer {token}"
            answer = stack.enter_context(_sent(get_session(), url, headers, seen))
            if _origin(url) == _origin(home):
                seen = {**answer.headers, **seen}
            if answer.status not in (301, 302, 303, 307, 308):
                check_status(answer, start)
                return Answer(url, answer.status, answer.headers, seen, answer.pieces)
            url = _next_hop(url, answer.headers.get("location", ""), home)
        raise HubError(f"{visible(url)}: redirected more than {_HOPS} times")
    except AdapterkitError:
        raise
    # Two HTTP libraries, each with errors of its own; whatever a request raises, it did not work.
    except Exception as error:
        raise Unreachable(f"{_origin(url)} gives no answer ({_first_line(error)})") from None


@contextmanager
def _sent(
    session: Any, url: str, headers: Mapping[str, str], seen: Mapping[str, str]
) -> Iterator[Answer]:
    if hasattr(session, "build_request"):  # huggingface_hub 1 and later: of the httpx family
        with session.stream(
            "GET", url, headers=headers, follow_redirects=False, timeout=TIMEOUT
        ) as answer:
            told = {name.lower(): value for name, value in answer.headers.items()}
            yield Answer(url, answer.status_code, told, seen, answer.iter_raw())
        return
    with session.get(  # before: requests
        url, headers=headers, stream=True, allow_redirects=False, timeout=TIMEOUT
    ) as answer:
        told = {name.lower(): value for name, value in answer.headers.items()}
        read = answer.raw.read1 if hasattr(answer.raw, "read1") else answer.raw.read
        pieces = iter(lambda: read(_PIECE, decode_content=False), b"")
        yield Answer(url, answer.status_code, told, seen, pieces)


def body(answer: Answer, limit: int, what: str) -> Iterator[bytes]:
    """The body, piece by piece, never more than ``limit`` bytes of it, never for longer than it may take.

    Raises:
        Unreachable: If it breaks off or takes too long.
        HubError: If it is longer than ``limit``, or packed in a way that was not asked for.
    """
    kind = answer.headers.get("content-encoding", "identity").strip().lower()
    if kind not in ("identity", "gzip"):
        raise HubError(f"{what}: comes packed as {visible(kind)!r:.40}, which was not asked for")
    unpacker = zlib.decompressobj(31) if kind == "gzip" else None
    deadline = time.monotonic() + LEAST_TIME + limit / SLOWEST
    left = limit
    for piece in _pieces(answer, what):
        if time.monotonic() > deadline:
            raise Unreachable(f"{what}: comes too slowly, {limit - left} bytes so far")
        plain = piece if unpacker is None else _unpacked(unpacker, piece, left + 1, what)
        left -= len(plain)
        if left < 0:
            raise HubError(f"{what}: more than the {limit} bytes it may have; refused")
        yield plain


def _pieces(answer: Answer, what: str) -> Iterator[bytes]:
    try:
        yield from answer.pieces
    except Exception as error:  # as in `opened`
        raise Unreachable(f"{what}: broke off ({_first_line(error)})") from None


def _unpacked(unpacker: Any, piece: bytes, most: int, what: str) -> bytes:
    try:
        return bytes(unpacker.decompress(piece, most))
    except zlib.error as error:
        raise HubError(f"{what}: cannot be unpacked ({error})") from None


def check_status(answer: Answer, start: int = 0) -> None:
    """Refuse an answer that is no good one.

    Raises:
        Unreachable: If the same request may work later.
        Denied: If it will not.
    """
    status = answer.status
    at = answer.headers.get("content-range", "").replace("=", " ")
    if status == 200 or (status == 206 and start and at.startswith(f"bytes {start}-")):
        return
    code = answer.headers.get("x-error-code", "")
    said = visible(answer.headers.get("x-error-message", ""))[:200]
    if status == 429 or status == 408 or status >= 500:
        raise Unreachable(
            f"the Hub answers {status}{f' ({said})' if said else ''}", _wait(answer.headers)
        )
    reasons = {
        "RepoNotFound": "there is no such repository, or it is private and this token does not open it "
        "(hf auth login)",
        "GatedRepo": "its files are given only to those whom the owner lets in: ask on its page, then "
        "hf auth login",
        "RevisionNotFound": "it has no such branch, tag or commit",
        "EntryNotFound": "a file that the Hub itself lists is not there",
    }
    raise Denied(reasons.get(code, f"the Hub answers {status}{f': {said}' if said else ''}"))


def _wait(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, as ``Retry-After`` or the Hub's own ``RateLimit: "api";r=0;t=55`` has it."""
    told = headers.get("retry-after", "")
    limit = _RESET.search(headers.get("ratelimit", ""))
    told = limit[1] if limit is not None else told
    return float(told) if told.isascii() and told.isdigit() and len(told) < 12 else None


def _next_hop(url: str, location: str, home: str) -> str:
    target = urljoin(url, location)
    if not location or not _safe(target, home):
        raise HubError(
            f"{visible(_origin(url))} leads on to {visible(target)!r:.200}: only https:// is followed"
        )
    return target


def _safe(url: str, home: str) -> bool:
    """Whether ``url`` may be asked: https, or this machine where the Hub itself is on it."""
    parts = urlsplit(url)
    local = parts.hostname in _LOOPBACK and urlsplit(home).hostname in _LOOPBACK
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and local))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return visible(text.splitlines()[0])[:200]
