"""The one door to jinja2: HTML pages, and Markdown in which no value can become markup.

Templates are our own, never a downloaded repository's. A value that is missing is an error. In Markdown
every value is escaped when it is put in, except one that is already `Raw`.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

_MARKUP = re.compile(r"([\\`*_{}\[\]|~$#])")
_START = re.compile(r"^(?:[-+=]|\d{1,9}[.)](?=\s|$))")
_JOINERS = "\u200c\u200d"  # between letters of Persian, Hindi and others: spelling, not control


class Raw(str):
    """Text that is Markdown already."""

    __slots__ = ()


def html_environment(load: Callable[[str], str]) -> "Environment":
    """For HTML pages: everything is escaped.

    Args:
        load: Gives the text of a template by its name.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    return Environment(
        loader=FunctionLoader(load),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render_markdown(folder: Path, name: str, values: Mapping[str, Any]) -> str:
    """Render the Markdown template ``name`` of ``folder``.

    Filters: ``code`` (a Python or JSON literal, for fenced code), ``tick`` (code within a line).
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=False,  # it is for HTML; finalize escapes for Markdown
        finalize=to_markdown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"code": code, "tick": tick}
    text = environment.get_template(name).render(values)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n") + "\n"


def to_markdown(value: object) -> str:
    """``value`` as text of one line that Markdown and HTML show as it is."""
    if isinstance(value, Raw):
        return value
    if value is None:
        raise TypeError("a value of a card is missing")
    line = one_line(str(value)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = _MARKUP.sub(r"\\\1", line)
    return _START.sub(lambda start: f"{start[0][:-1]}\\{start[0][-1]}", line)


def code(value: str) -> Raw:
    """``value`` as a literal that Python and JSON read, on one line."""
    return Raw(printable(json.dumps(value, ensure_ascii=False)))


def tick(value: object) -> Raw:
    """``value`` as code within a line (or within a table's cell)."""
    line = one_line(str(value)).replace("`", "'").replace("|", "\\|")
    return Raw(f"`{line}`") if line else Raw("(none)")


def one_line(text: str) -> str:
    """``text`` with every run of white space as one space, and control characters spelt out."""
    return printable(" ".join(text.split()))


def printable(text: str) -> str:
    r"""``text`` with everything that is no visible character (joiners apart) as ``\u....``."""
    return "".join(c if c.isprintable() or c in _JOINERS else _spelt(c) for c in text)


def _spelt(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
