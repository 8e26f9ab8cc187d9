"""Labels that a stack gives to raw text itself: which sentences, and what is said of their words."""

import hashlib
import heapq
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from adapterkit.data.corpus import Corpus
from adapterkit.data.examples import TaggedSentence
from adapterkit.errors import CorpusError
from adapterkit.model import AdaptedModel
from adapterkit.prediction import window_logits
from adapterkit.tasks.tagging import Tagging
from adapterkit.text.words import words_of

SHORTEST, LONGEST = 4, 60
"""Words of a sentence: shorter ones are passed over, longer ones cut."""


def chosen(corpus: Corpus, count: int, seed: int) -> list[tuple[str, ...]]:
    """Sentences of a corpus in words: the same ones in whatever order its lines stand.

    Args:
        corpus: Raw text.
        count: At most so many.
        seed: Which ones.

    Raises:
        CorpusError: If no line has enough words.
    """

    def long_enough(text: str) -> bool:
        parts = text.split()
        if len(parts) >= SHORTEST:
            return True
        # Scripts without spaces show their words only when they are split.
        return (
            len(text) >= SHORTEST
            and not text.isascii()
            and len(words_of(text, corpus.language)) >= SHORTEST
        )

    def keyed() -> Iterator[tuple[bytes, str]]:
        for line in corpus.lines():
            if long_enough(line.text):
                yield hashlib.sha256(f"{seed} {line.text}".encode()).digest(), line.text

    drawn = [text for _, text in heapq.nsmallest(count, keyed())]
    found = [words_of(text, corpus.language)[:LONGEST] for text in drawn]
    if not found:
        raise CorpusError(f"no line of the text has {SHORTEST} words or more to be labelled")
    return found


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
    means = total / which.bincount(minlength=words).unsqueeze(1)
    return means.clamp(min=torch.finfo(means.dtype).tiny).log()
