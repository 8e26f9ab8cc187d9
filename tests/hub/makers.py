"""Small adapters to put on the Hub, and what must hold after something was refused."""

import base64
import functools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from adapterkit.composition.adapter import new_adapter
from adapterkit.config import BackboneFacts, BottleneckConfig, Linear, LowRankConfig
from adapterkit.errors import AdapterkitError, HubError
from adapterkit.formats.adapterhub import save_adapter
from tests.hub.hub import LocalHub

FACTS = BackboneFacts("lab/base", "ab" * 32, "xlm-roberta", 32, 3)
NAME = "alice/cym"
WEIGHTS, CONFIG = "adapter.safetensors", "adapter_config.json"


@functools.cache
def _made(seed: int) -> dict[str, bytes]:
    folder = Path(tempfile.mkdtemp(prefix="small-"))
    adapter = new_adapter(
        "cym", BottleneckConfig(4), backbone=FACTS, kind="language", language="cym", seed=seed
    )
    save_adapter(adapter, folder)
    (folder / "README.md").write_text("---\nlanguage: [cy]\nlicense: cc-by-4.0\n---\nWelsh.\n")
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    shutil.rmtree(folder)
    return files


def small_adapter(seed: int = 1) -> dict[str, bytes]:
    """The files of an adapter of some kilobytes, with a card."""
    return dict(_made(seed))


def old_adapter(seed: int = 1) -> dict[str, bytes]:
    """The same with its weights in a pickle, and without what we add."""
    import io

    import torch
    from safetensors.torch import load

    files = small_adapter(seed)
    pickle = io.BytesIO()
    torch.save(load(files.pop(WEIGHTS)), pickle)
    del files["adapterkit.json"]
    return {**files, "pytorch_adapter.bin": pickle.getvalue()}


def old_lora() -> dict[str, bytes]:
    """A LoRA as an old peft wrote it: a pickle, and no name."""
    import io

    import torch
    from safetensors.torch import load

    linear = Linear("encoder.layer.0.attention.self.query", 32, 32, rank=2, scaling=2.0)
    config = LowRankConfig("lora", (linear,), rank=2, alpha=4.0, targets=("query",))
    adapter = new_adapter("lora", config, backbone=FACTS, kind="language")
    with tempfile.TemporaryDirectory() as folder:
        save_adapter(adapter, folder)
        files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    pickle = io.BytesIO()
    torch.save(load(files.pop("adapter_model.safetensors")), pickle)
    del files["adapterkit.json"]
    return {**files, "adapter_model.bin": pickle.getvalue()}


def path_of(name: str) -> str:
    """The fault path of a file of the repository."""
    return f"/{NAME}/resolve/.*/{name}"


def text(data: bytes) -> str:
    """Bytes as faults want them."""
    return base64.b64encode(data).decode()


def everything(folder: Path) -> dict[str, Any]:
    """All that is in a folder, with its bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@contextmanager
def refused(
    hub: LocalHub,
    folder: Path,
    match: str,
    *,
    kind: type[AdapterkitError] = HubError,
    kept: bool = False,
) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What happens inside is refused, with one error, and nothing is written but in the cache.

    Args:
        hub: Whose log shows that the attack was served.
        folder: The test's own; ``HF_HOME`` is in it.
        match: What the error says.
        kind: Its class.
        kept: Whether the cache may keep what came: it is as the Hub has it, only no good.

    Yields:
        What gives, afterwards, the requests that a fault was answered to.
    """
    before = everything(folder)
    hits: list[dict[str, Any]] = []
    with pytest.raises(kind, match=match) as raised:
        yield lambda: hits
    assert type(raised.value) is kind or not kept
    assert "\x1b" not in str(raised.value)
    hits += [entry for entry in hub.log() if entry["faults"]]
    after = everything(folder)
    assert {name: after[name] for name in before} == before
    new = [name for name in after if name not in before]
    cache = "home/adapterkit/"
    assert not [name for name in new if not f"{name}/".startswith(cache) and name != "home"], new
    assert kept or not [name for name in new if after[name] is not None], new


def forget_sessions() -> None:
    """Close huggingface_hub's session, as 2.x or as 0.36 has it: the next one looks at the settings again."""
    import huggingface_hub

    names = ("close_session", "configure_http_backend")
    next(getattr(huggingface_hub, name) for name in names if hasattr(huggingface_hub, name))()
