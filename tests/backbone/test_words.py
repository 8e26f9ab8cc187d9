"""Words given apart have the pieces of a text, with every kind of tokenizer that backbones bring."""

from collections.abc import Callable

import pytest
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from adapterkit.backbone.load import load_backbone
from adapterkit.backbone.words import word_pieces
from tests.tiny import lines

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
TEXTS = lines(40)


def bpe(tokenizer: Tokenizer) -> Tokenizer:
    """``tokenizer`` with pieces from another forty texts."""
    trainer = trainers.BpeTrainer(vocab_size=160, special_tokens=SPECIAL, show_progress=False)
    tokenizer.train_from_iterator(lines(40, seed=1) + TEXTS, trainer)
    return tokenizer


def modernbert() -> Tokenizer:
    """Llama 3's and Qwen3's, too."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return bpe(tokenizer)


def roberta() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    return bpe(tokenizer)


def gemma() -> Tokenizer:
    """Its pieces hold a space at their beginning only, though nothing splits a text before them."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    bpe(tokenizer).pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    return tokenizer


def llama_2() -> Tokenizer:
    """It puts a space before each word by itself; a second one would be a piece of its own."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    bpe(tokenizer).pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    return tokenizer


def xlm_roberta() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(Regex(r"\s+"), " ")
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return bpe(tokenizer)


def bert() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=160, special_tokens=SPECIAL, show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


KINDS = (modernbert, gemma, llama_2, xlm_roberta, bert, roberta)


def fast(kind: Callable[[], Tokenizer]) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=kind(),
        unk_token="<unk>",
        pad_token="<pad>",
        add_prefix_space=kind is roberta,
    )


def of_the_text(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def as_they_are(tokenizer: PreTrainedTokenizerFast, words: list[str]) -> list[list[int]]:
    """The pieces of words that are handed to the tokenizer without any change."""
    encoded = tokenizer(words, is_split_into_words=True, add_special_tokens=False)
    pairs = list(zip(encoded["input_ids"], encoded.word_ids(), strict=True))
    return [[token for token, word in pairs if word == place] for place in range(len(words))]


@pytest.mark.parametrize("kind", KINDS)
def test_words_joined_have_the_pieces_of_their_text(kind: Callable[[], Tokenizer]) -> None:
    tokenizer = fast(kind)
    found = word_pieces(tokenizer, [text.split() for text in TEXTS])
    for text, words in zip(TEXTS, found, strict=True):
        assert len(words) == len(text.split())
        assert all(words)
        assert [piece for word in words for piece in word] == of_the_text(tokenizer, text)


@pytest.mark.parametrize("kind", KINDS)
def test_only_where_the_tokenizer_needs_it_are_words_changed(
    kind: Callable[[], Tokenizer],
) -> None:
    tokenizer, words = fast(kind), TEXTS[0].split()
    plain = as_they_are(tokenizer, words) == word_pieces(tokenizer, [words])[0]
    assert plain == (kind not in (modernbert, gemma))


@pytest.mark.parametrize("kind", KINDS)
def test_no_sentences_and_no_words_have_no_pieces(kind: Callable[[], Tokenizer]) -> None:
    tokenizer = fast(kind)
    assert word_pieces(tokenizer, []) == []
    assert word_pieces(tokenizer, [[], ["abc"], []])[::2] == [[], []]


@pytest.mark.parametrize("kind", KINDS)
def test_a_word_that_vanishes_is_one_unk(kind: Callable[[], Tokenizer]) -> None:
    tokenizer, gone = fast(kind), [SPECIAL.index("<unk>")]
    first, word, last = word_pieces(tokenizer, [["", "abc", ""]])[0]
    assert first == last == gone
    assert word != gone


@pytest.mark.long
def test_words_of_mini_have_the_pieces_they_always_had() -> None:
    backbone = load_backbone("mini", device="cpu")
    texts = [
        *TEXTS,
        "Nid yw'n hawdd , meddai hi .",
        "Это не так",
        "ሰላም ለዓለም",
        "我们 走",
        "a \u200b b",
    ]
    unk = [backbone.unk_id]
    for text in texts:
        words = text.split(" ")
        before = [pieces or unk for pieces in as_they_are(backbone.tokenizer, words)]
        assert backbone.word_pieces([words]) == [before]


def test_what_cannot_be_seen_is_not_read() -> None:
    mini = load_backbone("mini")
    assert mini.token_ids(["\u200fdo\u00adbry den\ufeff"]) == mini.token_ids(["dobry den"])
    words = [["\u200fdo\u00adbry", "\u200f", "den"]]
    (seen,) = mini.word_pieces(words)
    assert [seen[0], seen[2]] == mini.word_pieces([["dobry", "den"]])[0]
    assert seen[1] == [mini.tokenizer.unk_token_id]


def test_no_lines_have_no_token_ids() -> None:
    assert load_backbone("mini", device="cpu").token_ids([]) == []
