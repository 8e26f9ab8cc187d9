"""Files of a revision, and the second origin from which large ones come, as on the Hub."""

import re
from typing import TYPE_CHECKING

from tests.hub.server.storage import Entry
from tests.hub.server.web import REPO, Refusal, Reply, Request, Route

if TYPE_CHECKING:
    from tests.hub.server.control import Hub

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
COUNTED = ("adapter_config.json", "config.json")


def resolve(hub: "Hub", request: Request, owner: str, name: str, revision: str, path: str) -> Reply:
    """A file; of a large one, where it is."""
    repository = hub.may_read(request, owner, name)
    hub.may_download(request, repository)
    commit = repository.resolve(revision)
    at = {"X-Repo-Commit": commit.id, "Accept-Ranges": "bytes"}
    entry = commit.tree.get(path)
    if entry is None:
        raise Refusal(404, "EntryNotFound", "Entry not found", at)
    if path in COUNTED and request.method == "GET":
        repository.downloads += 1
    plain = path.split("/")[-1].encode("ascii", "replace").decode().replace('"', "?")
    at |= {"Content-Disposition": f'inline; filename="{plain}"'}
    if not entry.lfs:
        return _bytes(hub, request, entry, {**at, "ETag": f'"{entry.sha1}"'})
    at |= {"X-Linked-Size": str(entry.size), "X-Linked-ETag": f'"{entry.sha256}"'}
    if not hub.settings["redirect"]:
        return _bytes(hub, request, entry, {**at, "ETag": f'"{entry.sha256}"'})
    where = f"{hub.second_origin}/cdn/{entry.sha256}"
    return Reply(302, {**at, "Location": where, "ETag": f'"{entry.oid}"'}, b"Found")


def cdn(hub: "Hub", request: Request, digest: str) -> Reply:
    """Bytes by their digest; no token is needed, nor should one come."""
    path = hub.storage.blob(digest)
    if not path.is_file():
        raise Refusal(404, "", "no such object")
    entry = Entry(digest, "", path.stat().st_size, lfs=True)
    return _bytes(hub, request, entry, {"ETag": f'"{digest[:32]}"', "Accept-Ranges": "bytes"})


def _bytes(hub: "Hub", request: Request, entry: Entry, headers: dict[str, str]) -> Reply:
    data = hub.storage.blob(entry.sha256).read_bytes()
    told = {"Content-Type": "application/octet-stream", **headers}
    match = _RANGE.fullmatch(request.headers.get("range", ""))
    if request.method == "HEAD":
        return Reply(200, {**told, "Content-Length": str(len(data))})
    if match is None:
        return Reply(200, told, data)
    start = int(match[1])
    if start >= len(data):
        return Reply(416, {**told, "Content-Range": f"bytes */{len(data)}"})
    stop = min(int(match[2] or len(data)) + bool(match[2]), len(data))
    told["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
    return Reply(206, told, data[start:stop])


ROUTES: list[Route] = [
    ("GET", rf"/{REPO}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", resolve),
    ("GET", r"/cdn/(?P<digest>[0-9a-f]{64})", cdn),
]
