"""Character classes and scripts."""

import sys

import pytest

from adapterkit.text.scripts import classes, main_script, script_of, writing_systems


@pytest.mark.parametrize(
    ("char", "script"),
    [
        ("a", "Latin"),
        ("ж", "Cyrillic"),
        ("水", "Han"),
        ("あ", "Hiragana"),
        ("ｱ", "Katakana"),
        ("Ａ", "Latin"),
        ("ธ", "Thai"),
        ("ᓀ", "Canadian Syllabics"),
        ("ᱚ", "Ol Chiki"),
        ("ߒ", "N'Ko"),
        ("7", None),
        ("\u0301", None),
        ("\u200d", None),
        ("!", None),
        ("µ", None),
    ],
)
def test_a_letter_has_the_script_its_unicode_name_says(char: str, script: str | None) -> None:
    assert script_of(char) == script


def test_every_code_point_has_a_class_and_a_script_or_none() -> None:
    text = "".join(map(chr, range(0, sys.maxunicode, 7)))
    assert set(classes(text)) <= set("LMNS ")
    assert len(classes(text)) == len(text)
    for char in text[:20_000]:
        script_of(char)


def test_the_main_script_is_that_of_most_letters() -> None:
    assert main_script("привет world, товарищи") == "Cyrillic"
    assert main_script("1, 2, 3") is None


def test_the_scripts_of_japanese_count_as_one_writing_system() -> None:
    shares = {"Hiragana": 0.6, "Han": 0.3, "Latin": 0.1}
    assert writing_systems(shares) == pytest.approx({"Han": 0.9, "Latin": 0.1})
