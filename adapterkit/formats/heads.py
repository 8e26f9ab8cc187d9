"""``head_config.json``: a prediction head's shape, read strictly and written as adapters 1.3.0 writes it. No torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapterkit.config import HEAD_TYPES, HeadConfig
from adapterkit.errors import FolderError, found
from adapterkit.files import read_json
from adapterkit.formats.values import number, plain_name, whole

_KEYS: tuple[str, ...] = (
    "head_type",
    "num_labels",
    "layers",
    "activation_function",
    "label2id",
    "use_pooler",
)
_KEYS += ("bias", "dropout_prob", "vocab_size", "embedding_size", "layer_norm", "shift_labels")
MOST_LABELS, MOST_LAYERS, MOST_WORDS = 100_000, 64, 2**40


@dataclass(frozen=True)
class HeadEnvelope:
    """What ``head_config.json`` says.

    Attributes:
        name: The head's name, part of its keys.
        config: Its shape.
        model_type: Type of its backbone; empty where the file does not say.
        width: Width of its backbone; 0 where the file does not say.
    """

    name: str
    config: HeadConfig
    model_type: str = ""
    width: int = 0


def read_head(path: Path) -> HeadEnvelope:
    """Read ``head_config.json``.

    Raises:
        FolderError: If it is no flexible head of a kind we compute; with every reason.
    """
    record = read_json(path)
    config, name = record.get("config"), record.get("name")
    if not isinstance(config, dict):
        raise FolderError(
            f"{path}: a head of a fixed model class, without its labels' names; it cannot be rebuilt\n"
            "load_adapter(..., with_head=False) loads the adapter without it"
        )
    problems = _problems(config, record.get("hidden_size"))
    if not isinstance(name, str) or not plain_name(name):
        problems.append(f"name = {name!r:.60}: no name for a head (no dots, no slashes)")
    model_type, width = record.get("model_type") or "", record.get("hidden_size") or 0
    if not isinstance(model_type, str) or whole(width, 0, 65536) is None:
        problems.append(f"model_type = {model_type!r:.40}, hidden_size = {width!r:.40}: unreadable")
    if problems:
        raise FolderError(
            f"{path}: this head cannot be reproduced exactly, so it is refused:{found(problems)}"
        )
    return HeadEnvelope(str(name), _head(config), model_type, int(width))


def _problems(config: Mapping[str, Any], width: object) -> list[str]:
    kind = config.get("head_type")
    problems = [
        f"{key:.60} = {value!r:.60}: unknown key"
        for key, value in config.items()
        if key not in _KEYS and value
    ]
    if kind not in HEAD_TYPES:
        return [
            *problems,
            f"head_type = {kind!r:.60}: supported are {', '.join(HEAD_TYPES)}",
        ]
    if config.get("use_pooler"):
        problems.append("use_pooler = True: only the first token's state is supported")
    problems += _shape_problems(config)
    return problems + (
        _vocabulary_problems(config, width) if kind == "masked_lm" else _label_problems(config)
    )


def _shape_problems(config: Mapping[str, Any]) -> list[str]:
    problems = []
    if whole(config.get("layers"), 1, MOST_LAYERS) is None:
        problems.append(f"layers = {config.get('layers')!r:.60}: a number of layers is needed")
    if not isinstance(config.get("activation_function"), str):
        problems.append(
            f"activation_function = {config.get('activation_function')!r:.60}: a name is needed"
        )
    if config.get("bias", True) not in (True, False, None):
        problems.append(f"bias = {config['bias']!r:.60}: true or false is needed")
    if not number(config.get("dropout_prob") or 0.0, 0.0, 0.999):
        problems.append(f"dropout_prob = {config['dropout_prob']!r:.60}: a share below 1 is needed")
    return problems


def _vocabulary_problems(config: Mapping[str, Any], width: object) -> list[str]:
    problems = []
    if whole(config.get("vocab_size"), 1, MOST_WORDS) is None:
        problems.append(f"vocab_size = {config.get('vocab_size')!r:.60}: a number is needed")
    if config.get("embedding_size") not in (None, width):
        problems.append(
            f"embedding_size = {config['embedding_size']!r:.60}: only the backbone's width is supported"
        )
    if not config.get("layer_norm", True):
        problems.append("layer_norm = False: only heads with a norm are supported")
    if config.get("shift_labels"):
        problems.append("shift_labels = True: only masked language modelling is supported")
    return problems


def _label_problems(config: Mapping[str, Any]) -> list[str]:
    names = config.get("label2id")
    count = whole(config.get("num_labels"), 1, MOST_LABELS)
    if count is None:
        return [
            f"num_labels = {config.get('num_labels')!r:.60}: a number from 1 to {MOST_LABELS} is needed"
        ]
    if names is None:
        return []
    if not isinstance(names, dict):
        return [f"label2id = {names!r:.60}: names and numbers are needed"]
    ids = [whole(value, 0, MOST_LABELS) for value in names.values()]
    if None in ids or sorted(i for i in ids if i is not None) != list(range(count)):
        numbers = f"{list(names.values())!r:.80}"
        return [f"label2id names {len(names)} labels in {numbers}, num_labels is {count}"]
    return []


def _head(config: Mapping[str, Any]) -> HeadConfig:
    kind, bias = str(config["head_type"]), bool(config.get("bias", True))
    layers, activation = int(config["layers"]), str(config["activation_function"])
    if kind == "masked_lm":
        words = int(config["vocab_size"])
        return HeadConfig(kind, layers=layers, activation=activation, bias=bias, vocabulary=words)
    return HeadConfig(
        kind,
        labels=_labels(config),
        layers=layers,
        activation=activation,
        bias=bias,
        dropout=float(config.get("dropout_prob") or 0.0),
    )


def _labels(config: Mapping[str, Any]) -> tuple[str, ...]:
    names = config.get("label2id")
    if names is None:
        return tuple(f"LABEL_{i}" for i in range(int(config["num_labels"])))
    return tuple(sorted(names, key=names.__getitem__))


def head_record(config: HeadConfig, width: int) -> dict[str, Any]:
    """A head's ``config`` as adapters 1.3.0 writes it."""
    if config.head_type == "masked_lm":
        return {
            "activation_function": config.activation,
            "bias": config.bias,
            "embedding_size": width,
            "head_type": "masked_lm",
            "label2id": None,
            "layer_norm": True,
            "layers": config.layers,
            "shift_labels": False,
            "vocab_size": config.vocabulary,
        }
    record = {
        "activation_function": config.activation,
        "dropout_prob": config.dropout or None,
        "head_type": config.head_type,
        "label2id": {label: i for i, label in enumerate(config.labels)},
        "layers": config.layers,
        "num_labels": len(config.labels),
    }
    return (
        record
        if config.head_type == "tagging"
        else {**record, "bias": config.bias, "use_pooler": False}
    )
