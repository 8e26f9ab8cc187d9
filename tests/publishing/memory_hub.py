"""A Hub in memory behind `adapterkit.hub.upload`, for what must be tried at every step in turn.

It has the few calls that publishing makes, with the client's own answers and errors. The loopback server of
``tests/hub`` is what the unmodified clients are tried against.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import CommitOperationAdd, RepoUrl
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

from adapterkit.hub import upload as hub_upload


def error(status: int, kind: type[HfHubHTTPError] = HfHubHTTPError) -> HfHubHTTPError:
    answer: Any = SimpleNamespace(status_code=status, headers={}, request=None)
    return kind(f"status {status}", response=answer)


@dataclass
class Repository:
    private: bool
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def head(self) -> str:
        return self.order[-1]

    @property
    def files(self) -> dict[str, bytes]:
        return self.commits[self.head]

    def add(self, files: dict[str, bytes]) -> str:
        text = repr((self.order, sorted(files.items())))
        name = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        self.commits[name] = files
        self.order.append(name)
        return name


class MemoryHub:
    """As `huggingface_hub.HfApi`, as far as publishing asks it.

    ``cut``: the number of the call that breaks, and whether it takes effect before that.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.calls: list[str] = []
        self.cut: tuple[int, bool] | None = None
        self.before_commit: Callable[[], None] | None = None
        self.corrupt = False

    def _call(self, name: str, act: Callable[[], Any]) -> Any:
        self.calls.append(name)
        if self.cut is not None and len(self.calls) == self.cut[0]:
            if self.cut[1]:
                with suppress(HfHubHTTPError):
                    act()
            raise ConnectionError("the connection was cut")
        return act()

    def _of(self, repository: str) -> Repository:
        if repository not in self.repositories:
            raise error(404, RepositoryNotFoundError)
        return self.repositories[repository]

    def model_info(self, repository: str, *, revision: str | None = None, **options: object) -> Any:
        def act() -> Any:
            there = self._of(repository)
            commit = there.tags.get(str(revision), revision) or there.head
            return SimpleNamespace(
                id=repository,
                sha=commit,
                private=there.private,
                siblings=[_sibling(name, data) for name, data in there.commits[commit].items()],
            )

        return self._call("model_info", act)

    def list_repo_refs(self, repository: str) -> Any:
        def act() -> Any:
            tags = self._of(repository).tags.items()
            return SimpleNamespace(tags=[SimpleNamespace(name=n, target_commit=c) for n, c in tags])

        return self._call("list_repo_refs", act)

    def create_repo(self, repository: str, *, private: bool, exist_ok: bool) -> RepoUrl:
        def act() -> RepoUrl:
            if repository not in self.repositories:
                self.repositories[repository] = made = Repository(private)
                made.add({".gitattributes": b"*.safetensors filter=lfs\n"})
            return RepoUrl(f"https://huggingface.co/{repository}")

        return self._call("create_repo", act)  # type: ignore[no-any-return]

    def create_commit(
        self, repository: str, operations: list[Any], *, commit_message: str, parent_commit: str
    ) -> Any:
        if self.before_commit is not None:
            act_first, self.before_commit = self.before_commit, None
            act_first()

        def act() -> Any:
            there = self._of(repository)
            if there.head != parent_commit:
                raise error(412)
            files = dict(there.files)
            for one in operations:
                if isinstance(one, CommitOperationAdd):
                    files[one.path_in_repo] = Path(str(one.path_or_fileobj)).read_bytes()
                else:
                    del files[one.path_in_repo]
            if self.corrupt:
                files["adapter.safetensors"] = b"x" + files["adapter.safetensors"][1:]
            return SimpleNamespace(oid=there.add(files))

        return self._call("create_commit", act)

    def create_tag(self, repository: str, *, tag: str, revision: str) -> None:
        def act() -> None:
            there = self._of(repository)
            if tag in there.tags:
                raise error(409)
            there.tags[tag] = revision

        self._call("create_tag", act)


def _sibling(name: str, data: bytes) -> Any:
    large = name.endswith((".safetensors", ".bin"))
    sha1 = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    return SimpleNamespace(
        rfilename=name,
        size=len(data),
        blob_id=sha1,
        lfs=SimpleNamespace(sha256=hashlib.sha256(data).hexdigest()) if large else None,
    )


def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MemoryHub:
    """Put a Hub in memory behind `adapterkit.hub.upload`, with an empty cache and no token."""
    hub = MemoryHub()
    monkeypatch.setattr(hub_upload, "api", lambda: hub)
    monkeypatch.setattr(hub_upload, "is_public", lambda repository, commit: False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(hub_upload, "token_in_use", lambda: None)
    return hub
