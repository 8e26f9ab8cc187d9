"""Pieces of words that are given apart, as tagging needs them: the same pieces that the words have in a text."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from adapterkit.text.cleaning import as_read

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def word_pieces(
    tokenizer: "PreTrainedTokenizerFast", sentences: Sequence[Sequence[str]]
) -> list[list[list[int]]]:
    """Token ids of each word of each sentence; a word that vanishes becomes one UNK.

    Byte-level tokenizers and Gemma's take the space before a word as a part of it, and put none between words
    that are given apart (ModernBERT, Llama, Qwen3, Gemma3). There each word but the first is given with it: else
    a task adapter would be trained on pieces that texts, and so language adapters, have inside of words only.
    """
    space = " " if _wants_spaces(tokenizer) else ""
    return [list(_of(tokenizer, sentence, space)) for sentence in sentences]


def _wants_spaces(tokenizer: "PreTrainedTokenizerFast") -> bool:
    """Whether words given apart have the pieces of a text only with the space before them."""

    def ids(text: str | list[str]) -> list[int]:
        apart = isinstance(text, list)
        encoded = tokenizer(
            text, is_split_into_words=apart, add_special_tokens=False, verbose=False
        )
        found: list[int] = encoded["input_ids"]
        return found

    text = ids("a a")
    return ids(["a", "a"]) != text and ids(["a", " a"]) == text


def _of(
    tokenizer: "PreTrainedTokenizerFast", sentence: Sequence[str], space: str
) -> Iterator[list[int]]:
    if not sentence:
        return
    first, *others = map(as_read, sentence)
    encoded = tokenizer(
        [first, *(space + word if word else word for word in others)],
        is_split_into_words=True,
        add_special_tokens=False,
        verbose=False,
    )
    words: list[list[int]] = [[] for _ in sentence]
    for token, word in zip(encoded["input_ids"], encoded.word_ids(), strict=True):
        if word is not None:
            words[word].append(token)
    missing = tokenizer.unk_token_id
    for pieces in words:
        yield pieces or [missing if missing is not None else tokenizer.pad_token_id]
