"""The ``config`` of a LoRA or IA3 in AdapterHub's layout: read strictly, and written as adapters 1.3.0 writes it. No torch."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapterkit.config import LowRankConfig
from adapterkit.errors import ConfigError, FolderError, found
from adapterkit.files import read_json
from adapterkit.formats.envelope import DEEPEST
from adapterkit.formats.guard import CONFIG
from adapterkit.formats.shapes import shortened
from adapterkit.formats.values import number, whole

_BERT = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "intermediate": "intermediate.dense",
    "output": "output.dense",
}
_DISTIL = {"q": "attention.q_lin", "k": "attention.k_lin", "v": "attention.v_lin"}
_DISTIL |= {"intermediate": "ffn.lin1", "output": "ffn.lin2"}
PLACES = {
    "bert": ("encoder.layer", _BERT),
    "roberta": ("encoder.layer", _BERT),
    "xlm-roberta": ("encoder.layer", _BERT),
    "distilbert": ("transformer.layer", _DISTIL),
}
"""Where the layers are, and the linear layers of one, by AdapterHub's words for them."""
_MODES = {"add": "lora", "scale": "ia3"}
_FIXED: dict[str, Any] = {"use_gating": False, "use_dora": False, "vera_d": None, "vera_b": None}
_KEYS = {"architecture", "alpha", "attn_matrices", "composition_mode", "dropout", "dtype"}
_KEYS |= {"init_weights", "init_weights_seed", "intermediate_lora", "leave_out", "output_lora"}
_KEYS |= {"r", "selfattn_lora"}
_PRE = re.compile(r"(?:\.0)?[._-]?(?:a|b|c|rc|pre|dev)")
"""What follows ``1.1`` in a version before 1.1.0."""


@dataclass(frozen=True)
class LoraShape:
    """What ``config`` says, checked.

    Attributes:
        method: ``lora`` or ``ia3``.
        rank: Of a LoRA.
        alpha: Of a LoRA.
        dropout: Of a LoRA.
        words: Which linear layers of a layer, by the words of `PLACES`.
        leave_out: Layers that have none.
    """

    method: str
    rank: int
    alpha: float
    dropout: float
    words: tuple[str, ...]
    leave_out: tuple[int, ...]

    @property
    def scaling(self) -> float:
        """The factor on the change."""
        return self.alpha / self.rank


def is_hub_lora(folder: Path) -> bool:
    """Whether ``folder`` is AdapterHub's and holds a LoRA or IA3."""
    if not (folder / CONFIG).is_file():
        return False
    config = read_json(folder / CONFIG).get("config")
    return isinstance(config, dict) and config.get("architecture") == "lora"


def read_shape(path: Path, record: Mapping[str, Any]) -> LoraShape:
    """Read ``config`` of the envelope ``record`` in the file ``path``.

    Raises:
        FolderError: If it says anything that has no form in PEFT's layout.
    """
    config = record["config"]
    problems = _problems(config, record["model_type"])
    if problems:
        raise FolderError(f"{path}: this LoRA has no form here, so it is refused:{found(problems)}")
    words = tuple(config.get("attn_matrices") or ()) if config.get("selfattn_lora", True) else ()
    words += tuple(word for word in ("intermediate", "output") if config.get(f"{word}_lora", False))
    rank, alpha = int(config.get("r", 8)), float(config.get("alpha", 8))
    if record.get("version") and _is_before_1_1(str(record["version"])):
        alpha = float(rank)  # so adapters reads them: until then the factor was left out
    return LoraShape(
        method=_MODES[config.get("composition_mode", "add")],
        rank=rank,
        alpha=alpha,
        dropout=float(config.get("dropout") or 0.0),
        words=words,
        leave_out=tuple(int(layer) for layer in config.get("leave_out") or ()),
    )


def _is_before_1_1(version: str) -> bool:
    """Whether adapters reads ``version`` as its own before 1.1.0; adapter-transformers' are others' (``3.2.1``)."""
    match = re.fullmatch(r"adapters\.(\d+)(?:\.(\d+))?(.*)", version)
    if match is None:
        return False
    numbers = int(match[1]), int(match[2] or 0)
    return numbers < (1, 1) or (numbers == (1, 1) and _PRE.match(match[3]) is not None)


def _problems(config: Mapping[str, Any], model_type: str) -> list[str]:
    problems = [
        f"{key} = {config[key]!r:.60}: only {value!r} is supported"
        for key, value in _FIXED.items()
        if config.get(key) not in (value, None, False)
    ]
    problems += [
        f"{key:.60} = {value!r:.60}: unknown key"
        for key, value in config.items()
        if key not in {*_KEYS, *_FIXED} and value
    ]
    if model_type not in PLACES:
        problems.append(f"model_type = {model_type!r:.40}: only {', '.join(PLACES)} are supported")
    mode = config.get("composition_mode", "add")
    if not isinstance(mode, str) or mode not in _MODES:
        problems.append(f"composition_mode = {mode!r:.40}: unknown")
    if whole(config.get("r", 8), 1, 65536) is None:
        problems.append(f"r = {config.get('r')!r:.40}: a whole number above 0 is needed")
    if not number(config.get("alpha", 8), 1e-6, 1e6):
        problems.append(f"alpha = {config.get('alpha')!r:.40}: a number above 0 is needed")
    if mode == "scale" and (config.get("r", 1) != 1 or config.get("alpha", 1) != 1):
        problems.append("composition_mode = 'scale': r and alpha must be 1")
    if not number(config.get("dropout") or 0.0, 0.0, 0.999):
        problems.append(f"dropout = {config.get('dropout')!r:.40}: a share below 1 is needed")
    matrices, out = config.get("attn_matrices") or [], config.get("leave_out") or []
    known = isinstance(matrices, list) and all(one in ("q", "k", "v") for one in matrices)
    if not known or len(set(matrices)) < len(matrices):
        problems.append(f"attn_matrices = {matrices!r:.60}: some of q, k and v are needed")
    if (
        not isinstance(out, list)
        or len(out) > DEEPEST
        or any(whole(one, 0, DEEPEST - 1) is None for one in out)
    ):
        problems.append(f"leave_out = {out!r:.60}: layer numbers are needed")
    return problems


def hub_record(name: str, config: LowRankConfig, model_type: str, depth: int) -> dict[str, Any]:
    """``config`` as adapters 1.3.0 writes it.

    Raises:
        ConfigError: If it has no form there, with every reason.
    """
    if model_type not in PLACES:
        raise ConfigError(
            f"a {config.method} over {model_type!r} has no form in AdapterHub's layout that is known here; "
            f"only over {', '.join(PLACES)}"
        )
    start, places = PLACES[model_type]
    paths = {one.path for one in config.modules}
    layers = sorted({int(path.split(".")[2]) for path in paths if path.startswith(f"{start}.")})
    words = [w for w, end in places.items() if any(path.endswith(f".{end}") for path in paths)]
    # "output.dense" also ends attention's own output layer, which AdapterHub never changes.
    wanted = {f"{start}.{layer}.{places[word]}" for layer in layers for word in words}
    problems = [f"{path}: AdapterHub changes no such layer" for path in sorted(paths - wanted)]
    problems += [f"{path}: is left out in this layer only" for path in sorted(wanted - paths)]
    if any(one.feedforward for one in config.modules):
        problems.append("inputs are scaled; AdapterHub scales outputs only")
    if len({(one.rank, one.scaling) for one in config.modules}) > 1:
        problems.append("ranks or scales differ from layer to layer")
    if problems:
        raise ConfigError(
            f"adapter {name!r} has no form in AdapterHub's layout:{found(shortened(problems))}"
        )
    first, lora = config.modules[0], config.method == "lora"
    alpha = first.scaling * first.rank if lora else 1.0
    return {
        **_FIXED,
        "architecture": "lora",
        "alpha": int(alpha) if alpha == int(alpha) else alpha,
        "attn_matrices": [word for word in ("q", "k", "v") if word in words],
        "composition_mode": "add" if lora else "scale",
        "dropout": config.dropout,
        "dtype": None,
        "init_weights": config.method,
        "init_weights_seed": None,
        "intermediate_lora": "intermediate" in words,
        "leave_out": [layer for layer in range(depth or max(layers) + 1) if layer not in layers],
        "output_lora": "output" in words,
        "r": first.rank if lora else 1,
        "selfattn_lora": bool({"q", "k", "v"} & {*words}),
    }
