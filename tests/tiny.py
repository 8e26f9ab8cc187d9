"""Tiny random backbones of every supported architecture, with a tokenizer, saved as checkpoints are."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch

WIDTH, LAYERS, WORDS = 32, 3, 120
TYPES = ("bert", "roberta", "xlm-roberta", "distilbert", "deberta", "deberta-v2", "modernbert")
LETTERS = "abcdefghijklmnopqrstuvwxyz.,!?'-"


# As mDeBERTa-v3 has it: linear layers of attention also run on positions, without a batch axis.
_RELATIVE: dict[str, Any] = {
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "share_att_key": True,
    "position_buckets": 8,
    "max_relative_positions": -1,
    "norm_rel_ebd": "layer_norm",
    "position_biased_input": False,
}


def make_backbone(
    folder: Path, model_type: str, *, seed: int = 0, head: bool = True, width: int = WIDTH
) -> Path:
    """Save a random masked LM of ``model_type`` and return its folder."""
    shutil.copytree(_made(model_type, seed, head, width), folder, dirs_exist_ok=True)
    torch.manual_seed(seed)  # what a test draws next does not depend on who came first
    return folder


@functools.cache
def _made(model_type: str, seed: int, head: bool, width: int) -> Path:
    """The same backbone is made once a session, in a folder that nobody else touches."""
    place = Path(tempfile.mkdtemp(prefix="tiny-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    folder = place / "backbone"
    from transformers import AutoConfig, AutoModelForMaskedLM

    torch.manual_seed(seed)
    config = AutoConfig.for_model(model_type, **_sizes(model_type, width))
    model = AutoModelForMaskedLM.from_config(config)  # type: ignore[no-untyped-call]
    stir(model)
    (model if head else model.base_model).save_pretrained(folder)
    save_tokenizer(folder)
    return folder


def _sizes(model_type: str, width: int) -> dict[str, Any]:
    ids = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "vocab_size": WORDS}
    if model_type == "distilbert":
        sizes = {
            "dim": width,
            "hidden_dim": 48,
            "n_layers": LAYERS,
            "n_heads": 4,
            "dropout": 0.0,
            "attention_dropout": 0.0,
        }
        return {**ids, **sizes, "max_position_embeddings": 40}
    common = {
        "hidden_size": width,
        "intermediate_size": 48,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
    }
    if model_type == "modernbert":
        return {
            **ids,
            **common,
            "cls_token_id": 0,
            "sep_token_id": 2,
            "max_position_embeddings": 40,
        }
    none = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    sizes = {**ids, **common, **none, "max_position_embeddings": 42, "type_vocab_size": 1}
    return {**sizes, **_RELATIVE} if model_type in ("deberta", "deberta-v2") else sizes


def stir(model: torch.nn.Module) -> None:
    """Move norms and biases off their defaults, so that a mix-up shows."""
    for parameter in model.parameters():
        parameter.data.add_(torch.randn_like(parameter) * 0.05)


def make_encoder_decoder(
    folder: Path, model_type: str, *, encoder: int = LAYERS, decoder: int = 2, seed: int = 0
) -> Path:
    """Save a tiny random encoder-decoder: mT5, mBART or M2M100 (NLLB)."""
    from transformers import AutoConfig, AutoModelForSeq2SeqLM

    torch.manual_seed(seed)
    ids = {"pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2, "vocab_size": WORDS}
    if model_type == "mt5":
        sizes = {"d_kv": 8, "d_ff": 48, "num_layers": encoder, "num_decoder_layers": decoder}
        sizes |= {"num_heads": 4, "relative_attention_num_buckets": 8}
    else:
        sizes = {"encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "max_position_embeddings": 64}
        sizes |= {"encoder_layers": encoder, "decoder_layers": decoder, "bos_token_id": 0}
        sizes |= {"encoder_attention_heads": 4, "decoder_attention_heads": 4}
        ids["forced_eos_token_id"] = None  # type: ignore[assignment]
    config = AutoConfig.for_model(model_type, d_model=WIDTH, **ids, **sizes)
    model = AutoModelForSeq2SeqLM.from_config(config)  # type: ignore[no-untyped-call]
    stir(model)
    model.save_pretrained(folder)
    save_tokenizer(folder)
    return folder


def save_tokenizer(folder: Path) -> None:
    """A character-piece tokenizer: special tokens, letters inside and at the start of words."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    pieces = [
        "<s>",
        "<pad>",
        "</s>",
        "<unk>",
        "<mask>",
        *(f"▁{c}" for c in LETTERS),
        *LETTERS,
        "▁th",
        "er",
        "▁ma",
    ]
    scores = [(piece, -float(number)) for number, piece in enumerate(pieces)]
    tokenizer = Tokenizer(models.Unigram(scores, unk_id=3, byte_fallback=False))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    names = {"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>"}
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        **names,
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
        model_max_length=40,
    )
    fast.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    # transformers 5 writes a class that 4.57 does not know.
    path.write_text(path.read_text().replace("TokenizersBackend", "PreTrainedTokenizerFast"))


def lines(count: int, seed: int = 0) -> list[str]:
    """Distinct lines of made-up words."""
    import random

    draw = random.Random(seed)
    words = ["".join(draw.choices("abcdefghij", k=draw.randint(2, 6))) for _ in range(60)]
    return [
        " ".join(draw.choices(words, k=draw.randint(4, 9)))
        + f" {''.join(draw.choices('klmnop', k=5))} ."
        for _ in range(count)
    ]
