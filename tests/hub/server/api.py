"""Who am I, repositories, their information, listings, trees, branches and tags."""

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

from tests.hub.server.cards import card_problems, fits, record_of
from tests.hub.server.storage import Commit, Entry, Repository
from tests.hub.server.web import MODEL, Refusal, Reply, Request, Route, as_json

if TYPE_CHECKING:
    from tests.hub.server.control import Hub

PAGE = 50


def whoami(hub: "Hub", request: Request) -> Reply:
    """The token's user and organisations."""
    account = hub.signed_in(request)
    orgs = [{"type": "org", "name": name, "roleInOrg": "write"} for name in account["orgs"]]
    token = {"displayName": "test", "role": account["role"]}
    told = {"type": "user", "id": account["name"], "name": account["name"], "orgs": orgs}
    return as_json({**told, "auth": {"type": "access_token", "accessToken": token}})


def create(hub: "Hub", request: Request) -> Reply:
    """A new repository."""
    body = request.json()
    account = hub.signed_in(request)
    if body.get("type", "model") != "model":
        raise Refusal(501, "", "this Hub of the tests holds models only")
    name = f"{body.get('organization') or account['name']}/{body['name']}"
    hub.may_write(request, name)
    url = {"url": f"{request.origin}/{name}", "name": name}
    with hub.storage.lock:
        if name in hub.storage.repositories:
            text = "You already created this model repo"
            return as_json({"error": text, **url}, 409, {"X-Error-Message": text})
        private = body.get("visibility") == "private" or bool(body.get("private"))
        hub.storage.create(name, private=private)
    return as_json({**url, "id": name})


def delete(hub: "Hub", request: Request) -> Reply:
    """Remove a repository."""
    body = request.json()
    name = f"{body.get('organization') or hub.signed_in(request)['name']}/{body['name']}"
    hub.storage.find(name)
    hub.may_write(request, name)
    hub.storage.delete(name)
    return as_json({})


def move(hub: "Hub", request: Request) -> Reply:
    """Rename a repository."""
    body = request.json()
    for name in (body["fromRepo"], body["toRepo"]):
        hub.may_write(request, name)
    hub.storage.find(body["fromRepo"])
    if body["toRepo"] in hub.storage.repositories:
        raise Refusal(409, "", "there is such a repository")
    hub.storage.move(body["fromRepo"], body["toRepo"])
    return as_json({})


def settings(hub: "Hub", request: Request, owner: str, name: str) -> Reply:
    """Make private, public or gated."""
    repository = hub.storage.find(f"{owner}/{name}")
    hub.may_write(request, repository.id)
    body = request.json()
    if "visibility" in body or "private" in body:
        repository.private = body.get("visibility") == "private" or bool(body.get("private"))
    if "gated" in body:
        repository.gated = bool(body["gated"])
    hub.storage.save(repository)
    return as_json({"private": repository.private, "gated": repository.gated})


def validate(hub: "Hub", request: Request) -> Reply:
    """Check a card."""
    problems = [{"message": text} for text in card_problems(request.json()["content"])]
    return as_json({"errors": problems, "warnings": []}, 400 if problems else 200)


def info(hub: "Hub", request: Request, owner: str, name: str, revision: str = "main") -> Reply:
    """A repository at a revision, with its files."""
    repository = hub.may_read(request, owner, name)
    commit = repository.resolve(revision)
    record = record_of(hub.storage, repository, commit)
    blobs = request.says("blobs")
    record["siblings"] = [_sibling(path, e, blobs) for path, e in commit.tree.items()]
    record["usedStorage"] = sum(entry.size for entry in commit.tree.values())
    return as_json(_expanded(record, request))


def _sibling(path: str, entry: Entry, blobs: bool) -> dict[str, Any]:
    if not blobs:
        return {"rfilename": path}
    told: dict[str, Any] = {"rfilename": path, "size": entry.size, "blobId": entry.oid}
    if entry.lfs:
        told["lfs"] = {
            "sha256": entry.sha256,
            "size": entry.size,
            "pointerSize": len(entry.pointer),
        }
    return told


def _expanded(record: dict[str, Any], request: Request) -> dict[str, Any]:
    wanted = request.query.get("expand") or request.query.get("expand[]")
    if not wanted:
        return record
    return {key: value for key, value in record.items() if key in ("_id", "id", *wanted)}


def listing(hub: "Hub", request: Request) -> Reply:
    """All repositories that fit, a page at a time."""
    records = []
    for repository in list(hub.storage.repositories.values()):
        if repository.private and not hub.sees(request, repository):
            continue
        commit = repository.resolve("main")
        record = record_of(hub.storage, repository, commit)
        record["siblings"] = [{"rfilename": path} for path in commit.tree]
        if fits(record, request):
            records.append(record)
    key = request.one("sort", "trendingScore")
    key = {"created_at": "createdAt", "last_modified": "lastModified"}.get(key, key)
    records.sort(key=lambda record: (record.get(key) or 0, record["createdAt"]), reverse=True)
    limit = int(request.one("limit", "1000"))
    start = int(request.one("cursor", "0"))
    size = min(limit, PAGE)
    headers = _next(request, start + size) if start + size < len(records) else {}
    page = [_slim(_expanded(r, request), request) for r in records[start : start + size]]
    return as_json(page, headers=headers)


def _slim(record: dict[str, Any], request: Request) -> dict[str, Any]:
    if "expand" in request.query:
        return record
    left = {"cardData": request.says("cardData") or request.says("full")}
    left |= dict.fromkeys(("siblings", "sha", "lastModified", "author"), request.says("full"))
    return {key: value for key, value in record.items() if left.get(key, True)}


def _next(request: Request, cursor: int) -> dict[str, str]:
    query = urlencode({**request.query, "cursor": [str(cursor)]}, doseq=True)
    return {"Link": f'<{request.origin}{request.path}?{query}>; rel="next"'}


def tree(
    hub: "Hub", request: Request, owner: str, name: str, revision: str, path: str = ""
) -> Reply:
    """The entries under a path."""
    commit = hub.may_read(request, owner, name).resolve(revision)
    entries = _entries(commit, path, request.says("recursive"))
    if path and not entries:
        raise Refusal(404, "EntryNotFound", f"{path} does not exist", _at(commit))
    start = int(request.one("cursor", "0"))
    size = int(request.one("limit", "1000"))
    headers = _next(request, start + size) if start + size < len(entries) else {}
    return as_json(entries[start : start + size], headers=headers)


def _entries(commit: Commit, under: str, recursive: bool) -> list[dict[str, Any]]:
    before = f"{under.strip('/')}/" if under else ""
    found: dict[str, dict[str, Any]] = {}
    for path, entry in commit.tree.items():
        if not path.startswith(before):
            continue
        parts = path.removeprefix(before).split("/")
        for depth in range(1, len(parts) if recursive else min(2, len(parts))):
            folder = before + "/".join(parts[:depth])
            found[folder] = {"type": "directory", "oid": "0" * 40, "size": 0, "path": folder}
        if recursive or len(parts) == 1:
            found[path] = file_record(path, entry)
    return list(found.values())


def file_record(path: str, entry: Entry) -> dict[str, Any]:
    """A file as trees list it."""
    told: dict[str, Any] = {"type": "file", "oid": entry.oid, "size": entry.size, "path": path}
    if entry.lfs:
        told["lfs"] = {"oid": entry.sha256, "size": entry.size, "pointerSize": len(entry.pointer)}
    return told


def _at(commit: Commit) -> dict[str, str]:
    return {"X-Repo-Commit": commit.id}


def paths_info(hub: "Hub", request: Request, owner: str, name: str, revision: str) -> Reply:
    """What stands at some paths."""
    commit = hub.may_read(request, owner, name).resolve(revision)
    body = request.body.decode()
    asked = request.json() if body.startswith("{") else parse_qs(body)
    wanted = asked.get("paths", [])
    wanted = [wanted] if isinstance(wanted, str) else wanted
    found = []
    for path in wanted:
        if path in commit.tree:
            found.append(file_record(path, commit.tree[path]))
        elif any(other.startswith(f"{path}/") for other in commit.tree):
            found.append({"type": "directory", "oid": "0" * 40, "size": 0, "path": path})
    return as_json(found)


def commits(hub: "Hub", request: Request, owner: str, name: str, revision: str) -> Reply:
    """The history, newest first."""
    repository = hub.may_read(request, owner, name)
    commit: Commit | None = repository.resolve(revision)
    found = []
    while commit is not None:
        told = {"id": commit.id, "title": commit.title, "message": commit.message}
        found.append({**told, "date": commit.date, "authors": [{"user": commit.user}]})
        commit = repository.commits.get(commit.parent or "")
    return as_json(found)


def refs(hub: "Hub", request: Request, owner: str, name: str) -> Reply:
    """Branches and tags."""
    repository = hub.may_read(request, owner, name)
    told = {
        "branches": _refs(repository.branches, "refs/heads"),
        "tags": _refs(repository.tags, "refs/tags"),
    }
    return as_json({**told, "converts": [], "pullRequests": []})


def _refs(names: dict[str, str], under: str) -> list[dict[str, str]]:
    return [
        {"name": name, "ref": f"{under}/{name}", "targetCommit": commit}
        for name, commit in names.items()
    ]


def make_branch(hub: "Hub", request: Request, owner: str, name: str, branch: str) -> Reply:
    """A new branch."""
    repository = hub.may_write(request, f"{owner}/{name}")
    start = (request.json() or {}).get("startingPoint", "main")
    return _make_ref(hub, repository, repository.branches, branch, start)


def make_tag(hub: "Hub", request: Request, owner: str, name: str, revision: str) -> Reply:
    """A new tag."""
    repository = hub.may_write(request, f"{owner}/{name}")
    return _make_ref(hub, repository, repository.tags, request.json()["tag"], revision)


def _make_ref(
    hub: "Hub", repository: Repository, names: dict[str, str], name: str, at: str
) -> Reply:
    with hub.storage.lock:
        if name in names:
            raise Refusal(409, "", f"Reference {name} already exists")
        names[name] = repository.resolve(at).id
        hub.storage.save(repository)
    return as_json({})


def delete_branch(hub: "Hub", request: Request, owner: str, name: str, branch: str) -> Reply:
    """Forget a branch."""
    repository = hub.may_write(request, f"{owner}/{name}")
    return _delete_ref(hub, repository, repository.branches, branch)


def delete_tag(hub: "Hub", request: Request, owner: str, name: str, tag: str) -> Reply:
    """Forget a tag."""
    repository = hub.may_write(request, f"{owner}/{name}")
    return _delete_ref(hub, repository, repository.tags, tag)


def _delete_ref(hub: "Hub", repository: Repository, names: dict[str, str], name: str) -> Reply:
    if names.pop(name, None) is None:
        raise Refusal(404, "RevisionNotFound", f"no such reference: {name}")
    hub.storage.save(repository)
    return as_json({})


def nothing(hub: "Hub", request: Request) -> Reply:
    """What clients ask besides."""
    raise Refusal(404, "", "not served here")


def unsupported(hub: "Hub", request: Request, owner: str, name: str) -> Reply:
    """What this Hub does not do."""
    raise Refusal(501, "", "discussions and pull requests are not served here")


ROUTES: list[Route] = [
    ("GET", "/api/whoami-v2", whoami),
    ("GET", "/api/agent-harnesses", nothing),
    ("GET", "/api/telemetry/.*", nothing),
    ("POST", "/api/repos/create", create),
    ("DELETE", "/api/repos/delete", delete),
    ("POST", "/api/repos/move", move),
    ("POST", "/api/validate-yaml", validate),
    ("GET", "/api/models", listing),
    ("GET", MODEL, info),
    ("GET", rf"{MODEL}/revision/(?P<revision>[^/]+)", info),
    ("PUT", rf"{MODEL}/settings", settings),
    ("GET", rf"{MODEL}/tree/(?P<revision>[^/]+)(?:/(?P<path>.*))?", tree),
    ("POST", rf"{MODEL}/paths-info/(?P<revision>[^/]+)", paths_info),
    ("GET", rf"{MODEL}/commits/(?P<revision>[^/]+)", commits),
    ("GET", rf"{MODEL}/refs", refs),
    ("POST", rf"{MODEL}/branch/(?P<branch>.+)", make_branch),
    ("DELETE", rf"{MODEL}/branch/(?P<branch>.+)", delete_branch),
    ("POST", rf"{MODEL}/tag/(?P<revision>.+)", make_tag),
    ("DELETE", rf"{MODEL}/tag/(?P<tag>.+)", delete_tag),
    ("GET", rf"{MODEL}/discussions.*", unsupported),
    ("POST", rf"{MODEL}/discussions.*", unsupported),
]
