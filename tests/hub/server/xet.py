"""Xet ingest: xorbs (chunks, mostly compressed) and shards (which chunks make up which file).

Source: https://huggingface.co/docs/xet, the pages on xorbs, shards and the upload protocol. A file that a
shard describes is put together from its chunks and kept under its sha256, where the commit then finds it.
Downloads are not offered by Xet, nor is deduplication over repositories: both are a choice of the server's.
"""

import struct
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.hub.server.lz4 import decompress
from tests.hub.server.web import MODEL, Refusal, Reply, Request, Route, as_json

if TYPE_CHECKING:
    from tests.hub.server.control import Hub

RECORD = 48
BOOKEND = b"\xff" * 32
WITH_VERIFICATION, WITH_METADATA = 1 << 31, 1 << 30
NONE, LZ4, GROUPED_LZ4 = range(3)


def token(hub: "Hub", request: Request, owner: str, name: str, revision: str) -> Reply:
    """Leave to upload, and where to."""
    hub.may_write(request, f"{owner}/{name}")
    if not hub.settings["xet"]:
        raise Refusal(404, "", "Xet is switched off")
    until = int(time.time()) + 3600
    headers = {
        "X-Xet-Cas-Url": request.origin,
        "X-Xet-Access-Token": "xet-token",
        "X-Xet-Token-Expiration": str(until),
    }
    told = {"accessToken": "xet-token", "exp": until, "casUrl": request.origin}
    return as_json(told, headers=headers)


def xorb(hub: "Hub", request: Request, digest: str) -> Reply:
    """Keep the chunks of a xorb."""
    new = digest not in hub.storage.chunks
    hub.storage.chunks[digest] = list(chunks(request.body))
    return as_json({"was_inserted": new})


def shard(hub: "Hub", request: Request) -> Reply:
    """Put together and keep the files of a shard."""
    for parts in files(request.body):
        data = bytearray()
        for digest, start, stop in parts:
            if digest not in hub.storage.chunks:
                raise Refusal(400, "", f"no such xorb: {digest}")
            data += b"".join(hub.storage.chunks[digest][start:stop])
        hub.storage.keep(bytes(data), lfs=True)
    return as_json({"result": 1})


def chunks(data: bytes) -> Iterator[bytes]:
    """The chunks of a xorb, each with a header of 8 bytes; what else stands after them is left out."""
    at = 0
    while at + 8 <= len(data) and data[at] == 0:
        packed = int.from_bytes(data[at + 1 : at + 4], "little")
        scheme = data[at + 4]
        size = int.from_bytes(data[at + 5 : at + 8], "little")
        chunk = _unpack(data[at + 8 : at + 8 + packed], scheme)
        if len(chunk) != size:
            raise Refusal(400, "", f"a chunk of {size} bytes has {len(chunk)}")
        yield chunk
        at += 8 + packed


def _unpack(data: bytes, scheme: int) -> bytes:
    if scheme == NONE:
        return data
    plain = decompress(data)
    if scheme == LZ4:
        return plain
    if scheme != GROUPED_LZ4:
        raise Refusal(400, "", f"unknown compression {scheme}")
    out = bytearray(len(plain))
    at = 0
    for first in range(4):  # every fourth byte stands together
        count = len(range(first, len(plain), 4))
        out[first::4] = plain[at : at + count]
        at += count
    return bytes(out)


def files(data: bytes) -> Iterator[list[tuple[str, int, int]]]:
    """Of each file of a shard: its xorbs, and from which to which chunk."""
    at = RECORD
    while data[at : at + 32] != BOOKEND:
        flags, count = struct.unpack_from("<II", data, at + 32)
        at += RECORD
        parts = []
        for _ in range(count):
            _, _, start, stop = struct.unpack_from("<IIII", data, at + 32)
            parts.append((hexed(data[at : at + 32]), start, stop))
            at += RECORD
        at += RECORD * count if flags & WITH_VERIFICATION else 0
        at += RECORD if flags & WITH_METADATA else 0
        yield parts


def hexed(digest: bytes) -> str:
    """A digest as Xet writes it: four numbers of 64 bits, little-endian."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", digest))


ROUTES: list[Route] = [
    ("GET", rf"{MODEL}/xet-write-token/(?P<revision>[^/]+)", token),
    ("POST", r"/v1/xorbs/default/(?P<digest>[0-9a-f]{64})", xorb),
    ("POST", r"/v1/shards", shard),
]
