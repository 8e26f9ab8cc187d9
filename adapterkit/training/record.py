"""How an adapter's provenance tells of its training: the run, its other adapters, the versions."""

import platform
from typing import Any

from adapterkit.composition.adapter import Adapter
from adapterkit.training.checkpoint import Progress
from adapterkit.version import __version__


def versions() -> dict[str, str]:
    """Versions of what computed an adapter."""
    from importlib.metadata import version

    names = ("torch", "transformers", "tokenizers")
    return {
        "adapterkit": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in names},
    }


def reference_to(adapter: Adapter | None) -> dict[str, str] | None:
    """How a provenance names another adapter: by name and digest, never by path."""
    return None if adapter is None else {"name": adapter.name, "digest": adapter.digest()}


def run_record(run: Progress) -> dict[str, Any]:
    """A run as its adapter's provenance tells it."""
    return {
        "steps": run.step,
        "best_step": run.best_step,
        "tokens": run.tokens,
        "seconds": round(run.seconds, 1),
        "started_at_steps": run.starts,
        "looks": [[step, round(value, 5)] for step, value in run.looks],
        "training_losses": [[step, round(value, 5)] for step, value in run.losses],
    }
