"""Reading and writing AdapterHub folders, strictly: everything is compared before a tensor is copied.

A folder holds ``adapter_config.json`` and ``adapter.safetensors``; a task adapter's also ``head_config.json``
and ``model_head.safetensors``. We add ``adapterkit.json`` (provenance and checksums), which other loaders
ignore. Old ``.bin`` files are read as plain state dicts, and only where there is no safetensors file.
What is compared, and how, is in `description`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from adapterkit.backbone.architectures import architecture
from adapterkit.backbone.identity import canonical
from adapterkit.composition.adapter import Adapter, layers_of
from adapterkit.config import BackboneFacts, BottleneckConfig, LowRankConfig
from adapterkit.errors import AdapterMismatch, ConfigError, FolderError, found
from adapterkit.files import folder_in_one_step, sha256_of, write_json
from adapterkit.formats import envelope, keys, shapes
from adapterkit.formats.description import Description, Weights, describe, describe_head
from adapterkit.formats.guard import (
    ADAPTER_WEIGHTS,
    CONFIG,
    HEAD_CONFIG,
    HEAD_WEIGHTS,
    OWN_FILE,
    check_folder,
)
from adapterkit.formats.heads import head_record
from adapterkit.formats.own import own_record
from adapterkit.formats.peft_folders import _head_names, is_peft, read_peft, write_peft
from adapterkit.formats.values import check_name
from adapterkit.header import TensorFacts, read_header
from adapterkit.nn.heads import Head
from adapterkit.tensorfile import read_pickle, read_tensors, write_tensors

if TYPE_CHECKING:
    from torch import Tensor

LARGEST_VALUE = 1e6
"""No weight that does anything sensible is larger; one that is would drown every activation."""


def read_folder(folder: Path, *, with_head: bool = True) -> Adapter:
    """Load the adapter in ``folder``, with its head if it has one and ``with_head`` is on.

    Raises:
        FolderError: If the folder is incomplete, altered, of another kind, or its tensors are not
            exactly those its configuration calls for.
    """
    check_folder(folder)
    if is_peft(folder):
        return read_peft(folder)
    files = _Files()
    told = describe(folder, files.facts, with_head=with_head)
    values = files.values(told.weights)
    values |= files.values(told.head_weights) if told.head_weights else {}
    adapter = _build(folder, told)
    _fill(adapter.tensors(), values)
    return adapter.eval()


class _Files:
    """The weight files of one folder; a pickle, whose header is in itself, is read once."""

    def __init__(self) -> None:
        self._pickles: dict[Path, dict[str, Tensor]] = {}

    def facts(self, path: Path) -> Mapping[str, TensorFacts]:
        """Names, dtypes and shapes in the file at ``path``."""
        if path.suffix == ".safetensors":
            return read_header(path)
        self._pickles[path] = read_pickle(path)
        return {
            key: TensorFacts(_dtype(tensor), tuple(tensor.shape))
            for key, tensor in self._pickles[path].items()
        }

    def values(self, weights: Weights) -> dict[str, "Tensor"]:
        """The tensors of a compared file by our names, finite and sane.

        Raises:
            FolderError: With every tensor that is not.
        """
        path = weights.path
        there = self._pickles[path] if path in self._pickles else read_tensors(path)
        problems = [line for key in sorted(there) for line in _value_problems(key, there[key])]
        named: dict[str, Tensor] = {}
        for key, tensor in there.items():
            first = named.setdefault(weights.names[key], tensor)
            if first is not tensor and not bool((first == tensor).all()):
                problems.append(f"{key}: another copy of the same tensor has other values")
        if problems:
            raise FolderError(
                f"{path}: weights that cannot be right:{found(shapes.shortened(problems))}"
            )
        return named


def _dtype(tensor: "Tensor") -> str:
    names = {"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16"}
    plain = str(tensor.dtype).removeprefix("torch.")
    return names.get(plain, plain)


def _value_problems(key: str, tensor: "Tensor") -> list[str]:
    if not bool(tensor.isfinite().all()):
        return [f"{key}: holds values that are not finite"]
    largest = float(tensor.abs().max()) if tensor.numel() else 0.0
    return [f"{key}: holds a value of {largest:.1e}"] if largest > LARGEST_VALUE else []


def _build(folder: Path, told: Description) -> Adapter:
    own = told.own
    try:
        return Adapter(
            told.envelope.name,
            told.envelope.config,
            backbone=told.backbone,
            kind=str(own.get("kind", "")),
            language=str(own.get("language", "")),
            head=Head(told.head.config, told.backbone.width) if told.head else None,
            provenance=told.provenance,
        )
    except ConfigError as error:
        raise FolderError(f"{folder}: {error}") from None


def _fill(targets: Mapping[str, "Tensor"], values: Mapping[str, "Tensor"]) -> None:
    """Copy ``values``, whose names and shapes were compared, into ``targets``."""
    if targets.keys() != values.keys():  # a bug of ours: the shapes and the modules disagree
        raise AssertionError(f"{sorted(targets.keys() ^ values.keys())} are left over")
    for name, value in values.items():
        targets[name].copy_(value)


def write_folder(adapter: Adapter, folder: Path) -> None:
    """Write ``adapter`` so that adapters 1.3.0 and `read_folder` read it; the same adapter, the same bytes."""
    config = adapter.config
    if isinstance(config, LowRankConfig):
        return write_peft(adapter, folder)
    row = architecture(adapter.backbone.model_type)
    with folder_in_one_step(folder) as new:
        tensors = adapter.tensors()
        numbers = layers_of(config, adapter.backbone)
        facts = adapter.backbone
        named = keys.adapter_keys(row, adapter.name, numbers, config, facts)
        stored = {key: tensors[name] for key, name in named.items()}
        aliases = keys.alias_keys(row, adapter.name, numbers, config, facts)
        for alias, key in aliases.items():
            stored[alias] = stored[key]
        write_tensors(new / ADAPTER_WEIGHTS[0], stored)
        record = envelope.bottleneck_record(config)
        write_json(
            new / CONFIG,
            envelope.envelope_record(adapter.name, record, adapter.backbone),
        )
        if adapter.head is not None:
            write_head(adapter.head, adapter.name, adapter.backbone, new)
        sums = {file.name: sha256_of(file) for file in sorted(new.iterdir())}
        write_json(new / OWN_FILE, own_record(adapter, sums))


def write_head(head: Head, name: str, facts: BackboneFacts, folder: Path) -> None:
    """Write a head's two files into ``folder``."""
    tensors = {f"head.{key}": tensor for key, tensor in head.state_dict().items()}
    named = keys.head_keys(head.config, name)
    write_tensors(folder / HEAD_WEIGHTS[0], {key: tensors[ours] for key, ours in named.items()})
    config = head_record(head.config, facts.width)
    write_json(folder / HEAD_CONFIG, envelope.envelope_record(name, config, facts))


def read_separate_head(folder: Path, width: int) -> Head:
    """Load a head that was saved in a folder of its own.

    Raises:
        FolderError: As `read_folder`.
    """
    files = _Files()
    told, weights = describe_head(folder, width, files.facts)
    values = files.values(weights)
    try:
        head = Head(told.config, width)
    except ConfigError as error:
        raise FolderError(f"{folder}: {error}") from None
    _fill({f"head.{name}": tensor for name, tensor in head.state_dict().items()}, values)
    return head.eval()


def load_adapter(
    reference: str | Path,
    *,
    revision: str | None = None,
    allow_backbone: str | None = None,
    with_head: bool = True,
) -> Adapter:
    """Load an adapter: a folder, a starter (``mini:eng``) or a Hub repository id.

    Args:
        reference: Where it is.
        revision: Branch, tag or commit of a Hub repository.
        allow_backbone: Name of a derived backbone on which it shall be allowed as well, by that name
            only, and where its shapes fit; recorded in its provenance.
        with_head: Whether to load its prediction head; off, a head that could not be rebuilt does
            not matter.

    Raises:
        FolderError: If the folder is wrong.
        HubError: If the Hub does not give it.
    """
    from adapterkit.formats.places import folder_of

    adapter = read_folder(folder_of(reference, revision=revision), with_head=with_head)
    if allow_backbone is not None:
        adapter.allowed = canonical(allow_backbone)
        adapter.provenance = {**adapter.provenance, "allowed_backbone": adapter.allowed}
    return adapter


def check_writable(adapter: Adapter) -> None:
    """Refuse an adapter that has no form on disk; a training asks before it begins.

    Raises:
        ConfigError: If no folder could carry its name, or it is a LoRA or IA3 whose head has no form
            that `peft` loads.
    """
    if isinstance(adapter.config, LowRankConfig):
        _head_names(adapter)
    else:
        check_name(adapter.name)


def save_adapter(adapter: Adapter, folder: str | Path) -> Path:
    """Write ``adapter`` to ``folder`` in one step, and return the folder.

    Raises:
        AdapterMismatch: If it says nothing of its backbone's type, without which nothing reads it.
        ConfigError: If it has no form on disk (`check_writable`).
    """
    check_writable(adapter)
    if not adapter.backbone.model_type and isinstance(adapter.config, BottleneckConfig):
        raise AdapterMismatch(
            f"adapter {adapter.name!r} does not know its backbone's type and cannot be saved"
        )
    write_folder(adapter, Path(folder))
    return Path(folder)
