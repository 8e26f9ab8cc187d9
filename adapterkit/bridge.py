"""A bridge to live models of AdapterHub's `adapters` library (``pip install adapterkit[adapters]``).

Adapters cross it as files in the format that both read, so what crosses is exactly what a folder would say, and is checked
as strictly. Nothing of that library is imported: a live model brings its own methods.
"""

import tempfile
from pathlib import Path
from typing import Any

from adapterkit.backbone.architectures import architecture
from adapterkit.backbone.layout import Architecture
from adapterkit.composition.adapter import Adapter
from adapterkit.config import BackboneFacts, BottleneckConfig, LowRankConfig
from adapterkit.errors import ConfigError
from adapterkit.formats.adapterhub import load_adapter, save_adapter


def from_adapters(model: Any, name: str) -> Adapter:
    """Take an adapter out of a live `adapters` model; the model stays as it is.

    Args:
        model: A model with adapters, e.g. an ``AutoAdapterModel``.
        name: The adapter's name there. A flexible head of the same name comes along, with its labels.

    Raises:
        ConfigError: If ``model`` is no such model or has no adapter of that name.
        FolderError: If the adapter is of a kind that we do not compute.
    """
    there = _names(model)
    if name not in there:
        raise ConfigError(
            f"the model has no adapter {name!r}; it has: {', '.join(there) or 'none'}"
        )
    heads = getattr(model, "heads", {})
    with tempfile.TemporaryDirectory() as folder:
        # As a plain state dict: the library cannot write every kind as safetensors.
        model.save_adapter(folder, name, with_head=name in heads, use_safetensors=False)
        return load_adapter(Path(folder))


def to_adapters(model: Any, adapter: Adapter, *, with_head: bool = True) -> str:
    """Add an adapter to a live `adapters` model, under its own name and with its head; not yet active.

    Args:
        model: A model with adapters, of the adapter's backbone type and size.
        adapter: A bottleneck adapter.
        with_head: Whether its head goes along, if it has one; that takes a model with flexible
            heads (an ``AutoAdapterModel``).

    Returns:
        The name under which it is there.

    Raises:
        ConfigError: If the name is taken there, the head has no place there, the adapter is a LoRA
            or IA3 (peft loads these), or that library would compute something else with it (it knows no
            embedding rows).
        AdapterMismatch: If it was made for a backbone of another type, width or depth.
    """
    if adapter.name in _names(model):
        raise ConfigError(
            f"the model already has an adapter {adapter.name!r}; delete or rename one"
        )
    if isinstance(adapter.config, LowRankConfig):
        raise ConfigError(
            f"{adapter.name!r} is a {adapter.config.method} adapter; peft loads its folder"
        )
    if adapter.embedding_rows is not None:
        raise ConfigError(
            f"{adapter.name!r} has embedding rows, which the adapters library does not know; "
            "bring adapter.without_embedding_rows() over, which is another adapter"
        )
    with_head = with_head and adapter.head is not None
    if with_head and not hasattr(model, "heads"):
        raise ConfigError(
            f"{adapter.name!r} carries a head, and a {type(model).__name__} has no flexible heads; "
            "take an AutoAdapterModel, or say with_head=False"
        )
    config = model.config
    row = architecture(config.model_type)
    adapter.check_fits(
        BackboneFacts("", "", config.model_type, config.hidden_size, *row.depths(config))
    )
    _check_norms(adapter, row)
    inner = adapter.config.invertible_non_linearity
    if inner not in ("", adapter.config.non_linearity):
        raise ConfigError(
            f"{adapter.name!r} has {inner!r} in its coupling and {adapter.config.non_linearity!r} in its bottlenecks; "
            "the adapters library takes one for both, and would compute something else"
        )
    with tempfile.TemporaryDirectory() as folder:
        save_adapter(adapter, Path(folder) / "adapter")
        model.load_adapter(f"{folder}/adapter", with_head=with_head, use_safetensors=True)
    return adapter.name


def _check_norms(adapter: Adapter, row: Architecture) -> None:
    """Refuse an adapter whose bottlenecks pass each layer's own norm where that library takes the last one's."""
    config = adapter.config
    assert isinstance(config, BottleneckConfig)
    last = row.towers[-1]
    places = (("attention", last.attention), ("output", last.output))
    layers = sorted(
        {
            number
            for name, place in places
            for number in range(adapter.backbone.layers - 1)
            if place.norm and not place.closes and adapter.node(name, number) is not None
        }
    )
    passes = config.original_ln_before and not config.is_parallel
    if layers and passes and config.own_norms:
        raise ConfigError(
            f"{adapter.name!r} was trained with each layer's own norm before its bottlenecks; the adapters "
            f"library passes the last layer's norm in every layer of a {row.model_type}\n"
            f"  it would compute something else in layers {', '.join(map(str, layers))}\n"
            "Use it here, or train it there and bring it over with from_adapters."
        )


def _names(model: Any) -> list[str]:
    config = getattr(model, "adapters_config", None)
    if config is None:
        raise ConfigError(
            f"{type(model).__name__} is no model of the adapters library; call adapters.init(model) first"
        )
    return list(config.adapters)
