"""Language codes: many ways in, one way out."""

import pytest

from adapterkit.errors import ConfigError
from adapterkit.languages import code_of, known_languages, language_name, meant, normalise_code


@pytest.mark.parametrize("code", ["cy", "wel", "cym", "CYM", " cy "])
def test_every_code_of_a_language_becomes_the_same_code(code: str) -> None:
    assert normalise_code(code) == "cym"
    assert language_name(code) == "Welsh"


def test_a_normalised_code_stays_as_it_is() -> None:
    for code in ("en", "zh", "cmn", "ger", "hat", "xyzzy"):
        assert normalise_code(normalise_code(code)) == normalise_code(code)


def test_an_unknown_code_passes_through_and_is_its_own_name() -> None:
    assert normalise_code("qqqq") == "qqqq"
    assert language_name("qqqq") == "qqqq"


@pytest.mark.parametrize(
    "code", ["", "c", "pt-BR", "../cym", "welsh text", "ninechars", "cýmr", "c1"]
)
def test_what_is_not_a_code_is_refused(code: str) -> None:
    with pytest.raises(ConfigError, match="not a language code"):
        normalise_code(code)


def test_a_name_is_taken_as_its_code_and_an_unknown_code_is_told_with_near_ones() -> None:
    assert meant("cy") == ("cy", "")
    assert meant("welsh") == ("cym", "language welsh: taken as cym")
    assert meant("Haitian Creole")[0] == "hat"
    code, note = meant("wlsh")
    assert code == "wlsh"
    assert "no code that is known here" in note
    assert "cym (Welsh)" in note


@pytest.mark.parametrize("said", ["cy", "CYM", "wel", "Welsh", " welsh "])
def test_a_language_is_one_by_code_or_name(said: str) -> None:
    assert code_of(said) == "cym"


def test_a_name_that_is_spelt_like_a_code_is_of_that_codes_language() -> None:
    codes = {name.lower(): code for code, name in known_languages().items()}
    alike = [name for name in codes if normalise_code_or_none(name) in known_languages()]
    assert len(alike) > 1
    for name in alike:
        assert code_of(name) == codes[name] == normalise_code(name)


def normalise_code_or_none(text: str) -> str | None:
    try:
        return normalise_code(text)
    except ConfigError:
        return None


def test_what_is_no_text_is_no_language() -> None:
    with pytest.raises(ConfigError, match="a language is a code or a name"):
        code_of(5)  # type: ignore[arg-type]
