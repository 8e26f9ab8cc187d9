"""The environment of the adapters library, which cannot stand beside transformers 5, and what ran where."""

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.contest import ROOT, Tell

FOLDER = ROOT / ".venv-adapters"
# The same commands as in .ci/run.
_INSTALLS = (
    ("torch==2.13.0",),
    (
        "adapters==1.3.0",
        "transformers==4.57.6",
        *("pytest", "hypothesis", "seqeval", "icu4py", "typer", "jinja2", "rich", "peft==0.21.2"),
    ),
)
_LIBRARIES = ("torch", "transformers", "adapters", "peft", "numpy")


def adapters_python(given: Path | None, *, make: bool, tell: Tell) -> Path | None:
    """The interpreter of an environment with the adapters library, or None.

    Args:
        given: One that is there.
        make: Whether to make the environment where there is none.
        tell: Told what happens.
    """
    python = given or FOLDER / "bin" / "python"
    if not _has_adapters(python) and given is None and make:
        tell(f"making {FOLDER.name} with the adapters library")
        try:
            _make()
        except (OSError, subprocess.CalledProcessError) as error:
            tell(f"that failed: {error}")
    if _has_adapters(python):
        return python
    tell("no environment with the adapters library: what is measured against it stays null")
    return None


def _has_adapters(python: Path) -> bool:
    if not python.is_file():
        return False
    code = "import importlib.util, sys; sys.exit(importlib.util.find_spec('adapters') is None)"
    return subprocess.run([str(python), "-c", code], check=False, cwd=ROOT).returncode == 0


def _make() -> None:
    subprocess.run([sys.executable, "-m", "venv", str(FOLDER)], check=True)
    pip = [str(FOLDER / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    for packages in _INSTALLS:
        subprocess.run([*pip, *packages], check=True, stdout=sys.stderr)


def provenance(threads: int, theirs: Path | None) -> dict[str, object]:
    """What a result was measured with; without a date, so that the same machine writes the same."""
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "threads": threads,
        "python": platform.python_version(),
        "versions": {name: found for name in _LIBRARIES if (found := _version(name))},
        "versions_beside_adapters": _versions_at(theirs) if theirs else None,
    }


def processor() -> str:
    """The processor's name as the kernel tells it."""
    path = Path("/proc/cpuinfo")
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _versions_at(python: Path) -> dict[str, str]:
    code = (
        "from importlib.metadata import version as v, distributions as d\n"
        "there = {x.metadata['Name'] for x in d()}\n"
        f"print(*(n + ' ' + v(n) for n in {_LIBRARIES!r} if n in there), sep='\\n')"
    )
    done = subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True)
    return dict(line.split() for line in done.stdout.splitlines())
