"""Whatever a language is called, it is the same language."""

import pytest

from adapterkit.errors import ConfigError
from adapterkit.languages import all_codes, hub_code, known_languages
from adapterkit.naming import MEMBERS, find_languages


@pytest.mark.parametrize(
    "text", ["Swahili", "swahili", "Kiswahili", "sw", "swa", "swh", "sw-KE", "sw_TZ", " SW "]
)
def test_swahili_is_swahili_by_every_name(text: str) -> None:
    assert {"swa", "swh"} <= set(find_languages(text))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Welsh", "cym"),
        ("Cymraeg", "cym"),
        ("wel", "cym"),
        ("haitian creole", "hat"),
        ("Kreyol", "hat"),  # an accent is easily lost
        ("zh-Hant", "zho"),
        ("pt_BR", "por"),
        ("Farsi", "fas"),
        ("اردو", "urd"),
        ("no", "nor"),
        ("Ewe", "ewe"),  # a name that looks like a code
        ("gsw-CH", "gsw"),
    ],
)
def test_names_codes_and_tags_find_their_language(text: str, code: str) -> None:
    assert find_languages(text)[0] == code


def test_a_member_finds_the_wider_language_and_not_its_siblings() -> None:
    assert find_languages("arz") == ("arz", "ara")
    assert find_languages("nb") == ("nob", "nor")
    assert {"nob", "nno"} <= set(find_languages("Norwegian"))


@pytest.mark.parametrize("text", ["Swahhili", "", "x", "Klingonish", "1234", "sw KE", "../x"])
def test_what_is_no_language_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="no language is known by that name"):
        find_languages(text)


def test_near_names_are_shown() -> None:
    with pytest.raises(ConfigError, match="near it: Swahili"):
        find_languages("Swahhili")


def test_the_tables_agree() -> None:
    known = known_languages()
    assert all(code in known for code in MEMBERS)
    assert all(member in known for members in MEMBERS.values() for member in members)


def test_every_code_of_a_language_is_known() -> None:
    assert set(all_codes("cy")) == {"cym", "cy", "wel"}
    assert hub_code("cym") == "cy"
    assert hub_code("hat") == "ht"
    assert hub_code("kpv") in ("kpv", "kv")
    assert hub_code("zzz") == "zzz"
