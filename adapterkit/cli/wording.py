"""What an error of the library says in Python's spelling, said as on the command line, or as in a recipe.

Only the arguments that are options here (or keys there) are spelt anew; everything else, names of files above all, stays as it is.
"""

import re

_ARGUMENT = re.compile(r'(?<![\w-])(encoding|column|text_field)=(?:"([\w.-]+)"|(?=\s|$))')
_COLUMN = re.compile(r'(?<![\w-])column=("[\w.-]+")')
_NO_COLUMN = re.compile(r"(there is no '(?!text'|tokens')[^'\n]+'; there are: [^\n]*)$", re.M)
_NO_TEXT = re.compile(r"(there is no '[^'\n]+' to read the text from; there are: [^\n]*)$", re.M)


def for_shell(message: str) -> str:
    """``message`` with ``encoding="cp1252"`` as ``--encoding cp1252``, and what to do about a missing column."""
    message = _ARGUMENT.sub(_option, message)
    message = _NO_TEXT.sub(r"\1; use --text-field for another one", message)
    return _NO_COLUMN.sub(r"\1; use --column for another one", message)


def for_recipe(message: str) -> str:
    """``message`` with ``column="4"`` as a recipe spells it, and which key names a missing column."""
    message = _COLUMN.sub(r"column = \1", message)
    message = _NO_TEXT.sub(r'\1; name another one with text = "..." in the recipe', message)
    return _NO_COLUMN.sub(r'\1; name another one with column = "..." in the recipe', message)


def _option(found: re.Match[str]) -> str:
    name, value = found[1].replace("_", "-"), found[2]
    return f"--{name}" + (f" {value}" if value else "")
