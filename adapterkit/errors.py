"""Every error adapterkit raises on purpose, as one tree.

    AdapterkitError
    ├── ConfigError        a setting, an option or an argument that cannot be right
    ├── CorpusError        raw or labelled text that cannot be used
    ├── AdapterMismatch    an adapter that does not fit a backbone or a composition
    ├── FolderError        an adapter or backbone folder that is wrong, cut or altered
    └── HubError           the Hub said no, or could not be reached

A message says what was asked, all that was found, and what to do next.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class AdapterkitError(Exception):
    """Base of all errors below; catching it catches only what adapterkit means to raise."""


class ConfigError(AdapterkitError):
    """A setting, an option or an argument that cannot be right."""


class CorpusError(AdapterkitError):
    """Raw or labelled text that cannot be used."""


class AdapterMismatch(AdapterkitError):  # noqa: N818 - a public name fixed by the design
    """An adapter that does not fit a backbone or a composition."""


class FolderError(AdapterkitError):
    """An adapter or backbone folder that is incomplete, altered or not what it says."""


class HubError(AdapterkitError):
    """The Hub refused, or could not be reached."""


def found(problems: list[str]) -> str:
    """Indent ``problems`` one a line, as they stand under an error's first line."""
    return "".join(f"\n  {visible(problem)}" for problem in problems)


def first_of(numbers: Sequence[int]) -> str:
    """The first five of ``numbers``, and dots for the others."""
    return ", ".join(map(str, numbers[:5])) + (", ..." if len(numbers) > 5 else "")


def visible(text: str) -> str:
    """``text`` with every control character spelt out: what strangers wrote must not steer a terminal."""
    return "".join(
        sign if sign.isprintable() or sign == "\n" else ascii(sign)[1:-1] for sign in text
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """What to add to "X is not known": the name that was probably meant, or all there are."""
    names = list(known)
    close = get_close_matches(name, names, n=1)
    return f"; is {close[0]!r} meant?" if close else f"; there are: {', '.join(names) or 'none'}"
