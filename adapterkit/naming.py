"""From what a user calls a language to the codes under which it may be listed.

`find_languages` reads English names, a language's own name, ISO 639 codes of any length and BCP 47 tags: "Swahili",
"Kiswahili", "sw", "swh", "swa" and "sw-KE" all find the same adapters. Beside the table of `languages`, names
stand in ``language_names.tsv`` (from Unicode's CLDR, with a few more).
"""

import difflib
import re
import unicodedata
from functools import cache
from pathlib import Path

from adapterkit.errors import ConfigError
from adapterkit.languages import known_languages, normalise_code

_TABLE = Path(__file__).with_name("language_names.tsv")
_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_][A-Za-z0-9]{1,8})+")
MEMBERS = {
    "aka": ("twi",),
    "ara": ("arb", "acm", "acq", "aeb", "ajp", "apc", "arq", "ars", "ary", "arz"),
    "aym": ("ayr",),
    "aze": ("azj", "azb"),
    "din": ("dik",),
    "est": ("ekk",),
    "fas": ("pes", "prs"),
    "ful": ("fuv",),
    "kau": ("knc",),
    "kur": ("kmr", "ckb"),
    "lav": ("lvs",),
    "mlg": ("plt",),
    "mon": ("khk",),
    "msa": ("zsm", "ind"),
    "nep": ("npi",),
    "nor": ("nob", "nno"),
    "ori": ("ory",),
    "orm": ("gaz",),
    "pus": ("pbt",),
    "que": ("quy",),
    "sqi": ("als", "aln"),
    "swa": ("swh",),
    "uzb": ("uzn",),
    "yid": ("ydd",),
    "zho": ("cmn", "yue"),
}
"""Macrolanguages of ISO 639-3, with their members that are in the table."""


@cache
def _by_name() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for code, name in known_languages().items():
        found.setdefault(_plain(name), []).append(code)
    for row in _TABLE.read_text(encoding="utf-8").splitlines()[1:]:
        code, names = row.split("\t")
        for name in names.split("|"):
            codes = found.setdefault(_plain(name), [])
            if code not in codes:
                codes.append(code)
    return {name: tuple(codes) for name, codes in found.items()}


def _plain(name: str) -> str:
    """A name without case, accents and signs, by which it is found."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    return "".join(c for c in letters if c.isalnum())


def find_languages(text: str) -> tuple[str, ...]:
    """ISO 639-3 codes of what ``text`` names, the likeliest first, and the wider languages they belong to.

    Args:
        text: A name in English or in the language itself, an ISO 639 code, or a BCP 47 tag.

    Raises:
        ConfigError: If nothing is known by that name; with the nearest names.
    """
    text = unicodedata.normalize("NFC", text.strip())
    tag = _TAG.fullmatch(text)
    plain = _plain(text)
    if tag:
        codes: tuple[str, ...] = (normalise_code(tag[1]),)
    elif plain and plain in _by_name() and not _is_code(text):
        codes = _by_name()[plain]
    elif re.fullmatch(r"[A-Za-z]{2,3}", text):
        codes = (normalise_code(text),)
    else:
        near = difflib.get_close_matches(plain, _by_name(), n=3)
        names = ", ".join(dict.fromkeys(known_languages()[_by_name()[one][0]] for one in near))
        raise ConfigError(
            f"{text!r:.80}: no language is known by that name"
            + (f"; near it: {names}" if names else "")
            + ".\nGive an ISO 639 code such as 'cym', or a name such as 'Welsh'."
        )
    return tuple(dict.fromkeys([*codes, *(one for code in codes for one in _kin(code))]))


def _is_code(text: str) -> bool:
    return len(text) in (2, 3) and text.isascii() and normalise_code(text) in known_languages()


def _kin(code: str) -> tuple[str, ...]:
    wider = tuple(macro for macro, members in MEMBERS.items() if code in members)
    return (*MEMBERS.get(code, ()), *wider)
