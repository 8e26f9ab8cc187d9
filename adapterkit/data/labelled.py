"""Readers of labelled data: tagged sentences and labelled texts, from files and from rows.

Here a file's name decides how it is read; the formats themselves are in ``conllu.py``,
``columns.py`` and ``tables.py``. Every file may be ``.gz`` and is UTF-8, with a byte-order mark or
without. What is not here: raw text for language adapters (``corpus.py``), fetching a data set (its
door gives the rows), and aligning labels with a tokenizer's pieces (the tasks).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from adapterkit.data.columns import read_columns, words_in_columns
from adapterkit.data.conllu import read_conllu, read_forms
from adapterkit.data.examples import LabelledText, TaggedSentence
from adapterkit.data.lines import format_of, read_blocks
from adapterkit.data.tables import (
    JSON_LINES,
    TABLES,
    Row,
    in_language,
    number_rows,
    read_rows,
)
from adapterkit.errors import CorpusError
from adapterkit.languages import code_of

__all__ = [
    "LabelledText",
    "TaggedSentence",
    "labelled_from_rows",
    "read_labelled",
    "read_tagged",
    "read_words",
    "tagged_from_rows",
]

_Example = TypeVar("_Example")


def read_tagged(
    path: Path | str,
    *,
    column: str | None = None,
    language: str | None = None,
    separator: str | None = None,
) -> list[TaggedSentence]:
    """Read sentences with a tag a word.

    The name decides: ``.conllu``; ``.jsonl`` (an object a line with a list ``tokens`` and a list of
    tags); any other is read as words and tags in columns, one word a line, a blank line between
    sentences. A sentence without a word is left out.

    Args:
        path: The file.
        column: What holds the tags. CoNLL-U: ``upos`` (the default), ``xpos``, ``deprel``,
            ``feats``, ``lemma``, or an attribute of MISC. JSON lines: a key, ``tags`` by default.
            Columns: the number of the column, needed if there are more than two.
        language: JSON lines: keep the objects whose ``lang`` it is. The other formats cannot mix
            languages: there it is noted in each sentence.
        separator: What separates columns; tabs or spaces, by default as found.

    Raises:
        CorpusError: If the file cannot be read, is empty, or a line is wrong: it says which.
    """
    path = Path(path)
    sentences: Iterable[TaggedSentence]
    if format_of(path) == ".conllu":
        sentences = read_conllu(path, column=column or "upos", language=_said(language))
    elif format_of(path) in JSON_LINES:
        rows = in_language(read_rows(path), language, source=str(path))
        sentences = _tagged(rows, tokens="tokens", tags=column or "tags")
    else:
        sentences = read_columns(path, column=column, separator=separator, language=_said(language))
    return _some(sentences, source=str(path), what="tagged sentence")


def read_labelled(
    path: Path | str,
    *,
    text_column: str = "text",
    label_column: str = "label",
    language: str | None = None,
) -> list[LabelledText]:
    """Read texts with a label each, from a TSV or CSV file with a header or from JSON lines.

    Args:
        path: The file.
        text_column: The column, or key, of the text.
        label_column: The column, or key, of the label; an integer there becomes a string.
        language: Keep the rows whose ``lang`` it is.

    Raises:
        CorpusError: If the file cannot be read, is empty, or a line is wrong: it says which.
    """
    path = Path(path)
    rows = in_language(read_rows(path), language, source=str(path))
    texts = _labelled(rows, text=text_column, label=label_column)
    return _some(texts, source=str(path), what="labelled text")


def read_words(
    path: Path | str,
    *,
    text_column: str | None = None,
    language: str | None = None,
    whole: bool = False,
) -> list[str | tuple[str, ...]]:
    """Read what is to be predicted; labels may be there and are not looked at.

    Args:
        path: ``.conllu`` (words); ``.jsonl`` (``tokens`` where there are any, else a text);
            ``.tsv`` or ``.csv`` with a header (a text a row); any other a text a line, or words where
            every line is a word and, behind a tab or space, a label (see `words_in_columns`). Blank lines are left out.
        text_column: The column, or key, of the text, also where there are tokens; by default ``text``.
        language: Keep the rows whose ``lang`` it is, of a table that tells languages apart.
        whole: Of a row that has both, take the text and not the tokens: for labels of whole texts.

    Returns:
        For each text the string, or its words as a tuple where the file has words.

    Raises:
        CorpusError: If the file cannot be read, is empty, or a line is wrong: it says which.
    """
    path = Path(path)
    inputs: Iterable[str | tuple[str, ...]]
    if format_of(path) == ".conllu":
        inputs = read_forms(path)
    elif format_of(path) in TABLES:
        rows = list(read_rows(path))
        told = any("lang" in row.values for row in rows)
        rows = list(in_language(rows, language if told else None, source=str(path)))
        inputs = (_input(row, text_column, whole=whole) for row in rows)
    else:
        blocks = list(read_blocks(path))
        lines = (line for block in blocks for _, line in block if line.strip())
        inputs = words_in_columns(path, blocks) or lines
    return _some(inputs, source=str(path), what="text")


def _said(language: str | None) -> str:
    """What is noted of a language where the file itself does not tell."""
    return code_of(language) if language else ""


def tagged_from_rows(
    rows: Iterable[Mapping[str, object]],
    *,
    tokens_column: str = "tokens",
    tags_column: str,
    names: Sequence[str] | None = None,
    language: str | None = None,
) -> list[TaggedSentence]:
    """Take tagged sentences from the rows of a data set.

    Args:
        rows: One mapping a sentence.
        tokens_column: The column with the list of words.
        tags_column: The column with the list of tags, strings or integers.
        names: What integer tags stand for; without it an integer becomes a string.
        language: Keep the rows whose ``lang`` it is.

    Raises:
        CorpusError: If there are no rows, or one is wrong: it says which, counting from 0.
    """
    kept = in_language(number_rows(rows), language, source="the data set")
    sentences = _tagged(kept, tokens=tokens_column, tags=tags_column, names=names)
    return _some(sentences, source="the data set", what="tagged sentence")


def labelled_from_rows(
    rows: Iterable[Mapping[str, object]],
    *,
    text_column: str = "text",
    label_column: str = "label",
    names: Sequence[str] | None = None,
    language: str | None = None,
) -> list[LabelledText]:
    """Take labelled texts from the rows of a data set; as :func:`tagged_from_rows`."""
    kept = in_language(number_rows(rows), language, source="the data set")
    texts = _labelled(kept, text=text_column, label=label_column, names=names)
    return _some(texts, source="the data set", what="labelled text")


def _tagged(
    rows: Iterable[Row], *, tokens: str, tags: str, names: Sequence[str] | None = None
) -> Iterator[TaggedSentence]:
    for row in rows:
        words = row.words(tokens)
        labels = tuple(row.tag(value, names=names) for value in row.items(tags))
        if len(words) != len(labels):
            raise CorpusError(
                f"{row.place}: {tokens!r} has {len(words)} words and {tags!r} has {len(labels)} "
                "tags; every word needs one tag"
            )
        if words:
            yield TaggedSentence(words, labels, id=row.note("id"), language=row.note("lang"))


def _labelled(
    rows: Iterable[Row], *, text: str, label: str, names: Sequence[str] | None = None
) -> Iterator[LabelledText]:
    for row in rows:
        yield LabelledText(
            text=row.text(text),
            label=row.label(row.value(label), names=names),
            id=row.note("id"),
            language=row.note("lang"),
        )


def _input(row: Row, text_column: str | None, *, whole: bool) -> str | tuple[str, ...]:
    if text_column is None and "tokens" in row.values and not (whole and "text" in row.values):
        return row.words("tokens")
    return row.text(text_column or "text")


def _some(examples: Iterable[_Example], *, source: str, what: str) -> list[_Example]:
    found = list(examples)
    if not found:
        raise CorpusError(f"{source}: there is not one {what} in it")
    return found
