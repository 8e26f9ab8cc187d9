"""Reading CoNLL-U: the syntactic words of each sentence and one column of them as tags; and writing other tags there.

Multiword-token ranges (``3-4``) and empty nodes (``5.1``) are skipped, as the CoNLL 2018 shared
task's scorer does for UPOS: the syntactic words carry the tags. Trees are not read.

Source: the CoNLL-U format of Universal Dependencies v2 (https://universaldependencies.org/format.html).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from adapterkit.data.examples import TaggedSentence
from adapterkit.data.lines import at, read_blocks
from adapterkit.errors import CorpusError

COLUMNS = {"lemma": 2, "upos": 3, "xpos": 4, "feats": 5, "deprel": 7}
"""The columns that hold a tag, by name, counted from 0."""

WIDTH = 10
"""How many columns a CoNLL-U line has."""

_MISC = 9
_NOT_A_WORD = re.compile(r"\d+-\d+|\d+\.\d+")


def read_conllu(path: Path, *, column: str, language: str = "") -> Iterator[TaggedSentence]:
    """Yield the sentences of a CoNLL-U file with the tags of one column.

    Args:
        path: The file, plain or ``.gz``.
        column: A key of :data:`COLUMNS`, or the name of an attribute of MISC: ``"ner"`` reads
            ``NER=B-PER``; so does ``"tags"``, as other formats call them, where there is no ``TAGS=``.
        language: Noted in every sentence; the format itself does not tell.

    Raises:
        CorpusError: If a line is not CoNLL-U, or a word has no tag. ``_`` is no tag, but in FEATS,
            where it says that the word has no features.
    """
    for block in read_blocks(path):
        words = list(_words(path, block))
        if words:
            yield TaggedSentence(
                words=tuple(fields[1] for _, fields in words),
                tags=tuple(_tag(fields, column, place) for place, fields in words),
                id=_sent_id(block),
                language=language,
            )


def read_forms(path: Path) -> Iterator[tuple[str, ...]]:
    """Yield each sentence of a CoNLL-U file as its words; no tag has to be there."""
    for block in read_blocks(path):
        words = tuple(fields[1] for _, fields in _words(path, block))
        if words:
            yield words


def with_tags(path: Path, tags: Iterable[Sequence[str]], *, column: str) -> Iterator[str]:
    """Yield the lines of a CoNLL-U file with other tags in one column; all else in them stays.

    Comments, multiword tokens, empty nodes and the other columns are as they were; one blank line ends a sentence.

    Args:
        path: The file, plain or ``.gz``.
        tags: For each sentence as :func:`read_forms` gives them a tag a word.
        column: As in :func:`read_conllu`; an attribute of MISC is replaced, or added to those there.

    Raises:
        CorpusError: If the file is not that of the tags: sentences or words are more or fewer.
    """
    left = iter(tags)
    for block in read_blocks(path):
        words = {place for place, _ in _words(path, block)}
        new = iter(next(left, ()) if words else ())
        try:
            for number, line in block:
                is_word = at(path, number) in words
                yield _with_tag(line, next(new), column) if is_word else line
        except StopIteration:
            raise CorpusError(f"{path}: has more words than there are tags") from None
        if next(new, None) is not None:
            raise CorpusError(f"{path}: has fewer words than there are tags")
        yield ""
    if next(left, None) is not None:
        raise CorpusError(f"{path}: has fewer sentences than there are tags for")


def _with_tag(line: str, tag: str, column: str) -> str:
    fields = line.split("\t")
    if column in COLUMNS:
        fields[COLUMNS[column]] = tag
        return "\t".join(fields)
    attributes = [] if fields[_MISC] == "_" else fields[_MISC].split("|")
    named = [_is_named(attribute, column) for attribute in attributes]
    new = f"{column.upper()}={tag}"
    if any(named):
        attributes[named.index(True)] = new
    else:
        attributes.append(new)
    fields[_MISC] = "|".join(attributes)
    return "\t".join(fields)


def _is_named(attribute: str, name: str) -> bool:
    return attribute.partition("=")[0].lower() == name.lower()


def _words(path: Path, block: list[tuple[int, str]]) -> Iterator[tuple[str, list[str]]]:
    for number, line in block:
        if line.startswith("#"):
            continue
        place, fields = at(path, number), line.split("\t")
        if len(fields) != WIDTH:
            raise CorpusError(
                f"{place}: a CoNLL-U line has {WIDTH} columns between tabs, this one has "
                f"{len(fields)}. Is it a file of words and tags under another name?"
            )
        if _NOT_A_WORD.fullmatch(fields[0]):
            continue
        if not fields[0].isdecimal() or not fields[1]:
            raise CorpusError(
                f"{place}: a number and a word were expected in the first two columns, "
                f"found {fields[0]!r} and {fields[1]!r}"
            )
        yield place, fields


def _tag(fields: list[str], column: str, place: str) -> str:
    if column in COLUMNS:
        tag = fields[COLUMNS[column]]
    else:
        tag = _attribute(fields[_MISC], column)
        if not tag and column == "tags":
            tag = _attribute(fields[_MISC], "ner")
    if not tag or (tag == "_" and column != "feats"):
        raise CorpusError(
            f"{place}: the word {fields[1]!r} has no tag in the column {column!r}. The columns "
            f"are {', '.join(COLUMNS)}; any other name is looked up in MISC."
        )
    return tag


def _attribute(misc: str, name: str) -> str:
    for attribute in misc.split("|"):
        if _is_named(attribute, name):
            return attribute.partition("=")[2]
    return ""


def _sent_id(block: list[tuple[int, str]]) -> str:
    for _, line in block:
        key, equals, value = line.removeprefix("#").partition("=")
        if line.startswith("#") and equals and key.strip() == "sent_id":
            return value.strip()
    return ""
