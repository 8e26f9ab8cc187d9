"""adapterkit's pool: as many adapters as the parent says behind one backbone, under a bound."""

import os
import statistics
import tempfile
import time
from pathlib import Path

import torch

from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import new_adapter
from adapterkit.config import BottleneckConfig
from adapterkit.formats.adapterhub import save_adapter
from adapterkit.model import AdaptedModel
from adapterkit.pool import AdapterPool
from benchmarks.protocol import Line, Message, main, resident_bytes, serve
from benchmarks.workers.common import prepare, random_ids


def pool(line: Line, spec: Message) -> None:
    """Ask for every adapter once, encode a batch of eight of them, and answer with times and sizes."""
    prepare()
    backbone = load_backbone(spec["backbone"], dtype=spec["dtype"], device=spec["device"])
    shape = BottleneckConfig(spec["factor"], invertible=True)
    made = new_adapter("language", shape, backbone=backbone.facts, kind="language")
    with tempfile.TemporaryDirectory() as name:
        folder = save_adapter(made, Path(name) / "0")
        held = AdapterPool(backbone, max_bytes=spec["max_bytes"])
        for number in range(spec["count"]):
            held.add(f"l{number}", _linked(folder, Path(name) / str(number)))
        ids = random_ids({**spec, "batch": 8}, backbone.vocabulary)
        with torch.inference_mode():  # the backbone's own pages are read from its file on first use
            AdaptedModel(backbone).encode(ids)
        before = resident_bytes()
        first: list[float] = []

        def work(message: Message) -> Message:
            seconds: list[float] = []
            for one in held.names:
                began = time.perf_counter()
                held.get(one)
                seconds.append(time.perf_counter() - began)
            first[:] = first or [statistics.median(seconds)]
            began = time.perf_counter()
            with torch.inference_mode():
                model = held.model([(one,) for one in held.names[:8]])
                model.encode(ids, rows=list(range(8)))
            return {
                "seconds": statistics.median(seconds),
                "first": first[0],
                "encode": time.perf_counter() - began,
                "held": held.held_bytes,
                "loaded": len(held.loaded),
                "before": before,
                "resident": resident_bytes(),
                "tokens": 0,
            }

        serve(line, work)


def _linked(folder: Path, other: Path) -> Path:
    """A folder of its own with the same files, which take room on the disk once."""
    other.mkdir(exist_ok=True)
    for file in folder.iterdir():
        if not (other / file.name).exists():
            os.link(file, other / file.name)
    return other


if __name__ == "__main__":
    main({"pool": pool})
