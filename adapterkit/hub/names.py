"""What a user may write for a repository, and which names of files may be written here.

A reference is a Hub id (``owner/name``), a URL of a repository or of a revision of it, or one of AdapterHub's
old ids: ``sw/wiki@ukp`` (with the backbone it is for) or ``@ukp/xlm-roberta-base-sw-wiki_pfeiffer``. The archived
AdapterHub's entries live on as repositories of the organisation AdapterHub, under the last part of the old name;
those of languages follow one pattern, those of tasks do not.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from adapterkit.errors import HubError, found, visible

LONGEST = 200
"""Bytes of a name of a file or folder; file systems stop at 255, and temporary names are longer."""
DEEPEST = 3
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9_][A-Za-z0-9._-]{0,95}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_OLD_LANGUAGE = re.compile(r"([a-z]{2,3}(?:_[a-z]+)?)/wiki@ukp")
_OLD_ENTRY = re.compile(r"@[\w-]+/([\w.-]+)")
_SITES = ("https://huggingface.co", "https://hf.co", "https://www.huggingface.co")
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\..*)?", re.I)


@dataclass(frozen=True)
class Reference:
    """A repository, and a revision of it if one was named."""

    repository: str
    revision: str | None = None


def parse(text: str, *, backbone: str | None = None, home: str = _SITES[0]) -> Reference:
    """The repository that ``text`` means.

    Args:
        text: What a user wrote.
        backbone: Name of the backbone, which an old AdapterHub id leaves open.
        home: The Hub that is asked; URLs of another one are refused.

    Raises:
        HubError: If it is none of the forms above.
    """
    text = text.removeprefix("hub:").strip()
    if "://" in text:
        return _from_url(text, home)
    if "@" in text:
        return Reference(_from_old(text, backbone))
    if not is_id(text):
        raise HubError(f"{visible(text)!r:.200} is no Hub repository id; one looks like owner/name")
    return Reference(text)


def is_id(text: str) -> bool:
    """Whether ``text`` can be the id of a repository."""
    return _ID.fullmatch(text) is not None and ".." not in text and "--" not in text


def is_old_id(text: str) -> bool:
    """Whether ``text`` can be a repository from when those had no owner: ``gpt2``, and the Hub leads on."""
    return "/" not in text and is_id(f"owner/{text}")


def is_commit(text: str) -> bool:
    """Whether ``text`` is a full commit id, which never comes to mean anything else."""
    return _COMMIT.fullmatch(text) is not None


def _from_url(text: str, home: str) -> Reference:
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise HubError(f"{visible(text)!r:.200}: is no address ({error})") from None
    origin = f"{parts.scheme}://{parts.netloc}"
    names = [unquote(part) for part in parts.path.split("/") if part]
    if origin not in (*_SITES, home):
        raise HubError(f"{visible(text)!r:.200}: is not a page of the Hub, {home}")
    if len(names) < 2 or not is_id("/".join(names[:2])):
        raise HubError(f"{visible(text)!r:.200}: is not the page of a repository of models")
    if len(names) > 3 and names[2] in ("tree", "commit", "blob", "resolve"):
        return Reference("/".join(names[:2]), names[3])
    return Reference("/".join(names[:2]))


def _from_old(text: str, backbone: str | None) -> str:
    entry = _OLD_ENTRY.fullmatch(text)
    if entry is not None and is_id(f"AdapterHub/{entry[1]}"):
        return f"AdapterHub/{entry[1]}"
    language = _OLD_LANGUAGE.fullmatch(text)
    if language is None:
        raise HubError(
            f"{visible(text)!r:.200}: of AdapterHub's old ids, those of languages (sw/wiki@ukp) and of single "
            "entries (@ukp/NAME) can be found; look for others among https://huggingface.co/AdapterHub"
        )
    if backbone is None:
        raise HubError(
            f"{text!r}: an old AdapterHub id, one for each backbone; say which to pull: --backbone (backbone=) "
            "xlm-roberta-base, xlm-roberta-large or bert-base-multilingual-cased"
        )
    return f"AdapterHub/{backbone.rsplit('/', 1)[-1]}-{language[1]}-wiki_pfeiffer"


def name_problems(names: Iterable[str]) -> list[str]:
    """Why these files of a repository cannot all be written under their names, on any system.

    None may lead out of the folder, be hidden, be a device of Windows, or be the same as another one where
    capitals or the encoding of accents do not count.
    """
    names = list(names)
    problems = [f"{name!r:.120}: {why}" for name in names for why in _problem(name)]
    seen: dict[str, str] = {}
    for name in names:
        folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
        if folded in seen:
            problems.append(
                f"{name!r:.120}: the same file as {seen[folded]!r:.120} on some systems"
            )
        seen[folded] = name
    return problems


def _problem(name: str) -> list[str]:
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts):
        return ["leads out of the folder, or nowhere"]
    if not name.isprintable() or set(name) & set('\\:*?"<>|'):
        return ["holds a sign that not every system has in names"]
    if any(part.startswith(".") for part in parts):
        return ["hidden"]
    if any(part.endswith((".", " ")) or part.startswith(" ") for part in parts):
        return ["a space or a dot at an end, which some systems drop"]
    if any(_DEVICES.fullmatch(part) for part in parts):
        return ["a device on some systems"]
    if len(parts) > DEEPEST or any(len(part.encode()) > LONGEST for part in parts):
        return ["too deep, or too long a name"]
    return []


def check_names(repository: str, names: Iterable[str]) -> None:
    """Refuse a repository whose files cannot be written as they are called.

    Raises:
        HubError: With every such name.
    """
    problems = name_problems(names)
    if problems:
        raise HubError(f"{repository}: its files cannot be written here:{found(problems[:20])}")
