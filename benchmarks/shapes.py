"""Backbones of real shape with random weights: speed does not need real ones. Made once, under ``build/``.

python -m benchmarks.shapes NAME FOLDER      makes one
"""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.contest import ROOT, surroundings

CACHE = ROOT / "build" / "backbones"
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
"""The first token ids; the mask token is the last one, as in XLM-R."""


@dataclass(frozen=True)
class Shape:
    """The sizes of a masked language model.

    Attributes:
        model_type: transformers' name.
        layers: How many.
        width: Hidden size.
        inner: Width inside the feed-forward part.
        heads: Attention heads.
        vocabulary: Tokens.
        positions: As its configuration counts them.
        gated: Whether the feed-forward part has a gate, a second matrix on the way in (ModernBERT).
    """

    model_type: str
    layers: int
    width: int
    inner: int
    heads: int
    vocabulary: int
    positions: int
    gated: bool = False

    @property
    def post_norm(self) -> bool:
        """Whether a layer's last part takes attention's output and the residual apart (not ModernBERT)."""
        return self.model_type != "modernbert"


SHAPES = {
    "xlmr": Shape("xlm-roberta", 12, 768, 3072, 12, 250_002, 514),
    "mmbert": Shape("modernbert", 22, 768, 1152, 12, 256_000, 8192, gated=True),
    "mini": Shape("bert", 6, 384, 1536, 12, 42_500, 130),
    "tiny": Shape("xlm-roberta", 2, 32, 64, 4, 500, 130),
}
"""XLM-R base, mmBERT base, the packaged ``mini``, and one for trying the benchmarks out."""


def folder_of(name: str) -> Path:
    """The folder of a backbone; made if it is not there yet, except ``mini``, which is packaged."""
    if name == "mini":
        return ROOT / "adapterkit" / "mini"
    folder = CACHE / name
    if not (folder / "config.json").is_file():
        part = CACHE / f".{name}.part"
        command = [sys.executable, "-m", "benchmarks.shapes", name, str(part)]
        subprocess.run(command, check=True, cwd=ROOT, env=surroundings(2), stdout=sys.stderr)
        part.rename(folder)
    return folder


def make(name: str, folder: Path) -> None:
    """Write a masked LM with random weights, a tokenizer, and its digest, which loading asks for."""
    import torch
    import transformers

    from adapterkit.backbone.identity import digest_of

    shape = SHAPES[name]
    torch.manual_seed(0)
    auto: Any = transformers.AutoModelForMaskedLM
    auto.from_config(_configuration(shape)).save_pretrained(folder)
    _write_tokenizer(folder, shape)
    digest_of(folder)


def _configuration(shape: Shape) -> Any:
    from transformers import AutoConfig

    sizes = {
        "hidden_size": shape.width,
        "intermediate_size": shape.inner,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "vocab_size": shape.vocabulary,
        "max_position_embeddings": shape.positions,
    }
    ids = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
    if shape.model_type == "modernbert":
        return AutoConfig.for_model(
            shape.model_type, **sizes, **ids, cls_token_id=0, sep_token_id=2
        )
    own = {"type_vocab_size": 1, "layer_norm_eps": 1e-5}
    return AutoConfig.for_model(shape.model_type, **sizes, **ids, **own)


def _write_tokenizer(folder: Path, shape: Shape) -> None:
    """A word a token: enough for special tokens and for drawing random ones."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = [*SPECIAL, *(f"w{number}" for number in range(len(SPECIAL), shape.vocabulary - 1))]
    places = {word: number for number, word in enumerate([*words, "<mask>"])}
    tokenizer = Tokenizer(models.WordLevel(places, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast: Any = PreTrainedTokenizerFast
    names = {"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>"}
    own = {"pad_token": "<pad>", "unk_token": "<unk>", "mask_token": "<mask>"}
    fast(tokenizer_object=tokenizer, **names, **own).save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    # transformers 5 writes a class that 4.57 does not know.
    path.write_text(path.read_text().replace("TokenizersBackend", "PreTrainedTokenizerFast"))


def as_record(name: str) -> dict[str, Any]:
    """The sizes of a backbone as plain JSON values."""
    return {"backbone": name, **asdict(SHAPES[name])}


if __name__ == "__main__":
    make(sys.argv[1], Path(sys.argv[2]))
    print(json.dumps(as_record(sys.argv[1])), file=sys.stderr)
