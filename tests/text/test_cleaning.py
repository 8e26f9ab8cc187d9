"""Cleaning and judging single lines."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapterkit.text.cleaning import as_read, clean, drop_reason

ANY_TEXT = st.text(st.characters(), max_size=60)  # surrogates and unassigned characters too


@given(ANY_TEXT)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@given(ANY_TEXT)
def test_clean_text_is_normal_and_on_one_line_and_can_be_written(text: str) -> None:
    line = clean(text)
    assert unicodedata.is_normalized("NFC", line)
    assert len(line.splitlines()) <= 1
    assert line == " ".join(line.split())
    line.encode("utf-8")


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("  Mae \t hi'n\u00a0oer.\r\n", "Mae hi'n oer."),
        ("e\u0301te\u0301", "été"),
        ("e\u00ad\u0301", "é"),
        ("hy\u00adphen\u00adated", "hyphenated"),
        ("\ufeffbell\x07 and\x00 null", "bell and null"),
        ("\u202bright\u202c \u200eleft", "right left"),
    ],
)
def test_what_is_invisible_goes_and_letters_are_composed(raw: str, cleaned: str) -> None:
    assert clean(raw) == cleaned


@pytest.mark.parametrize("word", ["می\u200cخواهم", "क्\u200dष", "ភាសា\u200bខ្មែរ"])
def test_joiners_and_zero_width_spaces_are_spelling_and_stay(word: str) -> None:
    assert clean(word) == unicodedata.normalize("NFC", word)


@pytest.mark.parametrize(
    "line",
    [
        "Croeso i Gymru.",
        "Un deux trois",
        "Internationalisation",
        "In 1939 there were 4,512 of them.",
        "See https://example.org/a for the whole story of the house.",
        "祖父桂玄荣去世",
        "สวัสดีครับ",
        "किताब अच्छी है",
        "학교에 갔습니다.",
        "请看https://example.org/a祖父桂玄荣去世了以后他们都去了那里再也没有回来过这个地方",
        "写信给an@example.org祖父桂玄荣去世了以后他们都去了那里再也没有回来过这个地方",
    ],
)
def test_a_line_of_language_is_kept(line: str) -> None:
    assert drop_reason(line) is None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "empty"),
        ("Hello.", "too short"),
        ("Two words", "too short"),
        ("属聊城区。", "too short"),
        ("*** --- *** ... !!!", "not text"),
        ("1234 5678 9012 3456", "not text"),
        ("Tel: 020 7946 0958 0123", "not text"),
        ("https://example.org/a/very/long/address see", "not text"),
        ('<div class="navigation"><a href="index">go</a></div>', "not text"),
    ],
)
def test_a_line_that_teaches_nothing_is_dropped_with_its_reason(line: str, reason: str) -> None:
    assert drop_reason(line) == reason


def test_what_a_tokenizer_is_given_has_nothing_invisible_and_every_joiner() -> None:
    assert as_read("\u200fa\u00adb\u061c \u202bc\u202c\ufeff") == "ab c"
    assert as_read("می\u200cخواهم") == "می\u200cخواهم"
    assert as_read("plain \x07") == "plain \x07"
    assert as_read("a\ud800b") == "a\ufffdb"


def test_a_long_line_without_spaces_takes_no_longer_than_one_with_them() -> None:
    def seconds(line: str) -> float:
        began = time.process_time()
        drop_reason(line)
        return time.process_time() - began

    assert seconds("ก" * 20_000) < 40 * max(seconds("ก กก " * 4_000), 0.01)
    assert drop_reason("write to jan.jansen@example.org, he may know more about it") is None
    assert drop_reason("jan.jansen@example.org piet@example.org") == "not text"
