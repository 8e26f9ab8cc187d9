"""Reading and writing AdapterHub folders, strictly: everything is compared before a tensor is copied.

A folder holds ``adapter_config.json`` and ``adapter.safetensors``; a task adapter's also ``head_config.json``
and ``model_head.safetensors``. We add ``adapterkit.json`` (provenance and checksums), and for an adapter with
embedding rows ``embedding_rows.safetensors``; other loaders ignore both, and compute without the rows. Old ``.bin`` files are read as plain state dicts, and only where there is no safetensors file.
What is compared, and how, is in `description`.
"""

from pathlib import Path

from adapterkit.backbone.architectures import architecture
from adapterkit.backbone.identity import canonical
from adapterkit.composition.adapter import Adapter, layers_of
from adapterkit.config import BackboneFacts, BottleneckConfig, LowRankConfig
from adapterkit.errors import AdapterMismatch, ConfigError, FolderError
from adapterkit.files import folder_in_one_step, sha256_of, write_json
from adapterkit.formats import envelope, keys
from adapterkit.formats.description import Description, describe, describe_head
from adapterkit.formats.filling import Files, fill, fill_module, hollow, read_rows
from adapterkit.formats.guard import (
    ADAPTER_WEIGHTS,
    CONFIG,
    HEAD_CONFIG,
    HEAD_WEIGHTS,
    OWN_FILE,
    ROWS_WEIGHTS,
    SETUP,
    check_folder,
)
from adapterkit.formats.heads import head_record
from adapterkit.formats.hub_lora import read_hub_lora
from adapterkit.formats.hub_lora_config import is_hub_lora
from adapterkit.formats.own import own_record
from adapterkit.formats.peft_folders import _head_names, is_peft, read_peft, write_peft
from adapterkit.formats.pins import CLEARED, is_stack
from adapterkit.formats.reading_back import check_reads_back
from adapterkit.formats.values import check_name
from adapterkit.nn.heads import Head
from adapterkit.tensorfile import write_tensors


def read_folder(folder: Path, *, with_head: bool = True) -> Adapter:
    """Load the adapter in ``folder``, with its head if it has one and ``with_head`` is on.

    Raises:
        FolderError: If the folder is incomplete, altered, of another kind, or its tensors are not
            exactly those its configuration calls for.
    """
    check_folder(folder)
    if is_stack(folder):
        raise FolderError(
            f"{folder}: is a stack that pins its parts, not one adapter's; load it with ak.load_stack"
        )
    if (folder / SETUP).is_file():
        raise FolderError(
            f"{folder}: is a composition folder ({SETUP}), not one adapter's; "
            "load it with ak.load_composition(folder)"
        )
    if is_peft(folder):
        return read_peft(folder, with_head=with_head)
    if is_hub_lora(folder):
        return read_hub_lora(folder, with_head=with_head)
    files = Files()
    told = describe(folder, files.facts, with_head=with_head)
    values = files.values(told.weights)
    values |= files.values(told.head_weights) if told.head_weights else {}
    with hollow():
        adapter = _build(folder, told)
    fill_module(adapter, values)
    adapter.embedding_rows = read_rows(files, told.rows) if told.rows is not None else None
    return adapter.eval()


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


def write_folder(adapter: Adapter, folder: Path) -> None:
    """Write ``adapter`` so that adapters 1.3.0 and `read_folder` read it; the same adapter, the same bytes.

    Raises:
        ConfigError: If its name cannot be a part of keys and paths, it is a LoRA or IA3 with
            embedding rows, or `read_folder` would refuse it (values that are not finite, say).
    """
    check_writable(adapter)
    config = adapter.config
    if isinstance(config, LowRankConfig):
        return write_peft(adapter, folder)
    row = architecture(adapter.backbone.model_type)
    with folder_in_one_step(folder, owned=CLEARED) as new:
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
        if adapter.embedding_rows is not None:
            write_tensors(new / ROWS_WEIGHTS, dict(adapter.embedding_rows.state_dict()))
        sums = {file.name: sha256_of(file) for file in sorted(new.iterdir())}
        write_json(new / OWN_FILE, own_record(adapter, sums))
        check_reads_back(adapter.name, new, folder, read_folder)


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
    files = Files()
    told, weights = describe_head(folder, width, files.facts)
    values = files.values(weights)
    try:
        head = Head(told.config, width)
    except ConfigError as error:
        raise FolderError(f"{folder}: {error}") from None
    fill({f"head.{name}": tensor for name, tensor in head.state_dict().items()}, values)
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
        ConfigError: If ``revision`` is given for a folder or a starter.
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
        ConfigError: If no folder could carry its name, or it is a LoRA or IA3 with embedding rows or
            with a head that has no form that `peft` loads.
    """
    check_name(adapter.name)
    if isinstance(adapter.config, LowRankConfig):
        _head_names(adapter)
        if adapter.embedding_rows is not None:
            raise ConfigError(
                f"{adapter.name!r} is a {adapter.config.method} adapter: its folder has no place for embedding rows; "
                "use a bottleneck adapter (the default method), or adapter.without_embedding_rows()"
            )


def save_adapter(adapter: Adapter, folder: str | Path) -> Path:
    """Write ``adapter`` to ``folder`` in one step, and return the folder.

    Raises:
        AdapterMismatch: If it says nothing of its backbone's type, without which nothing reads it.
        ConfigError: If it has no form on disk (`check_writable`).
    """
    if not isinstance(adapter, Adapter):
        raise ConfigError(
            f"save_adapter takes an adapter, not {type(adapter).__name__}; a composition is saved with save_composition"
        )
    check_writable(adapter)
    if not adapter.backbone.model_type and isinstance(adapter.config, BottleneckConfig):
        raise AdapterMismatch(
            f"adapter {adapter.name!r} does not know its backbone's type and cannot be saved"
        )
    place = Path(folder).expanduser()
    write_folder(adapter, place)
    return place
