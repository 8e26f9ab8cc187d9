"""Where a recipe's data is: files of a folder or data sets of the Hub, as references with digests; and opening them.

A reference is plain JSON, part of a node's settings: the path inside the data folder and the file's sha256, or
the data set's id. So another version of a file is another cell.
"""

import gzip
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from adapterkit.data.corpus import Corpus
from adapterkit.data.labelled import read_labelled, read_tagged
from adapterkit.data.lines import format_of
from adapterkit.data.tables import JSON_LINES, TABLES, read_rows
from adapterkit.errors import ConfigError
from adapterkit.experiments.recipe import Labelled, RawText
from adapterkit.files import sha256_of
from adapterkit.seeds import derive
from adapterkit.tasks.base import Task
from adapterkit.tasks.classification import Classification
from adapterkit.tasks.tagging import Tagging

Reference = dict[str, Any]
_COLUMNS = {"pos": "upos", "ner": "tags", "classification": "label", "tagging": None}


@dataclass(frozen=True)
class DataFolder:
    """The folder that ``--data`` names; None where a recipe takes everything from the Hub."""

    root: Path | None

    def labelled(self, task: Labelled, language: str, split: str) -> Reference | None:
        """Where the examples of a split are; None if there are none.

        Raises:
            ConfigError: If a pattern is none, or fits several files, or needs a folder and there is none.
        """
        if task.dataset:
            name = task.splits.get(split, "validation" if split == "dev" else split)
            return {"dataset": _filled(task.dataset, task, language), "split": name}
        found = self._file(task.files.replace("{split}", split), task, language)
        if found is None or (
            _is_shared(task.files) and language not in _languages(self._path(found))
        ):
            return None
        return found

    def text(self, text: RawText, language: str) -> Reference | None:
        """Where the raw text of a language is; None if there is none.

        Raises:
            ConfigError: As `labelled`, or if the recipe says of no text where it is.
        """
        if not text.files and not text.dataset:
            raise ConfigError("[text] does not say where texts are")
        if text.dataset:
            return {"dataset": _filled(text.dataset, text, language), "column": text.column}
        return self._file(text.files, text, language)

    def _file(self, pattern: str, place: Labelled | RawText, language: str) -> Reference | None:
        if self.root is None:
            raise ConfigError(
                "the recipe reads files: say where they are with --data FOLDER, or set ADAPTERKIT_DATA"
            )
        pattern = _filled(pattern, place, language)
        try:
            found = sorted(path for path in self.root.glob(pattern) if path.is_file())
        except (ValueError, IndexError, NotImplementedError) as error:  # of "a**b", of ".", of "/a"
            raise ConfigError(f"{pattern!r}: is no path in the data folder ({error})") from None
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise ConfigError(f"{pattern} fits several files ({names}); say which in names")
        if not found:
            return None
        return {"file": str(found[0].relative_to(self.root)), "sha256": sha256_of(found[0])}

    def _path(self, reference: Reference) -> Path:
        """Where a file lies; ConfigError if it is not the one that a grid was made of, which noted its checksum."""
        assert self.root is not None
        path = self.root / str(reference["file"])
        noted = reference.get("sha256")
        if noted and not (path.is_file() and sha256_of(path) == noted):
            raise ConfigError(f"{path}: is not what it was when the grid was made; start again")
        return path

    def text_bytes(self, reference: Reference) -> int | None:
        """Size of a text, unpacked; None for a data set."""
        return None if "dataset" in reference else _unpacked(self._path(reference))

    def corpus(self, references: list[Reference], language: str, megabytes: float | None) -> Corpus:
        """Open raw text; with ``megabytes`` a sample of its lines, the smaller inside the larger."""
        if "dataset" in references[0]:
            first = references[0]
            return Corpus.from_dataset(first["dataset"], language=language, column=first["column"])
        paths = [self._path(one) for one in references]
        whole = Corpus.from_files(paths, language=language)
        if megabytes is None:
            return whole
        return Corpus.from_lines(_sample(list(whole.sources), megabytes), language=language)

    def examples(
        self, task: Labelled, language: str, reference: Reference, split: str
    ) -> tuple[Any, ...]:
        """Read the examples of one language and split."""
        if task.kind == "classification":
            return self._texts(task, language, reference, split)
        column = task.column or _COLUMNS[task.kind]
        if "dataset" in reference:
            tagging = Tagging.from_dataset(
                reference["dataset"],
                column=column or "tags",
                tokens=task.text or "tokens",
                splits={split: reference["split"]},
            )
            return tuple(tagging.examples(split))
        # Two columns have no names, and CoNLL-U's own is the reader's default.
        path = self._path(reference)
        named = column if task.column or format_of(path) in JSON_LINES else None
        found = read_tagged(path, column=named, language=_filter(path, language))
        return _noted(tuple(found), language)

    def _texts(
        self, task: Labelled, language: str, reference: Reference, split: str
    ) -> tuple[Any, ...]:
        column, text = task.column or "label", task.text or "text"
        if "dataset" not in reference:
            path = self._path(reference)
            only = _filter(path, language)
            found = read_labelled(path, text_column=text, label_column=column, language=only)
            return _noted(tuple(found), language)
        splits = {split: reference["split"]}
        whole = Classification.from_dataset(
            reference["dataset"], column=column, text=text, splits=splits
        )
        return tuple(whole.examples(split))


def made(task: Labelled, splits: dict[str, tuple[Any, ...]]) -> Task[Any]:
    """A task over examples that were read."""
    column = task.column or _COLUMNS[task.kind] or "tags"
    if task.kind == "classification":
        return Classification(splits, column)
    return Tagging(splits, column)


def few(examples: tuple[Any, ...], count: int, seed: int) -> tuple[Any, ...]:
    """``count`` examples drawn by ``seed``; fewer are the first of more."""
    order = random.Random(derive(seed, "labels")).sample(range(len(examples)), len(examples))
    return tuple(examples[number] for number in order[:count])


def half(examples: tuple[Any, ...]) -> tuple[Any, ...]:
    """The fixed half of a test set that stands in for a dev set: every second example, from the first."""
    return examples[::2]


def set_name(task: Labelled, reference: Reference) -> str:
    """What the table calls a labelled set: ``ud/cym_ccg``, ``topic/sib200``, or the data set's id."""
    if "dataset" in reference:
        return str(reference["dataset"])
    name = str(reference["file"]).removesuffix(".gz")
    for split in ("train", "dev", "test"):
        name = name.replace(f".{split}.", ".")
    return name.rpartition(".")[0] or name


def _filled(pattern: str, place: Labelled | RawText, language: str) -> str:
    """The pattern with its names in their places; what a recipe names lies in the data folder or on the Hub.

    Raises:
        ConfigError: If it leads elsewhere.
    """
    name = place.names.get(language, language)
    filled = pattern.replace("{language}", language).replace("{name}", name)
    if filled.startswith(("/", "~")) or ".." in Path(filled).parts or "\\" in filled:
        raise ConfigError(f"{filled!r}: is no path in the data folder")
    return filled


def _is_shared(pattern: str) -> bool:
    """Whether one file holds many languages, told apart by its column ``lang``."""
    return "{language}" not in pattern and "{name}" not in pattern


def _filter(path: Path, language: str) -> str | None:
    """By which ``lang`` a file's rows are taken; None where it is one language's own and its rows do not say it."""
    there = _languages(path) if _is_table(path) else frozenset()
    return language if language in there or len(there) != 1 else None


def _noted(examples: tuple[Any, ...], language: str) -> tuple[Any, ...]:
    """The examples, those without a language being of this one."""
    return tuple(one if one.language else replace(one, language=language) for one in examples)


def _is_table(path: Path) -> bool:
    return format_of(path) in {*JSON_LINES, *TABLES}


@cache
def _languages(path: Path) -> frozenset[str]:
    if not _is_table(path):
        return frozenset()
    return frozenset(str(row.values.get("lang", "")) for row in read_rows(path))


@cache
def _unpacked(path: Path) -> int:
    if path.suffix != ".gz":
        return path.stat().st_size
    with gzip.open(path) as file:
        return sum(map(len, file))


def _sample(lines: list[str], megabytes: float) -> list[str]:
    random.Random(0).shuffle(lines)
    return list(_until(lines, megabytes * 1e6))


def _until(lines: list[str], limit: float) -> Iterator[str]:
    total = 0
    for line in lines:
        total += len(line.encode("utf-8")) + 1
        if total > limit:
            return
        yield line
