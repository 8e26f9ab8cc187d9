"""Word boundaries, counted in code points."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapterkit.text.words import is_word, split_words


def words(text: str, language: str | None = None) -> list[str]:
    return [text[start:end] for start, end in split_words(text, language)]


def test_words_and_punctuation_are_apart_and_spaces_are_gone() -> None:
    assert words("Mae hi'n oer, heddiw!  ") == ["Mae", "hi'n", "oer", ",", "heddiw", "!"]


def test_spans_are_code_points_behind_characters_that_utf_16_counts_twice() -> None:
    assert words("😀 𐌰𐌱 wörld, 😀 don't") == ["😀", "𐌰𐌱", "wörld", ",", "😀", "don't"]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("tha", "สวัสดีครับ", ["สวัสดี", "ครับ"]),
        ("cmn", "我们学习汉语。", ["我们", "学习", "汉语", "。"]),
        ("khm", "ខ្ញុំរៀនភាសាខ្មែរ", ["ខ្ញុំ", "រៀន", "ភាសាខ្មែរ"]),
    ],
)
def test_scripts_without_spaces_are_split_by_a_dictionary(
    language: str, text: str, expected: list[str]
) -> None:
    assert words(text, language) == expected


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("L'homme qu'il aime aujourd'hui...", "fra", "L' homme qu' il aime aujourd'hui ..."),
        ("L\u2019eau d'en haut", "fr", "L\u2019 eau d' en haut"),
        ("dell'acqua, l'", "it", "dell' acqua , l '"),
        ("ar c'hoar, don't", "bre", "ar c'hoar , don't"),
        ("Dit is 'n huis", "af", "Dit is 'n huis"),
        ("'n", "nob", "' n"),
        ("wait ... so.. no. x . .", "eng", "wait ... so .. no . x . ."),
    ],
)
def test_words_end_where_treebanks_of_the_language_have_it(
    text: str, language: str, expected: str
) -> None:
    assert words(text, language) == expected.split()


def test_an_unknown_language_is_split_by_the_common_rules() -> None:
    assert words("one two", "qqqq") == words("one two") == ["one", "two"]


@given(st.text(st.characters(), max_size=40))
def test_spans_are_in_order_and_cover_all_that_can_be_seen(text: str) -> None:
    spans = split_words(text)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(left[1] <= right[0] for left, right in itertools.pairwise(spans))
    covered = {index for start, end in spans for index in range(start, end)}
    assert all(index in covered for index, char in enumerate(text) if char.isalnum())


def test_only_what_has_a_letter_or_digit_is_a_word() -> None:
    assert is_word("don't")
    assert is_word("42")
    assert not is_word("...")
    assert not is_word("😀")
