"""Runs flows on the simulated device and on the CPU: the same numbers.

    python -m tests.device.compare LIBRARY [FLOW ...]

prints a line of JSON for each: its name, and what went wrong or null.
"""

import json
import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import Adapter
from tests.backbone.test_decoders import make_decoder
from tests.device.flows import FLOWS
from tests.device.simulated import start
from tests.tiny import make_backbone, make_encoder_decoder


def tensors(found: Any) -> Any:
    """Adapters as their tensors, all of them on the CPU."""
    if isinstance(found, Adapter):
        return {name: p.detach().cpu() for name, p in sorted(found.named_parameters())}
    if isinstance(found, Tensor):
        return found.detach().cpu()
    if isinstance(found, (list, tuple)):
        return [tensors(one) for one in found]
    return found


def same(found: Any, expected: Any) -> None:
    """Equal to rounding, whatever they hold."""
    if isinstance(expected, (list, tuple)):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            same(one, other)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        same(list(found.values()), list(expected.values()))
    elif isinstance(expected, Tensor):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
    else:
        assert found == expected


def run(name: str, device: torch.device) -> str | None:
    """What is wrong with a flow on ``device``, or nothing."""
    function, model_type = FLOWS[name]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        make = {"mt5": make_encoder_decoder, "llama": make_decoder}.get(model_type, make_backbone)
        saved = make(place / "backbone", model_type)
        try:
            expected = tensors(function(load_backbone(saved, device="cpu"), place / "cpu"))
            there = load_backbone(saved, device="cpu").to(device)
            there.model.tie_weights()  # type: ignore[operator]  # torch keeps ties on its own devices only
            same(tensors(function(there, place / "there")), expected)
        except Exception:
            return traceback.format_exc()
    return None


if __name__ == "__main__":
    torch.set_num_threads(1)
    place = start(Path(sys.argv[1]))
    for each in sys.argv[2:] or FLOWS:
        sys.stdout.write(json.dumps([each, run(each, place)]) + "\n")
    sys.stdout.flush()
    os._exit(0)  # torch's own end knows nothing of the device
