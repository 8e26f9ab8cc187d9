"""The questions that only the people behind an adapter can answer; their answers stand in `card.toml`.

"unknown" is an answer, and is shown as one. The questions follow Bender and Friedman (2018), "Data
Statements for Natural Language Processing".
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from adapterkit.errors import ConfigError, found

ANSWERS_FILE = "card.toml"
LONGEST = 5000
UNKNOWN = "Unknown: whoever published this has not said."
QUESTIONS = {
    "written_by": "Who wrote the text (and who labelled it)?",
    "agreed": "Who agreed to its use, and how?",
    "asks": "What does the community ask of those who use this?",
    "sources": "Where is the text from, from when, and under which licences?",
    "varieties": "Which dialects, scripts and spellings are in it, and which are not?",
    "noise": "What is known to be wrong in it?",
    "limits": "What was it not tested on, and what should it not be used for?",
    "licences": "Why does the licence go together with those of the data and the backbone?",
    "contact": "Whom can speakers and users write to?",
    "citation": "How should it be cited?",
}
_EXTRA = ("license_name", "license_link")


def read_answers(path: Path) -> dict[str, str]:
    """The answers in a TOML file.

    Raises:
        ConfigError: If it cannot be read, asks or answers something else, or an answer is no text.
    """
    try:
        record = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not readable as TOML ({error})") from None
    return checked_answers(record, str(path))


def checked_answers(record: Mapping[str, object], where: str) -> dict[str, str]:
    """``record`` if it holds nothing but answers.

    Raises:
        ConfigError: With everything that is wrong.
    """
    known = (*QUESTIONS, *_EXTRA)
    problems = [
        f"{key:.60}: no such question; there are {', '.join(known)}"
        for key in record
        if key not in known
    ]
    problems += [
        f"{key}: a text of at most {LONGEST} characters is needed"
        for key, value in record.items()
        if key in known and (not isinstance(value, str) or len(value) > LONGEST)
    ]
    if problems:
        raise ConfigError(f"{where}: cannot be the answers of a card:{found(problems)}")
    return {key: str(value).strip() for key, value in record.items() if str(value).strip()}


def licence_entries(licence: str, answers: Mapping[str, str]) -> dict[str, str | None]:
    """The front matter's licence; name and link are None where the Hub knows ``licence``."""
    own = licence == "other" and set(_EXTRA) <= set(answers)
    return {"license": licence, **{key: answers[key] if own else None for key in _EXTRA}}


def unanswered(answers: Mapping[str, str]) -> list[str]:
    """Keys of the questions that stay open."""
    return [key for key in QUESTIONS if key not in answers]
