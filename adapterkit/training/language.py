"""`train_language`: a language (or domain) adapter from raw text, by masked language modelling.

The loss runs through the backbone's own masked-LM head at the masked positions only, with the coupling's
inverse before the vocabulary matrix. Source: Pfeiffer et al. (2020), "MAD-X", section 4.1.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from adapterkit.backbone.frozen import Backbone
from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.composition.base import frozen, placed
from adapterkit.composition.kinds import require_no_task
from adapterkit.composition.stack import Stack
from adapterkit.data.blocks import Blocks, fingerprint, pack_corpus
from adapterkit.data.corpus import Corpus, Profile
from adapterkit.formats.adapterhub import check_writable, save_adapter
from adapterkit.formats.pins import require_free
from adapterkit.formats.values import check_name
from adapterkit.methods import shape_of_method
from adapterkit.model import AdaptedModel
from adapterkit.seeds import derive
from adapterkit.settings import LanguageConfig, as_record
from adapterkit.training.ahead import DEPTH, read_ahead
from adapterkit.training.checkpoint import Progress
from adapterkit.training.defaults import decide_language, decide_language_steps, require_shape
from adapterkit.training.embedding_rows import ROWS, add_rows, check_rows, rows_record
from adapterkit.training.given import (
    require_adapter,
    require_backbone,
    require_config,
    require_corpus,
)
from adapterkit.training.kept_start import keep, share_of
from adapterkit.training.loop import HEAD, copy_of, settings_of, train
from adapterkit.training.masked_lm import MaskedLanguageModelling, heldout_loss, vocabulary_of
from adapterkit.training.progress import reporter, told
from adapterkit.training.readable import readable
from adapterkit.training.record import reference_to, run_record, versions
from adapterkit.training.runs import shapes, surroundings, work_folder
from adapterkit.training.shape import left_out
from adapterkit.training.telling import plan


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
    require_backbone(backbone)
    require_adapter(init, "init")
    require_adapter(over, "over")
    require_corpus(corpus)
    require_config(config, LanguageConfig)
    config = config or LanguageConfig()
    config = replace(config, keep_start=share_of(config.keep_start, init, corpus.language, over))
    check_name(name or corpus.language)
    require_possible(config, backbone, init, over)
    folder = Path(out).expanduser()
    require_free(folder, overwrite=overwrite)
    profile = readable(corpus, backbone)
    with work_folder(folder, fresh=fresh, overwrite=overwrite) as work:
        config = decide_language(config, backbone, corpus, work, init)
        backbone = backbone.for_training(str(config.precision))
        training, heldout, tokens = pack_corpus(
            corpus.lines(),
            backbone.token_ids,
            vocabulary_of(backbone),
            length=config.block_length or 0,
            folder=work,
            heldout_blocks=config.heldout_blocks,
        )
        config = decide_language_steps(config, tokens, backbone.width)
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
    if init is not None:
        require_shape(config, init, backbone.layers)
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
    check_writable(adapter)
    adapter = placed(adapter, backbone.device, backbone.adapter_dtype)
    if init is not None:
        left = (HEAD, ROWS)
        adapter.load_state_dict({k: v for k, v in init.tensors().items() if not k.startswith(left)})
    return adapter


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
