"""The table of architectures: where adapters attach in each. To support another one, add a row.

A row needs: the path of the layers; the module in each layer that a stack hooks, and how (``post``: the
norm that closes the layer; ``pre``: the feed-forward sublayer); the embeddings module; the modules whose
output feeds the vocabulary matrix (the inverse goes there); and the name AdapterHub gives the place, for
the keys of adapter files. Then add the type to ``tests/backbone/test_architectures.py``.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from adapterkit.errors import ConfigError

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Architecture:
    """One row of the table.

    Attributes:
        model_type: transformers' name.
        layers: Path of the list of layers, inside the base model.
        site: Path of the hooked module, inside a layer.
        norm: ``post`` or ``pre``.
        embeddings: Path of the embeddings module, inside the base model.
        features: Paths, inside the masked-LM model, of the module whose output feeds the
            vocabulary matrix; the first that exists counts.
        prefix: Attribute of the base model inside the masked-LM model, and first part of keys.
        key: Place of a layer's adapter in AdapterHub's keys; ``{layer}`` is its number.
        offset_positions: Whether positions are counted from the padding id on (RoBERTa).
    """

    model_type: str
    layers: str
    site: str
    norm: Literal["post", "pre"]
    embeddings: str
    features: tuple[str, ...]
    prefix: str
    key: str
    offset_positions: bool = False


def _bert_like(
    model_type: str, prefix: str, features: tuple[str, ...], *, offset: bool = False
) -> Architecture:
    return Architecture(
        model_type=model_type,
        layers="encoder.layer",
        site="output.LayerNorm",
        norm="post",
        embeddings="embeddings",
        features=features,
        prefix=prefix,
        key="encoder.layer.{layer}.output.adapters",
        offset_positions=offset,
    )


_DEBERTA = ("cls.predictions.transform", "lm_predictions.lm_head.LayerNorm")

ARCHITECTURES: dict[str, Architecture] = {
    row.model_type: row
    for row in (
        _bert_like("bert", "bert", ("cls.predictions.transform",)),
        _bert_like("roberta", "roberta", ("lm_head.layer_norm",), offset=True),
        _bert_like("xlm-roberta", "roberta", ("lm_head.layer_norm",), offset=True),
        _bert_like("deberta", "deberta", _DEBERTA),
        _bert_like("deberta-v2", "deberta", _DEBERTA),
        Architecture(
            model_type="distilbert",
            layers="transformer.layer",
            site="output_layer_norm",
            norm="post",
            embeddings="embeddings",
            features=("vocab_layer_norm",),
            prefix="distilbert",
            key="transformer.layer.{layer}.output_adapters.adapters",
        ),
        Architecture(
            model_type="modernbert",
            layers="layers",
            site="mlp",
            norm="pre",
            embeddings="embeddings",
            features=("head",),
            prefix="model",
            key="layers.{layer}.output_adapters.adapters",
        ),
    )
}


def architecture(model_type: str) -> Architecture:
    """The row for ``model_type``.

    Raises:
        ConfigError: If the table has none; it names the supported ones and says how to add a row.
    """
    if model_type not in ARCHITECTURES:
        raise ConfigError(
            f"backbones of type {model_type!r} are not supported\n"
            f"  supported: {', '.join(sorted(ARCHITECTURES))}\n"
            "To support another one, add a row to adapterkit/backbone/architectures.py "
            "(its first lines say what a row needs)."
        )
    return ARCHITECTURES[model_type]


def module_at(root: "nn.Module", path: str) -> "nn.Module | None":
    """The submodule at a dotted path, or None."""
    for name in path.split("."):
        child = root._modules.get(name)
        if child is None:
            return None
        root = child
    return root
