"""Loading a backbone: the door to transformers."""

import contextlib
import logging
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from adapterkit.backbone.checkpoint import check_keys, narrowed, row_of, untrained
from adapterkit.backbone.device import device_of, dtype_of
from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.identity import MINI, canonical, digest_of
from adapterkit.backbone.layout import Architecture
from adapterkit.backbone.precision import PLAIN, plain_attention
from adapterkit.config import BackboneFacts
from adapterkit.errors import ConfigError, FolderError
from adapterkit.hub.fetching import (
    TOKENIZER_FILES,
    fetch_backbone,
    is_folder,
    taken_for_id,
    without_revision,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

logger = logging.getLogger("adapterkit")


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
            ``bfloat16``, ``float64``, on a GPU ``float16``, or ``auto``: bfloat16 where this machine
            multiplies it faster, measured in some milliseconds, else float32.
        device: E.g. ``cpu`` or ``cuda``; by default a GPU if there is one.

    Raises:
        ConfigError: If the architecture is not in the table, or dtype or device make no sense, or
            ``revision`` is given for what is not on the Hub.
        FolderError: If the folder is incomplete.
        HubError: If the Hub does not give it.
    """
    place = device_of(device)
    kind = dtype_of(dtype, place)
    name, folder = _locate(name_or_folder, revision)
    with _quiet_transformers():
        _offer_plain_attention()
        return _load(name, folder, kind).to(place)


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


def as_output(hidden: Tensor) -> Any:
    """A last hidden state in the form that transformers' heads read."""
    from transformers.modeling_outputs import BaseModelOutputWithPast

    return BaseModelOutputWithPast(last_hidden_state=hidden)
