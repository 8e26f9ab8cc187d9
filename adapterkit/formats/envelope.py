"""The JSON files of an AdapterHub folder: read strictly, written as adapters 1.3.0 writes them. No torch.

Inside ``config`` every key must be known, or empty; a value we do not compute is refused by its name. What
the envelope carries besides is left alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapterkit.config import HEAD_TYPES, BackboneFacts, BottleneckConfig, HeadConfig
from adapterkit.errors import FolderError, found
from adapterkit.files import read_json

VERSION = "adapters.1.3.0"
"""The version of the format, as its own library writes it; what wrote the folder is in our own file."""

# What would change the numbers in a way that we do not compute.
_FIXED: dict[str, Any] = {
    "cross_adapter": False,
    "original_ln_after": True,
}
# Said by every folder, of no effect on what the adapter computes.
_IGNORED: dict[str, Any] = {
    "init_weights_seed": None,
    "factorized_phm_W": True,
    "factorized_phm_rule": False,
    "hypercomplex_nonlinearity": "glorot-uniform",
    "learn_phm": True,
    "phm_bias": True,
    "phm_c_init": "normal",
    "phm_dim": 4,
    "phm_init_range": 0.0001,
    "phm_layer": False,
    "phm_rank": 1,
    "shared_W_phm": False,
    "shared_phm_rule": True,
}
_SWITCHES: dict[str, bool] = {
    "mh_adapter": False,
    "output_adapter": True,
    "is_parallel": False,
    "original_ln_before": True,
    "ln_before": False,
    "ln_after": False,
    "adapter_residual_before_ln": False,
    "use_gating": False,
}
_READ: tuple[str, ...] = (
    "reduction_factor",
    "non_linearity",
    "inv_adapter",
    "inv_adapter_reduction_factor",
    "residual_before_ln",
    "stochastic_depth",
    "init_weights",
)
_READ += ("leave_out", "dropout", "scaling", "architecture")
_HEAD_KEYS: tuple[str, ...] = (
    "head_type",
    "num_labels",
    "layers",
    "activation_function",
    "label2id",
    "use_pooler",
)
_HEAD_KEYS += ("bias", "dropout_prob", "vocab_size", "embedding_size", "layer_norm", "shift_labels")
MODEL_CLASSES = {
    "bert": "BertAdapterModel",
    "roberta": "RobertaAdapterModel",
    "xlm-roberta": "XLMRobertaAdapterModel",
    "distilbert": "DistilBertAdapterModel",
    "deberta": "DebertaAdapterModel",
    "deberta-v2": "DebertaV2AdapterModel",
    "modernbert": "ModernBertModel",
    "llama": "LlamaAdapterModel",
    "qwen3": "Qwen3ForCausalLM",
    "gemma3_text": "Gemma3ForCausalLM",
}


@dataclass(frozen=True)
class Envelope:
    """What ``adapter_config.json`` says.

    Attributes:
        name: The adapter's name, part of its keys.
        config: Shape of its bottlenecks.
        backbone: Type, width and name of its backbone.
        extra: Further entries beside ``config``, kept as they were.
    """

    name: str
    config: BottleneckConfig
    backbone: BackboneFacts
    extra: Mapping[str, Any]


def read_envelope(path: Path) -> Envelope:
    """Read ``adapter_config.json``.

    Raises:
        FolderError: If it is no AdapterHub file, or says something we would compute differently.
    """
    record = read_json(path)
    if "peft_type" in record:
        raise FolderError(
            f"{path}: a PEFT folder ({record['peft_type']}); this version reads AdapterHub folders"
        )
    for key, kind in (("config", dict), ("name", str), ("model_type", str), ("hidden_size", int)):
        if not isinstance(record.get(key), kind):
            raise FolderError(
                f"{path}: {key!r} must be {kind.__name__}, found {record.get(key)!r:.80}"
            )
    facts = BackboneFacts(
        name=str(record.get("model_name") or ""),
        model_type=record["model_type"],
        width=record["hidden_size"],
    )
    used = ("config", "name", "model_type", "hidden_size", "model_name", "model_class", "version")
    extra = {key: value for key, value in record.items() if key not in used}
    return Envelope(_plain_name(path, record["name"]), _bottleneck(path, record), facts, extra)


def _plain_name(path: Path, name: str) -> str:
    if not name or any(sign in name for sign in "./\\\0") or len(name) > 200:
        raise FolderError(f"{path}: {name!r:.60} cannot be an adapter's name (no dots, no slashes)")
    return name


def _bottleneck(path: Path, record: Mapping[str, Any]) -> BottleneckConfig:
    config = dict(record["config"])
    nested = config.pop("invertible_adapter", None)
    own_activation = ""
    if isinstance(nested, dict):  # adapter-transformers 1.x
        config.setdefault("inv_adapter", nested.get("block_type"))
        config.setdefault("inv_adapter_reduction_factor", nested.get("reduction_factor"))
        own_activation = str(nested.get("non_linearity") or "")
    problems = [
        f"{key} = {config[key]!r}: only {value!r} is supported"
        for key, value in _FIXED.items()
        if key in config and config[key] != value and not (value is False and not config[key])
    ]
    known = {*_FIXED, *_IGNORED, *_SWITCHES, *_READ}
    problems += [
        f"{key} = {value!r:.60}: unknown key"
        for key, value in config.items()
        if key not in known and value
    ]
    problems += _value_problems(config)
    if problems:
        raise FolderError(
            f"{path}: this adapter cannot be reproduced exactly, so it is refused:{found(sorted(problems))}"
        )
    version = record.get("version")
    outer = _activation(config["non_linearity"], version)
    inner = _activation(own_activation, version)
    return BottleneckConfig(
        reduction_factor=config["reduction_factor"],
        non_linearity=outer,
        invertible=bool(config.get("inv_adapter")),
        invertible_reduction_factor=config.get("inv_adapter_reduction_factor") or 2,
        invertible_non_linearity="" if inner == outer else inner,
        leave_out=tuple(sorted(set(config.get("leave_out") or ()))),
        dropout=float(config.get("dropout") or 0.0),
        scaling=_scaling(config.get("scaling", 1.0)),
        residual_before_ln=config.get("residual_before_ln", True) or False,
        stochastic_depth=float(config.get("stochastic_depth") or 0.0),
        init_weights=config.get("init_weights") or "bert",
        **{key: bool(config.get(key, usual)) for key, usual in _SWITCHES.items()},
    )


def _scaling(value: Any) -> Any:
    return value if isinstance(value, str) else float(value)


def _number(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _value_problems(config: Mapping[str, Any]) -> list[str]:
    problems = _unsupported(config)
    if config.get("inv_adapter") not in (None, False, "nice"):
        problems.append(f"inv_adapter = {config['inv_adapter']!r}: only 'nice' is supported")
    problems += _factor_problems(config)
    if not isinstance(config.get("non_linearity"), str):
        problems.append(f"non_linearity = {config.get('non_linearity')!r}: a name is needed")
    scaling = config.get("scaling", 1.0)
    if scaling not in ("learned", "channel") and not _number(scaling, -1e6, 1e6):
        problems.append(f"scaling = {scaling!r}: a number, 'learned' or 'channel' is needed")
    if config.get("residual_before_ln", True) not in (True, False, None, "post_add"):
        problems.append(f"residual_before_ln = {config['residual_before_ln']!r}: unknown")
    if (config.get("init_weights") or "bert") not in ("bert", "mam_adapter", "houlsby"):
        problems.append(f"init_weights = {config['init_weights']!r}: unknown")
    for key in ("dropout", "stochastic_depth"):
        if not _number(config.get(key) or 0.0, 0.0, 0.999):
            problems.append(f"{key} = {config[key]!r}: a share below 1 is needed")
    problems += [
        f"{key} = {config[key]!r}: true or false is needed"
        for key in _SWITCHES
        if config.get(key) not in (True, False, None)
    ]
    return problems


def _unsupported(config: Mapping[str, Any]) -> list[str]:
    problems = []
    if config.get("architecture"):
        problems.append(
            f"architecture = {config['architecture']!r}: only bottleneck adapters are supported"
        )
    if config.get("phm_layer"):
        problems.append("phm_layer: compacters are not supported")
    if not config.get("output_adapter", True) and not config.get("mh_adapter"):
        problems.append("output_adapter and mh_adapter are both false: there is no bottleneck")
    if config.get("is_parallel") and config.get("residual_before_ln") == "post_add":
        problems.append("residual_before_ln = 'post_add' has no meaning for a parallel adapter")
    return problems


def _factor_problems(config: Mapping[str, Any]) -> list[str]:
    problems = []
    factor = config.get("reduction_factor")
    factors = list(factor.values()) if isinstance(factor, dict) else [factor]
    if not factors or not all(_number(f, 1e-2, 1e6) for f in factors):
        problems.append(
            f"reduction_factor = {factor!r:.80}: a number above 0 (or such numbers by layer) is needed"
        )
    if not _number(config.get("inv_adapter_reduction_factor") or 2, 1e-2, 1e6):
        problems.append(
            f"inv_adapter_reduction_factor = {config['inv_adapter_reduction_factor']!r:.60}: a number above 0 is needed"
        )
    out = config.get("leave_out") or ()
    if not isinstance(out, list | tuple) or not all(
        isinstance(layer, int) and not isinstance(layer, bool) and 0 <= layer < 1000
        for layer in out
    ):
        problems.append(f"leave_out = {out!r:.80}: layer numbers are needed")
    return problems


def _activation(name: str, version: object) -> str:
    # adapter-transformers 1.x wrote no version, and called the tanh approximation plain "gelu".
    return {"gelu": "gelu_new", "gelu_orig": "gelu"}.get(name, name) if version is None else name


def envelope_record(
    name: str, config: Mapping[str, Any] | None, facts: BackboneFacts
) -> dict[str, Any]:
    """An envelope as adapters 1.3.0 writes it around ``config``."""
    return {
        "config": config,
        "hidden_size": facts.width,
        "model_class": MODEL_CLASSES.get(facts.model_type, ""),
        "model_name": facts.name,
        "model_type": facts.model_type,
        "name": name,
        "version": VERSION,
    }


def bottleneck_record(config: BottleneckConfig) -> dict[str, Any]:
    """All 33 keys of a bottleneck's ``config``."""
    return {
        **_FIXED,
        **_IGNORED,
        "reduction_factor": config.reduction_factor,
        "non_linearity": config.non_linearity,
        "inv_adapter": "nice" if config.invertible else None,
        "inv_adapter_reduction_factor": config.invertible_reduction_factor
        if config.invertible
        else None,
        "leave_out": list(config.leave_out),
        "dropout": config.dropout,
        "scaling": _scaling(config.scaling),
        "residual_before_ln": config.residual_before_ln,
        "stochastic_depth": config.stochastic_depth,
        "init_weights": config.init_weights,
        **{key: getattr(config, key) for key in _SWITCHES},
    }


def read_head(path: Path) -> tuple[str, HeadConfig]:
    """Read ``head_config.json``: the head's name and shape.

    Raises:
        FolderError: If it is no flexible head of a kind we compute.
    """
    record = read_json(path)
    config = record.get("config")
    if not isinstance(config, dict):
        raise FolderError(
            f"{path}: a head of a fixed model class, without its labels' names; it cannot be rebuilt"
        )
    kind = config.get("head_type")
    unknown = [
        f"{key} = {value!r:.60}: unknown key"
        for key, value in config.items()
        if key not in _HEAD_KEYS and value
    ]
    if config.get("use_pooler"):
        unknown.append("use_pooler = True: only the first token's state is supported")
    if kind not in HEAD_TYPES:
        unknown.append(f"head_type = {kind!r}: supported are {', '.join(HEAD_TYPES)}")
    if kind == "masked_lm" and config.get("embedding_size") not in (
        None,
        record.get("hidden_size"),
    ):
        unknown.append(
            f"embedding_size = {config.get('embedding_size')!r}: only the backbone's width is supported"
        )
    if unknown:
        raise FolderError(
            f"{path}: this head cannot be reproduced exactly, so it is refused:{found(unknown)}"
        )
    return _plain_name(path, str(record.get("name") or "")), _head(path, config)


def _head(path: Path, config: Mapping[str, Any]) -> HeadConfig:
    kind = str(config["head_type"])
    try:
        if kind == "masked_lm":
            return HeadConfig(
                kind,
                layers=int(config["layers"]),
                activation=str(config["activation_function"]),
                bias=bool(config.get("bias", True)),
                vocabulary=int(config["vocab_size"]),
            )
        return HeadConfig(
            kind,
            labels=_labels(path, config),
            layers=int(config["layers"]),
            activation=str(config["activation_function"]),
            bias=bool(config.get("bias", True)),
            dropout=float(config.get("dropout_prob") or 0.0),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise FolderError(f"{path}: the head's shape cannot be read ({error!r})") from None


def _labels(path: Path, config: Mapping[str, Any]) -> tuple[str, ...]:
    names = config.get("label2id")
    count = int(config["num_labels"])
    if names is None:
        return tuple(f"LABEL_{i}" for i in range(count))
    if sorted(names.values()) != list(range(count)):
        raise FolderError(
            f"{path}: label2id names {len(names)} labels in {sorted(names.values())!r:.80}, num_labels is {count}"
        )
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
