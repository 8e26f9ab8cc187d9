"""From files to a commit: how each is uploaded, LFS (plain and in parts), and the commit itself."""

import base64
import hashlib
import json
from math import ceil
from typing import TYPE_CHECKING, Any

from tests.hub.server.storage import Commit, Entry, Repository
from tests.hub.server.web import MODEL, REPO, Refusal, Reply, Request, Route, as_json

if TYPE_CHECKING:
    from tests.hub.server.control import Hub

LARGE = 10_000_000


def preupload(hub: "Hub", request: Request, owner: str, name: str, revision: str) -> Reply:
    """How each file shall come."""
    repository = hub.may_write(request, f"{owner}/{name}")
    tree = repository.resolve(revision).tree
    told = []
    for file in request.json()["files"]:
        lfs = hub.settings["lfs"] and is_large(hub, repository, file["path"], file["size"])
        answer = {"path": file["path"], "uploadMode": "lfs" if lfs else "regular"}
        there = tree.get(file["path"])
        if there is not None:
            answer["oid"] = there.etag
        told.append({**answer, "shouldIgnore": False})
    return as_json({"files": told})


def is_large(hub: "Hub", repository: Repository, path: str, size: int) -> bool:
    """Whether a file is kept as LFS: by its ending, as .gitattributes says, or its size."""
    entry = repository.resolve("main").tree.get(".gitattributes")
    rules = hub.storage.blob(entry.sha256).read_text().splitlines() if entry else []
    ends = [rule.split()[0].removeprefix("*") for rule in rules if "filter=lfs" in rule]
    return size > 0 and (size > LARGE or path.endswith(tuple(ends)))


def batch(hub: "Hub", request: Request, owner: str, name: str) -> Reply:
    """Where LFS files go."""
    repository = hub.may_write(request, f"{owner}/{name}")
    body = request.json()
    told = [_object(hub, request, repository, thing) for thing in body["objects"]]
    offered = body.get("transfers", [])
    transfer = "xet" if hub.settings["xet"] and "xet" in offered else "basic"
    if transfer == "basic" and hub.settings["part_size"] and "multipart" in offered:
        transfer = "multipart"
    return as_json({"transfer": transfer, "objects": told})


def _object(
    hub: "Hub", request: Request, repository: Repository, thing: dict[str, Any]
) -> dict[str, Any]:
    oid, size = thing["oid"], int(thing["size"])
    told: dict[str, Any] = {"oid": oid, "size": size}
    if hub.storage.blob(oid).is_file():
        return told
    url = f"{request.origin}/lfs/{oid}"
    upload: dict[str, Any] = {"href": url}
    part = hub.settings["part_size"]
    if part and size > part:
        parts = {f"{n:05d}": f"{url}/part/{n}" for n in range(1, ceil(size / part) + 1)}
        upload = {"href": f"{url}/whole", "header": {"chunk_size": str(part), **parts}}
    verify = {"href": f"{request.origin}/{repository.id}.git/info/lfs/verify"}
    return {**told, "authenticated": True, "actions": {"upload": upload, "verify": verify}}


def put(hub: "Hub", request: Request, oid: str) -> Reply:
    """The bytes of an LFS file; its name is their digest, or they are refused."""
    if hashlib.sha256(request.body).hexdigest() != oid:
        raise Refusal(400, "", "the bytes are not those of this sha256")
    hub.storage.keep(request.body, lfs=True)
    return Reply()


def put_part(hub: "Hub", request: Request, oid: str, number: str) -> Reply:
    """A part of an LFS file."""
    hub.parts[(oid, int(number))] = request.body
    return Reply(headers={"ETag": f'"{hashlib.md5(request.body).hexdigest()}"'})


def join(hub: "Hub", request: Request, oid: str) -> Reply:
    """The parts of an LFS file are all there."""
    numbers = sorted(number for name, number in hub.parts if name == oid)
    told = [part["partNumber"] for part in request.json()["parts"]]
    if told != numbers:
        raise Refusal(400, "", f"parts {told} were told, {numbers} came")
    request.body = b"".join(hub.parts.pop((oid, number)) for number in numbers)
    return put(hub, request, oid)


def verify(hub: "Hub", request: Request, owner: str, name: str) -> Reply:
    """Whether an LFS file came well."""
    hub.may_write(request, f"{owner}/{name}")
    body = request.json()
    path = hub.storage.blob(body["oid"])
    if not path.is_file() or path.stat().st_size != int(body["size"]):
        raise Refusal(404, "", "no such object")
    return as_json({})


def commit(hub: "Hub", request: Request, owner: str, name: str, revision: str) -> Reply:
    """A commit, in lines of JSON: a header, then files and deletions."""
    repository = hub.may_write(request, f"{owner}/{name}")
    if request.says("create_pr"):
        raise Refusal(501, "", "pull requests are not served here")
    lines = [json.loads(line) for line in request.body.splitlines() if line.strip()]
    header = next(line["value"] for line in lines if line["key"] == "header")
    with hub.storage.lock:
        before = repository.resolve(revision)
        if revision not in repository.branches:
            raise Refusal(400, "", f"{revision} is no branch")
        if header.get("parentCommit") not in (None, "", before.id):
            raise Refusal(412, "", "A commit has happened since. Please refresh and try again.")
        tree = dict(before.tree)
        for line in lines:
            _apply(hub, repository, tree, line["key"], line["value"])
        done = hub.storage.commit(
            repository,
            revision,
            tree,
            title=header["summary"],
            message=header.get("description", ""),
            user=request.user,
        )
    return as_json(_told(request, repository, done))


def _told(request: Request, repository: Repository, done: Commit) -> dict[str, Any]:
    url = f"{request.origin}/{repository.id}/commit/{done.id}"
    return {"success": True, "commitOid": done.id, "commitUrl": url, "hookOutput": ""}


def _apply(
    hub: "Hub", repository: Repository, tree: dict[str, Entry], key: str, value: dict[str, Any]
) -> None:
    path = value.get("path", "")
    if key == "file":
        data = value["content"].encode()
        data = base64.b64decode(data) if value.get("encoding") == "base64" else data
        # Told to send all files as regular ones, clients do; they are kept as they would be.
        tree[path] = hub.storage.keep(data, lfs=is_large(hub, repository, path, len(data)))
    elif key == "lfsFile":
        blob = hub.storage.blob(value["oid"])
        if not blob.is_file():
            raise Refusal(400, "", f"LFS pointer of {path} points to nothing")
        tree[path] = hub.storage.keep(blob.read_bytes(), lfs=True)
    elif key == "deletedFile":
        if path not in tree:
            raise Refusal(404, "EntryNotFound", f"{path} does not exist")
        del tree[path]
    elif key == "deletedFolder":
        for inside in [name for name in tree if name.startswith(f"{path.rstrip('/')}/")]:
            del tree[inside]
    elif key != "header":
        raise Refusal(400, "", f"unknown operation {key}")


ROUTES: list[Route] = [
    ("POST", rf"{MODEL}/preupload/(?P<revision>[^/]+)", preupload),
    ("POST", rf"{MODEL}/commit/(?P<revision>[^/]+)", commit),
    ("POST", rf"/{REPO}\.git/info/lfs/objects/batch", batch),
    ("POST", rf"/{REPO}\.git/info/lfs/verify", verify),
    ("PUT", r"/lfs/(?P<oid>[0-9a-f]{64})", put),
    ("PUT", r"/lfs/(?P<oid>[0-9a-f]{64})/part/(?P<number>\d+)", put_part),
    ("POST", r"/lfs/(?P<oid>[0-9a-f]{64})/whole", join),
]
