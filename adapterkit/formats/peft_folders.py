"""LoRA and IA3 folders in PEFT's own format, which plain `peft` reads and writes. Nothing here imports it.

A folder holds ``adapter_config.json`` (told from AdapterHub's by its ``peft_type``) and
``adapter_model.safetensors`` (or an old ``adapter_model.bin``). A tagging head stands in the same file as the
``classifier`` of a model with a token classification head, so that it works there too; so does a classification head
where the architecture's own has our form (RoBERTa's). We add ``adapterkit.json``, which `peft` ignores.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterkit.composition.adapter import Adapter
from adapterkit.config import HeadConfig, Linear, LowRankConfig
from adapterkit.errors import ConfigError, FolderError
from adapterkit.files import folder_in_one_step, read_json, sha256_of, write_json
from adapterkit.formats.description import check_digest
from adapterkit.formats.filling import Files, fill_module, hollow
from adapterkit.formats.guard import CONFIG, OWN_FILE, PEFT_WEIGHTS
from adapterkit.formats.own import own_record
from adapterkit.formats.peft_description import PeftDescription, describe_peft
from adapterkit.formats.peft_heads import CLASSES, TAGGING
from adapterkit.formats.peft_modules import IA3, LORA, OURS, START
from adapterkit.formats.pins import CLEARED
from adapterkit.formats.reading_back import check_reads_back
from adapterkit.nn.heads import Head
from adapterkit.tensorfile import digest_of_tensors, write_tensors

if TYPE_CHECKING:
    from torch import Tensor


def is_peft(folder: Path) -> bool:
    """Whether ``folder`` says it is PEFT's."""
    path = folder / CONFIG
    return path.is_file() and "peft_type" in read_json(path)


def read_peft(folder: Path, *, with_head: bool = True) -> Adapter:
    """Load a LoRA or IA3 folder, with its classifier if it has one and ``with_head`` is on.

    Raises:
        FolderError: If it is incomplete, altered, or holds anything that is not the adapter's.
    """
    files = Files()
    told = describe_peft(folder, files.facts, with_head=with_head)
    values = {
        name: tensor.flatten() if name.endswith(".scale") else tensor
        for name, tensor in files.values(told.weights).items()
    }
    with hollow():
        adapter = _build(folder, told)
    fill_module(adapter, values)
    if with_head:
        check_digest(
            folder, told.own, lambda s: digest_of_tensors(values) if s else adapter.digest()
        )
    return adapter.eval()


def _build(folder: Path, told: PeftDescription) -> Adapter:
    assert told.config is not None
    try:
        return Adapter(
            told.name,
            told.config,
            backbone=told.backbone,
            kind=told.own.get("kind", ""),
            language=told.own.get("language", ""),
            head=Head(told.head.config, told.head.width) if told.head else None,
            provenance=told.provenance,
        )
    except KeyError as error:  # torch keeps a few names for itself
        raise FolderError(f"{folder}: no layer can be called so: {error}") from None


def write_peft(adapter: Adapter, folder: Path) -> None:
    """Write ``adapter`` so that plain `peft` and `read_peft` read it; the same adapter, the same bytes.

    Raises:
        ConfigError: If its head has no form in which `peft` could load it.
    """
    config = adapter.config
    assert isinstance(config, LowRankConfig)
    named = _names(adapter, config)
    with folder_in_one_step(folder, owned=CLEARED) as new:
        tensors = adapter.tensors()
        shaped = {key: _as_peft(key, tensors[name], config) for key, name in named.items()}
        write_tensors(new / PEFT_WEIGHTS[0], shaped, {"format": "pt"})
        write_json(new / CONFIG, config_record(adapter, config))
        sums = {file.name: sha256_of(file) for file in sorted(new.iterdir())}
        own = own_record(adapter, sums)
        write_json(new / OWN_FILE, {**own, "name": adapter.name, "labels": list(adapter.labels)})
        check_reads_back(adapter.name, new, folder, read_peft)


def _names(adapter: Adapter, config: LowRankConfig) -> dict[str, str]:
    start = f"{START}{config.prefix}." if config.prefix else START
    named = {
        f"{start}{linear.path}{end}": f"patches.{linear.path.replace('.', '/')}.{OURS[end]}"
        for linear in config.modules
        for end in (LORA if config.method == "lora" else (IA3,))
    }
    return named | _head_names(adapter)


def _head_names(adapter: Adapter) -> dict[str, str]:
    head = adapter.head.config if adapter.head is not None else None
    if head is None:
        return {}
    if head.head_type == "tagging" and head.layers == 1 and head.bias:
        table = TAGGING
    elif _is_robertas(head, adapter.backbone.model_type):
        table = CLASSES
    else:
        raise ConfigError(
            f"a {head.head_type} head of {head.layers} layer(s) over {adapter.backbone.model_type} has no form that "
            "peft loads; use a bottleneck adapter (the default method) for this task"
        )
    return {f"{START}classifier.{end}": name for end, name in table.items()}


def _is_robertas(head: HeadConfig, model_type: str) -> bool:
    fits = head.head_type == "classification" and head.layers == 2 and head.activation == "tanh"
    return fits and head.bias and model_type in ("roberta", "xlm-roberta")


def _as_peft(key: str, tensor: "Tensor", config: LowRankConfig) -> "Tensor":
    if not key.endswith(IA3):
        return tensor
    forward = key.removesuffix(IA3).endswith(config.feedforward)
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
