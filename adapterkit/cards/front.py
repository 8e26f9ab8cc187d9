"""The front matter of a card: YAML that every reader takes for the same values.

Only a subset is written, with nothing left to guess: plain words stand bare, every other text is quoted as in
JSON, which YAML reads alike.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from adapterkit.templating import printable

_BARE = re.compile(r"[A-Za-z][A-Za-z0-9_./@+-]*")
# YAML 1.1 takes these for booleans and nothing, in any case.
_WORDS = {"y", "n", "yes", "no", "true", "false", "on", "off", "null"}


def front_matter(record: Mapping[str, Any]) -> str:
    """``record`` between two lines of dashes; entries that are empty are left out."""
    return f"---\n{_mapping(record, 0)}---\n"


def _mapping(record: Mapping[str, Any], depth: int) -> str:
    lines = []
    for key, value in record.items():
        if value is None or value == "" or value == [] or value == {} or value == ():
            continue
        lines.append(f"{'  ' * depth}{_text(key)}:{_value(value, depth)}")
    return "".join(lines)


def _value(value: Any, depth: int) -> str:
    if isinstance(value, Mapping):
        return f"\n{_mapping(value, depth + 1)}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        if all(not isinstance(one, Mapping | list | tuple) for one in value):
            return f" [{', '.join(_scalar(one) for one in value)}]\n"
        return "\n" + "".join(_item(one, depth) for one in value)
    return f" {_scalar(value)}\n"


def _item(value: Any, depth: int) -> str:
    inner = _mapping(value, depth + 1)
    return f"{'  ' * depth}- {inner[2 * (depth + 1) :]}"


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        # Rounded alike everywhere; never with an exponent, which YAML 1.1 reads as text.
        return f"{value:.6f}".rstrip("0").rstrip(".") if value != int(value) else f"{value:.1f}"
    return _text(str(value))


def _text(text: str) -> str:
    if _BARE.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return printable(json.dumps(text, ensure_ascii=False))
