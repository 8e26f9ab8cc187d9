"""LoRA and IA3 in AdapterHub's layout: read into what PEFT's layout holds, and written from it where it has a form there.

Both libraries change the same linear layers by the same formulas: a LoRA's factors are A ``(rank, in)`` and B ``(out,
rank)``, scaled by alpha / rank; an IA3 scales outputs (here always outputs, also of the feed-forward layer). Encoders
only: where one projection makes queries, keys and values together, the two layouts differ. Gates, DoRA and Vera have
no form in PEFT's layout and are refused.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterkit.backbone.architectures import architecture
from adapterkit.backbone.identity import canonical
from adapterkit.composition.adapter import Adapter
from adapterkit.config import BackboneFacts, Linear, LowRankConfig
from adapterkit.errors import ConfigError, FolderError, found
from adapterkit.files import folder_in_one_step, read_json, sha256_of, write_json
from adapterkit.formats.description import Weights, check_digest, describe_head
from adapterkit.formats.envelope import DEEPEST, check_envelope, envelope_record
from adapterkit.formats.filling import Files, fill_module, hollow
from adapterkit.formats.guard import (
    ADAPTER_WEIGHTS,
    CONFIG,
    HEAD_CONFIG,
    OWN_FILE,
    OWNED,
    check_folder,
    weight_file,
)
from adapterkit.formats.own import own_record, read_own, recorded_backbone
from adapterkit.formats.shapes import differences, shortened
from adapterkit.formats.values import number, whole
from adapterkit.nn.heads import Head
from adapterkit.tensorfile import write_tensors

if TYPE_CHECKING:
    from torch import Tensor

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
_LAYER = re.compile(r"\.layer\.(\d{1,4})\.")


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


def read_hub_lora(folder: Path, *, with_head: bool = True) -> Adapter:
    """Load a LoRA or IA3 that is in AdapterHub's layout.

    Raises:
        FolderError: If it is incomplete, altered, has no form in PEFT's layout, or its tensors are not
            exactly those its configuration calls for.
    """
    check_folder(folder)
    record = read_json(folder / CONFIG)
    check_envelope(folder / CONFIG, record)
    own, files = read_own(folder), Files()
    shape = _shape(folder / CONFIG, record)
    path = weight_file(folder, ADAPTER_WEIGHTS)
    facts = files.facts(path)
    width = int(record["hidden_size"])
    layers = _layers(path, facts, shape)
    modules = _modules(path, record["model_type"], shape, layers, facts)
    backbone = recorded_backbone(folder, own) or BackboneFacts(
        name=canonical(record.get("model_name") or ""),
        model_type=record["model_type"],
        width=width,
        layers=max((*layers, *shape.leave_out)) + 1,
    )
    row = architecture(record["model_type"])
    config = _config(shape, modules, row.prefix)
    names = hub_keys(config, record["name"])
    _compare(path, names, config, facts)
    values = {
        name: tensor.flatten() if name.endswith(".scale") else tensor
        for name, tensor in files.values(Weights(path, names)).items()
    }
    head = _head(folder, backbone.width, files, values) if with_head else None
    with hollow():
        adapter = Adapter(
            record["name"],
            config,
            backbone=backbone,
            kind=str(own.get("kind") or ("task" if head else "")),
            language=str(own.get("language", "")),
            head=Head(head, backbone.width) if head else None,
            provenance=dict(own.get("provenance", {})),
        )
    fill_module(adapter, values)
    if with_head:
        check_digest(folder, own, adapter.digest())
    return adapter.eval()


def _head(folder: Path, width: int, files: Files, values: "dict[str, Tensor]") -> Any:
    if not (folder / HEAD_CONFIG).is_file():
        return None
    told, weights = describe_head(folder, width, files.facts)
    values |= files.values(weights)
    return told.config


def _shape(path: Path, record: Mapping[str, Any]) -> LoraShape:
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
    match = re.fullmatch(r"adapters\.(\d+)\.(\d+).*", version)
    return match is None or (int(match[1]), int(match[2])) < (1, 1)


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
    if mode not in _MODES:
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
    if not isinstance(matrices, list) or not all(one in ("q", "k", "v") for one in matrices):
        problems.append(f"attn_matrices = {matrices!r:.60}: some of q, k and v are needed")
    if not isinstance(out, list) or any(whole(one, 0, DEEPEST - 1) is None for one in out):
        problems.append(f"leave_out = {out!r:.60}: layer numbers are needed")
    return problems


def _layers(path: Path, facts: Iterable[str], shape: LoraShape) -> list[int]:
    there = sorted({int(m[1]) for key in facts if (m := _LAYER.search(key))})
    wanted = [n for n in range(max(there, default=-1) + 1) if n not in shape.leave_out]
    if not there or there != wanted:
        raise FolderError(
            f"{path}: not the weights that its configuration calls for:\n"
            f"  layers: it has parts in {there or 'none'}, leave_out is {list(shape.leave_out)}"
        )
    return there


def _modules(
    path: Path, model_type: str, shape: LoraShape, layers: list[int], facts: Mapping[str, Any]
) -> tuple[Linear, ...]:
    start, places = PLACES[model_type]
    modules = []
    for layer in layers:
        for word in shape.words:
            place = f"{start}.{layer}.{places[word]}"
            sizes = {
                key.rsplit(".", 1)[-1]: fact.shape
                for key, fact in facts.items()
                if f"{place}.loras." in key
            }
            into, out = sizes.get("lora_A", (0, 0)), sizes.get("lora_B", (0,))
            rank, scaling = (shape.rank, shape.scaling) if shape.method == "lora" else (0, 1.0)
            modules.append(
                Linear(place, into[-1] if into else 0, out[0] if out else 0, rank, scaling)
            )
    if not modules:
        raise FolderError(f"{path}: its configuration names no linear layer")
    return tuple(modules)


def _config(shape: LoraShape, modules: tuple[Linear, ...], prefix: str) -> LowRankConfig:
    lora = shape.method == "lora"
    return LowRankConfig(
        method="lora" if lora else "ia3",
        modules=modules if lora else tuple(replace(one, inputs=0) for one in modules),
        rank=shape.rank if lora else 0,
        alpha=shape.alpha if lora else 0.0,
        dropout=shape.dropout if lora else 0.0,
        targets=_targets(shape, modules),
        prefix=prefix,
    )


def _targets(shape: LoraShape, modules: tuple[Linear, ...]) -> tuple[str, ...]:
    """PEFT's ``target_modules``: ends of names, where they mean these linear layers and no others.

    An end cannot leave a layer out, and "output.dense" would also mean attention's own output.
    """
    whole = bool(shape.leave_out) or "output" in shape.words
    return tuple(dict.fromkeys(one.path if whole else one.path.split(".", 3)[3] for one in modules))


def hub_keys(config: LowRankConfig, name: str) -> dict[str, str]:
    """Our name of every tensor, by AdapterHub's key."""
    parts = {"lora_A": "down.weight", "lora_B": "up.weight"}
    if config.method == "ia3":
        parts = {"lora_B": "scale"}
    return {
        f"{config.prefix}.{one.path}.loras.{name}.{theirs}": f"patches.{one.path.replace('.', '/')}.{ours}"
        for one in config.modules
        for theirs, ours in parts.items()
    }


def _compare(
    path: Path, names: Mapping[str, str], config: LowRankConfig, facts: Mapping[str, Any]
) -> None:
    by_path = {one.path.replace(".", "/"): one for one in config.modules}
    wanted: dict[str, tuple[int, ...]] = {}
    for key, name in names.items():
        one = by_path[name.split(".")[1]]
        shapes = {"down": (one.rank, one.inputs), "up": (one.outputs, one.rank)}
        wanted[key] = shapes.get(name.split(".")[2], (one.outputs, 1))
    problems = differences(wanted, facts)
    if problems:
        raise FolderError(
            f"{path}: not the weights that its configuration calls for:{found(shortened(problems))}"
        )


def write_hub_lora(adapter: Adapter, folder: Path) -> None:
    """Write a LoRA or IA3 in AdapterHub's layout.

    Raises:
        ConfigError: If it has no form there: other layers than that library changes, ranks or scales
            that differ from layer to layer, or inputs that are scaled.
    """
    from adapterkit.formats.adapterhub import write_head

    config = adapter.config
    assert isinstance(config, LowRankConfig)
    record = hub_record(adapter, config)
    row = architecture(adapter.backbone.model_type)
    with folder_in_one_step(folder, owned=OWNED) as new:
        tensors = adapter.tensors()
        names = hub_keys(replace(config, prefix=row.prefix), adapter.name)
        stored = {
            key: tensors[name].reshape(-1, 1) if name.endswith(".scale") else tensors[name]
            for key, name in names.items()
        }
        write_tensors(new / ADAPTER_WEIGHTS[0], stored)
        write_json(new / CONFIG, envelope_record(adapter.name, record, adapter.backbone))
        if adapter.head is not None:
            write_head(adapter.head, adapter.name, adapter.backbone, new)
        sums = {file.name: sha256_of(file) for file in sorted(new.iterdir())}
        write_json(new / OWN_FILE, own_record(adapter, sums))


def hub_record(adapter: Adapter, config: LowRankConfig) -> dict[str, Any]:
    """``config`` as adapters 1.3.0 writes it.

    Raises:
        ConfigError: As `write_hub_lora`, with every reason.
    """
    model_type = adapter.backbone.model_type
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
            f"adapter {adapter.name!r} has no form in AdapterHub's layout:{found(shortened(problems))}"
        )
    first, lora = config.modules[0], config.method == "lora"
    alpha = first.scaling * first.rank if lora else 1.0
    depth = adapter.backbone.layers or max(layers) + 1
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
        "leave_out": [layer for layer in range(depth) if layer not in layers],
        "output_lora": "output" in words,
        "r": first.rank if lora else 1,
        "selfattn_lora": bool({"q", "k", "v"} & {*words}),
    }
