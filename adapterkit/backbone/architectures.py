"""The table of architectures: where adapters attach in each. To support another one, add a row.

A row needs: the path of the layers; for the place after attention and the one after the feed-forward part, the module
whose output adapters refine, where the residual can be caught on its way in, the norm that an adapter's input passes, and
the name AdapterHub gives the place (for the keys of adapter files); the embeddings module; and the modules whose output
feeds the vocabulary matrix (the inverse goes there). Then add the type to ``tests/tiny.py``.
"""

from adapterkit.backbone.layout import Architecture, Place, Tower
from adapterkit.errors import ConfigError

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
    narrow="attention.output",
)


def _bert_like(
    model_type: str,
    prefix: str,
    features: tuple[str, ...],
    vocabulary: str,
    *,
    low_rank: tuple[str, ...] = ("query", "value"),
    offset: bool = False,
    unbatched: str = "",
    by_hand: str = "",
) -> Architecture:
    return Architecture(
        model_type=model_type,
        towers=(_BERT_TOWER,),
        embeddings="embeddings",
        features=features,
        vocabulary=vocabulary,
        by_hand=by_hand,
        prefix=prefix,
        low_rank=low_rank,
        offset_positions=offset,
        unbatched=unbatched,
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
        vocabulary="lm_head",
        prefix="model",
        low_rank=("q_proj", "v_proj"),
        kind="causal",
    )


def _t5_tower(side: str, depth: str, last: int) -> Tower:
    """T5's blocks: attention is their first part, feed-forward the last; pre-norm, no norm of the output."""
    return Tower(
        f"{side}.block",
        attention=Place("layer.0.dropout", residual="layer.0", key="layer.0.adapters"),
        output=Place(
            f"layer.{last}.dropout", residual=f"layer.{last}", key=f"layer.{last}.adapters"
        ),
        depth=depth,
    )


def _bart_tower(side: str) -> Tower:
    # Their dropout stands in no module; adapters read what comes before it, and backbones never drop.
    return Tower(
        f"{side}.layers",
        attention=Place(
            "self_attn", residual="self_attn_layer_norm", key="attention_adapters.adapters"
        ),
        output=Place("fc2", residual="final_layer_norm", key="output_adapters.adapters"),
        depth=f"{side}_layers",
    )


def _bart_like(model_type: str, embeddings: str) -> Architecture:
    """A pre-norm encoder-decoder of BART's line (mBART; NLLB is an M2M100)."""
    return Architecture(
        model_type=model_type,
        towers=(_bart_tower("encoder"), _bart_tower("decoder")),
        embeddings=embeddings,
        features=("lm_head",),
        prefix="model",
        low_rank=("q_proj", "v_proj"),
        kind="seq2seq",
    )


_DEBERTA = ("cls.predictions.transform", "lm_predictions.lm_head.LayerNorm")

ARCHITECTURES: dict[str, Architecture] = {
    row.model_type: row
    for row in (
        _bert_like("bert", "bert", ("cls.predictions.transform",), "cls.predictions.decoder"),
        _bert_like("roberta", "roberta", ("lm_head.layer_norm",), "lm_head.decoder", offset=True),
        _bert_like(
            "xlm-roberta", "roberta", ("lm_head.layer_norm",), "lm_head.decoder", offset=True
        ),
        _bert_like(
            "deberta",
            "deberta",
            _DEBERTA,
            "cls.predictions.decoder",
            low_rank=("in_proj",),
            unbatched="attention.self",
            by_hand="lm_predictions.lm_head",
        ),
        _bert_like(
            "deberta-v2",
            "deberta",
            _DEBERTA,
            "cls.predictions.decoder",
            low_rank=("query_proj", "value_proj"),
            unbatched="attention.self",
            by_hand="lm_predictions.lm_head",
        ),
        _decoder("llama", pre_mlp="post_attention_layernorm"),
        _decoder("qwen3", pre_mlp="post_attention_layernorm"),
        _decoder("gemma3_text", norms=True, pre_mlp="pre_feedforward_layernorm"),
        _bart_like("mbart", "encoder.layernorm_embedding"),
        _bart_like("m2m_100", "encoder.embed_tokens"),
        Architecture(
            model_type="mt5",
            towers=(
                _t5_tower("encoder", "num_layers", 1),
                _t5_tower("decoder", "num_decoder_layers", 2),
            ),
            embeddings="encoder.embed_tokens",
            features=("lm_head",),
            prefix="transformer",
            low_rank=("q", "v"),
            kind="seq2seq",
            own_base=True,
        ),
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
            vocabulary="vocab_projector",
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
            vocabulary="decoder",
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
