"""The Hub of the tests from outside: start it, fill it, make it fail, read its log, run clients against it."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

ROOT = Path(__file__).parent.parent.parent
_OPENER = build_opener(ProxyHandler({}))


class LocalHub:
    """A server in a process of its own."""

    def __init__(self, root: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.hub.server", str(root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )
        assert self._process.stdout is not None
        self.url, self.second_url = json.loads(self._process.stdout.readline())

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def ask(self, method: str, path: str, value: Any = None) -> Any:
        """One request to the server's back door."""
        data = None if value is None else json.dumps(value).encode()
        with _OPENER.open(Request(self.url + path, data, method=method), timeout=20) as answer:
            return json.loads(answer.read())

    def plant(
        self,
        name: str,
        files: Mapping[str, bytes] | Path,
        *,
        lfs: tuple[str, ...] = (),
        gone: tuple[str, ...] = (),
        only: bool = False,
    ) -> str:
        """Put files (or a folder's) into repository ``name``, unchecked; returns the commit."""
        if isinstance(files, Path):
            found = sorted(path for path in files.rglob("*") if path.is_file())
            files = {str(path.relative_to(files)): path.read_bytes() for path in found}
        told = {path: base64.b64encode(data).decode() for path, data in files.items()}
        body = {"id": name, "files": told, "lfs": lfs, "gone": gone, "only": only}
        return str(self.ask("POST", "/-/plant", body)["commit"])

    def change(self, name: str, fields: Mapping[str, Any]) -> None:
        """Change fields of a repository: private, gated, granted, tags, branches, key."""
        self.ask("POST", "/-/change", {"id": name, **fields})

    def fault(
        self,
        path: str,
        do: Mapping[str, Any],
        *,
        method: str = ".*",
        after: int = 0,
        times: int | None = None,
    ) -> None:
        """From now on ``do`` (see `server.faults`) where method and path match."""
        rule = {"path": path, "do": dict(do), "method": method, "after": after, "times": times}
        self.ask("POST", "/-/faults", [rule])

    def heal(self) -> None:
        """No faults any more."""
        self.ask("POST", "/-/faults", [])

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Change settings of the server: xet, lfs, redirect, part_size."""
        self.ask("POST", "/-/settings", dict(settings))

    def log(self) -> list[dict[str, Any]]:
        """Every request so far."""
        return list(self.ask("GET", "/-/log"))

    def empty_log(self) -> None:
        """Forget the requests so far."""
        self.ask("DELETE", "/-/log")

    def show(self, name: str) -> dict[str, Any]:
        """Branches, tags and commits of a repository."""
        return dict(self.ask("GET", f"/-/show?id={name}"))

    def reset(self) -> None:
        """As it was when it started."""
        self.ask("POST", "/-/reset", {})

    def environment(
        self, home: Path, *, token: str = "hf_alice", xet: bool = True
    ) -> dict[str, str]:
        """What an unmodified client must find in its environment to use this Hub, and no other."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_"))}
        told = {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_XET_CLIENT_RETRY_BASE_DELAY": "20ms",
            "HF_XET_CLIENT_RETRY_MAX_ATTEMPTS": "2",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "TOKENIZERS_PARALLELISM": "false",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
        }
        kept |= told if xet else {**told, "HF_HUB_DISABLE_XET": "1"}
        return {**kept, "HF_TOKEN": token} if token else kept


def run_client(
    code: str, environment: Mapping[str, str], *, folder: Path, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run Python ``code`` in a process of its own, with the waits between its tries cut short."""
    return subprocess.run(
        [sys.executable, "-m", "tests.hub.client", code],
        env=dict(environment),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
