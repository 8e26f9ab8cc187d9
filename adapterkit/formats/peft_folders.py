"""LoRA and IA3 folders in PEFT's own format, which plain `peft` reads and writes. Nothing here imports it.

A folder holds ``adapter_config.json`` (told from AdapterHub's by its ``peft_type``) and
``adapter_model.safetensors`` (or an old ``adapter_model.bin``). A tagging head stands in the same file as the
``classifier`` of a model with a token classification head, so that it works there too; so does a classification head
where the architecture's own has our form (RoBERTa's). We add ``adapterkit.json``, which `peft` ignores.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterkit.backbone.architectures import ARCHITECTURES
from adapterkit.backbone.identity import canonical
from adapterkit.composition.adapter import Adapter
from adapterkit.config import BackboneFacts, HeadConfig, Linear, LowRankConfig
from adapterkit.errors import ConfigError, FolderError
from adapterkit.files import folder_in_one_step, read_json, sha256_of, write_json
from adapterkit.formats import own as own_file
from adapterkit.formats.filling import fill_module, weights_of
from adapterkit.formats.guard import OWN_FILE
from adapterkit.formats.peft_config import read_config
from adapterkit.nn.heads import Head
from adapterkit.tensorfile import write_tensors

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
_START = "base_model.model."
_LORA = (".lora_A.weight", ".lora_B.weight")
_IA3 = ".ia3_l"
_TAGGING = {"weight": "head.chain.1.weight", "bias": "head.chain.1.bias"}
_CLASSES = {
    f"{part}.{end}": f"head.chain.{place}.{end}"
    for part, place in (("dense", "1"), ("out_proj", "4"))
    for end in ("weight", "bias")
}


def is_peft(folder: Path) -> bool:
    """Whether ``folder`` says it is PEFT's."""
    path = folder / "adapter_config.json"
    return path.is_file() and "peft_type" in read_json(path)


def read_peft(folder: Path) -> Adapter:
    """Load a LoRA or IA3 folder, with its classifier if it has one.

    Raises:
        FolderError: If it is incomplete, altered, or holds anything that is not the adapter's.
    """
    record = read_config(folder / "adapter_config.json")
    own = own_file.read_own(folder)
    tensors = weights_of(folder, WEIGHTS)
    config, wanted = shape_of(folder / "adapter_config.json", record, tensors)
    head, head_keys = _head(folder, record, own, tensors)
    facts = own_file.recorded_backbone(folder, own) or _facts(record)
    adapter = Adapter(
        str(own.get("name") or folder.name),
        config,
        backbone=facts,
        kind=str(own.get("kind", "")),
        language=str(own.get("language", "")),
        head=head,
        provenance=own.get("provenance", {}),
    )
    plain = {
        key: tensor.flatten() if key.endswith(_IA3) else tensor for key, tensor in tensors.items()
    }
    fill_module(folder / WEIGHTS[0], adapter.tensors(), plain, {**wanted, **head_keys})
    return adapter.eval()


def _facts(record: Mapping[str, Any]) -> BackboneFacts:
    return BackboneFacts(name=canonical(str(record.get("base_model_name_or_path") or "")))


def shape_of(
    path: Path, record: Mapping[str, Any], tensors: Mapping[str, "Tensor"]
) -> tuple[LowRankConfig, dict[str, str]]:
    """The adapter's shape, and our name of each of its tensors by PEFT's key.

    Raises:
        FolderError: If there is no low-rank tensor at all.
    """
    ends = _LORA if record["peft_type"] == "LORA" else (_IA3,)
    raw = sorted({key[: -len(end)] for key in tensors for end in ends if key.endswith(end)})
    if not raw:
        raise FolderError(f"{path.parent}: its weights hold no {ends[0]} tensor")
    linears: list[Linear] = []
    wanted: dict[str, str] = {}
    prefix = ""
    for place in raw:
        bare = place.removeprefix(_START)
        prefix, inside = split_prefix(bare)
        linears.append(_linear(record, bare, inside, [tensors.get(place + end) for end in ends]))
        at = f"patches.{inside.replace('.', '/')}"
        ours = ("down.weight", "up.weight") if ends == _LORA else ("scale",)
        wanted |= {place + end: f"{at}.{name}" for end, name in zip(ends, ours, strict=True)}
    targets = record["target_modules"]
    return LowRankConfig(
        method="lora" if ends == _LORA else "ia3",
        modules=tuple(linears),
        rank=int(record.get("r") or 0),
        alpha=float(record.get("lora_alpha") or 0),
        dropout=float(record.get("lora_dropout") or 0.0),
        targets=targets if isinstance(targets, str) else tuple(sorted(targets)),
        feedforward=tuple(sorted(record.get("feedforward_modules") or ())),
        prefix=prefix,
    ), wanted


def split_prefix(path: str) -> tuple[str, str]:
    """A model's prefix (``roberta``, or none) and the path inside its base model."""
    first, _, rest = path.partition(".")
    prefixes = {row.prefix for row in ARCHITECTURES.values() if not row.own_base}
    return (first, rest) if first in prefixes and rest else ("", path)


def _linear(record: Mapping[str, Any], bare: str, inside: str, parts: list[Any]) -> Linear:
    sizes = [tuple(part.shape) if part is not None else () for part in parts]
    if record["peft_type"] == "IA3":
        forward = any(
            bare == end or bare.endswith(f".{end}")
            for end in record.get("feedforward_modules") or ()
        )
        width = max((*sizes[0], 0))
        return Linear(inside, width if forward else 0, 0 if forward else width, feedforward=forward)
    rank = int(_pattern(record.get("rank_pattern"), bare, record.get("r") or 0))
    alpha = float(_pattern(record.get("alpha_pattern"), bare, record.get("lora_alpha") or 8))
    scaling = alpha / (rank**0.5 if record.get("use_rslora") else rank) if rank else 0.0
    inputs = sizes[0][1] if len(sizes[0]) == 2 else 0
    outputs = sizes[1][0] if len(sizes[1]) == 2 else 0
    return Linear(inside, inputs, outputs, rank, scaling)


def _pattern(pattern: Mapping[str, Any] | None, path: str, usual: float) -> float:
    # PEFT's patterns are regular expressions; from a stranger's folder only plain ends of names are read.
    for end, value in (pattern or {}).items():
        if path == end or path.endswith(f".{end}"):
            return float(value)
    return usual


def _head(
    folder: Path, record: Mapping[str, Any], own: Mapping[str, Any], tensors: Mapping[str, "Tensor"]
) -> tuple[Head | None, dict[str, str]]:
    there = {key for key in tensors if key.startswith(f"{_START}classifier.")}
    if not there:
        return None, {}
    simple = record.get("task_type") == "TOKEN_CLS"
    table = {
        f"{_START}classifier.{end}": name
        for end, name in (_TAGGING if simple else _CLASSES).items()
    }
    if not simple and there != set(table):
        raise FolderError(
            f"{folder}: its classifier reads the backbone's pooler, which is no part of it; only token "
            "classification and RoBERTa's form (classifier.dense, classifier.out_proj) are supported"
        )
    last = tensors.get(f"{_START}classifier.{'weight' if simple else 'out_proj.weight'}")
    if last is None or last.dim() != 2:
        raise FolderError(f"{folder}: its classifier has no weight matrix")
    labels = tuple(own.get("labels") or (f"LABEL_{i}" for i in range(last.shape[0])))
    kind = "tagging" if simple else "classification"
    config = HeadConfig(kind, labels=labels, layers=1 if simple else 2)
    return Head(config, int(last.shape[1])), table


def write_peft(adapter: Adapter, folder: Path) -> None:
    """Write ``adapter`` so that plain `peft` and `read_peft` read it; the same adapter, the same bytes.

    Raises:
        ConfigError: If its head has no form in which `peft` could load it.
    """
    config = adapter.config
    assert isinstance(config, LowRankConfig)
    named = _names(adapter, config)
    with folder_in_one_step(folder) as new:
        tensors = adapter.tensors()
        shaped = {key: _as_peft(key, tensors[name], config) for key, name in named.items()}
        write_tensors(new / WEIGHTS[0], shaped, {"format": "pt"})
        write_json(new / "adapter_config.json", config_record(adapter, config))
        sums = {file.name: sha256_of(file) for file in sorted(new.iterdir())}
        own = own_file.own_record(adapter, sums)
        write_json(new / OWN_FILE, {**own, "name": adapter.name, "labels": list(adapter.labels)})


def _names(adapter: Adapter, config: LowRankConfig) -> dict[str, str]:
    start = f"{_START}{config.prefix}." if config.prefix else _START
    ends = zip(_LORA, ("down.weight", "up.weight"), strict=True)
    parts = tuple(ends) if config.method == "lora" else ((_IA3, "scale"),)
    named = {
        f"{start}{linear.path}{end}": f"patches.{linear.path.replace('.', '/')}.{name}"
        for linear in config.modules
        for end, name in parts
    }
    return named | _head_names(adapter)


def _head_names(adapter: Adapter) -> dict[str, str]:
    head = adapter.head.config if adapter.head is not None else None
    if head is None:
        return {}
    if head.head_type == "tagging" and head.layers == 1:
        table = _TAGGING
    elif _is_robertas(head, adapter.backbone.model_type):
        table = _CLASSES
    else:
        raise ConfigError(
            f"a {head.head_type} head of {head.layers} layer(s) over {adapter.backbone.model_type} has no form that "
            "peft loads; use a bottleneck adapter (the default method) for this task"
        )
    return {f"{_START}classifier.{end}": name for end, name in table.items()}


def _is_robertas(head: HeadConfig, model_type: str) -> bool:
    fits = head.head_type == "classification" and head.layers == 2 and head.activation == "tanh"
    return fits and head.bias and model_type in ("roberta", "xlm-roberta")


def _as_peft(key: str, tensor: "Tensor", config: LowRankConfig) -> "Tensor":
    if not key.endswith(_IA3):
        return tensor
    forward = any(key[: -len(_IA3)].endswith(f".{end}") for end in config.feedforward)
    return tensor.reshape(1, -1) if forward else tensor.reshape(-1, 1)


def config_record(adapter: Adapter, config: LowRankConfig) -> dict[str, Any]:
    """``adapter_config.json`` as `peft` reads it."""
    task = {"tagging": "TOKEN_CLS", "classification": "SEQ_CLS"}
    head = adapter.head.config.head_type if adapter.head is not None else ""
    targets = config.targets if isinstance(config.targets, str) else list(config.targets)
    record: dict[str, Any] = {
        "base_model_name_or_path": adapter.backbone.name or None,
        "inference_mode": True,
        "modules_to_save": ["classifier"] if head else None,
        "peft_type": config.method.upper(),
        "target_modules": targets,
        "task_type": task.get(head),
    }
    if config.method == "ia3":
        return {**record, "feedforward_modules": list(config.feedforward)}
    ranks = {linear.path: linear.rank for linear in config.modules if linear.rank != config.rank}
    rooted = any(_is_rooted(linear, config) for linear in config.modules)
    return {
        **record,
        "bias": "none",
        "lora_alpha": config.alpha,
        "lora_dropout": config.dropout,
        "r": config.rank,
        "rank_pattern": ranks,
        "alpha_pattern": _alphas(config, rooted=rooted),
        "use_rslora": rooted,
    }


def _is_rooted(linear: Linear, config: LowRankConfig) -> bool:
    return (
        linear.rank == config.rank
        and linear.rank > 1
        and abs(linear.scaling - config.alpha / linear.rank**0.5) < 1e-12
    )


def _alphas(config: LowRankConfig, *, rooted: bool) -> dict[str, float]:
    alphas = {
        linear.path: linear.scaling * (linear.rank**0.5 if rooted else linear.rank)
        for linear in config.modules
    }
    return {path: alpha for path, alpha in alphas.items() if abs(alpha - config.alpha) > 1e-9}
