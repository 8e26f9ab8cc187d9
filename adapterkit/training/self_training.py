"""`self_train`: a task adapter goes on with labels that it gives, over the target's adapter, to raw text itself.

Round by round the stack labels sentences of the text, and the task adapter goes on with these labels. What makes
them better than what it said at once: a word's label counts less what is said of it here (0.25) than what is
said of the same word everywhere in the text (0.75), where errors of single places average out. Sources: Yarowsky
(1995) (learning from one's own labels, one sense a collocation); what it adds was measured on dev languages
(``docs/log.md``).
"""

import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adapterkit.backbone.frozen import Backbone
from adapterkit.composition.adapter import Adapter
from adapterkit.composition.base import Composition
from adapterkit.composition.kinds import require_no_task
from adapterkit.composition.stack import Stack
from adapterkit.data.corpus import Corpus
from adapterkit.errors import ConfigError
from adapterkit.formats.adapterhub import load_adapter, save_adapter
from adapterkit.formats.guard import CONFIG
from adapterkit.formats.pins import require_free
from adapterkit.formats.values import check_name
from adapterkit.metrics import is_span_scheme
from adapterkit.model import AdaptedModel
from adapterkit.settings import Precision, SelfTrainingConfig, TaskConfig, as_record
from adapterkit.tasks.tagging import Tagging
from adapterkit.training.defaults import decide_task
from adapterkit.training.given import (
    lowers_of,
    require_adapter,
    require_backbone,
    require_config,
    require_corpus,
)
from adapterkit.training.progress import told
from adapterkit.training.pseudo_labels import chosen, pseudo_labelled
from adapterkit.training.readable import readable
from adapterkit.training.record import reference_to
from adapterkit.training.runs import settled_precision, work_folder
from adapterkit.training.supervised import content_of
from adapterkit.training.task import name_of, train_task

LABELLING = "labelling_seconds"
"""In a round's record, beside the seconds of its training."""
_FASTER = 3
"""Times the rate at which a task adapter learns from random weights."""


def self_train(
    backbone: Backbone,
    corpus: Corpus,
    *,
    over: Composition | None,
    init: Adapter,
    out: str | Path,
    config: SelfTrainingConfig | None = None,
    name: str | None = None,
    fresh: bool = False,
    overwrite: bool = False,
    progress: bool | None = None,
) -> Adapter:
    """Let a task adapter go on with labels that it gives to raw text itself, and write its folder.

    No labels of the target are needed. Called again with the same arguments after a stop, it goes on.

    Args:
        backbone: The frozen backbone.
        corpus: Raw text of the target language; what the target's language adapter was trained on will do.
        over: The target's language adapter (or a stack of frozen adapters), which stays as it is.
        init: A task adapter that tags words, trained on another language's labels.
        out: Folder of the new task adapter.
        config: How.
        name: What its files call it; by default the name of ``out``.
        fresh: Ignore what an unfinished run left.
        overwrite: Replace an adapter that is already in ``out``.
        progress: Show progress bars; by default if stderr is a terminal.

    Returns:
        The task adapter after the last round.

    Raises:
        ConfigError: If something else was given, the labels are spans or of whole texts, or ``out`` holds an adapter.
        CorpusError: If the text holds no sentence, or the backbone cannot read most of it.
        AdapterMismatch: If an adapter does not fit.
    """
    require_config(config, SelfTrainingConfig)
    config = config or SelfTrainingConfig()
    folder = Path(out).expanduser()
    name = name or name_of(folder)
    require_backbone(backbone)
    require_corpus(corpus)
    if init is None:
        raise ConfigError("self-training takes a corpus of raw text and a task adapter (init)")
    require_adapter(init, "init")
    (lower,) = lowers_of(over, 1)
    check_name(name)
    _require_possible(backbone, lower, init)
    require_free(folder, overwrite=overwrite)
    profile = readable(corpus, backbone, warn=False)
    sentences = chosen(corpus, config.sentences, config.seed)
    with work_folder(folder, fresh=fresh, overwrite=overwrite) as work:
        settings = _settings(config, backbone, settled_precision(work, backbone, config.precision))
        stem = _stem(config, corpus, backbone, lower, init)
        adapter, runs = init, []
        for number in range(1, config.rounds + 1):
            place = work / f"{stem}-{number}"
            if not (place / CONFIG).exists():
                told.info("round %d of %d: labelling the text", number, config.rounds)
                _round(backbone, sentences, lower, adapter, settings, place, name, config, progress)
            adapter = load_adapter(place)
            runs.append(adapter.provenance["run"])
        adapter.language = corpus.language
        adapter.provenance.pop("selection", None)
        adapter.provenance |= {
            "init": reference_to(init),
            "self_training": {
                "config": as_record(config),
                "corpus": {
                    "fingerprint": corpus.fingerprint(),
                    "licence": corpus.licence,
                    "coverage": profile.as_dict(),
                },
                "sentences": len(sentences),
                "rounds": runs,
            },
            "run": {
                "steps": sum(run["steps"] for run in runs),
                "tokens": sum(run["tokens"] for run in runs),
                "seconds": round(sum(run["seconds"] + run.get(LABELLING, 0) for run in runs), 1),
            },
        }
        save_adapter(adapter, folder)
    return adapter.eval()


def _round(
    backbone: Backbone,
    sentences: Sequence[Sequence[str]],
    lower: Sequence[Composition],
    adapter: Adapter,
    settings: TaskConfig,
    place: Path,
    name: str,
    config: SelfTrainingConfig,
    progress: bool | None,
) -> None:
    """Label the sentences with ``adapter``, and let it go on with these labels into ``place``."""
    began = time.monotonic()
    model = AdaptedModel(backbone, Stack(*lower, adapter))
    task = pseudo_labelled(model, sentences, by_word=config.by_word, progress=progress)
    labelling = time.monotonic() - began
    made = train_task(
        backbone,
        Tagging(task.splits, adapter.provenance.get("task", task.column)),
        over=Stack(*lower) if lower else None,
        out=place,
        config=settings,
        init=adapter,
        name=name,
        keep_last=True,
        progress=progress,
    )
    made.provenance["run"][LABELLING] = round(labelling, 1)
    save_adapter(made, place)


def _require_possible(backbone: Backbone, lower: Sequence[Composition], init: Adapter) -> None:
    kind = "no head" if init.head is None else f"a {init.head.config.head_type} head"
    if kind != "a tagging head" or is_span_scheme(init.labels):
        what = "labels of spans" if kind == "a tagging head" else kind
        raise ConfigError(
            f"self-training takes a task adapter that tags words, such as parts of speech; {init.name!r} has {what}"
        )
    if init.embedding_rows is not None:
        raise ConfigError(
            f"cannot go on from {init.name!r}: it has embedding rows; take init.without_embedding_rows()"
        )
    require_no_task(
        [adapter for part in lower for adapter in part.adapters],
        but="self-training goes over the target's language adapter (over)",
    )
    Stack(*lower, init).check_fits(backbone.facts)


def _settings(config: SelfTrainingConfig, backbone: Backbone, precision: Precision) -> TaskConfig:
    usual = decide_task(TaskConfig(), backbone).learning_rate or 0
    return TaskConfig(
        epochs=config.epochs,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate or _FASTER * usual,
        seed=config.seed,
        precision=precision,
    )


def _stem(
    config: SelfTrainingConfig,
    corpus: Corpus,
    backbone: Backbone,
    lower: Sequence[Composition],
    init: Adapter,
) -> str:
    """Beginning of the names of the rounds' folders: another run's are not gone on from."""
    record: list[Any] = [as_record(config), corpus.fingerprint(), corpus.language]
    record += [backbone.facts.digest, init.digest(), init.labels, repr(init.config)]
    record += [content_of(part) for part in lower]
    return "round-" + hashlib.sha256(json.dumps(record).encode()).hexdigest()[:12]
