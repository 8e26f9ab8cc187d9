"""Reading and writing AdapterHub folders, strictly: everything is compared before a tensor is copied.

A folder holds ``adapter_config.json`` and ``adapter.safetensors``; a task adapter's also ``head_config.json``
and ``model_head.safetensors``. We add ``adapterkit.json`` (provenance and checksums), which other loaders
ignore. Old ``.bin`` files are read as plain state dicts, and only where there is no safetensors file.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterkit.backbone.architectures import ARCHITECTURES, Architecture, architecture
from adapterkit.backbone.identity import canonical
from adapterkit.composition.adapter import Adapter, layers_of
from adapterkit.config import BackboneFacts, BottleneckConfig, HeadConfig, LowRankConfig
from adapterkit.errors import AdapterMismatch, ConfigError, FolderError, found
from adapterkit.files import folder_in_one_step, read_json, sha256_of, write_json
from adapterkit.formats import envelope, keys
from adapterkit.formats.peft_folders import is_peft, read_peft, write_peft
from adapterkit.nn.heads import Head
from adapterkit.tensorfile import read_pickle, read_tensors, write_tensors

if TYPE_CHECKING:
    from torch import Tensor

OWN_FILE = "adapterkit.json"
ADAPTER_WEIGHTS = ("adapter.safetensors", "pytorch_adapter.bin")
HEAD_WEIGHTS = ("model_head.safetensors", "pytorch_model_head.bin")


def read_folder(folder: Path) -> Adapter:
    """Load the adapter in ``folder``, with its head if it has one.

    Raises:
        FolderError: If the folder is incomplete, altered, of another kind, or its tensors are not
            exactly those its configuration calls for.
    """
    if is_peft(folder):
        return read_peft(folder)
    said = envelope.read_envelope(folder / "adapter_config.json")
    own = read_own(folder)
    row = _architecture(folder, said.backbone.model_type)
    if row.norms_open:
        # AdapterHub trained with the last layer's norm in every layer; ours say so if they did not.
        said = replace(said, config=replace(said.config, own_norms=bool(own.get("own_norms"))))
    tensors = {
        keys.with_prefix(keys.modern(k), row): t
        for k, t in weights_of(folder, ADAPTER_WEIGHTS).items()
    }
    layers = keys.layer_numbers(row, said.name, list(tensors))
    facts = _facts(folder, said.backbone, own, layers, said.config.leave_out)
    adapter = _build(folder, said, facts, own)
    numbers = layers_of(said.config, adapter.backbone)
    wanted = keys.adapter_keys(row, said.name, numbers, said.config)
    for alias, key in keys.alias_keys(row, said.name, numbers, said.config).items():
        tensors.setdefault(key, tensors.pop(alias)) if alias in tensors else None
    fill(folder / ADAPTER_WEIGHTS[0], adapter, tensors, wanted)
    if adapter.head is not None:
        name, config = envelope.read_head(folder / "head_config.json")
        fill(
            folder / HEAD_WEIGHTS[0],
            adapter,
            weights_of(folder, HEAD_WEIGHTS),
            keys.head_keys(config, name),
        )
    return adapter.eval()


def read_own(folder: Path) -> dict[str, Any]:
    """What `adapterkit.json` says (empty without one), its checksums verified.

    Raises:
        FolderError: If a file it names is missing or was altered.
    """
    if not (folder / OWN_FILE).is_file():
        return {}
    own = read_json(folder / OWN_FILE)
    sums = own.get("files", {})
    if not isinstance(sums, dict):
        raise FolderError(f"{folder / OWN_FILE}: 'files' must name files and their sha256")
    problems = []
    for name, expected in sums.items():
        if Path(name).name != name:
            problems.append(f"{name!r}: not a plain file name")
        elif not (folder / name).is_file():
            problems.append(f"{name}: missing")
        elif sha256_of(folder / name) != expected:
            problems.append(f"{name}: altered since it was written (its sha256 differs)")
    if problems:
        raise FolderError(
            f"{folder}: not as it was written:{found(problems)}\nFetch or train it again."
        )
    return own


def _architecture(folder: Path, model_type: str) -> Architecture:
    try:
        return architecture(model_type)
    except ConfigError as error:
        raise FolderError(f"{folder}: {error}") from None


def weights_of(folder: Path, names: tuple[str, ...]) -> Mapping[str, "Tensor"]:
    """The tensors in the first of ``names`` that is there.

    Raises:
        FolderError: If none is.
    """
    safe, old = folder / names[0], folder / names[1]
    if safe.is_file():
        return read_tensors(safe)
    if old.is_file():
        return read_pickle(old)
    raise FolderError(f"{folder}: holds neither {safe.name} nor {old.name}")


def _facts(
    folder: Path,
    said: BackboneFacts,
    own: Mapping[str, Any],
    layers: list[int],
    left_out: tuple[int, ...],
) -> BackboneFacts:
    depth = max([*layers, *left_out], default=-1) + 1
    facts = replace(said, name=canonical(said.name), layers=depth)
    recorded = own.get("backbone", {})
    try:
        ours = BackboneFacts(**recorded) if recorded else facts
    except TypeError:
        raise FolderError(f"{folder / OWN_FILE}: 'backbone' has keys {sorted(recorded)}") from None
    problems = [
        f"{what}: {OWN_FILE} says {a}, the rest of the folder {b}"
        for what, a, b in (
            ("type", ours.model_type, facts.model_type),
            ("width", ours.width, facts.width),
        )
        if a != b
    ]
    if problems or not 0 < facts.width <= 65536:
        raise FolderError(
            f"{folder}: contradicts itself:{found(problems or [f'width: {facts.width}'])}"
        )
    return ours


def _build(
    folder: Path, said: envelope.Envelope, facts: BackboneFacts, own: Mapping[str, Any]
) -> Adapter:
    head = None
    if (folder / "head_config.json").is_file():
        _, config = envelope.read_head(folder / "head_config.json")
        head = Head(config, facts.width)
    try:
        return Adapter(
            said.name,
            said.config,
            backbone=facts,
            kind=str(own.get("kind", "")),
            language=str(own.get("language", "")),
            head=head,
            provenance=own.get("provenance", {}),
        )
    except ConfigError as error:
        raise FolderError(f"{folder}: {error}") from None


def fill(
    path: Path, adapter: Adapter, tensors: Mapping[str, "Tensor"], wanted: Mapping[str, str]
) -> None:
    """Copy ``tensors`` into ``adapter`` (see `fill_module`)."""
    fill_module(path, adapter.tensors(), tensors, wanted)


def fill_module(
    path: Path,
    targets: Mapping[str, "Tensor"],
    tensors: Mapping[str, "Tensor"],
    wanted: Mapping[str, str],
) -> None:
    """Copy ``tensors`` into ``targets`` after comparing names, shapes, kinds and values.

    Args:
        path: The file, for messages.
        targets: Where to, by our names.
        tensors: What the file holds.
        wanted: Our name of every tensor that must be there, by the file's.

    Raises:
        FolderError: With every difference; nothing has been copied then.
    """
    problems = [f"{key}: missing" for key in wanted if key not in tensors]
    problems += [f"{key}: not part of this adapter" for key in tensors if key not in wanted]
    for key, name in wanted.items():
        if key in tensors:
            problems += _tensor_problems(key, tensors[key], targets[name])
    if problems:
        shown = sorted(problems)[:12] + (
            [f"... and {len(problems) - 12} more"] if len(problems) > 12 else []
        )
        raise FolderError(
            f"{path}: not the weights that its configuration calls for:{found(shown)}"
        )
    for key, name in wanted.items():
        targets[name].copy_(tensors[key])


def _tensor_problems(key: str, tensor: "Tensor", target: "Tensor") -> list[str]:
    if tensor.shape != target.shape:
        return [f"{key}: shape {tuple(tensor.shape)}, needed {tuple(target.shape)}"]
    if not tensor.is_floating_point():
        return [f"{key}: dtype {tensor.dtype}, a floating-point one is needed"]
    return [] if bool(tensor.isfinite().all()) else [f"{key}: holds values that are not finite"]


def write_folder(adapter: Adapter, folder: Path) -> None:
    """Write ``adapter`` so that adapters 1.3.0 and `read_folder` read it; the same adapter, the same bytes."""
    config = adapter.config
    if isinstance(config, LowRankConfig):
        return write_peft(adapter, folder)
    row = architecture(adapter.backbone.model_type)
    with folder_in_one_step(folder) as new:
        tensors = adapter.tensors()
        numbers = layers_of(config, adapter.backbone)
        named = keys.adapter_keys(row, adapter.name, numbers, config)
        named |= {
            alias: named[key]
            for alias, key in keys.alias_keys(row, adapter.name, numbers, config).items()
        }
        write_tensors(new / ADAPTER_WEIGHTS[0], {key: tensors[name] for key, name in named.items()})
        record = envelope.bottleneck_record(config)
        write_json(
            new / "adapter_config.json",
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
    config = envelope.head_record(head.config, facts.width)
    write_json(folder / "head_config.json", envelope.envelope_record(name, config, facts))


def own_record(adapter: Adapter, sums: Mapping[str, str]) -> dict[str, Any]:
    """The contents of `adapterkit.json`."""
    return {
        "format": 1,
        "kind": adapter.kind,
        "language": adapter.language,
        "backbone": asdict(adapter.backbone),
        "digest": adapter.digest(),
        "files": dict(sums),
        "provenance": adapter.provenance,
        **_norms(adapter),
    }


def _norms(adapter: Adapter) -> dict[str, bool]:
    row = ARCHITECTURES.get(adapter.backbone.model_type)
    if row is None or not row.norms_open or not isinstance(adapter.config, BottleneckConfig):
        return {}
    return {"own_norms": adapter.config.own_norms}


def read_separate_head(folder: Path, width: int) -> Head:
    """Load a head that was saved in a folder of its own.

    Raises:
        FolderError: As `read_folder`.
    """
    name, config = envelope.read_head(folder / "head_config.json")
    carrier = _head_carrier(config, width)
    fill(
        folder / HEAD_WEIGHTS[0],
        carrier,
        weights_of(folder, HEAD_WEIGHTS),
        keys.head_keys(config, name),
    )
    assert carrier.head is not None
    return carrier.head.eval()


def _head_carrier(config: HeadConfig, width: int) -> Adapter:
    return Adapter(
        "head", BottleneckConfig(), backbone=BackboneFacts(width=width), head=Head(config, width)
    )


def load_adapter(
    reference: str | Path, *, revision: str | None = None, allow_backbone: str | None = None
) -> Adapter:
    """Load an adapter: a folder, a starter (``mini:eng``) or a Hub repository id.

    Args:
        reference: Where it is.
        revision: Branch, tag or commit of a Hub repository.
        allow_backbone: Name of a derived backbone on which it shall be allowed; recorded with it.

    Raises:
        FolderError: If the folder is wrong.
        HubError: If the Hub does not give it.
    """
    from adapterkit.formats.places import folder_of

    adapter = read_folder(folder_of(reference, revision=revision))
    if allow_backbone is not None:
        adapter.provenance = {**adapter.provenance, "allowed_backbone": canonical(allow_backbone)}
        adapter.backbone = replace(adapter.backbone, digest="", name=canonical(allow_backbone))
    return adapter


def save_adapter(adapter: Adapter, folder: str | Path) -> Path:
    """Write ``adapter`` to ``folder`` in one step, and return the folder.

    Raises:
        AdapterMismatch: If it says nothing of its backbone's type, without which nothing reads it.
    """
    if not adapter.backbone.model_type and isinstance(adapter.config, BottleneckConfig):
        raise AdapterMismatch(
            f"adapter {adapter.name!r} does not know its backbone's type and cannot be saved"
        )
    write_folder(adapter, Path(folder))
    return Path(folder)
