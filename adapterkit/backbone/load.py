"""Loading a backbone, frozen, and the few things the rest of the house asks of it."""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from adapterkit.backbone.checkpoint import check_keys, narrowed, row_of, untrained
from adapterkit.backbone.identity import MINI, canonical, digest_of
from adapterkit.backbone.layout import Architecture, module_at
from adapterkit.backbone.precision import (
    PLAIN,
    faster_dtype,
    in_dtype,
    plain_attention,
    with_plain_attention,
)
from adapterkit.backbone.words import word_pieces
from adapterkit.config import BackboneFacts
from adapterkit.errors import ConfigError, FolderError
from adapterkit.hub.fetching import (
    TOKENIZER_FILES,
    fetch_backbone,
    is_folder,
    taken_for_id,
    without_revision,
)
from adapterkit.nn.twin import twin
from adapterkit.tensorfile import digest_of_tensors
from adapterkit.text.words import whole

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16}
logger = logging.getLogger("adapterkit")


@dataclass(frozen=True)
class Backbone:
    """A frozen masked language model and its tokenizer. Never hooked: models hook their own twin.

    Attributes:
        model: transformers' masked-LM model (or its bare base, where no such class exists).
        tokenizer: Its fast tokenizer.
        architecture: Where adapters attach.
        facts: Name, digest, type, width and depth.
        untrained_head: Keys of the vocabulary head that the checkpoint did not bring; empty where
            it brought a trained head.
        max_length: Tokens the backbone can read at once, special tokens counted.
    """

    model: nn.Module
    tokenizer: "PreTrainedTokenizerFast"
    architecture: Architecture
    facts: BackboneFacts
    untrained_head: tuple[str, ...]
    max_length: int

    @property
    def name(self) -> str:
        """Canonical name, e.g. ``adapterkit/mini@2``."""
        return self.facts.name

    @property
    def width(self) -> int:
        """Hidden size."""
        return self.facts.width

    @property
    def layers(self) -> int:
        """Number of layers."""
        return self.facts.layers

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return next(self.model.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the weights."""
        return next(self.model.parameters()).dtype

    @property
    def adapter_dtype(self) -> torch.dtype:
        """The dtype of adapters over this backbone: float32, or float64 over float64."""
        return torch.float64 if self.dtype == torch.float64 else torch.float32

    @property
    def vocabulary(self) -> int:
        """Number of tokens, the size of masked-LM logits."""
        return int(self.embedding_matrix().shape[0])

    @property
    def norm_epsilon(self) -> float:
        """Epsilon of the backbone's norms."""
        return float(getattr(self.config, "layer_norm_eps", 1e-12))

    @property
    def config(self) -> Any:
        """Transformers' configuration."""
        return self.model.config

    @property
    def unk_id(self) -> int | None:
        """Id of the token for what cannot be read."""
        value: int | None = self.tokenizer.unk_token_id
        return value

    def to(self, device: str | torch.device) -> "Backbone":
        """Move all tensors, and with them every twin, to ``device``."""
        self.model.to(device)
        return self

    def for_training(self, precision: str) -> "Backbone":
        """What a training in ``precision`` runs on: itself, or a copy whose tensors are bfloat16.

        Identity and tokenizer stay the same; nothing of this backbone is changed.
        """
        if precision != "bfloat16" or self.dtype in (torch.float64, torch.float16):
            return self
        model = self.model if self.dtype == torch.bfloat16 else in_dtype(self.model, torch.bfloat16)
        _offer_plain_attention()
        return replace(self, model=with_plain_attention(model))

    def twin(self) -> nn.Module:
        """A new tree of modules over the same tensors, without hooks, in evaluation mode."""
        return twin(self.model)

    def embedding_matrix(self) -> Tensor:
        """Input embeddings. Shape ``(vocabulary, width)``."""
        embeddings = base_of(self.model, self.architecture).get_input_embeddings()
        weight: Tensor = embeddings.weight
        return weight

    def digest_in_memory(self) -> str:
        """Digest of the tensors as they are now: the same before and after any training."""
        return digest_of_tensors(dict(self.model.state_dict()))

    def pieces(self, lines: Sequence[str]) -> list[tuple[list[int], list[tuple[int, int]]]]:
        """Token ids and character spans of each line, without special tokens."""
        if not lines:
            return []
        encoded = self.tokenizer(
            [*map(whole, lines)],
            add_special_tokens=False,
            return_offsets_mapping=True,
            verbose=False,
        )
        return list(zip(encoded["input_ids"], encoded["offset_mapping"], strict=True))

    def token_ids(self, lines: Sequence[str]) -> list[list[int]]:
        """Token ids of each line, without special tokens."""
        if not lines:
            return []
        encoded = self.tokenizer([*map(whole, lines)], add_special_tokens=False, verbose=False)
        ids: list[list[int]] = encoded["input_ids"]
        return ids

    def word_pieces(self, sentences: Sequence[Sequence[str]]) -> list[list[list[int]]]:
        """Token ids of each word of each sentence; a word that vanishes becomes one UNK."""
        return word_pieces(self.tokenizer, sentences)

    def require_trained_head(self) -> None:
        """Refuse tokens, and a loss over them, from a vocabulary head that was never trained.

        Raises:
            ConfigError: If the checkpoint brought no trained head.
        """
        if self.untrained_head:
            head = "masked-LM" if self.architecture.kind == "masked" else "language-model"
            raise ConfigError(
                f"backbone {self.name!r} has no trained {head} head, so it can write no token, and no language "
                f"adapter can be trained through it\n  missing from the checkpoint: {', '.join(self.untrained_head)}\n"
                "Use the checkpoint that was saved with its head (the pre-trained model itself, "
                "not the base model cut out of it)."
            )


def load_backbone(
    name_or_folder: str | Path,
    *,
    revision: str | None = None,
    dtype: str | torch.dtype | None = None,
    device: str | torch.device | None = None,
) -> Backbone:
    """Load a backbone, frozen and in evaluation mode.

    Args:
        name_or_folder: ``mini`` (ships with the package), a local folder, or a Hub repository id.
        revision: Branch, tag or commit of a Hub repository.
        dtype: ``float32`` (the default on a CPU, whatever the checkpoint is stored in),
            ``bfloat16``, ``float64``, or ``auto``: bfloat16 where this machine multiplies it
            faster, measured in some milliseconds, else float32.
        device: E.g. ``cpu`` or ``cuda``; by default a GPU if there is one.

    Raises:
        ConfigError: If the architecture is not in the table, or dtype or device make no sense, or
            ``revision`` is given for what is not on the Hub.
        FolderError: If the folder is incomplete.
        HubError: If the Hub does not give it.
    """
    place = device_of(device)
    kind = _dtype(dtype, place)
    name, folder = _locate(name_or_folder, revision)
    with _quiet_transformers():
        return _load(name, folder, kind).to(place)


def device_of(device: str | torch.device | None) -> torch.device:
    """``device``, or a GPU if there is one, or the CPU.

    Raises:
        ConfigError: If there is no such device, or none here.
    """
    there = {
        "cpu": 1,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
    }
    try:
        place = torch.device(device or ("cuda" if there["cuda"] else "cpu"))
    except RuntimeError:
        place = None
    if place is None or place.type not in there:
        raise ConfigError(f"unknown device {str(device)!r}; use cpu, cuda, cuda:1 or mps")
    if not there[place.type]:
        raise ConfigError(f"device {str(device)!r}: no GPU here; say --device cpu")
    if (place.index or 0) >= there[place.type]:
        raise ConfigError(
            f"device {str(device)!r}: there are {there[place.type]} here, counted from 0; say --device {place.type}"
        )
    return place


def _dtype(dtype: str | torch.dtype | None, device: torch.device) -> torch.dtype:
    if dtype is None:
        return torch.float32
    if dtype == "auto":
        return faster_dtype(device)
    kind = _DTYPES.get(dtype) if isinstance(dtype, str) else dtype
    if kind == torch.float16 and device.type != "cpu":
        return torch.float16
    if kind is None or kind not in _DTYPES.values():
        raise ConfigError(
            f"dtype {dtype!r} is not supported on {device.type}; use one of {', '.join(_DTYPES)}, auto"
        )
    return kind


def _locate(name_or_folder: str | Path, revision: str | None) -> tuple[str, Path]:
    text = str(name_or_folder)
    if canonical(text) == MINI:
        packaged = Path(str(resources.files("adapterkit") / "mini"))
        return MINI, without_revision(text, packaged, revision)
    if text.startswith(("mini@", "adapterkit/mini@")):
        raise ConfigError(
            f"backbone {text!r} is not packaged here; this version of adapterkit has {MINI}"
        )
    if is_folder(name_or_folder):
        folder = without_revision(text, Path(text).expanduser(), revision)
        logger.info("backbone: the folder %s", folder)
        return folder.resolve().name, folder
    repository = text.removeprefix("hub:")
    with taken_for_id(text):
        return canonical(repository), fetch_backbone(repository, revision=revision, unchecked=True)


def _load(name: str, folder: Path, dtype: torch.dtype) -> Backbone:
    import transformers
    from transformers import AutoConfig, AutoTokenizer

    row = row_of(folder)
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    config._attn_implementation = None  # it may name a repository whose code computes attention
    digest = digest_of(folder)
    options: dict[str, Any] = {"attn_implementation": "sdpa", "trust_remote_code": False}
    if config.model_type == "modernbert" and hasattr(config, "reference_compile"):
        config.reference_compile = False  # 4.57 would compile, and unpad before the embeddings
    if row.prefix == "deberta" or row.own_base:
        del options["attn_implementation"]  # these have their own
    config.chunk_size_feed_forward = 0
    auto: Any = {
        "masked": transformers.AutoModelForMaskedLM,
        "causal": transformers.AutoModelForCausalLM,
        "seq2seq": transformers.AutoModelForSeq2SeqLM,
    }[row.kind]
    state = narrowed(folder, dtype) if row.kind == "masked" else None
    source: Path | None = folder
    if state is not None:  # the class itself: the automatic one looks at the folder
        auto, source = transformers.MODEL_FOR_MASKED_LM_MAPPING[type(config)], None
    model, info = auto.from_pretrained(
        source, config=config, dtype=dtype, state_dict=state, output_loading_info=True, **options
    )
    del state
    model = model.requires_grad_(False).eval()
    for parameter in model.parameters():  # some models keep vectors in float32, and cannot run so
        parameter.data = parameter.data.to(dtype)
    if dtype == torch.float64:
        model.to(dtype)  # buffers too; in half precision positions must keep theirs in float32
    check_keys(folder, row, info)
    tokenizer = _tokenizer(AutoTokenizer, folder, config.model_type)
    facts = BackboneFacts(name, digest, config.model_type, config.hidden_size, *row.depths(config))
    return Backbone(
        model=model,
        tokenizer=tokenizer,
        architecture=row,
        facts=facts,
        untrained_head=untrained(row, config, info),
        max_length=_max_length(config, tokenizer, row),
    )


def _tokenizer(auto: Any, folder: Path, model_type: str) -> "PreTrainedTokenizerFast":
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        return None  # type: ignore[return-value] # a folder of weights alone can encode ids, not text
    options = {"add_prefix_space": True} if model_type in ("roberta", "deberta") else {}
    try:
        tokenizer: PreTrainedTokenizerFast = auto.from_pretrained(
            folder, trust_remote_code=False, **options
        )
    except Exception as error:  # tokenizers raises bare ones
        raise FolderError(
            f"{folder}: its tokenizer cannot be read ({' '.join(str(error).split())[:200]}); "
            "code that a folder brings is never run, so give it a tokenizer.json and a class of transformers' own"
        ) from error
    if not tokenizer.is_fast:
        raise ConfigError(
            f"{folder}: its tokenizer has no fast version; adapterkit needs one for word alignment"
        )
    return tokenizer


def _max_length(config: Any, tokenizer: Any, row: Architecture) -> int:
    positions = int(getattr(config, "max_position_embeddings", 512))
    if row.offset_positions:
        positions -= int(config.pad_token_id) + 1
    return min(positions, int(getattr(tokenizer, "model_max_length", positions)))


def _offer_plain_attention() -> None:
    """Put `plain_attention` into transformers' table of attention functions, under its name."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, eager_mask

    AttentionInterface.register(PLAIN, plain_attention)
    AttentionMaskInterface.register(PLAIN, eager_mask)


@contextlib.contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Keep transformers' own progress bars and notes off the terminal while loading."""
    from transformers.utils import logging as noise

    level = noise.get_verbosity()
    noise.set_verbosity_error()  # type: ignore[no-untyped-call]
    noise.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        noise.set_verbosity(level)
        noise.enable_progress_bar()  # type: ignore[no-untyped-call]


def base_of(model: nn.Module, row: Architecture) -> Any:
    """The base model inside a masked-LM model (or a twin of one)."""
    base = None if row.own_base else module_at(model, row.prefix)
    return model if base is None else base


def as_output(hidden: Tensor) -> Any:
    """A last hidden state in the form that transformers' heads read."""
    from transformers.modeling_outputs import BaseModelOutputWithPast

    return BaseModelOutputWithPast(last_hidden_state=hidden)
