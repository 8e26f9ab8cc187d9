"""Language codes and names: what a user types, as one code and one English name.

The table is ``languages.tsv`` beside this file: an ISO 639-3 code (or an ISO 639-2 one, for
macrolanguages and families), its other codes (ISO 639-1, the bibliographic ISO 639-2, withdrawn
ones), and an English name, for some 400 languages. It is a help for people, not a gate: a code
that it does not know is used as it is. Full BCP 47 tags are not read here.
"""

import re
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import NamedTuple

from adapterkit.errors import ConfigError

_TABLE = Path(__file__).with_name("languages.tsv")
_CODE = re.compile(r"[a-z]{2,8}")


class _Known(NamedTuple):
    """The table, read once."""

    names: dict[str, str]  # code -> English name
    aliases: dict[str, str]  # other code -> code
    named: dict[str, str]  # English name in lower case -> code


@cache
def _known() -> _Known:
    names, aliases = {}, {}
    for row in _TABLE.read_text(encoding="utf-8").splitlines()[1:]:
        code, others, name = row.split("\t")
        names[code] = name
        aliases.update(dict.fromkeys(filter(None, others.split(",")), code))
    return _Known(names, aliases, {name.lower(): code for code, name in names.items()})


def normalise_code(code: str) -> str:
    """Return the one code that adapterkit uses for the language ``code``.

    Args:
        code: An ISO 639 code of any length, in any case: ``"cy"``, ``"wel"``, ``"cym"``.

    Returns:
        The three-letter code in lower case, ``"cym"``. A code of 2 to 8 letters that the table
        does not know comes back in lower case and otherwise unchanged.

    Raises:
        ConfigError: ``code`` is not 2 to 8 letters.
    """
    wanted = code.strip().lower()
    if not _CODE.fullmatch(wanted):
        raise ConfigError(
            f"{code!r} is not a language code: one is 2 to 8 letters from a to z.\n"
            "Give an ISO 639-3 code such as 'cym', or an ISO 639-1 code such as 'cy', "
            "without a country or a script."
        )
    return _known().aliases.get(wanted, wanted)


def language_name(code: str) -> str:
    """Return the English name of the language ``code``, or the code itself if it is unknown.

    Raises:
        ConfigError: ``code`` is not 2 to 8 letters.
    """
    wanted = normalise_code(code)
    return _known().names.get(wanted, wanted)


def meant(text: str) -> tuple[str, str]:
    """The code that a user meant who may have typed a name, and what to tell them.

    Args:
        text: A code, or an English name of the table in any case: ``"cy"``, ``"welsh"``.

    Returns:
        The code of a name, else ``text`` as it is; and a note: which name was taken for which code, or that the
        table knows neither, with near ones. Empty where ``text`` is a code that it knows.
    """
    wanted, known = text.strip().lower(), _known()
    if wanted in known.names or wanted in known.aliases:
        return text, ""
    if wanted in known.named:
        return known.named[wanted], f"language {text}: taken as {known.named[wanted]}"
    near = [
        f"{known.named[name]} ({name.title()})" for name in get_close_matches(wanted, known.named)
    ]
    near += [f"{c} ({known.names[c]})" for c in get_close_matches(wanted, known.names, cutoff=0.65)]
    hint = f"; near it: {', '.join(dict.fromkeys(near))}" if near else ""
    return text, f"language {text}: no code that is known here, used as it is{hint}"


def code_of(language: str) -> str:
    """The one code of a language that somebody named: by any of its codes, or by its English name.

    Raises:
        ConfigError: ``language`` is no text, or neither a known name nor 2 to 8 letters.
    """
    if not isinstance(language, str):
        raise ConfigError(
            f"a language is a code or a name such as 'cym' or 'Welsh', not {language!r:.60}"
        )
    return normalise_code(_known().named.get(language.strip().lower(), language))


def hub_code(code: str) -> str:
    """The code under which the Hub lists a language: the two-letter one where there is one.

    Raises:
        ConfigError: ``code`` is not 2 to 8 letters.
    """
    wanted = normalise_code(code)
    short = [other for other, one in _known().aliases.items() if one == wanted and len(other) == 2]
    return short[0] if short else wanted


def known_languages() -> dict[str, str]:
    """English name of every language in the table, by its code."""
    return dict(_known().names)


def all_codes(code: str) -> tuple[str, ...]:
    """Every code of one language: ``("cym", "cy", "wel")`` of ``"cy"``.

    Raises:
        ConfigError: ``code`` is not 2 to 8 letters.
    """
    wanted = normalise_code(code)
    return (wanted, *(other for other, one in _known().aliases.items() if one == wanted))
