"""`train_language`: a language (or domain) adapter from raw text, by masked language modelling.

The loss runs through the backbone's own masked-LM head at the masked positions only, with the coupling's
inverse before the vocabulary matrix. Source: Pfeiffer et al. (2020), "MAD-X", section 4.1.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from adapterkit.backbone.load import Backbone
from adapterkit.backbone.precision import choose_precision
from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.composition.base import frozen, placed
from adapterkit.composition.kinds import require_no_task
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig
from adapterkit.data.blocks import Blocks, Vocabulary, fingerprint, pack_corpus
from adapterkit.data.corpus import Corpus, Profile
from adapterkit.errors import ConfigError
from adapterkit.formats.adapterhub import save_adapter
from adapterkit.formats.guard import WORK
from adapterkit.formats.values import check_name
from adapterkit.methods import shape_of_method
from adapterkit.model import AdaptedModel
from adapterkit.seeds import derive
from adapterkit.settings import (
    SMALL_CORPUS_BYTES,
    LanguageConfig,
    Precision,
    as_record,
    left_out,
    other_shape,
)
from adapterkit.training.ahead import DEPTH, read_ahead
from adapterkit.training.checkpoint import Progress, kept
from adapterkit.training.embedding_rows import ROWS, add_rows, check_rows, rows_record
from adapterkit.training.kept_start import keep, share_of
from adapterkit.training.loop import HEAD, copy_of, settings_of, train
from adapterkit.training.masked_lm import MaskedLanguageModelling, heldout_loss
from adapterkit.training.progress import reporter, told
from adapterkit.training.readable import readable
from adapterkit.training.record import reference_to, run_record, versions
from adapterkit.training.telling import plan

DEFAULT_BLOCK = 64
NARROW = 512
_EPOCHS, _MOST_STEPS, _FEWEST_STEPS = 20, 50_000, 200
_MOST_STEPS_NARROW = 480


def train_language(
    backbone: Backbone,
    corpus: Corpus,
    *,
    out: str | Path,
    config: LanguageConfig | None = None,
    over: Adapter | None = None,
    init: Adapter | None = None,
    name: str | None = None,
    fresh: bool = False,
    overwrite: bool = False,
    progress: bool | None = None,
) -> Adapter:
    """Train a language adapter on raw text and write its folder.

    Killed and called again with the same arguments, it goes on from its last checkpoint; a run by
    steps ends with the same bytes as one that was never interrupted.

    Args:
        backbone: The frozen backbone; it must bring a trained masked-LM head.
        corpus: Raw text of one language.
        out: Folder of the adapter; checkpoints stand in ``.training`` inside it until it is done.
        config: How to train; everything left open is decided from the corpus and the backbone.
        over: A frozen language adapter under the new one, which then is a domain adapter.
        init: An adapter to start from instead of random weights (the source language's, or a
            relative's); its shape is taken over, and so are its embedding rows, beside those of this corpus.
        name: What its files call it; by default the language's code.
        fresh: Ignore a checkpoint that is there.
        overwrite: Replace an adapter that is already in ``out``.
        progress: Show a progress bar; by default if stderr is a terminal.

    Returns:
        The adapter with the lowest held-out loss seen; of what it started from, ``keep_start`` is left in it.

    Raises:
        ConfigError: If the backbone has no trained head, ``over`` or ``init`` is a task adapter, no folder could carry the name, nothing can stay of the
            start although ``config`` says so, ``out`` already holds an adapter, or a checkpoint there belongs to another run.
        CorpusError: If the text cannot be used, or the backbone cannot read most of it.
        AdapterMismatch: If ``over`` or ``init`` do not fit.
    """
    config = config or LanguageConfig()
    config = replace(config, keep_start=share_of(config.keep_start, init, corpus.language, over))
    check_name(name or corpus.language)
    require_possible(config, backbone, init, over)
    folder = Path(out)
    require_free(folder, overwrite=overwrite)
    profile = readable(corpus, backbone)
    with work_folder(folder, fresh=fresh, overwrite=overwrite) as work:
        config = _decide(config, backbone, corpus, work, init)
        backbone = backbone.for_training(str(config.precision))
        training, heldout, tokens = pack_corpus(
            corpus.lines(),
            backbone.token_ids,
            vocabulary_of(backbone),
            length=config.block_length or 0,
            folder=work,
            heldout_blocks=config.heldout_blocks,
        )
        config = _decide_steps(config, tokens, backbone.width)
        adapter = _start(
            backbone,
            corpus,
            config,
            init,
            name or corpus.language,
            kind="domain" if over else "language",
        )
        add_rows(adapter, training, config, init)
        start = copy_of(dict(adapter.named_parameters())) if config.keep_start else {}
        lower = (frozen(over),) if over is not None else ()
        model = AdaptedModel(backbone, Stack(*lower, adapter))
        pieces = model.some_pieces(training.pieces()) if config.restrict_vocabulary else None
        problem = MaskedLanguageModelling(model, adapter, training, heldout, config, pieces)
        before = _bare_loss(backbone, heldout, config, lower)
        same = {
            **as_record(config),
            "text": fingerprint(work),
            **surroundings(backbone),
            "tensors": shapes(adapter),
        }
        same |= {"over": over.digest() if over else None, "init": init.digest() if init else None}
        told.info("%s", plan(config, init))
        depth = DEPTH if backbone.device.type == "cuda" else 0
        with (
            reporter(f"language adapter {adapter.name}", "held-out loss", progress) as report,
            read_ahead(problem.batch, depth=depth) as batches,
        ):
            ahead = replace(problem, batches=batches)
            run = train(ahead, settings_of(config), work=work, same=same, report=report)
        after = run.best
        if config.keep_start:
            keep(adapter, start, config.keep_start)
            after = heldout_loss(model, heldout, config)
        adapter.provenance = {
            **_provenance(corpus, profile, config, run, (before, after), over, init),
            **rows_record(adapter),
            "softmax_pieces": backbone.vocabulary if pieces is None else len(pieces.weight),
        }
        save_adapter(adapter, folder)
    return adapter.eval()


def require_possible(
    config: LanguageConfig, backbone: Backbone, init: Adapter | None, over: Adapter | None
) -> None:
    """Refuse, before any work, what the backbone or the adapter to start from cannot do."""
    backbone.require_trained_head()
    vocabulary_of(backbone)
    for other, role in ((init, "starts from (init)"), (over, "goes over (over)")):
        if other is not None:
            require_no_task([other], but=f"a language training {role} a language adapter")
    _left_out(config, backbone)
    others = other_shape(config, init.config, backbone.layers) if init is not None else []
    if init is not None and others:
        raise ConfigError(
            f"adapter {init.name!r}, to start from (init), keeps its shape, and that is another than asked for by "
            f"{', '.join(others)}; leave these settings out, or start from random weights"
        )
    if config.restrict_vocabulary:
        AdaptedModel(backbone).vocabulary_matrix()
    check_rows(config, backbone, init, over)


def _left_out(config: LanguageConfig, backbone: Backbone) -> tuple[int, ...]:
    return left_out(
        backbone.layers,
        drop_last=config.drop_last_layer,
        upper=config.upper_layers,
        lower=config.lower_layers,
    )


def _bare_loss(
    backbone: Backbone, heldout: Blocks, config: LanguageConfig, lower: tuple[Adapter, ...]
) -> float:
    return heldout_loss(AdaptedModel(backbone, Stack(*lower)), heldout, config)


def _decide(
    config: LanguageConfig, backbone: Backbone, corpus: Corpus, work: Path, init: Adapter | None
) -> LanguageConfig:
    length = block_length(config, backbone)
    shape = init.config if init is not None else None
    if isinstance(shape, BottleneckConfig) and isinstance(shape.reduction_factor, float | int):
        factor = float(shape.reduction_factor)
    else:
        small = corpus.counts().bytes < SMALL_CORPUS_BYTES
        factor = config.reduction_factor or (16 if small else 2)
    precision = config.precision or kept(work, "precision")
    return replace(
        config,
        reduction_factor=factor,
        block_length=length,
        precision=choose_precision(backbone.device, precision, backbone.dtype),
        learning_rate=config.learning_rate
        or learning_rate(backbone.width, config.batch_size * length),
    )


def planned_precision(out: str | Path, device: torch.device, asked: Precision | None) -> Precision:
    """The precision in which a training into ``out`` would run: as asked, as before a stop, or measured.

    A backbone that is loaded in it (``load_backbone(..., dtype=)``) is not held in two precisions.
    """
    return choose_precision(device, asked or kept(Path(out) / WORK, "precision"), torch.float32)


def block_length(config: LanguageConfig, backbone: Backbone) -> int:
    """Tokens a block: as asked, or 64.

    Raises:
        ConfigError: If the backbone cannot read so many.
    """
    length = config.block_length or min(DEFAULT_BLOCK, backbone.max_length)
    if length > backbone.max_length:
        raise ConfigError(
            f"block_length {length}: backbone {backbone.name!r} reads at most {backbone.max_length} tokens"
        )
    return length


def learning_rate(width: int, tokens_a_step: int) -> float:
    """Default peak: 1e-4 from 16,384 tokens a step on, 5e-5 below; 6e-3 for backbones narrower than 512.

    Sources: Pfeiffer et al. (2020) and Parovic et al. (2023) for base-sized backbones; for narrow
    ones what won on dev sets (``docs/log.md``).
    """
    if width < NARROW:
        return 6e-3
    return 1e-4 if tokens_a_step >= 16_384 else 5e-5


def _decide_steps(config: LanguageConfig, tokens: int, width: int) -> LanguageConfig:
    per_step = config.batch_size * (config.block_length or 1)
    steps = config.steps or steps_for(tokens, per_step, width)
    every = config.evaluate_every or max(10, min(1000, steps // 10))
    return replace(config, steps=steps, evaluate_every=min(every, steps))


def steps_for(tokens: int, tokens_a_step: int, width: int) -> int:
    """Default steps: 20 passes over the text, at least 200 steps and at most 50,000.

    For backbones narrower than 512 at most 480: what the tables are made with; no more were compared
    (``docs/log.md``).
    """
    most = _MOST_STEPS_NARROW if width < NARROW else _MOST_STEPS
    return min(most, max(_FEWEST_STEPS, round(_EPOCHS * tokens / tokens_a_step)))


def vocabulary_of(backbone: Backbone) -> Vocabulary:
    """The special tokens that packing and masking need.

    Raises:
        ConfigError: If the tokenizer lacks one of them, or the backbone is an encoder-decoder.
    """
    t = backbone.tokenizer
    if backbone.architecture.kind == "causal":
        return _decoder_vocabulary(backbone)
    if backbone.architecture.kind == "seq2seq":
        raise ConfigError(
            f"backbone {backbone.name!r} is an encoder-decoder ({backbone.facts.model_type}): language adapters "
            "over these can be loaded, stacked and used, and trained by a loop of your own "
            "(AdaptedModel is a module whose call gives a loss), but there is no objective for raw text yet"
        )
    ids = {"cls_token": t.cls_token_id, "sep_token": t.sep_token_id, "mask_token": t.mask_token_id}
    missing = [name for name, value in ids.items() if value is None]
    if missing:
        raise ConfigError(
            f"the tokenizer of {backbone.name!r} has no {', '.join(missing)}; masked-LM training needs them"
        )
    special = tuple(sorted(set(t.all_special_ids)))
    return Vocabulary(
        backbone.vocabulary, ids["cls_token"], ids["sep_token"], ids["mask_token"], special
    )


def _start(
    backbone: Backbone,
    corpus: Corpus,
    config: LanguageConfig,
    init: Adapter | None,
    name: str,
    *,
    kind: str,
) -> Adapter:
    shape = shape_of_method(
        backbone,
        config.method,
        reduction_factor=float(config.reduction_factor or 2),
        rank=config.rank,
        invertible=config.invertible and kind == "language",
        leave_out=_left_out(config, backbone),
    )
    if init is not None:
        init.check_fits(backbone.facts)
        shape = init.config
    adapter = new_adapter(
        name,
        shape,
        backbone=backbone.facts,
        kind=kind,
        language=corpus.language,
        seed=derive(config.seed, "init"),
    )
    adapter = placed(adapter, backbone.device, backbone.adapter_dtype)
    if init is not None:
        left = (HEAD, ROWS)
        adapter.load_state_dict({k: v for k, v in init.tensors().items() if not k.startswith(left)})
    return adapter


def _decoder_vocabulary(backbone: Backbone) -> Vocabulary:
    t = backbone.tokenizer
    end = t.eos_token_id
    if end is None:
        raise ConfigError(f"the tokenizer of {backbone.name!r} has no eos_token; packing needs one")
    start = t.bos_token_id if t.bos_token_id is not None else end
    return Vocabulary(backbone.vocabulary, start, end, None, tuple(sorted(set(t.all_special_ids))))


def require_free(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that already holds an adapter, unless it may be overwritten."""
    if (folder / "adapter_config.json").exists() and not overwrite:
        raise ConfigError(
            f"{folder} already holds an adapter; choose another folder, or pass overwrite (--overwrite)"
        )


@contextmanager
def work_folder(folder: Path, *, fresh: bool, overwrite: bool) -> Iterator[Path]:
    """The folder of a run's checkpoints inside ``folder``; removed when the run ends well.

    Raises:
        ConfigError: If ``folder`` already holds an adapter and ``overwrite`` is off.
    """
    require_free(folder, overwrite=overwrite)
    work = folder / WORK
    if fresh:
        shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)
    yield work
    shutil.rmtree(work, ignore_errors=True)


def surroundings(backbone: Backbone) -> dict[str, Any]:
    """What must be the same again for a resumed run to end with the same bytes."""
    return {
        "backbone": backbone.facts.digest,
        "device": backbone.device.type,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def shapes(part: nn.Module) -> list[list[Any]]:
    """Names and shapes of the tensors of what is trained."""
    return [[name, list(tensor.shape)] for name, tensor in sorted(part.state_dict().items())]


def _provenance(
    corpus: Corpus,
    profile: Profile,
    config: LanguageConfig,
    run: Progress,
    losses: tuple[float, float],
    over: Adapter | None,
    init: Adapter | None,
) -> dict[str, Any]:
    return {
        "task": "masked-lm",
        "corpus": {
            "fingerprint": corpus.fingerprint(),
            "licence": corpus.licence,
            "coverage": profile.as_dict(),
        },
        "heldout_loss": {"backbone": round(losses[0], 5), "adapter": round(losses[1], 5)},
        "config": as_record(config),
        "run": run_record(run),
        "over": reference_to(over),
        "init": reference_to(init),
        "versions": versions(),
    }
