"""The server as a whole, its accounts and rights, and what tests ask of it under ``/-/``."""

import base64
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.hub.server import api, downloads, uploads, xet
from tests.hub.server.faults import Faults, Rule
from tests.hub.server.storage import Repository, Storage
from tests.hub.server.web import Refusal, Reply, Request, Route, Router, as_json

ACCOUNTS: dict[str, dict[str, Any]] = {
    "hf_alice": {"name": "alice", "orgs": ["lab", "AdapterHub"], "role": "write"},
    "hf_bob": {"name": "bob", "orgs": [], "role": "write"},
    "hf_reader": {"name": "alice", "orgs": ["lab"], "role": "read"},
}
SETTINGS: dict[str, Any] = {"xet": True, "lfs": True, "redirect": True, "part_size": 0}
"""Xet uploads; LFS at all; large files at the second origin; size of LFS uploads' parts (0: whole)."""


class Hub:
    """Everything the server knows."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.number = 0
        self.second_origin = ""
        self.router = Router(
            [*ROUTES, *api.ROUTES, *uploads.ROUTES, *xet.ROUTES, *downloads.ROUTES]
        )
        self.faults = Faults(self)
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        shutil.rmtree(self.root / str(self.number), ignore_errors=True)
        self.number += 1
        self.storage = Storage(self.root / str(self.number))
        self.settings = dict(SETTINGS)
        self.parts: dict[tuple[str, int], bytes] = {}
        self.faults = Faults(self)

    def user_of(self, token: str) -> str:
        """Whose token it is; "?" if nobody's."""
        return ACCOUNTS[token]["name"] if token in ACCOUNTS else "?" if token else ""

    def signed_in(self, request: Request) -> dict[str, Any]:
        """The account of a request."""
        if request.user in ("", "?"):
            raise Refusal(401, "", "Invalid username or password.")
        token = request.headers["authorization"].removeprefix("Bearer ").strip()
        return ACCOUNTS[token]

    def sees(self, request: Request, repository: Repository) -> bool:
        """Whether it is the user's own, or of one of the user's organisations."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        account = ACCOUNTS.get(token)
        return account is not None and repository.owner in (account["name"], *account["orgs"])

    def may_read(self, request: Request, owner: str, name: str) -> Repository:
        """The repository, if there is one for this user."""
        asked = f"{owner}/{name}"
        new = self.storage.moved.get(asked)
        if new is not None:
            path = f"{request.path.replace(asked, new, 1)}?{urlencode(request.query, doseq=True)}"
            raise Refusal(307, "", "moved", {"Location": path})
        missing = Refusal(
            401 if request.user in ("", "?") else 404, "RepoNotFound", "Repository not found"
        )
        if asked not in self.storage.repositories:
            raise missing
        repository = self.storage.repositories[asked]
        if repository.private and not self.sees(request, repository):
            raise missing
        return repository

    def may_download(self, request: Request, repository: Repository) -> None:
        """Refuse files of a gated repository to all but those who were let in."""
        if not repository.gated or self.sees(request, repository):
            return
        if request.user not in repository.granted or not request.user:
            status = 401 if request.user in ("", "?") else 403
            raise Refusal(status, "GatedRepo", f"Access to model {repository.id} is restricted.")

    def may_write(self, request: Request, name: str) -> Repository:
        """The repository (a new name: an empty one), if this user may write there."""
        account = self.signed_in(request)
        repository = self.storage.repositories.get(name)
        if repository is not None and repository.private and not self.sees(request, repository):
            raise Refusal(404, "RepoNotFound", "Repository not found")
        if name.split("/")[0] not in (account["name"], *account["orgs"]):
            raise Refusal(403, "", "You don't have the rights to write there.")
        if account["role"] != "write":
            raise Refusal(403, "", "This token may only read.")
        if repository is None and "/api/models/" in request.path:
            raise Refusal(404, "RepoNotFound", "Repository not found")
        return repository or Repository(name, "")


def plant(hub: Hub, request: Request) -> Reply:
    """Files in a repository, unchecked: any name, any bytes, in one commit."""
    told = request.json()
    with hub.storage.lock:
        repository = hub.storage.repositories.get(told["id"]) or hub.storage.create(told["id"])
        tree = {} if told.get("only") else dict(repository.resolve("main").tree)
        for path, text in told["files"].items():
            data = base64.b64decode(text)
            lfs = path in told.get("lfs", []) or path.endswith((".safetensors", ".bin"))
            tree[path] = hub.storage.keep(data, lfs=lfs)
        for path in told.get("gone", []):
            tree.pop(path, None)
        done = hub.storage.commit(repository, "main", tree, title="planted", user="alice")
    return as_json({"commit": done.id})


def change(hub: Hub, request: Request) -> Reply:
    """Fields of a repository: private, gated, granted, tags, branches, key."""
    told = request.json()
    repository = hub.storage.find(told.pop("id"))
    for key, value in told.items():
        if key not in ("private", "gated", "granted", "tags", "branches", "key"):
            raise Refusal(400, "", f"no such field: {key}")
        setattr(repository, key, value)
    hub.storage.save(repository)
    return as_json({})


def rules(hub: Hub, request: Request) -> Reply:
    """Add rules of faults; an empty list takes all away."""
    told = request.json()
    hub.faults.rules = [*hub.faults.rules, *(Rule(**rule) for rule in told)] if told else []
    return as_json({})


def configure(hub: Hub, request: Request) -> Reply:
    """Change settings."""
    told = request.json()
    if unknown := set(told) - set(SETTINGS):
        raise Refusal(400, "", f"no such setting: {unknown}")
    hub.settings |= told
    return as_json(hub.settings)


def log(hub: Hub, request: Request) -> Reply:
    """Every request since the log was last emptied, oldest first."""
    return as_json(hub.faults.log)


def empty_log(hub: Hub, request: Request) -> Reply:
    """Empty the log."""
    hub.faults.log.clear()
    return as_json({})


def reset(hub: Hub, request: Request) -> Reply:
    """Forget everything."""
    hub.reset()
    return as_json({})


def show(hub: Hub, request: Request) -> Reply:
    """A repository as it is kept."""
    repository = hub.storage.find(request.one("id"))
    commits = {name: sorted(commit.tree) for name, commit in repository.commits.items()}
    told = {"branches": repository.branches, "tags": repository.tags, "commits": commits}
    return as_json({**told, "private": repository.private, "downloads": repository.downloads})


ROUTES: list[Route] = [
    ("POST", "/-/plant", plant),
    ("POST", "/-/change", change),
    ("POST", "/-/faults", rules),
    ("POST", "/-/settings", configure),
    ("POST", "/-/reset", reset),
    ("GET", "/-/log", log),
    ("DELETE", "/-/log", empty_log),
    ("GET", "/-/show", show),
]
