"""Stacks that hold no weights: pinning published adapters together, and loading exactly what was pinned."""

from collections.abc import Sequence
from pathlib import Path

import torch

from adapterkit.backbone.identity import MINI, canonical
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import Adapter
from adapterkit.composition.kinds import is_task, require_no_task
from adapterkit.composition.stack import Stack
from adapterkit.errors import ConfigError, FolderError, found
from adapterkit.files import read_json, sha256_of
from adapterkit.formats.adapterhub import read_folder
from adapterkit.formats.guard import CONFIG, READ, SETUP
from adapterkit.formats.pins import Pin, StackPins, is_stack, read_pins, require_free, write_pins
from adapterkit.formats.places import PUBLISHED, STARTER, folder_of
from adapterkit.hub.fetching import is_folder
from adapterkit.hub.upload import look
from adapterkit.languages import code_of
from adapterkit.model import AdaptedModel


def load_stack(
    reference: str | Path,
    *,
    revision: str | None = None,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
) -> AdaptedModel:
    """Load a published stack: its backbone and its adapters, each as it was pinned.

    Args:
        reference: A Hub id (``me/cym-pos``), or a folder with a `stack.json`.
        revision: Branch, tag or commit of the stack's own repository.
        device: As `load_backbone` has it.
        dtype: As `load_backbone` has it.

    Returns:
        A model for `predict` and `evaluate`.

    Raises:
        ConfigError: If ``revision`` is given for a folder.
        FolderError: If `stack.json` is wrong, or a part or the backbone is not what it pins.
        HubError: If the Hub does not give a part.
    """
    pins = read_pins(folder_of(reference, revision=revision))
    parts = [_load(pin) for pin in pins.parts]
    backbone = load_backbone(
        _backbone_reference(pins.backbone),
        revision=pins.backbone_commit or None,
        device=device,
        dtype=dtype,
    )
    if backbone.facts.digest != pins.backbone_digest:
        raise FolderError(
            f"{reference}: its backbone {pins.backbone!r} is not what it pins\n"
            f"  weights: pinned sha256 {pins.backbone_digest[:12]}, there {backbone.facts.digest[:12]}"
        )
    return AdaptedModel(backbone, Stack(*parts))


def load_parts(reference: str | Path) -> list[Adapter]:
    """The adapters that ``reference`` means: one, or those that a published stack pins.

    Raises:
        FolderError: As `load_adapter` and `load_stack`.
        HubError: As these.
    """
    folder = folder_of(reference)
    if is_stack(folder):
        return [_load(pin) for pin in read_pins(folder).parts]
    return [read_folder(folder)]


def _load(pin: Pin) -> Adapter:
    folder = folder_of(_as_hub(pin.reference), revision=pin.commit or None)
    there = _sums(folder)
    problems = [
        f"{name}: {'missing' if name not in there else 'not pinned' if name not in pin.files else 'altered'}"
        for name in sorted({*there, *pin.files})
        if there.get(name) != pin.files.get(name)
    ]
    if problems:
        raise FolderError(
            f"{pin.reference} at {pin.commit or 'this version of adapterkit'}: is not what the stack pins:"
            f"{found(problems)}"
        )
    adapter = read_folder(folder)
    if adapter.digest() != pin.digest:
        raise FolderError(f"{pin.reference}: its weights are not those that the stack pins")
    return adapter


def _as_hub(reference: str) -> str:
    return reference if reference.startswith(STARTER) else f"hub:{reference}"


def _backbone_reference(name: str) -> str:
    """What is pinned, even where a folder here has its name."""
    return name if canonical(name) == MINI else f"hub:{name}"


def _sums(folder: Path) -> dict[str, str]:
    return {name: sha256_of(folder / name) for name in READ if (folder / name).is_file()}


def save_stack(
    parts: Sequence[str | Path],
    folder: str | Path,
    *,
    backbone: str = "mini",
    language: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Pin published adapters, first to last, as a stack that can be published itself.

    Args:
        parts: Hub ids, starters (``mini:pos``), or folders that `push` has published.
        folder: Where `stack.json` goes.
        backbone: ``mini`` or a Hub id; it is loaded, and every part must fit it.
        language: ISO 639 code of the language that it predicts in; by default the first part's.
        overwrite: Replace a stack that is in ``folder`` already.

    Returns:
        The folder.

    Raises:
        ConfigError: If a part was never published, the last one is no task adapter with a head or another one is a task
            adapter, or ``folder`` holds an adapter, or a stack and ``overwrite`` is off.
        AdapterMismatch: If a part does not fit.
        HubError: If the Hub does not give a part.
    """
    if isinstance(parts, str | Path) or not all(isinstance(one, str | Path) for one in parts):
        raise ConfigError(
            f"a stack pins Hub ids, starters or published folders, as a list of their names, not {parts!r:.60}"
        )
    place = Path(folder).expanduser()
    _require_free(place, overwrite=overwrite)
    loaded = [_pinned(one) for one in parts]
    adapters = [adapter for adapter, _ in loaded]
    if not adapters or adapters[-1].head is None or not is_task(adapters[-1]):
        raise ConfigError("a stack must end in a task adapter, or it predicts nothing")
    require_no_task(adapters[:-1], but="in a stack there is one at most, and it stands last")
    name, commit = _backbone_place(backbone)
    base = load_backbone(_backbone_reference(name), revision=commit or None, device="cpu")
    AdaptedModel(base, Stack(*adapters))  # refuses what does not fit
    code = language or next((one.language for one in adapters if one.language), "")
    if not code:
        raise ConfigError("no part names its language; say in which this predicts (--language cym)")
    pins = StackPins(
        backbone=name,
        backbone_commit=commit,
        backbone_name=base.facts.name,
        backbone_digest=base.facts.digest,
        language=code_of(code),
        task=str(adapters[-1].provenance.get("task") or "task"),
        parts=tuple(pin for _, pin in loaded),
    )
    place.mkdir(parents=True, exist_ok=True)
    write_pins(place, pins)
    read_pins(place)
    return place


def _require_free(place: Path, *, overwrite: bool) -> None:
    for file, what in ((CONFIG, "an adapter"), (SETUP, "a composition")):
        if (place / file).exists():
            raise ConfigError(f"{place} holds {what}; choose another folder for the stack")
    require_free(place, overwrite=overwrite)


def _backbone_place(backbone: str) -> tuple[str, str]:
    if canonical(backbone) == MINI:
        return "mini", ""
    if not backbone.startswith("hub:") and is_folder(backbone):
        raise ConfigError(f"--backbone {backbone}: a stack pins a Hub id, not a folder")
    return _head_of(canonical(backbone.removeprefix("hub:")))


def _head_of(repository: str) -> tuple[str, str]:
    there = look(repository)
    if there is None:
        raise ConfigError(f"{repository!r}: there is no such repository, or not for you")
    return there.repository, there.commit


def _pinned(reference: str | Path) -> tuple[Adapter, Pin]:
    text, local = str(reference), ""
    if text.startswith(STARTER):
        place, commit = text, ""
    elif is_folder(reference):
        place, commit, local = _published(Path(text).expanduser())
    else:
        place, commit = _head_of(text.removeprefix("hub:"))
    folder = folder_of(_as_hub(place), revision=commit or None)
    adapter = read_folder(folder)
    if local not in ("", adapter.digest()):
        raise ConfigError(
            f"{text}: its {PUBLISHED} names {place}, and what lies there is another adapter; publish it again"
        )
    return adapter, Pin(place, commit, adapter.name, adapter.kind, adapter.digest(), _sums(folder))


def _published(folder: Path) -> tuple[str, str, str]:
    """Repository, commit and digest of a folder's adapter, as it was published."""
    if not (folder / PUBLISHED).is_file():
        raise ConfigError(
            f"{folder}: was never published, so a stack cannot pin it; publish it first (adapterkit push)"
        )
    record = read_json(folder / PUBLISHED)
    digest = read_folder(folder).digest()
    if record.get("digest") != digest:
        raise ConfigError(
            f"{folder}: has changed since it was published as {record.get('repository')}; publish it again"
        )
    return str(record.get("repository")), str(record.get("commit")), digest
