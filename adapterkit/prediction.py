"""`predict`: labels for raw texts or texts already in words, with a score each; and `fill` for masks."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import Tensor

from adapterkit.allocator import memory_kept
from adapterkit.backbone.frozen import Backbone
from adapterkit.composition.base import Composition
from adapterkit.composition.kinds import require_no_task
from adapterkit.composition.numbers import row_numbers
from adapterkit.composition.rows import Rows
from adapterkit.config import HeadConfig
from adapterkit.data.batches import Window, by_length, pad, text_windows
from adapterkit.data.examples import LabelledText, TaggedSentence
from adapterkit.data.writing import PredictedText
from adapterkit.errors import ConfigError, first_of
from adapterkit.model import AdaptedModel
from adapterkit.tasks.base import Answer, Task, special_of
from adapterkit.tasks.classification import Classification
from adapterkit.tasks.tagging import Tagging
from adapterkit.text.words import words_of
from adapterkit.waiting import waiting

logger = logging.getLogger("adapterkit")

BATCH = 32
Read = Callable[[Sequence[int], Tensor, Tensor], Tensor]
"""From numbers of windows, their ids and their mask to their logits."""


@dataclass(frozen=True)
class Filling:
    """One guess for a mask: the token as text, and its probability."""

    token: str
    score: float


def window_logits(
    model: AdaptedModel,
    windows: Sequence[Window],
    *,
    rows: Sequence[int] | None = None,
    batch_size: int = BATCH,
    read: Read | None = None,
    progress: bool | None = False,
) -> list[Tensor]:
    """Logits of each window, computed in batches of similar length.

    Args:
        model: A backbone with a composition that carries a head.
        windows: Inputs.
        rows: With `Rows`, the composition's number for each window.
        batch_size: Windows a batch.
        read: What gives the logits of a batch; by default the model as a whole.
        progress: Show a bar if it takes long; None: if stderr is a terminal.

    Returns:
        One tensor a window, on the CPU: ``(length, labels)`` or ``(labels,)``.
    """
    special, device = special_of(model.backbone), model.backbone.device
    found: list[Tensor] = [torch.empty(0)] * len(windows)
    shown = waiting("predicting", len(windows), show=progress)
    kept = memory_kept() if len(windows) > batch_size else nullcontext()
    with kept, torch.inference_mode(), shown as done:
        for numbers in by_length(windows, batch_size):
            ids, mask = pad([windows[i] for i in numbers], special)
            ids, mask = ids.to(device), mask.to(device)
            chosen = None if rows is None else [rows[i] for i in numbers]
            logits = read(numbers, ids, mask) if read else model.logits(ids, mask, rows=chosen)
            # From a GPU in one copy, not one for each row, where one tensor holds them all.
            said = logits.cpu() if isinstance(logits, Tensor) else logits
            for number, one in zip(numbers, said, strict=True):
                found[number] = one.float().cpu()
            done(len(numbers))
    return found


def answers(
    model: AdaptedModel,
    task: Task[Any],
    examples: Sequence[Any],
    *,
    limit: int | None = None,
    progress: bool | None = False,
) -> list[Answer]:
    """What ``model`` says of ``examples``, one answer each.

    Raises:
        ConfigError: If the stack's head is not of the task's kind, or the model is built from `Rows`.
    """
    labels = require_head(model, task).labels
    limit = min(limit or model.backbone.max_length, model.backbone.max_length)
    windows = task.windows(examples, model.backbone, limit=limit)
    logits = window_logits(model, windows, progress=progress)
    return task.answers(windows, logits, len(examples), labels)


def require_head(model: AdaptedModel, task: Task[Any]) -> HeadConfig:
    """The head by which ``model`` answers ``task``.

    Raises:
        ConfigError: If it is of another kind, there is none, or the model is built from `Rows`.
    """
    require_model(model)
    if isinstance(model.stack, Rows):
        raise ConfigError(
            "examples are scored with one composition, not Rows; build a model for each of them"
        )
    head = model.stack.head
    if head is None or head.config.head_type != task.kind:
        kind = "no head" if head is None else f"a {head.config.head_type} head"
        if head is None and any(one.head is not None for one in model.stack.adapters):
            kind = "no head that its parts share (their labels or weights differ)"
        raise ConfigError(
            f"the stack {model.stack!r} ends with {kind}, a {task.kind} head is needed; put its task adapter last"
        )
    return head.config


def predict(
    model: AdaptedModel,
    texts: Iterable[str | Sequence[str]],
    *,
    language: str | None = None,
    rows: Sequence[int] | None = None,
    progress: bool | None = None,
) -> list[PredictedText]:
    """Predict labels with the head that the stack carries.

    Args:
        model: A backbone with a stack that ends in a task adapter.
        texts: Raw texts, split at Unicode word boundaries where words are needed (scripts
            without spaces too), or texts already in words.
        language: Language code, which helps to split some scripts; by default the first
            adapter's.
        rows: With `Rows`, the composition's number for each text; languages and tasks may be
            mixed, and share one pass through the backbone.
        progress: Show a bar once it has taken two seconds; by default if stderr is a terminal.

    Returns:
        One object a text: ``tokens``, ``labels``, ``scores`` (probabilities). A classified text
        has no tokens and one label.

    Raises:
        ConfigError: If the stack carries no head, ``texts`` is no list (or another one-dimensional iterable) of
            texts, or one of them is neither a string nor words.
    """
    require_model(model)
    texts = texts_of(texts)
    if isinstance(model.stack, Rows):
        return _predict_rows(model, model.stack, texts, rows, language, progress)
    if rows is not None:
        raise ConfigError("rows= needs a model built from Rows; this one has one composition")
    head = model.stack.head
    if head is not None and head.config.head_type == "classification":
        _warn_of_empty(texts)
        return _classify(model, texts, progress)
    code = language or (model.stack.adapters[0].language if model.stack.adapters else "")
    sentences = [_in_words(text, code) for text in texts]
    examples = [TaggedSentence(words, ()) for _, words in sentences]
    said = answers(model, Tagging({}), examples, progress=progress)
    return [
        PredictedText(text, words, answer.labels, answer.scores)
        for (text, words), answer in zip(sentences, said, strict=True)
    ]


def _warn_of_empty(texts: Sequence[str | tuple[str, ...]]) -> None:
    empty = [n for n, text in enumerate(texts, start=1) if not _shows(text)]
    if empty:
        many = f"{len(empty)} texts are" if len(empty) > 1 else "a text is"
        logger.warning(
            "warning: %s empty (number %s): what is predicted of nothing means nothing",
            many,
            first_of(empty),
        )


def _shows(text: str | tuple[str, ...]) -> bool:
    """Whether anything in it can be seen: no space, nothing of no width."""
    return any(sign.isprintable() and not sign.isspace() for sign in "".join(text))


def require_model(model: object) -> None:
    """Refuse what is no model, a stack for one.

    Raises:
        ConfigError: That says how to make one.
    """
    if not isinstance(model, AdaptedModel):
        raise ConfigError(
            f"a model is needed, not {type(model).__name__}: ak.AdaptedModel(backbone, stack)"
        )


def texts_of(texts: object) -> list[str | tuple[str, ...]]:
    """Texts as strings or tuples of words.

    Raises:
        ConfigError: If they are something else.
    """
    if isinstance(texts, str):
        raise ConfigError(
            "predict takes a list of texts; for one text write predict(model, [text])"
        )
    # Whoever goes over a table or a dictionary gets the names of its columns.
    if not isinstance(texts, Iterable) or isinstance(texts, Mapping) or hasattr(texts, "columns"):
        raise ConfigError(
            f"predict takes a list of texts, not {type(texts).__name__}; of a table give the column: table['text']"
        )
    return [_text(text, number) for number, text in enumerate(texts)]


def _text(text: object, number: int) -> str | tuple[str, ...]:
    if isinstance(text, str):
        return str(text)
    words = tuple(text) if isinstance(text, Sequence | np.ndarray) else (None,)
    if not all(isinstance(word, str) for word in words):
        raise ConfigError(
            f"text {number} (counted from 0) is neither a string nor a list of words: {text!r:.60}"
        )
    return tuple(map(str, words))


def _classify(
    model: AdaptedModel, texts: Sequence[str | Sequence[str]], progress: bool | None
) -> list[PredictedText]:
    plain = [text if isinstance(text, str) else " ".join(text) for text in texts]
    examples = [LabelledText(text, "") for text in plain]
    said = answers(model, Classification({}), examples, progress=progress)
    return [
        PredictedText(text, (), answer.labels, answer.scores)
        for text, answer in zip(plain, said, strict=True)
    ]


def _predict_rows(
    model: AdaptedModel,
    compositions: Rows,
    texts: Sequence[str | Sequence[str]],
    rows: Sequence[int] | None,
    language: str | None,
    progress: bool | None,
) -> list[PredictedText]:
    parts = compositions.parts
    rows = row_numbers(rows, batch=len(texts), count=len(parts), each="text")
    examples = [_example(parts[row], text, language) for text, row in zip(texts, rows, strict=True)]
    windows: list[Window] = []
    ends, chosen = [0], []
    for (task, plain, _), row in zip(examples, rows, strict=True):
        windows += task.windows([plain], model.backbone, limit=model.backbone.max_length)
        chosen += [row] * (len(windows) - ends[-1])
        ends.append(len(windows))
    logits = window_logits(model, windows, rows=chosen, progress=progress)
    found = []
    for number, (task, _, shown) in enumerate(examples):
        mine = slice(ends[number], ends[number + 1])
        labels = parts[rows[number]].head.config.labels
        (said,) = task.answers(windows[mine], logits[mine], 1, labels)
        found.append(PredictedText(shown[0], shown[1], said.labels, said.scores))
    return found


def _example(
    part: Composition, text: str | Sequence[str], language: str | None
) -> tuple[Task[Any], Any, tuple[str, tuple[str, ...]]]:
    head = part.head
    if head is None or head.config.head_type not in ("tagging", "classification"):
        raise ConfigError(f"{part!r} ends without a tagging or classification head")
    if head.config.head_type == "classification":
        plain = text if isinstance(text, str) else " ".join(text)
        return Classification({}), LabelledText(plain, ""), (plain, ())
    code = language or (part.adapters[0].language if part.adapters else "")
    shown = _in_words(text, code)
    return Tagging({}), TaggedSentence(shown[1], ()), shown


def _in_words(text: str | Sequence[str], language: str) -> tuple[str, tuple[str, ...]]:
    if isinstance(text, str):
        return text, words_of(text, language or None)
    return " ".join(text), tuple(text)


def fill(model: AdaptedModel, text: str, *, guesses: int = 5) -> list[list[Filling]]:
    """What the model expects at each mask of ``text``.

    Args:
        model: A backbone, alone or with a language adapter.
        text: Text with the backbone's mask token in it, written ``<mask>`` or as the tokenizer has it.
        guesses: How many tokens for each mask, likeliest first; at least 1, at most the vocabulary.

    Raises:
        ConfigError: If the text holds no mask or one behind what the backbone reads, the backbone is no masked
            language model or has no trained head, there are not so many tokens, or the stack has a task
            adapter in it or is `Rows`.
    """
    require_model(model)
    _check_masks(model.backbone)
    if isinstance(model.stack, Rows):
        raise ConfigError("fill takes one composition, not Rows; build a model for each language")
    if not isinstance(text, str):
        raise ConfigError(f"fill takes one text, not {type(text).__name__} ({text!r:.60})")
    require_no_task(
        model.stack.adapters,
        but="fill asks what a language adapter expects at a mask: leave the task adapter out of the stack",
    )
    if not isinstance(guesses, Integral) or not 1 <= guesses <= model.backbone.vocabulary:
        raise ConfigError(
            f"guesses {guesses}: must be from 1 to {model.backbone.vocabulary}, the tokens of "
            f"backbone {model.backbone.name!r}"
        )
    tokenizer, limit = model.backbone.tokenizer, model.backbone.max_length
    # Cut here: a tokenizer that is told to cut does so for every thread from then on.
    (text_ids,) = model.backbone.token_ids([text.replace("<mask>", tokenizer.mask_token)])
    special = special_of(model.backbone)
    (window, *behind) = text_windows([text_ids], special, limit=limit)
    if any(tokenizer.mask_token_id in later.tokens for later in behind):
        raise ConfigError(
            f"there is a <mask> behind the first {limit} tokens of {text!r:.80}, and this backbone reads no more; "
            "cut the text"
        )
    ids = torch.tensor([window.tokens], device=model.backbone.device)
    places = ids == tokenizer.mask_token_id
    if not places.any():
        raise ConfigError(
            f"there is no <mask> in {text!r:.80}; write one where the model shall guess"
        )
    with torch.inference_mode():
        best = torch.softmax(model.mlm_logits(ids, positions=places).float(), dim=-1).topk(guesses)
    return [
        [
            Filling(str(tokenizer.decode([token])).strip(), score)
            for token, score in zip(tokens, scores, strict=True)
        ]
        for tokens, scores in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]


def _check_masks(backbone: Backbone) -> None:
    kinds = {"causal": "a decoder", "seq2seq": "an encoder-decoder"}
    reason = ""
    if backbone.architecture.kind != "masked":
        reason = f"a {backbone.facts.model_type} is {kinds[backbone.architecture.kind]}"
    elif backbone.tokenizer.mask_token is None:
        reason = "its tokenizer has no mask token"
    if reason:
        raise ConfigError(
            f"backbone {backbone.name!r} fills no masks: {reason}; fill takes a masked language model, "
            "such as an XLM-R"
        )
