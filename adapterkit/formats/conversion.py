"""`convert`: an adapter's folder written anew, as safetensors, with a report of what changed and what is still missing.

The old folder is only read. An old pickle is read as plain tensors; the new folder is read back, and its weights have
the digest of the old one's.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from adapterkit.composition.adapter import Adapter
from adapterkit.config import BackboneFacts, LowRankConfig
from adapterkit.errors import ConfigError, FolderError
from adapterkit.files import sha256_of
from adapterkit.formats.adapterhub import read_folder, save_adapter
from adapterkit.formats.hub_lora import write_hub_lora
from adapterkit.formats.hub_lora_config import is_hub_lora
from adapterkit.formats.peft_folders import is_peft
from adapterkit.formats.pins import require_free
from adapterkit.formats.places import folder_of
from adapterkit.formats.values import check_name
from adapterkit.languages import code_of, normalise_code


@dataclass(frozen=True)
class Conversion:
    """What `convert` did.

    Attributes:
        source: What was converted, as it was asked for.
        out: The new folder.
        layout: ``adapterhub`` or ``peft``.
        digest: sha256 over the names, shapes and values of the weights, the same in both.
        parameters: Numbers in the weights.
        before: Size and sha256 of every file of the old folder.
        after: Of the new one.
        left_behind: Files of the old folder that have no part in the new one.
        changes: What else is otherwise now, in words.
        missing: What is still needed before it can be published, in words.
    """

    source: str
    out: str
    layout: str
    digest: str
    parameters: int
    before: Mapping[str, Mapping[str, Any]]
    after: Mapping[str, Mapping[str, Any]]
    left_behind: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        record = asdict(self)
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in record.items()
        }


def convert(
    reference: str | Path,
    out: str | Path,
    *,
    backbone: BackboneFacts | None = None,
    language: str | None = None,
    revision: str | None = None,
    layout: str | None = None,
    overwrite: bool = False,
) -> Conversion:
    """Write an adapter anew: old ``.bin`` files become safetensors, with checksums beside them.

    Args:
        reference: A folder, a starter or a Hub id.
        out: The new folder.
        backbone: Facts of the backbone it was made for (`load_backbone(...).facts`): it must fit, and
            its digest and depth are recorded. Without it, only what the folder says is known.
        language: ISO 639 code, where the folder names none.
        revision: Branch, tag or commit of a Hub repository.
        layout: ``adapterhub`` or ``peft``. Bottlenecks exist in the first only; LoRA and IA3 in both, and
            without a wish become PEFT's.
        overwrite: Replace an adapter, a composition or a stack that is in ``out`` already.

    Raises:
        FolderError: If the folder is wrong, or ``out`` is the folder itself.
        AdapterMismatch: If it does not fit ``backbone``.
        ConfigError: If ``out`` holds one of these and ``overwrite`` is off, or the method does not exist
            in the wished layout, or ``revision`` is given for a folder or a starter.
    """
    source, place = folder_of(reference, revision=revision), Path(out).expanduser()
    if place.resolve() == source.resolve():
        raise FolderError(
            f"{place}: is the folder itself; a conversion is written beside it (--out)"
        )
    require_free(place, overwrite=overwrite)
    adapter = read_folder(source)
    before, changes = _files(source), []
    if backbone is not None:
        changes += _bind(adapter, backbone)
    if language:
        changes += _name_language(adapter, code_of(language))
    if is_hub_lora(source) and layout != "adapterhub":
        changes.append("layout: from AdapterHub's to PEFT's; the formulas are the same")
    _save(adapter, place, layout)
    back, digest = read_folder(place), adapter.digest()
    if back.digest() != digest:
        raise FolderError(f"{place}: does not read back as it was written")
    after = _files(place)
    changes += [f"{name}: from a pickle to safetensors" for name in before if name.endswith(".bin")]
    return Conversion(
        source=str(reference),
        out=str(place),
        layout="peft" if is_peft(place) else "adapterhub",
        digest=digest,
        parameters=adapter.parameter_count(),
        before=before,
        after=after,
        left_behind=tuple(n for n in before if n not in after and not n.endswith(".bin")),
        changes=tuple(changes),
        missing=tuple(_missing(back)),
    )


def _save(adapter: Adapter, place: Path, layout: str | None) -> None:
    low_rank = isinstance(adapter.config, LowRankConfig)
    if layout not in (None, "adapterhub", "peft"):
        raise ConfigError(f"layout {layout!r}: must be adapterhub or peft")
    if layout == "peft" and not low_rank:
        raise ConfigError(
            f"adapter {adapter.name!r} is a bottleneck adapter, which PEFT does not have; LoRA and IA3 exist in both"
        )
    if layout == "adapterhub" and low_rank:
        check_name(adapter.name)
        write_hub_lora(adapter, place)
    else:
        save_adapter(adapter, place)


def _files(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        path.name: {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
        for path in sorted(folder.iterdir())
        if path.is_file()
    }


def _bind(adapter: Adapter, facts: BackboneFacts) -> list[str]:
    adapter.check_fits(facts)
    if adapter.backbone == facts:
        return []
    was = adapter.backbone
    adapter.backbone = replace(facts, name=facts.name if "/" in facts.name else was.name)
    return [f"backbone: {facts.name}, sha256 {facts.digest[:12]} recorded"]


def _name_language(adapter: Adapter, code: str) -> list[str]:
    if adapter.language and normalise_code(adapter.language) != code:
        raise ConfigError(
            f"--language {code}: the folder says that adapter {adapter.name!r} is for {adapter.language!r}"
        )
    changed = adapter.language != code
    adapter.language = code
    return [f"language: {code} recorded"] if changed else []


def _missing(adapter: Adapter) -> list[str]:
    missing = ["licence: say under which (push --license)"]
    if not adapter.language:
        missing.append("language: say which (--language)")
    if "/" not in adapter.backbone.name:
        missing.append("backbone: its Hub id (push --base-model)")
    if not adapter.backbone.digest:
        missing.append("backbone: the digest of its weights (--backbone NAME records it)")
    return missing
