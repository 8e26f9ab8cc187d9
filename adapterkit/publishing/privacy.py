"""Nothing of this computer in what is published: no local path, no user name, no token.

Paths become the name of what they point to; a user name is taken out. A token is never quietly taken out: it
has to be revoked, so it stops everything.
"""

import getpass
import re
from collections.abc import Callable, Collection, Mapping
from itertools import chain, count
from pathlib import Path
from typing import Any

from adapterkit.errors import ConfigError, found

_TOKEN = re.compile(r"\b(?:hf|api_org)_[A-Za-z0-9]{16,}")
_URL = re.compile(r"(?<![\w+.-])(?!file:)[A-Za-z][\w+.-]*://[^\s/\"'<>][^\s\"'<>()\[\],;|=]*")
"""A URL that names a host: its path is not one of this computer. What ``=`` begins may be."""
_WORD = r"(?:[\w.@+~&#%-]|\(\w[\w .-]*\))+"
_FOLDERS = rf"(?:{_WORD}(?: (?!-){_WORD}){{0,4}}/)"
_NAME = r"[\w.@+~-]"
# A folder's name may hold spaces: whoever wrote "/mnt/a.txt and b/c" loses a few words, and no name gets out.
# No scheme is longer than 64 characters (the longest registered has 36): every place may be the beginning of one.
_ROOTED = rf"(?:file://[\w.-]*|[A-Za-z][\w+.-]{{0,63}}://)?/{_FOLDERS}+{_NAME}*"
_PART = r"(?:[^\s\"'\\/]+(?: [^\s\"'\\/]+){0,4}[\\/])*[^\s\"']*"
_START = r"(?<![\w/.)\]])"
_ABSOLUTE = re.compile(_START + _ROOTED)
_PATH = re.compile(
    rf"{_START}{_ROOTED}"  # /home/me/x.txt, path:/mnt/x.txt
    rf"|(?<![\w/.])(?:~[\w.-]*|\.{{1,2}})/(?={_NAME}){_FOLDERS}*{_NAME}*"  # ~/x, ../x
    rf"|\b[A-Za-z]:[\\/]{_PART}"  # C:\x
    rf"|\\\\[\w.-]+\\{_PART}"  # \\server\x
)
_WHOLE = re.compile(r"(?:file://)?(?:/[^/]|~[\w.-]*/|\.{1,2}/|[A-Za-z]:[\\/]|\\\\)")
# Accounts that say nothing about anybody.
_NOBODY = {"root", "user", "admin", "ubuntu", "nobody", "runner", "jovyan", "docker", "app", "test"}


def user_names() -> frozenset[str]:
    """Names of whoever runs this, as far as they could give somebody away."""
    try:
        names = {getpass.getuser(), Path.home().name}
    except (OSError, KeyError, RuntimeError):
        return frozenset()
    return frozenset(name for name in names if len(name) > 2 and name.lower() not in _NOBODY)


def scrub(value: Any, *, users: Collection[str] = ()) -> Any:
    """JSON values without local paths and without the names ``users``; all else is as it was."""
    if isinstance(value, Mapping):
        names = _scrub_names([*value], users)
        return {
            name: scrub(value[key], users=users) for key, name in zip(value, names, strict=True)
        }
    if isinstance(value, list | tuple):
        return [scrub(one, users=users) for one in value]
    return _scrub_text(value, users) if isinstance(value, str) else value


def _scrub_names(keys: list[Any], users: Collection[str]) -> list[Any]:
    """``keys`` without paths, each its own: of several paths that end alike the later ones get a number."""
    names = [scrub(key, users=users) for key in keys]
    taken = {name for key, name in zip(keys, names, strict=True) if key == name}
    for place, (key, name) in enumerate(zip(keys, names, strict=True)):
        if key != name:
            free = chain((name,), (f"{name} ({number})" for number in count(2)))
            names[place] = next(one for one in free if one not in taken)
            taken.add(names[place])
    return names


def _scrub_text(text: str, users: Collection[str]) -> str:
    text = _outside_urls(text, lambda part: _within(Path.home()).sub("~/", part))
    text = _outside_urls(text, lambda part: _within(Path.cwd()).sub("./", part))
    if _WHOLE.match(text) and "\n" not in text:
        text = _last(text)
    text = _outside_urls(text, lambda part: _PATH.sub(lambda match: _last(match.group()), part))
    for user in users:
        text = re.sub(rf"(?<!\w){re.escape(user)}(?!\w)", "(user)", text)
    return text


def _outside_urls(text: str, change: Callable[[str], str]) -> str:
    """``text`` with its URLs as they are, and all between them changed."""
    done, at = "", 0
    for url in _URL.finditer(text):
        done += change(text[at : url.start()]) + url.group()
        at = url.end()
    return done + change(text[at:])


def _within(place: Path) -> re.Pattern[str]:
    """What a path that leads into ``place`` begins with; nothing of the root, which all paths lead into."""
    if place == Path(place.anchor):
        return re.compile(r"(?!)")
    return re.compile(rf"(?<![\w./~-]){re.escape(str(place))}/")


def _last(path: str) -> str:
    parts = [part for part in re.split(r"[\\/]", path) if part]
    last = parts[-1] if len(parts) > 1 else ""
    return last if last not in ("", ".", "..", "~") else "(path)"


def changes(before: Any, after: Any, where: str = "") -> list[str]:
    """Places in a record that `scrub` changed."""
    if isinstance(before, Mapping) and isinstance(after, Mapping) and len(before) == len(after):
        pairs = zip(before.items(), after.items(), strict=True)
        return [
            change
            for (key, old), (new_key, new) in pairs
            for change in changes(old, new, f"{where}.{new_key}" if where else str(new_key))
            + ([f"{where}.{new_key}"] if key != new_key else [])
        ]
    if isinstance(before, list | tuple) and isinstance(after, list) and len(before) == len(after):
        return [
            change
            for number, (old, new) in enumerate(zip(before, after, strict=True))
            for change in changes(old, new, f"{where}[{number}]")
        ]
    return [] if before == after else [where]


def check_public(texts: Mapping[str, str], *, token: str | None = None) -> None:
    """Refuse texts that hold a token, a path of this computer, or what looks like one.

    Args:
        texts: What would be published, by file name.
        token: The token in use, if any; it is looked for as it is.

    Raises:
        ConfigError: That names the places, and never shows what stands there.
    """
    private = (_within(Path.home()), _within(Path.cwd()), _ABSOLUTE)
    problems = []
    for name, written in texts.items():
        # As it is, and without the backslashes of Markdown's and JSON's escapes.
        text = written + "\n" + written.replace("\\", "")
        if _TOKEN.search(text) or (token and token in text):
            problems.append(f"{name}: holds an access token of the Hub; take it out, and revoke it")
        without_urls = _URL.sub("", text)
        if any(path.search(without_urls) for path in private):
            problems.append(f"{name}: holds what looks like a path of this computer")
    if problems:
        raise ConfigError(
            f"this must not become public, so nothing was published:{found(problems)}"
        )
