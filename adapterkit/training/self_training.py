"""`self_train`: a task adapter goes on with labels that it gives, over the target's adapter, to raw text itself.

Round by round the stack labels sentences of the text, and the task adapter goes on with these labels. What makes
them better than what it said at once: a word's label counts less what is said of it here (0.25) than what is
said of the same word everywhere in the text (0.75), where errors of single places average out. Sources: Yarowsky
(1995) (learning from one's own labels, one sense a collocation); what it adds is measured in ``docs/methods.md``.
"""

import hashlib
import heapq
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adapterkit.backbone.load import Backbone
from adapterkit.composition.adapter import Adapter
from adapterkit.composition.base import Composition
from adapterkit.composition.stack import Stack
from adapterkit.data.corpus import Corpus
from adapterkit.data.examples import TaggedSentence
from adapterkit.errors import ConfigError, CorpusError
from adapterkit.formats.adapterhub import load_adapter, save_adapter
from adapterkit.formats.guard import CONFIG
from adapterkit.metrics import is_span_scheme
from adapterkit.model import AdaptedModel
from adapterkit.prediction import window_logits
from adapterkit.settings import SelfTrainingConfig, TaskConfig, as_record
from adapterkit.tasks.tagging import Tagging
from adapterkit.text.words import split_words
from adapterkit.training.defaults import decide_task
from adapterkit.training.given import lowers_of, require_adapter, require_backbone
from adapterkit.training.progress import told
from adapterkit.training.readable import readable
from adapterkit.training.record import reference_to
from adapterkit.training.runs import work_folder
from adapterkit.training.supervised import content_of
from adapterkit.training.task import name_of, train_task

SHORTEST, LONGEST = 4, 60
"""Words of a sentence: shorter ones are passed over, longer ones cut."""
_UNSPACED = 20
"""Characters without a space that may be several words."""
_FASTER = 3
"""Times the rate at which a task adapter learns from random weights."""
_ONLY_AT_THE_END = 1_000_000_000


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
    config = config or SelfTrainingConfig()
    require_backbone(backbone)
    if not isinstance(corpus, Corpus) or init is None:
        raise ConfigError("self-training takes a corpus of raw text and a task adapter (init)")
    require_adapter(init, "init")
    (lower,) = lowers_of(over, 1)
    _require_tags(init)
    folder = Path(out).expanduser()
    with work_folder(folder, fresh=fresh, overwrite=overwrite) as work:
        readable(corpus, backbone)
        settings = _settings(config, backbone)
        sentences = chosen(corpus, config.sentences, config.seed)
        stem = _stem(config, corpus, lower, init)
        seconds, steps, tokens, adapter = 0.0, 0, 0, init
        for number in range(1, config.rounds + 1):
            place = work / f"{stem}-{number}"
            if not (place / CONFIG).exists():
                began = time.monotonic()
                told.info("round %d of %d: labelling the text", number, config.rounds)
                model = AdaptedModel(backbone, Stack(*lower, adapter))
                task = pseudo_labelled(model, sentences, by_word=config.by_word, progress=progress)
                task = replace(task, column=init.provenance.get("task", task.column))
                seconds += time.monotonic() - began
                train_task(
                    backbone,
                    task,
                    over=Stack(*lower) if lower else None,
                    out=place,
                    config=settings,
                    init=adapter,
                    name=name or name_of(folder),
                    progress=progress,
                )
            adapter = load_adapter(place)
            run = adapter.provenance["run"]
            seconds, steps, tokens = (
                seconds + run["seconds"],
                steps + run["steps"],
                tokens + run["tokens"],
            )
        adapter.language = corpus.language
        adapter.provenance |= {
            "init": reference_to(init),
            "self_training": {
                "config": as_record(config),
                "corpus": {"fingerprint": corpus.fingerprint(), "licence": corpus.licence},
                "sentences": len(sentences),
            },
            "run": {**run, "seconds": round(seconds, 1), "steps": steps, "tokens": tokens},
        }
        save_adapter(adapter, folder)
    return adapter.eval()


def chosen(corpus: Corpus, count: int, seed: int) -> list[tuple[str, ...]]:
    """Sentences of a corpus in words: the same ones in whatever order its lines stand.

    Args:
        corpus: Raw text.
        count: At most so many.
        seed: Which ones.

    Raises:
        CorpusError: If no line has enough words.
    """

    def keyed() -> Iterator[tuple[bytes, str]]:
        for line in corpus.lines():
            parts = line.text.split()
            # Scripts without spaces show their words only when they are split.
            if len(parts) >= SHORTEST or max(map(len, parts), default=0) >= _UNSPACED:
                yield hashlib.sha256(f"{seed} {line.text}".encode()).digest(), line.text

    found = []
    for _, text in heapq.nsmallest(2 * count, keyed()):
        words = [text[a:z] for a, z in split_words(text, corpus.language)]
        if len(words) >= SHORTEST:
            found.append(tuple(words[:LONGEST]))
    if not found:
        raise CorpusError(f"no line of the text has {SHORTEST} words or more to be labelled")
    return found[:count]


def pseudo_labelled(
    model: AdaptedModel,
    sentences: Sequence[Sequence[str]],
    *,
    by_word: float,
    progress: bool | None = False,
) -> Tagging:
    """What a stack says of sentences, as training examples.

    A word's label is the likeliest by ``(1 - by_word) log p + by_word log q``: p is what is said of it here, q the
    mean of what is said of the same word (in any case of its letters) in all sentences.

    Args:
        model: A stack that ends in a task adapter.
        sentences: In words.
        by_word: Between 0 (each place by itself) and 1 (the same label at every place).
        progress: Show a bar if it takes long.
    """
    assert model.stack.head is not None
    labels = model.stack.head.config.labels
    examples = [TaggedSentence(tuple(words), ()) for words in sentences]
    windows = Tagging({}).windows(examples, model.backbone, limit=model.backbone.max_length)
    logits = window_logits(model, windows, progress=progress)
    here = torch.cat(
        [scores[list(w.first_pieces)] for w, scores in zip(windows, logits, strict=True)]
    ).log_softmax(-1)
    number: dict[str, int] = {}
    which = [number.setdefault(word.casefold(), len(number)) for s in sentences for word in s]
    said = (1 - by_word) * here + by_word * _means(here, torch.tensor(which))[which]
    best = iter(said.argmax(-1).tolist())
    made = tuple(replace(e, tags=tuple(labels[next(best)] for _ in e.words)) for e in examples)
    return Tagging({"train": made})


def _means(here: Tensor, which: Tensor) -> Tensor:
    """Logarithm of the mean probabilities of each word. Shape ``(words, labels)``."""
    words = int(which.max()) + 1
    total = torch.zeros(words, here.shape[1]).index_add_(0, which, here.exp())
    return (total / which.bincount(minlength=words).unsqueeze(1)).log()


def _require_tags(init: Adapter) -> None:
    head = init.head
    kind = head.config.head_type if head is not None else "no head"
    if kind != "tagging" or is_span_scheme(init.labels):
        what = "labels of spans" if kind == "tagging" else f"a {kind} head".replace("a no", "no")
        raise ConfigError(
            f"self-training takes a task adapter that tags words, such as parts of speech; {init.name!r} has {what}"
        )


def _settings(config: SelfTrainingConfig, backbone: Backbone) -> TaskConfig:
    rate = config.learning_rate or _FASTER * (
        decide_task(TaskConfig(), backbone).learning_rate or 0
    )
    return TaskConfig(
        epochs=config.epochs,
        batch_size=config.batch_size,
        learning_rate=rate,
        seed=config.seed,
        precision=config.precision,
        evaluate_every=_ONLY_AT_THE_END,
    )


def _stem(
    config: SelfTrainingConfig, corpus: Corpus, lower: Sequence[Composition], init: Adapter
) -> str:
    """Beginning of the names of the rounds' folders: another run's are not gone on from."""
    record: list[Any] = [as_record(config), corpus.fingerprint(), corpus.language, init.digest()]
    record += [content_of(part) for part in lower]
    return "round-" + hashlib.sha256(json.dumps(record).encode()).hexdigest()[:12]
