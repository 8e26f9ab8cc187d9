"""adapterkit at inference: stacks, rows, many lengths, many adapters alive, attaching a saved adapter."""

import shutil
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import torch
from torch import Tensor

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.composition.base import Composition
from adapterkit.composition.rows import Rows
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig
from adapterkit.files import SETTLED_SECONDS
from adapterkit.formats.adapterhub import load_adapter, save_adapter
from adapterkit.methods import shape_of_method
from adapterkit.model import AdaptedModel
from adapterkit.tensorfile import read_tensors
from benchmarks.protocol import Line, Message, main, serve, timed
from benchmarks.workers.common import prepare, random_ids, waiting


def inference(line: Line, spec: Message) -> None:
    """Encode with the composition that ``spec`` names: ``bare``, ``stack``, ``lora`` or ``rows``."""
    prepare()
    backbone = _backbone(spec)
    ids = random_ids(spec, backbone.vocabulary)
    run = _encoding(backbone, _composition(backbone, spec), ids)

    def step() -> int:
        run()
        return ids.numel()

    serve(line, timed(step, waiting(spec["device"])))


def series(line: Line, spec: Message) -> None:
    """Encode batches of the size that each message names, with as many adapters alive as it names."""
    prepare()
    backbone = _backbone(spec)
    alive: list[AdaptedModel] = []
    turns = count()
    wait = waiting(spec["device"])

    def work(message: Message) -> Message:
        while len(alive) < int(message["alive"]):
            alive.append(
                AdaptedModel(backbone, _language_and_task(backbone, len(alive)), frozen=True)
            )
        del alive[int(message["alive"]) :]
        ids = random_ids({**spec, **message}, backbone.vocabulary)

        def step() -> int:
            # Another of the loaded adapters each time, as when requests come in many languages.
            _encode(alive[next(turns) % len(alive)], ids)
            return ids.numel()

        step()
        return timed(step, wait)(message)

    serve(line, work)


def attach(line: Line, spec: Message) -> None:
    """Load a saved adapter and put it on a live backbone; answer with seconds by what they went to."""
    prepare()
    backbone = _backbone(spec)
    with tempfile.TemporaryDirectory() as name:
        folder = save_adapter(_language(backbone, 0), Path(name) / "language")
        numbers = count()

        def work(message: Message) -> Message:
            never = shutil.copytree(folder, Path(name) / f"never-loaded{next(numbers)}")
            time.sleep(SETTLED_SECONDS)  # a file this young is read and hashed anew each time
            began = time.perf_counter()
            AdaptedModel(backbone, Stack(load_adapter(never)), frozen=True)
            first = time.perf_counter() - began
            began = time.perf_counter()
            adapter = load_adapter(folder)
            loaded = time.perf_counter()
            AdaptedModel(backbone, Stack(adapter), frozen=True)
            hooked = time.perf_counter()
            read_tensors(folder / "adapter.safetensors")
            read = time.perf_counter() - hooked
            return {
                "seconds": hooked - began,
                "first": first,
                "read": read,
                "build": max(0.0, loaded - began - read),
                "hook": hooked - loaded,
                "tokens": 0,
            }

        serve(line, work)


def _backbone(spec: Message) -> Backbone:
    return load_backbone(spec["backbone"], dtype=spec["dtype"], device=spec["device"])


def _composition(backbone: Backbone, spec: Message) -> Composition:
    if spec["stack"] == "bare":
        return Stack()
    if spec["stack"] == "lora":
        shape = shape_of_method(backbone, "lora", reduction_factor=2, rank=8)
        return Stack(new_adapter("lora", shape, backbone=backbone.facts, kind="task"))
    if spec["stack"] == "rows":
        task = _task(backbone)
        return Rows([Stack(_language(backbone, n), task) for n in range(spec["batch"])])
    return _language_and_task(backbone, 0)


def _language_and_task(backbone: Backbone, seed: int) -> Stack:
    return Stack(_language(backbone, seed), _task(backbone))


def _language(backbone: Backbone, seed: int) -> Adapter:
    shape = BottleneckConfig(2, invertible=True)
    return new_adapter(
        f"language{seed}", shape, backbone=backbone.facts, kind="language", seed=seed
    )


def _task(backbone: Backbone) -> Adapter:
    return new_adapter("task", BottleneckConfig(16), backbone=backbone.facts, kind="task")


def _encoding(backbone: Backbone, composition: Composition, ids: Tensor) -> Callable[[], Tensor]:
    model = AdaptedModel(backbone, composition, frozen=True)
    rows = list(range(len(ids))) if isinstance(composition, Rows) else None
    return lambda: _encode(model, ids, rows)


def _encode(model: AdaptedModel, ids: Tensor, rows: list[int] | None = None) -> Tensor:
    with torch.no_grad():
        return model.encode(ids, torch.ones_like(ids), rows=rows)


if __name__ == "__main__":
    main({"inference": inference, "series": series, "attach": attach})
