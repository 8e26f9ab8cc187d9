"""All that a PEFT folder says, read strictly and compared, before any tensor is read. No torch, and nothing of peft.

Loading and inspecting both start here, as they do in `description` for AdapterHub's folders. Widths stand in no
configuration of PEFT's: they are taken from the weights' header, which cannot claim more than the file holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from adapterkit.backbone.architectures import ARCHITECTURES
from adapterkit.backbone.identity import canonical
from adapterkit.config import BackboneFacts, LowRankConfig
from adapterkit.errors import FolderError, found
from adapterkit.formats import guard
from adapterkit.formats.description import Facts, FactsOf, Weights, check_digest
from adapterkit.formats.own import read_own, recorded_backbone
from adapterkit.formats.peft_config import read_config
from adapterkit.formats.peft_heads import PeftHead, is_head, read_head, unsaved
from adapterkit.formats.peft_modules import IA3, LORA, Modules, read_modules
from adapterkit.formats.shapes import shortened
from adapterkit.formats.values import LONGEST_NAME, plain_name
from adapterkit.tensorfile import digest_of_files


@dataclass(frozen=True)
class PeftDescription:
    """What a PEFT folder says of an adapter; everything in it fits together.

    Attributes:
        name: Its name; the folder's, where no file says.
        record: ``adapter_config.json``.
        own: ``adapterkit.json``, empty without one.
        backbone: The backbone it was made for, as far as known.
        weights: The weight file.
        config: The adapter's shape; None if the file stayed closed.
        head: Its head, if there is one.
        left_out: Paths of parts that have no effect on a hidden state.
    """

    name: str
    record: Mapping[str, Any]
    own: Mapping[str, Any]
    backbone: BackboneFacts
    weights: Weights
    config: LowRankConfig | None = None
    head: PeftHead | None = None
    left_out: tuple[str, ...] = ()

    @property
    def provenance(self) -> dict[str, Any]:
        """How it was made, and under ``left_out`` which of its parts were not taken along."""
        left = {"left_out": list(self.left_out)} if self.left_out else {}
        return {**self.own.get("provenance", {}), **left}


def describe_peft(folder: Path, facts_of: FactsOf, *, with_head: bool = True) -> PeftDescription:
    """Read all of ``folder`` but the values of its tensors; ``with_head`` off leaves a head out.

    Raises:
        FolderError: If it is incomplete, altered, names what we do not compute, or its tensors are not
            exactly those its configuration calls for.
    """
    guard.check_folder(folder)
    record, own = read_config(folder / guard.CONFIG), read_own(folder)
    if (folder / guard.ROWS_WEIGHTS).is_file() or own.get("embedding_rows"):
        raise FolderError(
            f"{folder}: embedding rows ({guard.ROWS_WEIGHTS}) have no place in a PEFT folder"
        )
    backbone = recorded_backbone(folder, own) or BackboneFacts(
        name=canonical(record.get("base_model_name_or_path") or "")
    )
    path = guard.weight_file(folder, guard.PEFT_WEIGHTS)
    told = PeftDescription(_name(folder, own), record, own, backbone, Weights(path, {}))
    facts = facts_of(path)
    if facts is None:
        return told
    told = _compared(folder, told, facts, with_head=with_head)
    if with_head:
        check_digest(folder, own, lambda stored: digest(told, stored=stored))
    return told


def digest(told: PeftDescription, *, stored: bool = False) -> str | None:
    """As `description.digest`; None if its weights stayed closed or are a pickle."""
    weights = told.weights
    if weights.path.suffix != ".safetensors" or not weights.names:
        return None
    flat = {key for key in weights.names if key.endswith(IA3)}
    cast = () if stored else {*weights.names.values()}
    return digest_of_files([weights.path], weights.names, flat=flat, cast=cast)


def name_from(folder: Path) -> str:
    """The name of an adapter whose files have none: the folder's, without what no adapter's can hold."""
    plain = "".join("_" if sign in "./\\" else sign for sign in folder.resolve().name)
    return plain[:LONGEST_NAME] if plain_name(plain[:LONGEST_NAME]) else "adapter"


def _name(folder: Path, own: Mapping[str, Any]) -> str:
    name = own.get("name")
    if name is None:
        return name_from(folder)  # PEFT's files have none
    if not plain_name(name):
        raise FolderError(
            f"{folder / guard.OWN_FILE}: name {name!r:.60}: cannot be an adapter's name (no dots, no slashes)"
        )
    return str(name)


def _compared(
    folder: Path, told: PeftDescription, facts: Facts, *, with_head: bool
) -> PeftDescription:
    record, own = told.record, told.own
    inside = {key: fact for key, fact in facts.items() if not is_head(key)}
    modules = read_modules(record, inside)
    head, problems = None, unsaved(record, facts, with_head=with_head)
    if with_head:
        head, wrong = read_head(folder, record, own, facts, modules.prefix)
        problems += wrong
    names = {**modules.names, **(head.names if head else {})}
    claimed = {*names, *modules.keys} | (set() if with_head else facts.keys() - inside.keys())
    problems += [f"{key}: not part of this adapter" for key in facts if key not in claimed]
    problems += [*modules.problems, *_contradictions(told.backbone, modules, head)]
    if not modules.linears:
        end = LORA[0] if record["peft_type"] == "LORA" else IA3
        problems.insert(0, f"it holds no {end} tensor of a model's layers")
    if problems:
        raise FolderError(
            f"{told.weights.path}: not the weights that its configuration calls for:"
            f"{found(shortened(sorted(set(problems))))}"
        )
    return replace(
        told,
        weights=Weights(told.weights.path, names),
        config=_config(record, modules),
        head=head,
        left_out=modules.left_out,
    )


def _contradictions(facts: BackboneFacts, modules: Modules, head: PeftHead | None) -> list[str]:
    problems = []
    row = ARCHITECTURES.get(facts.model_type)
    if row is not None and modules.prefix not in ("", row.prefix):
        problems.append(
            f"type: {guard.OWN_FILE} says {facts.model_type}, the keys are a {modules.prefix!r} model's"
        )
    if head is not None and facts.width not in (0, head.width):
        problems.append(
            f"width: {guard.OWN_FILE} says {facts.width}, the classifier reads {head.width}"
        )
    return problems


def _config(record: Mapping[str, Any], modules: Modules) -> LowRankConfig:
    lora = record["peft_type"] == "LORA"
    targets = record["target_modules"]
    return LowRankConfig(
        method="lora" if lora else "ia3",
        modules=modules.linears,
        rank=int(record.get("r", 8)) if lora else 0,
        alpha=float(record.get("lora_alpha", 8)) if lora else 0.0,
        dropout=float(record.get("lora_dropout", 0.0)) if lora else 0.0,
        targets=targets if isinstance(targets, str) else tuple(sorted(set(targets))),
        feedforward=tuple(sorted(set(record.get("feedforward_modules") or ()))),
        prefix=modules.prefix,
    )
