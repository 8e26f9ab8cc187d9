"""Which languages `mini` learns from, and which it must never see."""

from pathlib import Path

DEV = ["afr", "bel", "lit", "gle", "slk", "hat", "olo", "abk"]
"""Everything is chosen on these."""

REPORT_UNSEEN_BY_BOTH = ["glv", "sme", "kpv", "mdf", "koi", "bho", "yor", "pcm", "ceb"]
"""Report languages that neither `mini` nor its teacher's CC-100 text has."""

REPORT_UNSEEN_BY_MINI = ["cym", "bre", "mkd", "hau", "jav", "kmr", "hye", "kat", "kaz", "uig"]
"""Report languages that its teacher has read."""

DEMO = ["epo", "hat"]
"""Targets of ``adapterkit demo``."""

OTHERS = [
    "vro",
    "tgl",
    "ace",
    "ban",
    "bjn",
    "bug",
    "min",
    "kin",
    "lug",
    "twi",
    "fry",
    "roh",
    "grn",
    "ayr",
]
"""Targets of the other tasks' tables, and their near relatives."""

LEFT_OUT = frozenset(DEV + REPORT_UNSEEN_BY_BOTH + REPORT_UNSEEN_BY_MINI + DEMO + OTHERS)
"""Left out in text and in translations."""


def training_languages(data: Path) -> list[str]:
    """Codes of the languages with a text in ``data/text`` that are not left out, sorted.

    Raises:
        SystemExit: If there are none.
    """
    codes = sorted(file.name.split(".")[0] for file in (data / "text").glob("*.txt.gz"))
    kept = [code for code in codes if code not in LEFT_OUT]
    if not kept:
        raise SystemExit(f"{data}: no text/CODE.txt.gz to learn from")
    return kept
