"""The JSON files of an AdapterHub folder: read strictly, written as adapters 1.3.0 writes them. No torch.

Inside ``config`` every key must be known, or empty; a value we do not compute is refused by its name. What
the envelope carries besides is kept and shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapterkit.config import BackboneFacts, BottleneckConfig
from adapterkit.errors import FolderError, found
from adapterkit.files import read_json
from adapterkit.formats.values import number, plain_name, whole

VERSION = "adapters.1.3.0"
"""The version of the format, as its own library writes it; what wrote the folder is in our own file."""

WIDEST, DEEPEST = 65536, 1000
"""Bounds on widths and numbers of layers, far above any backbone's."""
_LAYERS = {str(layer) for layer in range(DEEPEST)}

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
# Each with what adapters takes where a folder does not say; which is not what it trains by default.
_SWITCHES: dict[str, bool] = {
    "mh_adapter": False,
    "output_adapter": True,
    "is_parallel": False,
    "original_ln_before": False,
    "ln_before": False,
    "ln_after": False,
    "adapter_residual_before_ln": False,
    "use_gating": False,
}
_READ: tuple[str, ...] = ("reduction_factor", "non_linearity", "leave_out", "dropout", "scaling")
_READ += ("inv_adapter", "inv_adapter_reduction_factor", "residual_before_ln", "stochastic_depth")
_READ += ("init_weights", "architecture")
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
    "mbart": "MBartAdapterModel",
    "mt5": "MT5AdapterModel",
    "m2m_100": "M2M100ForConditionalGeneration",
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
            f"{path}: a PEFT folder ({record['peft_type']!r:.40}); this version reads AdapterHub folders"
        )
    check_envelope(path, record)
    facts = BackboneFacts(
        name=record.get("model_name") or "",
        model_type=record["model_type"],
        width=int(record["hidden_size"]),
    )
    used = ("config", "name", "model_type", "hidden_size", "model_name", "model_class", "version")
    extra = {key: value for key, value in record.items() if key not in used}
    return Envelope(record["name"], _bottleneck(path, record), facts, extra)


def check_envelope(path: Path, record: Mapping[str, Any]) -> None:
    """Refuse what stands around ``config`` if it has other types than AdapterHub's.

    Raises:
        FolderError: With everything that is wrong.
    """
    kinds: dict[str, tuple[type, ...]] = {"config": (dict,), "name": (str,), "model_type": (str,)}
    kinds |= {"model_name": (str, type(None)), "version": (str, type(None))}
    problems = [
        f"{key!r} must be {kind[0].__name__}, found {record.get(key)!r:.80}"
        for key, kind in kinds.items()
        if not isinstance(record.get(key), kind)
    ]
    if whole(record.get("hidden_size"), 1, WIDEST) is None:
        problems.append(
            f"'hidden_size' must be a number from 1 to {WIDEST}, found {record.get('hidden_size')!r:.80}"
        )
    name = record.get("name")
    if isinstance(name, str) and not plain_name(name):
        problems.append(f"name {name!r:.60}: cannot be an adapter's name (no dots, no slashes)")
    if problems:
        raise FolderError(f"{path}: is no adapter's configuration:{found(problems)}")


def _nested(config: dict[str, Any]) -> tuple[dict[str, Any], str, list[str]]:
    """Flatten adapter-transformers 1.x's ``invertible_adapter``: settings, its activation, problems."""
    nested = config.get("invertible_adapter")
    flat = {key: value for key, value in config.items() if key != "invertible_adapter"}
    if not nested:
        return flat, "", []
    if not isinstance(nested, dict):
        return flat, "", [f"invertible_adapter = {nested!r:.60}: an object is needed"]
    known = ("block_type", "reduction_factor", "non_linearity")
    problems = [
        f"invertible_adapter: {key:.60} = {value!r:.60}: unknown key"
        for key, value in nested.items()
        if key not in known and value
    ]
    flat.setdefault("inv_adapter", nested.get("block_type"))
    flat.setdefault("inv_adapter_reduction_factor", nested.get("reduction_factor"))
    own = nested.get("non_linearity") or ""
    if not isinstance(own, str):
        problems.append(f"invertible_adapter: non_linearity = {own!r:.60}: a name is needed")
    return flat, str(own), problems


def _bottleneck(path: Path, record: Mapping[str, Any]) -> BottleneckConfig:
    config, own_activation, problems = _nested(record["config"])
    problems += _problems(config, int(record["hidden_size"]))
    if problems:
        raise FolderError(
            f"{path}: this adapter cannot be reproduced exactly, so it is refused:{found(sorted(problems))}"
        )
    version = record.get("version")
    outer = _activation(config["non_linearity"], version)
    inner = _activation(own_activation, version)
    residual = config.get("residual_before_ln", True)
    return BottleneckConfig(
        reduction_factor=config["reduction_factor"],
        non_linearity=outer,
        invertible=bool(config.get("inv_adapter")),
        invertible_reduction_factor=config.get("inv_adapter_reduction_factor") or 2,
        invertible_non_linearity="" if inner == outer else inner,
        leave_out=tuple(sorted({int(layer) for layer in config.get("leave_out") or ()})),
        dropout=float(config.get("dropout") or 0.0),
        scaling=_scaling(config.get("scaling", 1.0)),
        residual_before_ln=residual if residual == "post_add" else bool(residual),
        stochastic_depth=float(config.get("stochastic_depth") or 0.0),
        init_weights=config.get("init_weights") or "bert",
        **{key: bool(config.get(key, usual)) for key, usual in _SWITCHES.items()},
    )


def _problems(config: Mapping[str, Any], width: int) -> list[str]:
    problems = [
        f"{key} = {config[key]!r:.60}: only {value!r} is supported"
        for key, value in _FIXED.items()
        if key in config and config[key] != value and not (value is False and not config[key])
    ]
    known = {*_FIXED, *_IGNORED, *_SWITCHES, *_READ}
    problems += [
        f"{key:.60} = {value!r:.60}: unknown key"
        for key, value in config.items()
        if key not in known and value
    ]
    if config.get("inv_adapter") and width % 2:
        problems.append(f"inv_adapter: a width of {width} has no halves")
    return problems + _value_problems(config)


def _scaling(value: Any) -> Any:
    return value if isinstance(value, str) else float(value)


def _value_problems(config: Mapping[str, Any]) -> list[str]:
    problems = _unsupported(config)
    if config.get("inv_adapter") not in (None, False, "nice"):
        problems.append(f"inv_adapter = {config['inv_adapter']!r:.60}: only 'nice' is supported")
    problems += _factor_problems(config)
    if not isinstance(config.get("non_linearity"), str):
        problems.append(f"non_linearity = {config.get('non_linearity')!r:.60}: a name is needed")
    scaling = config.get("scaling", 1.0)
    if scaling not in ("learned", "channel") and not number(scaling, -1e6, 1e6):
        problems.append(f"scaling = {scaling!r:.60}: a number, 'learned' or 'channel' is needed")
    if config.get("residual_before_ln", True) not in (True, False, None, "post_add"):
        problems.append(f"residual_before_ln = {config['residual_before_ln']!r:.60}: unknown")
    if (config.get("init_weights") or "bert") not in ("bert", "mam_adapter", "houlsby"):
        problems.append(f"init_weights = {config['init_weights']!r:.60}: unknown")
    for key in ("dropout", "stochastic_depth"):
        if not number(config.get(key) or 0.0, 0.0, 0.999):
            problems.append(f"{key} = {config[key]!r:.60}: a share below 1 is needed")
    problems += [
        f"{key} = {config[key]!r:.60}: true or false is needed"
        for key in _SWITCHES
        if config.get(key) not in (True, False, None)
    ]
    return problems


def _unsupported(config: Mapping[str, Any]) -> list[str]:
    problems = []
    if config.get("architecture"):
        problems.append(
            f"architecture = {config['architecture']!r:.60}: only bottleneck adapters are supported"
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
    named = isinstance(factor, dict) and not all(k == "default" or k in _LAYERS for k in factor)
    if named or not factors or not all(number(f, 1e-2, 1e6) for f in factors):
        problems.append(
            f"reduction_factor = {factor!r:.80}: a number above 0 (or such numbers by layer) is needed"
        )
    if not number(config.get("inv_adapter_reduction_factor") or 2, 1e-2, 1e6):
        problems.append(
            f"inv_adapter_reduction_factor = {config['inv_adapter_reduction_factor']!r:.60}: a number above 0 is needed"
        )
    out = config.get("leave_out") or []
    if not isinstance(out, list) or not all(
        whole(layer, 0, DEEPEST - 1) is not None for layer in out
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
    """All 33 keys of a bottleneck's ``config``.

    A coupling with an activation of its own stands there as adapter-transformers 1.x wrote it, the only form that can
    say so (adapters 1.3.0 reads it, and takes the bottleneck's activation).
    """
    coupling: dict[str, Any] = {
        "inv_adapter": "nice" if config.invertible else None,
        "inv_adapter_reduction_factor": config.invertible_reduction_factor
        if config.invertible
        else None,
    }
    if config.invertible and config.invertible_non_linearity:
        nested = {
            "block_type": "nice",
            "non_linearity": config.invertible_non_linearity,
            "reduction_factor": config.invertible_reduction_factor,
        }
        coupling = {"invertible_adapter": nested}
    return {
        **coupling,
        **_FIXED,
        **_IGNORED,
        "reduction_factor": config.reduction_factor,
        "non_linearity": config.non_linearity,
        "leave_out": list(config.leave_out),
        "dropout": config.dropout,
        "scaling": _scaling(config.scaling),
        "residual_before_ln": config.residual_before_ln,
        "stochastic_depth": config.stochastic_depth,
        "init_weights": config.init_weights,
        **{key: getattr(config, key) for key in _SWITCHES},
    }
