"""`Corpus`: raw text of one language, cleaned, deduplicated and split as it streams by.

Nothing is kept in memory but digests; every pass reads the sources again. Reading, cleaning and counting are in
`text`; packing into blocks is in `blocks`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from adapterkit.data.datasets_door import texts_of
from adapterkit.errors import CorpusError
from adapterkit.languages import normalise_code
from adapterkit.text.lines import Counts, Line, count_lines, kept_lines
from adapterkit.text.profile import Pieces, Profile, profile
from adapterkit.text.reading import check_start, files_of, read_lines


class Corpus:
    """Raw text of one language. Build one with `from_files`, `from_dataset` or `from_lines`.

    Attributes:
        language: ISO 639-3 code.
        licence: Of the text, as free words, or None.
        name: Where it is from, for messages.
    """

    def __init__(
        self, read: Callable[[], Iterable[str]], *, language: str, licence: str | None = None, name: str = "text"
    ) -> None:
        self.language = normalise_code(language)
        self.licence = licence
        self.name = name
        self._read = read
        self._counts: Counts | None = None

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
        """Read .txt (a sentence or paragraph a line) and .jsonl files, also .gz, and folders of them.

        Args:
            paths: One or several files or folders.
            language: ISO 639 code of the text's language.
            encoding: Of the files, if not UTF-8 (with or without byte-order mark).
            licence: Of the text; recorded with what is trained on it.
            text_field: The key of the text in JSONL.

        Raises:
            CorpusError: If a file is missing, empty, binary, or of a kind that is not read. What
                can only be seen further in (a wrong encoding, a single line) is raised by the
                first pass.
        """
        files = files_of([paths] if isinstance(paths, str | Path) else list(paths))
        for file in files:
            check_start(file, encoding)

        def read() -> Iterator[str]:
            for file in files:
                yield from read_lines(file, encoding=encoding, text_field=text_field)

        return cls(read, language=language, licence=licence, name=", ".join(file.name for file in files))

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
        """Take the text of a `datasets` object or a Hub data set id.

        Args:
            dataset: A ``Dataset``, ``IterableDataset`` or ``DatasetDict``, or an id.
            language: ISO 639 code.
            column: The column of the text.
            split: The split, where there are several.
            streaming: Read an id as it downloads, without keeping it.
            licence: Of the text.

        Raises:
            CorpusError: If there is no such split or column.
        """
        read = texts_of(dataset, column=column, split=split, streaming=streaming)
        return cls(read, language=language, licence=licence, name=dataset if isinstance(dataset, str) else "data set")

    @classmethod
    def from_lines(cls, lines: Sequence[str], *, language: str, licence: str | None = None) -> "Corpus":
        """Take lines that are in memory."""
        return cls(lambda: lines, language=language, licence=licence, name="lines")

    def counts(self) -> Counts:
        """Lines read, kept, held out and dropped; computed by one pass, once.

        Raises:
            CorpusError: If fewer than two lines are left.
        """
        if self._counts is None:
            counts = count_lines(self._read())
            if counts.kept < 2:
                reasons = ", ".join(f"{n} {reason}" for reason, n in counts.dropped.items() if n) or "none dropped"
                raise CorpusError(
                    f"{self.name}: {counts.kept} usable lines of {counts.read} ({reasons}); at least two are needed, "
                    "one sentence or paragraph a line"
                )
            self._counts = counts
        return self._counts

    def fingerprint(self) -> str:
        """sha256 over the set of kept lines, whatever their order."""
        return self.counts().fingerprint

    def lines(self) -> Iterator[Line]:
        """Kept lines in their order, each with whether it is held out."""
        below = self.counts().heldout_below
        for kept in kept_lines(self._read()):
            yield Line(kept.text, kept.key < below)

    def profile(self, pieces: Pieces | None = None, *, unk_id: int | None = None) -> Profile:
        """What is in the text, and, given a backbone's ``pieces``, how it copes."""
        return profile((line.text for line in self.lines()), self.counts(), pieces, unk_id=unk_id)
