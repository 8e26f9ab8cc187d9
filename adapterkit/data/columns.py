"""Reading files of words and tags: one word a line, a blank line between sentences.

The words stand first; tabs or spaces lie between. ``-DOCSTART-`` lines are skipped. Tags are taken
as they are: whether they are BIO is not asked here.

Source: the files of the CoNLL-2003 shared task and their many two-column descendants.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from adapterkit.data.conllu import WIDTH as CONLLU_WIDTH
from adapterkit.data.examples import TaggedSentence
from adapterkit.data.lines import Block, at, read_blocks
from adapterkit.errors import CorpusError

_USUAL = (None, "tags")
"""What is said of a column where there are two."""
_SPAN_TAG = re.compile(r"O|[BIES]-\S+")
UNIVERSAL_TAGS = frozenset(
    [
        "ADJ",
        "ADP",
        "ADV",
        "AUX",
        "CCONJ",
        "DET",
        "INTJ",
        "NOUN",
        "NUM",
        "PART",
        "PRON",
        "PROPN",
        "PUNCT",
        "SCONJ",
        "SYM",
        "VERB",
        "X",
    ]
)
"""The parts of speech of Universal Dependencies."""
_HEADER_WORDS = {"word", "words", "token", "tokens", "form", "text"}
_HEADER_TAGS = {
    "tag",
    "tags",
    "label",
    "labels",
    "pos",
    "upos",
    "xpos",
    "ner",
    "ner_tag",
    "ner_tags",
}


def read_columns(
    path: Path, *, column: str | None = None, separator: str | None = None, language: str = ""
) -> Iterator[TaggedSentence]:
    """Yield the sentences of a file of words and tags.

    A line that begins with ``#`` is a comment unless it reads as a word and its tag: it has as many
    columns as a word needs, and, where spaces separate, a tag that other words have or a BIO tag.
    The first line is passed over if it names the columns (``word`` and ``tag``, ``token`` and ``upos`` ...).

    Args:
        path: The file, plain or ``.gz``.
        column: The number of the column that holds the tags, from ``"2"`` on. ``None`` means that
            there are two columns; so does ``"tags"``, as other formats call them.
        separator: What separates the columns. ``None`` means tabs if there are any in the file,
            else spaces.
        language: Noted in every sentence; the format itself does not tell.

    Raises:
        CorpusError: If a line does not have its word and its tag, or ``column`` is not a number.
    """
    return _sentences(path, list(read_blocks(path)), column, separator, language)


def _sentences(
    path: Path, blocks: list[Block], column: str | None, separator: str | None, language: str = ""
) -> Iterator[TaggedSentence]:
    tag_column = _number(path, column)
    separator = separator or _separator(line for block in blocks for _, line in block)
    blocks = _without_header(blocks, separator, tag_column)
    exact = column in _USUAL
    known = {
        fields[tag_column]
        for block in blocks
        for _, line in block
        if not line.startswith("#") and len(fields := _fields(line, separator)) > tag_column
    }
    for block in blocks:
        pairs = []
        for number, line in block:
            fields = _fields(line, separator)
            fits = len(fields) == 2 if exact else len(fields) > tag_column
            if _skipped(fields, fits, separator, known, tag_column):
                continue
            if not fits or not fields[0] or not fields[tag_column] or _is_conllu(fields, separator):
                raise CorpusError(_misfit(at(path, number), fields, column))
            pairs.append((fields[0], fields[tag_column]))
        if pairs:
            words, tags = zip(*pairs, strict=True)
            yield TaggedSentence(words, tags, language=language)


def words_in_columns(path: Path, blocks: Sequence[Block]) -> list[tuple[str, ...]]:
    """The words of each sentence of a file whose lines all are a word and, last, a label; of any other, nothing.

    Between tabs a label is one word, and most words are. Between spaces, as many in every line, a text would look the same:
    there the labels have to be spans or universal parts of speech, in three lines or more.

    Args:
        path: The file, for what is said of it.
        blocks: Its lines, as `read_blocks` gives them.

    Raises:
        CorpusError: If it is CoNLL-U under another name, or a line is not as the others.
    """
    separator = _separator(
        line for block in blocks for _, line in block if not line.startswith("-DOCSTART-")
    )
    rows = [
        _fields(line, separator)
        for block in _without_header(blocks, separator, -1)
        for _, line in block
        if not line.startswith(("# ", "-DOCSTART-"))
    ]
    if not rows or not (_in_tabs(rows) if separator == "\t" else _in_spaces(rows)):
        return []
    last = str(min(map(len, rows)))
    return [one.words for one in _sentences(path, list(blocks), last, separator)]


def _in_tabs(rows: Sequence[Sequence[str]]) -> bool:
    labels = all(len(fields) > 1 and _is_word(fields[-1]) for fields in rows)
    return labels and sum(_is_word(fields[0]) for fields in rows) > len(rows) / 2


def _in_spaces(rows: Sequence[Sequence[str]]) -> bool:
    labels = {fields[-1] for fields in rows}
    known = labels <= UNIVERSAL_TAGS or all(map(_SPAN_TAG.fullmatch, labels))
    return known and len(rows) > 2 and {len(fields) for fields in rows} == {max(2, len(rows[0]))}


def _without_header(blocks: Iterable[Block], separator: str, tag_column: int) -> list[Block]:
    """The blocks, less a first line that says what the columns are called."""
    first, *others = list(blocks) or [[]]
    fields = [field.lower() for field in _fields(first[0][1], separator)] if first else []
    if (
        len(fields) > max(tag_column, 1)
        and fields[0] in _HEADER_WORDS
        and fields[tag_column] in _HEADER_TAGS
    ):
        first = first[1:]
    return [block for block in (first, *others) if block]


def _is_word(field: str) -> bool:
    """One word or label, as a number and a text behind a tab are not."""
    return len(field.split()) == 1


def _number(path: Path, column: str | None) -> int:
    if column in _USUAL:
        return 1
    if not column.isdecimal() or int(column) < 2:
        raise CorpusError(
            f"{path}: the column {column!r} was asked for, but the columns of a file of words and "
            'tags have no names. Give the number of the tag column ("2" is the one after the '
            "word), or no column if there are two; .conllu and .jsonl files have named columns."
        )
    return int(column) - 1


def _separator(lines: Iterable[str]) -> str:
    # A comment may hold a tab in a file of spaces; a word's line may not.
    return "\t" if any("\t" in line for line in lines if not line.startswith("#")) else " "


def _fields(line: str, separator: str) -> list[str]:
    fields = [field.strip(" ") for field in line.split(separator)]
    return [field for field in fields if field] if separator == " " else fields


def _skipped(
    fields: list[str], fits: bool, separator: str, known: set[str], tag_column: int
) -> bool:
    if fields[0] == "-DOCSTART-":
        return True
    if not fields[0].startswith("#"):
        return False
    if not fits or separator != " ":
        return not fits
    return fields[tag_column] not in known and not _SPAN_TAG.fullmatch(fields[tag_column])


def _is_conllu(fields: list[str], separator: str) -> bool:
    """Ten columns between tabs, of which the first counts the words."""
    return separator == "\t" and len(fields) == CONLLU_WIDTH and fields[0].isdecimal()


def _misfit(place: str, fields: list[str], column: str | None) -> str:
    if _is_conllu(fields, "\t"):
        return f"{place}: this is CoNLL-U under another name; name the file .conllu"
    if column in _USUAL and len(fields) > 2:
        return (
            f"{place}: has {len(fields)} columns, a word and its tag were expected. "
            f'Say which column holds the tag, for example column="{len(fields)}".'
        )
    wanted = "a word and its tag" if column in _USUAL else f"a word and a tag in column {column}"
    return f"{place}: {wanted} were expected, found {fields!r}"
