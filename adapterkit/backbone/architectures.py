"""The table of architectures: where adapters attach in each. To support another one, add a row.

A row needs: the path of the layers; for the place after attention and the one after the feed-forward part, the module
whose output adapters refine, where the residual can be caught on its way in, the norm that an adapter's input passes, and
the name AdapterHub gives the place (for the keys of adapter files); the embeddings module; and the modules whose output
feeds the vocabulary matrix (the inverse goes there). Then add the type to ``tests/tiny.py``.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from adapterkit.errors import ConfigError

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Place:
    """One of the two places in a layer where adapters stand. All paths are inside the layer.

    Attributes:
        output: Module whose output is the sublayer's output, before the residual is added.
        residual: Module that gets the residual as a positional argument; ``.`` is the layer itself.
        argument: Which argument that is.
        norm: The norm that an adapter's input passes; empty if none.
        closes: Whether that norm closes the sublayer (post-norm), so that its input is the residual sum.
        key: AdapterHub's name of the place.
    """

    output: str
    residual: str
    key: str
    argument: int = 0
    norm: str = ""
    closes: bool = False


@dataclass(frozen=True)
class Tower:
    """A list of layers, with its places. Layers are numbered through all towers, encoder first.

    Attributes:
        layers: Path of the list, inside the base model.
        attention: The place after self-attention, where Houlsby adapters have a second bottleneck.
        output: The place after the feed-forward part.
    """

    layers: str
    attention: Place
    output: Place


@dataclass(frozen=True)
class Architecture:
    """One row of the table.

    Attributes:
        model_type: transformers' name.
        towers: The layers: one list, or an encoder's and a decoder's.
        embeddings: Path of the embeddings module, inside the base model.
        features: Paths, inside the masked-LM model, of the module whose output feeds the
            vocabulary matrix; the first that exists counts.
        prefix: Attribute of the base model inside the masked-LM model, and first part of keys.
        low_rank: Linear layers, by the ends of their names, that LoRA adapts by default.
        offset_positions: Whether positions are counted from the padding id on (RoBERTa).
        kind: Whether it predicts masked tokens, or the next one.
    """

    model_type: str
    towers: tuple[Tower, ...]
    embeddings: str
    features: tuple[str, ...]
    prefix: str
    low_rank: tuple[str, ...]
    offset_positions: bool = False
    kind: Literal["masked", "causal"] = "masked"

    @property
    def norms_open(self) -> bool:
        """Whether an adapter's input passes a norm that does not close its sublayer (Gemma, ModernBERT)."""
        places = [place for tower in self.towers for place in (tower.attention, tower.output)]
        return any(place.norm and not place.closes for place in places)


_BERT_TOWER = Tower(
    "encoder.layer",
    attention=Place(
        "attention.output.dropout",
        residual="attention.output",
        argument=1,
        norm="attention.output.LayerNorm",
        closes=True,
        key="attention.output.adapters",
    ),
    output=Place(
        "output.dropout",
        residual="output",
        argument=1,
        norm="output.LayerNorm",
        closes=True,
        key="output.adapters",
    ),
)


def _bert_like(
    model_type: str,
    prefix: str,
    features: tuple[str, ...],
    *,
    low_rank: tuple[str, ...] = ("query", "value"),
    offset: bool = False,
) -> Architecture:
    return Architecture(
        model_type=model_type,
        towers=(_BERT_TOWER,),
        embeddings="embeddings",
        features=features,
        prefix=prefix,
        low_rank=low_rank,
        offset_positions=offset,
    )


def _decoder(model_type: str, *, norms: bool = False, pre_mlp: str) -> Architecture:
    """A pre-norm decoder; ``norms``: with a norm of each sublayer's own output, as Gemma has."""
    return Architecture(
        model_type=model_type,
        towers=(
            Tower(
                "layers",
                attention=Place(
                    "self_attn.o_proj",
                    residual="input_layernorm",
                    norm="post_attention_layernorm" if norms else "",
                    key="attention_adapters.adapters",
                ),
                output=Place(
                    "mlp",
                    residual=pre_mlp,
                    norm="post_feedforward_layernorm" if norms else "",
                    key="output_adapters.adapters",
                ),
            ),
        ),
        embeddings="embed_tokens",
        features=("lm_head",),
        prefix="model",
        low_rank=("q_proj", "v_proj"),
        kind="causal",
    )


_DEBERTA = ("cls.predictions.transform", "lm_predictions.lm_head.LayerNorm")

ARCHITECTURES: dict[str, Architecture] = {
    row.model_type: row
    for row in (
        _bert_like("bert", "bert", ("cls.predictions.transform",)),
        _bert_like("roberta", "roberta", ("lm_head.layer_norm",), offset=True),
        _bert_like("xlm-roberta", "roberta", ("lm_head.layer_norm",), offset=True),
        _bert_like("deberta", "deberta", _DEBERTA, low_rank=("in_proj",)),
        _bert_like("deberta-v2", "deberta", _DEBERTA, low_rank=("query_proj", "value_proj")),
        _decoder("llama", pre_mlp="post_attention_layernorm"),
        _decoder("qwen3", pre_mlp="post_attention_layernorm"),
        _decoder("gemma3_text", norms=True, pre_mlp="pre_feedforward_layernorm"),
        Architecture(
            model_type="distilbert",
            towers=(
                Tower(
                    "transformer.layer",
                    attention=Place(
                        "attention.out_lin",
                        residual=".",
                        norm="sa_layer_norm",
                        closes=True,
                        key="attention_adapters.adapters",
                    ),
                    output=Place(
                        "ffn",
                        residual="ffn",
                        norm="output_layer_norm",
                        closes=True,
                        key="output_adapters.adapters",
                    ),
                ),
            ),
            embeddings="embeddings",
            features=("vocab_layer_norm",),
            prefix="distilbert",
            low_rank=("q_lin", "v_lin"),
        ),
        Architecture(
            model_type="modernbert",
            towers=(
                Tower(
                    "layers",
                    # r is the *normed* input of each sublayer: so AdapterHub's interface has it.
                    attention=Place(
                        "attn.Wo",
                        residual="attn",
                        norm="mlp_norm",
                        key="attention_adapters.adapters",
                    ),
                    output=Place("mlp", residual="mlp", key="output_adapters.adapters"),
                ),
            ),
            embeddings="embeddings",
            features=("head",),
            prefix="model",
            low_rank=("Wqkv",),
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
    for name in path.split(".") if path != "." else ():
        child = root._modules.get(name)
        if child is None:
            return None
        root = child
    return root
