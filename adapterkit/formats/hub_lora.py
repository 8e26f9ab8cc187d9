"""LoRA and IA3 in AdapterHub's layout: read into what PEFT's layout holds, and written from it where it has a form there.

Both libraries change the same linear layers by the same formulas: a LoRA's factors are A ``(rank, in)`` and B ``(out,
rank)``, scaled by alpha / rank; an IA3 scales outputs (here always outputs, also of the feed-forward layer). Encoders
only: where one projection makes queries, keys and values together, the two layouts differ. Gates, DoRA and Vera have
no form in PEFT's layout and are refused.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterkit.backbone.architectures import architecture
from adapterkit.backbone.identity import canonical
from adapterkit.composition.adapter import Adapter
from adapterkit.config import BackboneFacts, Linear, LowRankConfig
from adapterkit.errors import FolderError, found
from adapterkit.files import folder_in_one_step, read_json, sha256_of, write_json
from adapterkit.formats.description import Weights, check_digest, describe_head
from adapterkit.formats.envelope import check_envelope, envelope_record
from adapterkit.formats.filling import Files, fill_module, hollow
from adapterkit.formats.guard import (
    ADAPTER_WEIGHTS,
    CONFIG,
    HEAD_CONFIG,
    OWN_FILE,
    check_folder,
    weight_file,
)
from adapterkit.formats.hub_lora_config import (
    PLACES,
    LoraShape,
    hub_record,
    read_shape,
)
from adapterkit.formats.own import own_record, read_own, recorded_backbone
from adapterkit.formats.pins import CLEARED
from adapterkit.formats.reading_back import check_reads_back
from adapterkit.formats.shapes import differences, shortened
from adapterkit.nn.heads import Head
from adapterkit.tensorfile import digest_of_tensors, write_tensors

if TYPE_CHECKING:
    from torch import Tensor

_LAYER = re.compile(r"\.layer\.(\d{1,4})\.")


def read_hub_lora(folder: Path, *, with_head: bool = True) -> Adapter:
    """Load a LoRA or IA3 that is in AdapterHub's layout.

    Raises:
        FolderError: If it is incomplete, altered, has no form in PEFT's layout, or its tensors are not
            exactly those its configuration calls for.
    """
    check_folder(folder)
    record = read_json(folder / CONFIG)
    check_envelope(folder / CONFIG, record)
    own, files = read_own(folder), Files()
    shape = read_shape(folder / CONFIG, record)
    path = weight_file(folder, ADAPTER_WEIGHTS)
    facts = files.facts(path)
    width = int(record["hidden_size"])
    layers = _layers(path, facts, shape)
    modules = _modules(path, record["model_type"], shape, layers, facts)
    backbone = recorded_backbone(folder, own) or BackboneFacts(
        name=canonical(record.get("model_name") or ""),
        model_type=record["model_type"],
        width=width,
        layers=max((*layers, *shape.leave_out)) + 1,
    )
    if (backbone.model_type, backbone.width) != (record["model_type"], width):
        raise FolderError(
            f"{folder / OWN_FILE}: is of a {backbone.model_type:.40} of width {backbone.width}, the rest of the folder of "
            f"a {record['model_type']} of width {width}"
        )
    row = architecture(record["model_type"])
    config = _config(shape, modules, row.prefix)
    names = hub_keys(config, record["name"])
    _compare(path, names, config, facts)
    values = {
        name: tensor.flatten() if name.endswith(".scale") else tensor
        for name, tensor in files.values(Weights(path, names)).items()
    }
    head = _head(folder, backbone.width, files, values) if with_head else None
    with hollow():
        adapter = Adapter(
            record["name"],
            config,
            backbone=backbone,
            kind=str(own.get("kind") or ("task" if head and head.labels else "")),
            language=str(own.get("language", "")),
            head=Head(head, backbone.width) if head else None,
            provenance=dict(own.get("provenance", {})),
        )
    fill_module(adapter, values)
    if with_head:
        check_digest(folder, own, lambda s: digest_of_tensors(values) if s else adapter.digest())
    return adapter.eval()


def _head(folder: Path, width: int, files: Files, values: "dict[str, Tensor]") -> Any:
    if not (folder / HEAD_CONFIG).is_file():
        return None
    told, weights = describe_head(folder, width, files.facts)
    values |= files.values(weights)
    return told.config


def _layers(path: Path, facts: Iterable[str], shape: LoraShape) -> list[int]:
    there = sorted({int(m[1]) for key in facts if (m := _LAYER.search(key))})
    without = frozenset(shape.leave_out)
    wanted = [n for n in range(max(there, default=-1) + 1) if n not in without]
    if not there or there != wanted:
        raise FolderError(
            f"{path}: not the weights that its configuration calls for:\n"
            f"  layers: it has parts in {there or 'none'!s:.80}, leave_out is {list(shape.leave_out)!r:.80}"
        )
    return there


def _modules(
    path: Path, model_type: str, shape: LoraShape, layers: list[int], facts: Mapping[str, Any]
) -> tuple[Linear, ...]:
    start, places = PLACES[model_type]
    there: dict[str, dict[str, tuple[int, ...]]] = {}
    for key, fact in facts.items():
        # A key is "roberta.", the place, ".loras.", the adapter's name, "." and the part.
        inside = key.partition(".loras.")[0].partition(".")[2]
        there.setdefault(inside, {})[key.rpartition(".")[2]] = fact.shape
    modules = []
    for layer in layers:
        for word in shape.words:
            place = f"{start}.{layer}.{places[word]}"
            sizes = there.get(place, {})
            into, out = sizes.get("lora_A", (0, 0)), sizes.get("lora_B", (0,))
            rank, scaling = (shape.rank, shape.scaling) if shape.method == "lora" else (0, 1.0)
            modules.append(
                Linear(place, into[-1] if into else 0, out[0] if out else 0, rank, scaling)
            )
    if not modules:
        raise FolderError(f"{path}: its configuration names no linear layer")
    return tuple(modules)


def _config(shape: LoraShape, modules: tuple[Linear, ...], prefix: str) -> LowRankConfig:
    lora = shape.method == "lora"
    return LowRankConfig(
        method="lora" if lora else "ia3",
        modules=modules if lora else tuple(replace(one, inputs=0) for one in modules),
        rank=shape.rank if lora else 0,
        alpha=shape.alpha if lora else 0.0,
        dropout=shape.dropout if lora else 0.0,
        targets=_targets(shape, modules),
        prefix=prefix,
    )


def _targets(shape: LoraShape, modules: tuple[Linear, ...]) -> tuple[str, ...]:
    """PEFT's ``target_modules``: ends of names, where they mean these linear layers and no others.

    An end cannot leave a layer out, and "output.dense" would also mean attention's own output.
    """
    whole = bool(shape.leave_out) or "output" in shape.words
    return tuple(dict.fromkeys(one.path if whole else one.path.split(".", 3)[3] for one in modules))


def hub_keys(config: LowRankConfig, name: str) -> dict[str, str]:
    """Our name of every tensor, by AdapterHub's key."""
    parts = {"lora_A": "down.weight", "lora_B": "up.weight"}
    if config.method == "ia3":
        parts = {"lora_B": "scale"}
    return {
        f"{config.prefix}.{one.path}.loras.{name}.{theirs}": f"patches.{one.path.replace('.', '/')}.{ours}"
        for one in config.modules
        for theirs, ours in parts.items()
    }


def _compare(
    path: Path, names: Mapping[str, str], config: LowRankConfig, facts: Mapping[str, Any]
) -> None:
    by_path = {one.path.replace(".", "/"): one for one in config.modules}
    wanted: dict[str, tuple[int, ...]] = {}
    for key, name in names.items():
        one = by_path[name.split(".")[1]]
        shapes = {"down": (one.rank, one.inputs), "up": (one.outputs, one.rank)}
        wanted[key] = shapes.get(name.split(".")[2], (one.outputs, 1))
    problems = differences(wanted, facts)
    if problems:
        raise FolderError(
            f"{path}: not the weights that its configuration calls for:{found(shortened(problems))}"
        )


def write_hub_lora(adapter: Adapter, folder: Path) -> None:
    """Write a LoRA or IA3 in AdapterHub's layout.

    Raises:
        ConfigError: If it has no form there: other layers than that library changes, ranks or scales
            that differ from layer to layer, or inputs that are scaled.
    """
    from adapterkit.formats.adapterhub import write_head

    config = adapter.config
    assert isinstance(config, LowRankConfig)
    record = hub_record(adapter.name, config, adapter.backbone.model_type, adapter.backbone.layers)
    row = architecture(adapter.backbone.model_type)
    with folder_in_one_step(folder, owned=CLEARED) as new:
        tensors = adapter.tensors()
        names = hub_keys(replace(config, prefix=row.prefix), adapter.name)
        stored = {
            key: tensors[name].reshape(-1, 1) if name.endswith(".scale") else tensors[name]
            for key, name in names.items()
        }
        write_tensors(new / ADAPTER_WEIGHTS[0], stored)
        write_json(new / CONFIG, envelope_record(adapter.name, record, adapter.backbone))
        if adapter.head is not None:
            write_head(adapter.head, adapter.name, adapter.backbone, new)
        sums = {file.name: sha256_of(file) for file in sorted(new.iterdir())}
        write_json(new / OWN_FILE, own_record(adapter, sums))
        check_reads_back(adapter.name, new, folder, read_hub_lora)
