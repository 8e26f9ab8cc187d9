"""A corpus: the raw text of one language, from files, a data set or memory.

A ``Corpus`` is where the text is and how to read it, nothing more; each pass streams it again in
bounded memory. Cleaning and counting are in ``text/``; tokens and blocks are not here.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from adapterkit.data.datasets_door import column_of
from adapterkit.errors import CorpusError, found
from adapterkit.languages import code_of
from adapterkit.text.lines import Counts, Line, count_lines, kept_lines
from adapterkit.text.profile import Pieces, Profile, measure
from adapterkit.text.reading import TextFiles, cut_text, find_files

__all__ = ["Corpus", "Counts", "Line", "Pieces", "Profile"]


@dataclass(frozen=True)
class Corpus:
    """The raw text of one language. Made by ``from_files``, ``from_dataset`` or ``from_lines``.

    Attributes:
        language: ISO 639-3 code where there is one.
        sources: The raw lines; may be iterated again and again.
        licence: The text's licence in free words, recorded with what is trained on it.
    """

    language: str
    sources: Iterable[str]
    licence: str | None = None

    @classmethod
    def from_files(
        cls,
        paths: Sequence[str | Path] | str | Path,
        *,
        language: str,
        encoding: str | None = None,
        licence: str | None = None,
        text_field: str = "text",
    ) -> "Corpus":
        """Take a corpus from text files, one sentence or paragraph a line.

        Args:
            paths: ``.txt``, ``.txt.gz``, ``.jsonl`` and ``.jsonl.gz`` files, or folders of them.
            language: ISO 639 code: ``"cym"``, ``"cy"``; or an English name, ``"Welsh"``.
            encoding: Of all the files; by default UTF-8, with or without a byte-order mark.
            licence: The text's licence.
            text_field: The key of the text in lines of JSON.

        Raises:
            ConfigError: The language code or the encoding is no such thing.
            CorpusError: Files are missing, empty, binary or not in this encoding, as far as their
                beginnings show. What is wrong further on is raised by the first pass.
        """
        code = code_of(language)
        given = [paths] if isinstance(paths, (str, Path)) else list(paths)
        files = find_files(given, encoding)
        return cls(code, TextFiles(files, encoding, text_field), licence)

    @classmethod
    def from_dataset(
        cls,
        dataset: object,
        *,
        language: str,
        column: str = "text",
        split: str = "train",
        streaming: bool = True,
        licence: str | None = None,
    ) -> "Corpus":
        """Take a corpus from a column of a data set.

        Args:
            dataset: An object of the ``datasets`` library, or a Hub id, with a configuration after
                a colon where one is needed: ``"wikimedia/wikipedia:20231101.cy"``.
            language: ISO 639 code, or an English name.
            column: The column that holds the text.
            split: Which split to read, where there are several.
            streaming: Read a Hub data set as it comes, without downloading all of it first.
            licence: The text's licence.

        Raises:
            ConfigError: The language code is no such thing, or ``datasets`` is not installed.
            CorpusError: Not a data set, or no such split or column.
            HubError: The data set could not be fetched.
        """
        code = code_of(language)
        return cls(code, column_of(dataset, column, split=split, streaming=streaming), licence)

    @classmethod
    def from_lines(
        cls, lines: Iterable[str], *, language: str, licence: str | None = None
    ) -> "Corpus":
        """Take a corpus from lines in memory.

        Args:
            lines: A list or another collection that can be iterated again.
            language: ISO 639 code, or an English name.
            licence: The text's licence.

        Raises:
            ConfigError: The language code is no such thing.
            CorpusError: ``lines`` is one string, or can be iterated only once.
        """
        code = code_of(language)
        if isinstance(lines, str) or not isinstance(lines, Iterable) or iter(lines) is lines:
            raise CorpusError(
                f"lines of text were expected, found {type(lines).__name__}; "
                "give a list: a corpus is read more than once"
            )
        return cls(code, _Memory(lines), licence)

    def lines(self) -> Iterator[Line]:
        """Yield the kept lines in source order, cleaned, each marked as held out or not.

        The held-out lines are about 5 %, chosen by each line's content alone. A corpus always has
        at least one of each kind.

        Raises:
            CorpusError: The text cannot be read, or fewer than two lines are worth keeping.
        """
        threshold = self.counts().heldout_below
        for kept in kept_lines(self.sources):
            yield Line(kept.text, kept.key < threshold)

    def counts(self) -> Counts:
        """Return what a pass over the whole corpus finds; the first call makes that pass.

        Raises:
            CorpusError: The text cannot be read, or fewer than two lines are worth keeping.
        """
        return self._counts

    @cached_property
    def _counts(self) -> Counts:
        counts = count_lines(self.sources)
        if counts.kept < 2:
            reasons = [f"{why}: {times}" for why, times in counts.dropped.items() if times]
            raise CorpusError(
                f"a corpus needs two lines of text at least, one to learn from and one to measure "
                f"on; {self.sources} has {counts.kept} worth keeping of {counts.read} read"
                + (f". Dropped:{found(reasons)}\n" if reasons else ". ")
                + "Put one sentence or paragraph on a line."
            )
        return counts

    def fingerprint(self) -> str:
        """Return the SHA-256 (hex) of the set of kept lines, whatever their order."""
        return self.counts().fingerprint

    def profile(self, pieces: Pieces | None = None, *, unk_id: int | None = None) -> Profile:
        """Describe the whole corpus, and how a tokenizer copes with it.

        Args:
            pieces: Token ids and character spans of lines (``backbone.pieces``).
            unk_id: The id of what the tokenizer cannot read (``backbone.unk_id``).

        Raises:
            CorpusError: As for ``counts``.
        """
        counts = self.counts()
        texts = (kept.text for kept in kept_lines(self.sources))
        return measure(texts, counts, language=self.language, pieces=pieces, unk_id=unk_id)


@dataclass(frozen=True)
class _Memory:
    """Lines in memory, cut where the lines of a file would be."""

    texts: Iterable[str] = field(repr=False)

    def __str__(self) -> str:
        return "the list of lines"

    def __iter__(self) -> Iterator[str]:
        for number, text in enumerate(self.texts):
            if not isinstance(text, str):
                raise CorpusError(f"line {number} of the list is {type(text).__name__}, not text")
            yield from cut_text(text)
