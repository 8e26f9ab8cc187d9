"""Training a whole backbone: the rival that adapters are measured against, on a real copy.

`fine_tune` trains all of the copy on labelled data; `continue_pretraining` trains it further as a masked LM on raw
text (Gururangan et al., 2020, "Don't Stop Pretraining"), to be fine-tuned then. The backbone that was given is
never changed. The loop is the one of adapters: AdamW, looks, the best kept, resume. Arithmetic is float32; the
copy's own dropout stays off, as everywhere here (`mini` has none).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from adapterkit.backbone.frozen import Backbone
from adapterkit.composition.stack import Stack
from adapterkit.data.blocks import Blocks, fingerprint, pack_corpus
from adapterkit.data.corpus import Corpus
from adapterkit.model import AdaptedModel
from adapterkit.nn.losses import cross_entropy
from adapterkit.seeds import derive
from adapterkit.settings import LanguageConfig, TaskConfig, as_record
from adapterkit.tasks.base import Task
from adapterkit.training.defaults import block_length, decide_task, steps_for
from adapterkit.training.judging import judge_of
from adapterkit.training.loop import settings_of, train
from adapterkit.training.masked_lm import heldout_loss, vocabulary_of
from adapterkit.training.progress import reporter
from adapterkit.training.readable import readable
from adapterkit.training.record import run_record, versions
from adapterkit.training.runs import shapes, surroundings, work_folder
from adapterkit.training.supervised import Source, Supervised, decide_steps, fingerprint_of
from adapterkit.training.whole import Whole, head_on, load_whole, real_copy, save_whole

RATE = 2e-5
"""Default peak; Devlin et al. (2019) search 2e-5 to 5e-5 for base-sized encoders. Narrow ones want more."""


def fine_tune(
    backbone: Backbone,
    task: Task[Any],
    *,
    out: str | Path,
    config: TaskConfig | None = None,
    fresh: bool = False,
    progress: bool | None = None,
) -> Whole:
    """Train a copy of the backbone, all of it, with a head on labelled data.

    Args:
        backbone: Where it starts; not changed.
        task: The labelled data.
        out: Folder of the copy, and of its checkpoints.
        config: How to train; what is about adapters in it has no meaning here.
        fresh: Ignore a checkpoint that is there.
        progress: Show a progress bar; by default if stderr is a terminal.

    Returns:
        The copy with the best dev score seen.

    Raises:
        ConfigError: If a checkpoint belongs to another run, or the backbone cannot read ``max_length`` tokens.
        CorpusError: If there are no training examples.
    """
    config = config or TaskConfig()
    config = replace(config, learning_rate=config.learning_rate or RATE, precision="float32")
    config = decide_task(config, backbone)
    length = config.max_length or 0
    whole = real_copy(backbone)
    adapter = head_on(whole, task.head(task.labels()), config.seed)
    model = AdaptedModel(whole, Stack(adapter))
    windows = tuple(task.windows(task.examples("train"), whole, limit=length))
    # Everything is trained: there is nothing below that could be computed once.
    sources = (Source(task, (model,), windows, (None,)),)
    judge = judge_of(task, model, limit=length, room=0)
    # A look and its checkpoint are large here: one a pass over the examples.
    per_pass = max(1, round(len(windows) / config.batch_size))
    config = decide_steps(
        replace(config, evaluate_every=config.evaluate_every or per_pass), sources
    )
    trained = nn.ModuleDict({"backbone": whole.model, "head": adapter})
    problem = Supervised(sources, trained, adapter.labels, config, judge)
    folder = Path(out)
    with work_folder(folder, fresh=fresh, overwrite=True) as work:
        same = {
            **as_record(config),
            **surroundings(backbone),
            "examples": fingerprint_of([task]),
            "tensors": shapes(trained),
        }
        with reporter("whole backbone", f"{judge.split} {task.main_metric}", progress) as report:
            settings = settings_of(config, start_counts=False, drops=False)
            run = train(problem, settings, work=work, same=same, report=report)
        provenance = {
            "task": task.column,
            "config": as_record(config),
            "run": run_record(run),
            "selection": {"split": judge.split, "value": round(-run.best, 5)},
            "versions": versions(),
        }
        save_whole(folder, whole, adapter, provenance)
    return load_whole(folder, backbone)


def continue_pretraining(
    backbone: Backbone,
    corpus: Corpus,
    *,
    out: str | Path,
    config: LanguageConfig | None = None,
    fresh: bool = False,
    progress: bool | None = None,
) -> Whole:
    """Train a copy of the backbone, all of it, further as a masked LM on raw text.

    Args:
        backbone: Where it starts; not changed.
        corpus: Raw text of one language.
        out: Folder of the copy, and of its checkpoints.
        config: How to train; what is about adapters in it has no meaning here.
        fresh: Ignore a checkpoint that is there.
        progress: Show a progress bar; by default if stderr is a terminal.

    Returns:
        The copy with the lowest held-out loss seen.

    Raises:
        ConfigError: If the backbone has no trained masked-LM head, or a checkpoint belongs to
            another run.
        CorpusError: If the text cannot be used, or the backbone cannot read most of it.
    """
    backbone.require_trained_head()
    config = config or LanguageConfig()
    profile = readable(corpus, backbone)
    length = block_length(config, backbone)
    config = replace(
        config,
        block_length=length,
        learning_rate=config.learning_rate or RATE,
        precision="float32",
        keep_start=0,
    )
    whole = real_copy(backbone)
    folder = Path(out)
    with work_folder(folder, fresh=fresh, overwrite=True) as work:
        training, heldout, tokens = pack_corpus(
            corpus.lines(),
            whole.token_ids,
            vocabulary_of(whole),
            length=length,
            folder=work,
            heldout_blocks=config.heldout_blocks,
        )
        steps = config.steps or steps_for(tokens, config.batch_size * length, whole.width)
        every = config.evaluate_every or max(10, steps // 3)
        config = replace(config, steps=steps, evaluate_every=min(every, steps))
        model = AdaptedModel(whole, Stack())
        problem = Pretraining(model, whole.model, training, heldout, config)
        same = {
            **as_record(config),
            **surroundings(backbone),
            "text": fingerprint(work),
            "tensors": shapes(whole.model),
        }
        with reporter("whole backbone", "held-out loss", progress) as report:
            run = train(
                problem, settings_of(config, drops=False), work=work, same=same, report=report
            )
        provenance = {
            "task": "masked-lm",
            "corpus": {"fingerprint": corpus.fingerprint(), "coverage": profile.as_dict()},
            "heldout_loss": {"backbone": round(run.looks[0][1], 5), "adapter": round(run.best, 5)},
            "config": as_record(config),
            "run": run_record(run),
            "versions": versions(),
        }
        save_whole(folder, whole, None, provenance)
    return load_whole(folder, backbone)


@dataclass(frozen=True)
class Pretraining:
    """The loop's problem: predict masked tokens, with the vocabulary matrix trained as well."""

    model: AdaptedModel
    trained: nn.Module
    training: Blocks
    heldout: Blocks
    config: LanguageConfig

    def loss(self, step: int) -> tuple[Tensor, int]:
        """Masked-LM loss of step ``step``, a scalar, and the tokens it read."""
        seed, size = self.config.seed, self.config.batch_size
        rows: Sequence[int] = self.training.indices(step, size, seed=seed)
        batch = self.training.masked(
            rows, share=self.config.masking, seed=derive(seed, "mask", step)
        ).to(self.model.backbone.device)
        # All logits are kept: the loss of adapters takes the vocabulary matrix for frozen.
        wanted = batch.targets != -100
        logits = self.model.mlm_logits(batch.input_ids, batch.attention_mask, positions=wanted)
        return cross_entropy(logits, batch.targets[wanted]), batch.input_ids.numel()

    def look(self) -> float:
        """Held-out loss in nats a masked token; the masks are always the same."""
        return heldout_loss(self.model, self.heldout, self.config)
