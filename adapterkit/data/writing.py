r"""Writing predictions: CoNLL-U, TSV or JSON lines, each file whole or not at all.

Also the record of an evaluation: gold and predicted labels, example by example. What is written can
be read again by ``labelled.py``. Making predictions is not done here.
"""

import gzip
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from adapterkit.data.conllu import COLUMNS, WIDTH, with_tags
from adapterkit.data.lines import format_of
from adapterkit.errors import ConfigError
from adapterkit.files import write_bytes
from adapterkit.text.words import whole

_DIGITS = 6  # after the point of a written score


@dataclass(frozen=True)
class PredictedText:
    """A text and what was predicted for it.

    Attributes:
        text: The text as it was given.
        tokens: Its words; empty if the text as a whole was classified.
        labels: One label a word, or one for the text.
        scores: The probability of each label, in ``[0, 1]``.

    Raises:
        ConfigError: If labels or scores are not as many as they have to be.
    """

    text: str
    tokens: tuple[str, ...]
    labels: tuple[str, ...]
    scores: tuple[float, ...]

    def __post_init__(self) -> None:
        expected = len(self.tokens) or min(len(self.labels), 1)
        if not expected == len(self.labels) == len(self.scores):
            raise ConfigError(
                f"a prediction of {len(self.tokens)} words has {len(self.labels)} labels and "
                f"{len(self.scores)} scores; one of each a word is needed, or one a text"
            )

    @property
    def is_classified(self) -> bool:
        """Whether the one label is about the whole text."""
        return not self.tokens and len(self.labels) == 1


@dataclass(frozen=True)
class ScoredText:
    """An example of a test set with its gold and predicted labels.

    Attributes:
        text: The text, where the test set has one.
        tokens: Its words; empty if the text as a whole was classified.
        gold: The right labels: one a word, or one for the text.
        predicted: As many predicted ones.
        id: The example's name in the test set, or ``""``.
        language: The example's language code, or ``""``.
    """

    text: str
    tokens: tuple[str, ...]
    gold: tuple[str, ...]
    predicted: tuple[str, ...]
    id: str = ""
    language: str = ""


def write_predictions(
    path: Path | None,
    predictions: Iterable[PredictedText],
    *,
    format: str,
    column: str = "upos",
    source: Path | None = None,
) -> str | None:
    """Write predictions to a file in one step, or give the text that would be in it.

    Args:
        path: Where to; ``None`` to get the text.
        predictions: In the order in which they are written.
        format: ``"conllu"``: tags in their own column, or in MISC. ``"tsv"``: a word, its tag and
            its score a line and a blank line between sentences; for classified texts a header, then
            text, label and score a line. ``"jsonl"``: an object a line, its keys sorted.
        column: The name of the tags, which says where CoNLL-U keeps them: ``upos`` and the other
            columns in their column, any other in MISC (``ner`` as ``NER=B-PER``).
        source: The file that the texts were read from. CoNLL-U that is written from CoNLL-U keeps all of it
            but the predicted tags: names and comments of sentences, multiword tokens, lemmas, trees.

    Returns:
        The text if ``path`` is ``None``, else ``None``.

    Raises:
        ConfigError: If ``format`` is none of the three, CoNLL-U is asked for classified texts, or a table for both kinds.
        CorpusError: If ``source`` does not hold the words that were predicted for.
    """
    writers: dict[str, Callable[[list[PredictedText]], str]] = {
        "conllu": lambda texts: _conllu(texts, column, source),
        "tsv": _tsv,
        "jsonl": lambda texts: "".join(map(_json_line, map(_prediction, texts))),
    }
    if format not in writers:
        raise ConfigError(f"the format {format!r} is not known; there are: {', '.join(writers)}")
    content = writers[format](list(predictions))
    if path is None:
        return whole(content)
    _write(path, content)
    return None


def write_scored(path: Path, examples: Iterable[ScoredText]) -> None:
    """Write gold and predicted labels of each example as JSON lines, in one step.

    A tagged sentence has ``tokens`` and lists of labels, a classified text has ``text`` and one
    label a side; ``id`` and ``lang`` stand where they are known.
    """
    _write(path, "".join(map(_json_line, map(_scored, examples))))


def _write(path: Path, content: str) -> None:
    """Compressed where the name ends in ``.gz``, always to the same bytes."""
    data = whole(content).encode("utf-8")
    write_bytes(path, gzip.compress(data, mtime=0) if path.suffix.lower() == ".gz" else data)


def _conllu(texts: list[PredictedText], column: str, source: Path | None) -> str:
    if any(text.is_classified for text in texts):
        raise ConfigError(
            "CoNLL-U holds a label a word, but these texts have one label each; "
            "write them as tsv or jsonl"
        )
    kept = [text for text in texts if text.tokens]
    if source is not None and format_of(source) == ".conllu":
        lines = with_tags(source, [text.labels for text in kept], column=column)
        return "".join(f"{line}\n" for line in lines)
    return "".join(
        _conllu_sentence(number, text, column)
        for number, text in enumerate(texts, start=1)
        if text.tokens
    )


def _conllu_sentence(number: int, text: PredictedText, column: str) -> str:
    lines = [f"# sent_id = {number}", f"# text = {_flat(text.text)}"]
    for index, (token, label) in enumerate(zip(text.tokens, text.labels, strict=True), start=1):
        fields = [str(index), _flat(token), *["_"] * (WIDTH - 2)]
        if column in COLUMNS:
            fields[COLUMNS[column]] = label
        else:
            fields[-1] = f"{column.upper()}={label}"
        lines.append("\t".join(fields))
    return "\n".join(lines) + "\n\n"


def _tsv(texts: list[PredictedText]) -> str:
    if any(text.is_classified for text in texts):
        if not all(text.is_classified for text in texts):
            raise ConfigError(
                "a table holds tags of words or labels of whole texts, and here are both; write them as jsonl"
            )
        lines = [_tsv_line(text.text, text.labels[0], text.scores[0]) for text in texts]
        return "text\tlabel\tscore\n" + "".join(lines)
    return "\n".join(
        "".join(map(_tsv_line, text.tokens, text.labels, text.scores))
        for text in texts
        if text.tokens
    )


def _tsv_line(text: str, label: str, score: float) -> str:
    return f"{_flat(text)}\t{label}\t{score:.{_DIGITS}f}\n"


def _prediction(text: PredictedText) -> dict[str, object]:
    scores = [round(score, _DIGITS) for score in text.scores]
    if text.is_classified:
        return {"text": text.text, "label": text.labels[0], "score": scores[0]}
    return {"text": text.text, "tokens": text.tokens, "labels": text.labels, "scores": scores}


def _scored(example: ScoredText) -> dict[str, object]:
    record: dict[str, object] = {"gold": example.gold, "predicted": example.predicted}
    if not example.tokens and len(example.gold) == 1 == len(example.predicted):
        record = {"gold": example.gold[0], "predicted": example.predicted[0]}
    else:
        record["tokens"] = example.tokens
    notes = {"text": example.text, "id": example.id, "lang": example.language}
    return record | {key: note for key, note in notes.items() if note}


def _json_line(record: dict[str, object]) -> str:
    return json.dumps(record, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def _flat(text: str) -> str:
    # Tabs and line ends are the formats' own; a text that holds them is written on one line.
    return text.replace("\r\n", " ").translate({9: " ", 10: " ", 13: " "})
