"""Blobs by sha256, and one JSON file a repository with its commits (full trees), branches and tags."""

import hashlib
import json
import re
import threading
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.hub.server.web import Refusal

ATTRIBUTES = ("bin", "safetensors", "pt", "pth", "onnx", "zip", "tar", "gz", "model", "msgpack")
"""Endings that a new repository keeps as LFS, as on the Hub."""
COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Entry:
    """A file of a tree."""

    sha256: str
    sha1: str
    size: int
    lfs: bool

    @property
    def oid(self) -> str:
        """What the Hub calls its id: the digest of a git blob; of an LFS file, its pointer's."""
        return git_sha1(self.pointer) if self.lfs else self.sha1

    @property
    def pointer(self) -> bytes:
        """The small text that stands in git for an LFS file."""
        text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {self.size}\n"
        return text.encode()

    @property
    def etag(self) -> str:
        """What identifies its bytes to clients."""
        return self.sha256 if self.lfs else self.sha1


@dataclass
class Commit:
    """A state of the whole repository."""

    id: str
    title: str
    message: str
    date: str
    user: str
    parent: str | None
    tree: dict[str, Entry]


@dataclass
class Repository:
    """Everything about one repository."""

    id: str
    key: str
    private: bool = False
    gated: bool = False
    granted: list[str] = field(default_factory=list)
    created: str = ""
    downloads: int = 0
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        """The user or organisation it belongs to."""
        return self.id.split("/")[0]

    def resolve(self, revision: str) -> Commit:
        """The commit that a branch, tag or commit names."""
        name = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
        found = self.branches.get(name) or self.tags.get(name) or name
        if found not in self.commits:
            raise Refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return self.commits[found]


class Storage:
    """All that the server keeps; mutations happen under `lock`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lock = threading.RLock()
        self.repositories: dict[str, Repository] = {}
        self.moved: dict[str, str] = {}
        self.chunks: dict[str, list[bytes]] = {}
        self.number = 0
        for name in ("blobs", "repositories"):
            (root / name).mkdir(parents=True, exist_ok=True)
        for file in sorted((root / "repositories").glob("*.json")):
            repository = _from_json(json.loads(file.read_text(encoding="utf-8")))
            self.repositories[repository.id] = repository

    def find(self, name: str) -> Repository:
        """The repository called ``name``."""
        if name not in self.repositories:
            raise Refusal(404, "RepoNotFound", "Repository not found")
        return self.repositories[name]

    def create(self, name: str, *, private: bool = False) -> Repository:
        """A new repository with its first commit, as the Hub makes it."""
        with self.lock:
            self.number += 1
            key = hashlib.sha1(f"{name}{self.number}{time.time_ns()}".encode()).hexdigest()[:24]
            repository = Repository(name, key, private=private, created=now())
            self.repositories[name] = repository
            self.moved.pop(name, None)
            rules = "".join(f"*.{end} filter=lfs diff=lfs merge=lfs -text\n" for end in ATTRIBUTES)
            first = {".gitattributes": self.keep(rules.encode(), lfs=False)}
            self.commit(repository, "main", first, title="initial commit", user=repository.owner)
            return repository

    def delete(self, name: str) -> None:
        """Forget a repository."""
        with self.lock:
            del self.repositories[name]
            self._file(name).unlink(missing_ok=True)

    def move(self, old: str, new: str) -> None:
        """Rename a repository; the old name leads to the new one."""
        with self.lock:
            repository = self.repositories.pop(old)
            self._file(old).unlink(missing_ok=True)
            repository.id = new
            self.repositories[new] = repository
            self.moved[old] = new
            self.save(repository)

    def commit(
        self,
        repository: Repository,
        branch: str,
        tree: dict[str, Entry],
        *,
        title: str,
        user: str,
        message: str = "",
    ) -> Commit:
        """Put a commit with ``tree`` on top of ``branch``."""
        with self.lock:
            self.number += 1
            parent = repository.branches.get(branch)
            told = [
                parent,
                title,
                message,
                self.number,
                sorted((p, e.oid) for p, e in tree.items()),
            ]
            name = hashlib.sha1(json.dumps([repository.key, told]).encode()).hexdigest()
            commit = Commit(name, title, message, now(), user, parent, dict(sorted(tree.items())))
            repository.commits[name] = commit
            repository.branches[branch] = name
            self.save(repository)
            return commit

    def keep(self, data: bytes, *, lfs: bool) -> Entry:
        """Store ``data`` and describe it."""
        digest = hashlib.sha256(data).hexdigest()
        path = self.blob(digest)
        if not path.is_file():
            temporary = path.with_suffix(f".{threading.get_ident()}")
            temporary.write_bytes(data)
            temporary.replace(path)
        return Entry(digest, git_sha1(data), len(data), lfs)

    def blob(self, digest: str) -> Path:
        """Where the bytes with this sha256 stand, if they do."""
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise Refusal(400, "", f"not a sha256: {digest[:80]}")
        return self.root / "blobs" / digest

    def save(self, repository: Repository) -> None:
        """Write the repository's file."""
        file = self._file(repository.id)
        temporary = file.with_suffix(".part")
        temporary.write_text(json.dumps(asdict(repository)), encoding="utf-8")
        temporary.replace(file)

    def _file(self, name: str) -> Path:
        return self.root / "repositories" / f"{name.replace('/', '--')}.json"


def git_sha1(data: bytes) -> str:
    """The id git gives to these bytes as a blob."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def now() -> str:
    """The time as the Hub writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _from_json(record: dict[str, Any]) -> Repository:
    commits = {}
    for name, commit in record.pop("commits").items():
        tree = {path: Entry(**entry) for path, entry in commit.pop("tree").items()}
        commits[name] = Commit(**commit, tree=tree)
    return Repository(**record, commits=commits)
