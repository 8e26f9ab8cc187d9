"""The folder of a run's checkpoints, and what must be the same again for a run to go on from one."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.precision import choose_precision
from adapterkit.errors import ConfigError
from adapterkit.files import read_json, write_json
from adapterkit.formats.guard import WORK
from adapterkit.formats.pins import require_free
from adapterkit.settings import Precision
from adapterkit.training.checkpoint import kept

_PRECISION = "precision.json"


def planned_precision(out: str | Path, device: torch.device, asked: Precision | None) -> Precision:
    """The precision in which a training into ``out`` would run: as asked, as before a stop, or measured.

    A backbone that is loaded in it (``load_backbone(..., dtype=)``) is not held in two precisions.
    """
    before = kept(Path(out) / WORK, "precision") or _settled(Path(out) / WORK)
    return choose_precision(device, asked or before, torch.float32)


def settled_precision(work: Path, backbone: Backbone, asked: Precision | None) -> Precision:
    """The precision of a run of several trainings: as asked, as before a stop, or measured and written down."""
    chosen = choose_precision(backbone.device, asked or _settled(work), backbone.dtype)
    write_json(work / _PRECISION, {"precision": chosen})
    return chosen


def _settled(work: Path) -> Precision | None:
    path = work / _PRECISION
    return read_json(path).get("precision") if path.is_file() else None


@contextmanager
def work_folder(folder: Path, *, fresh: bool, overwrite: bool) -> Iterator[Path]:
    """The folder of a run's checkpoints inside ``folder``; removed when the run ends well.

    Raises:
        ConfigError: If ``folder`` already holds an adapter, a composition or a stack and ``overwrite`` is off, it cannot
            be a folder, or another training writes into it now.
    """
    require_free(folder, overwrite=overwrite)
    work = folder / WORK
    folder.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder):
        if fresh:
            shutil.rmtree(work, ignore_errors=True)
        work.mkdir(exist_ok=True)
        yield work
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Let no other training into ``folder`` meanwhile, where the system can lock it; a killed process lets go."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"{folder}: another training writes into this folder now; let it end, or choose another folder"
            ) from None
        except OSError:
            pass  # a file system without locks
        yield
    finally:
        os.close(handle)


def surroundings(backbone: Backbone) -> dict[str, Any]:
    """What must be the same again for a resumed run to end with the same bytes."""
    return {
        "backbone": backbone.facts.digest,
        "device": backbone.device.type,
        "dtype": str(backbone.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def shapes(part: nn.Module) -> list[list[Any]]:
    """Names and shapes of the tensors of what is trained."""
    return [[name, list(tensor.shape)] for name, tensor in sorted(part.state_dict().items())]
