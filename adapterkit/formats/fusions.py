"""AdapterFusion's files: read strictly and compared before any tensor is read, written as adapters 1.3.0 does. No torch.

A fusion's folder, named like the fused adapters joined with commas, holds ``adapter_fusion_config.json``,
``model_adapter_fusion.safetensors``, and the head that was trained with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapterkit.backbone.architectures import architecture
from adapterkit.config import BackboneFacts, BottleneckConfig, FusionConfig, fusion_places
from adapterkit.errors import FolderError, found
from adapterkit.files import read_json
from adapterkit.formats import guard
from adapterkit.formats.description import FactsOf, Weights, describe_head, require
from adapterkit.formats.envelope import envelope_record
from adapterkit.formats.heads import HeadEnvelope
from adapterkit.formats.keys import tower_of
from adapterkit.formats.values import number

_SWITCHES = ("query", "key", "value", "query_before_ln", "residual_before", "value_before_softmax")
_KEPT = ("value_initialized", "regularization")
_OTHERS = (*_KEPT, "dropout_prob", "temperature")


@dataclass(frozen=True)
class Member:
    """An adapter that is fused: its name, its shape, the backbone it was made for."""

    name: str
    config: BottleneckConfig
    backbone: BackboneFacts


@dataclass(frozen=True)
class FusionDescription:
    """What a fusion's folder says; everything in it fits together.

    Attributes:
        config: Shape of the fusion layers.
        places: Where they stand.
        weights: Their weights.
        head: The head that was trained with the fusion, if there is one.
        head_weights: The head's.
    """

    config: FusionConfig
    places: Sequence[tuple[str, int]]
    weights: Weights
    head: HeadEnvelope | None = None
    head_weights: Weights | None = None


def describe_fusion(
    folder: Path, members: Sequence[Member], facts_of: FactsOf
) -> FusionDescription:
    """Read all of a fusion's ``folder`` but the values of its tensors.

    Raises:
        FolderError: If it is incomplete, contradicts itself or its adapters, or its tensors are not
            exactly those its configuration calls for.
    """
    guard.check_folder(folder)
    config = _read_config(folder / guard.FUSION_CONFIG, members)
    facts = members[0].backbone
    places = fusion_places([member.config for member in members], facts.layers)
    names = fusion_keys(members, config, places)
    path = guard.weight_file(folder, guard.FUSION_WEIGHTS)
    there = facts_of(path)
    if there is not None:
        shape = {"weight": (facts.width, facts.width), "bias": (facts.width,)}
        require(path, {key: shape[key.rpartition(".")[2]] for key in names}, there)
    weights = Weights(path, names if there is not None else {})
    if not (folder / guard.HEAD_CONFIG).is_file():
        return FusionDescription(config, places, weights)
    return FusionDescription(config, places, weights, *describe_head(folder, facts.width, facts_of))


def _read_config(path: Path, members: Sequence[Member]) -> FusionConfig:
    record = read_json(path)
    config = record.get("config")
    if not isinstance(config, dict):
        raise FolderError(f"{path}: 'config' must be an object")
    problems = _config_problems(config) + _contradictions(record, members)
    if problems:
        raise FolderError(
            f"{path}: this fusion cannot be reproduced exactly, so it is refused:{found(problems)}"
        )
    return FusionConfig(
        **{key: bool(config.get(key, False)) for key in _SWITCHES},
        **{key: bool(config.get(key)) for key in _KEPT},
        dropout_prob=float(config.get("dropout_prob") or 0.0),
    )


def _config_problems(config: Mapping[str, Any]) -> list[str]:
    problems = [
        f"{key:.60} = {value!r:.60}: unknown key"
        for key, value in config.items()
        if key not in (*_SWITCHES, *_OTHERS) and value
    ]
    problems += [
        f"{key} = {config.get(key)!r:.60}: true or false is needed"
        for key in (*_SWITCHES, *_KEPT)
        if config.get(key, False) not in (True, False)
    ]
    dropout = config.get("dropout_prob") or 0.0
    if not number(dropout, 0.0, 1.0) or dropout >= 1:
        problems.append(f"dropout_prob = {dropout!r:.60}: a share below 1 is needed")
    if config.get("temperature"):
        problems.append(
            "temperature = True: it changes with every call, there is nothing to reproduce"
        )
    if not any(config.get(key) for key in ("query", "key", "value")):
        problems.append("query, key and value are all false: there is nothing to fuse by")
    return problems


def _contradictions(record: Mapping[str, Any], members: Sequence[Member]) -> list[str]:
    """What the file says of its adapters and they do not; and what they do not agree in."""
    facts, names = members[0].backbone, [member.name for member in members]
    kinds = {(m.backbone.model_type, m.backbone.width, m.backbone.layers) for m in members}
    problems = [f"its adapters are of different backbones: {sorted(kinds)}"]
    problems = problems if len(kinds) > 1 else []
    wanted: dict[str, object] = {"adapter_names": names, "name": ",".join(names)}
    wanted |= {"hidden_size": facts.width, "model_type": facts.model_type}
    return problems + [
        f"{key} = {record[key]!r:.80}: its adapters have {value!r:.80}"
        for key, value in wanted.items()
        if record.get(key) is not None and record[key] != value
    ]


def fusion_keys(
    members: Sequence[Member], config: FusionConfig, places: Sequence[tuple[str, int]]
) -> dict[str, str]:
    """Our name of every tensor of a fusion, by AdapterHub's key."""
    facts = members[0].backbone
    row = architecture(facts.model_type)
    name = ",".join(member.name for member in members)
    parts = [f"query.{end}" for end in ("weight", "bias") if config.query]
    parts += [f"key.{end}" for end in ("weight", "bias") if config.key]
    parts += ["value.weight"] if config.value else []
    keys: dict[str, str] = {}
    for place, layer in places:
        tower, number_there = tower_of(row, facts, layer)
        site = tower.attention if place == "attention" else tower.output
        # "...output.adapters" holds adapters, "...output.adapter_fusion_layer" the fusions over them.
        key = f"{site.key.removesuffix('adapters')}adapter_fusion_layer"
        at = f"{row.prefix}.{tower.layers}.{number_there}.{key}.{name}"
        keys |= {f"{at}.{part}": f"layers.{place}/{layer}.{part}" for part in parts}
    return keys


def fusion_record(members: Sequence[Member], config: FusionConfig) -> dict[str, Any]:
    """``adapter_fusion_config.json`` as adapters 1.3.0 writes it."""
    names = [member.name for member in members]
    record = {key: getattr(config, key) for key in (*_SWITCHES, *_KEPT)}
    # The library keeps a string there; an empty one is false.
    record |= {"temperature": False, "dropout_prob": config.dropout_prob or None}
    whole = envelope_record(",".join(names), record, members[0].backbone)
    return whole | {"adapter_names": names}
