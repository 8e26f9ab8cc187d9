"""A recipe's data: what is read from files of one language and of many, and samples of texts."""

import json
from pathlib import Path

import pytest

from adapterkit.errors import ConfigError, CorpusError
from adapterkit.experiments.data import DataFolder
from adapterkit.experiments.recipe import Labelled
from adapterkit.files import sha256_of
from tests.experiments.small import write


def reference_to(path: Path) -> dict[str, str]:
    return {"file": path.name, "sha256": sha256_of(path)}


def test_a_file_that_is_another_since_the_grid_was_made_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "cym.txt", "one two three four\n" * 3)
    words = write(tmp_path / "cym.jsonl", '{"tokens": ["a"], "tags": ["O"]}\n')
    data, text, labelled = DataFolder(tmp_path), reference_to(path), reference_to(words)
    assert data.text_bytes(text) == 57
    write(path, "five six seven eight\n")
    words.unlink()
    for read in (
        lambda: data.corpus([text], "cym", None),
        lambda: data.text_bytes(text),
        lambda: data.examples(Labelled("x", "ner"), "cym", labelled, "test"),
    ):
        with pytest.raises(ConfigError, match="is not what it was when the grid was made"):
            read()


def test_a_file_of_one_language_needs_no_column_for_it(tmp_path: Path) -> None:
    texts = write(tmp_path / "eng.train.tsv", "text\tlabel\ngood one\tpos\nbad one\tneg\n")
    words = write(tmp_path / "eng.train.jsonl", '{"tokens": ["a"], "tags": ["O"]}\n')
    data = DataFolder(tmp_path)
    for kind, path in (("classification", texts), ("ner", words)):
        task = Labelled("x", kind, files="{language}.{split}" + path.suffix)
        place = data.labelled(task, "eng", "train")
        assert place is not None
        examples = data.examples(task, "eng", place, "train")
        assert {example.language for example in examples} == {"eng"}
    write(tmp_path / "eng.dev.tsv", "text\tlabel\tlang\ngood one\tpos\teng\nun drwg\tneg\tcym\n")
    task = Labelled("x", "classification", files="{language}.{split}.tsv")
    place = data.labelled(task, "eng", "dev")
    assert place is not None
    assert [one.text for one in data.examples(task, "eng", place, "dev")] == ["good one"]


def test_who_runs_a_recipe_reads_such_a_file_too(tmp_path: Path) -> None:
    # The parts of a grid know the file, not the pattern that led to it.
    write(tmp_path / "eng.tsv", "text\tlabel\ngood one\tpos\nbad one\tneg\n")
    write(tmp_path / "cy.tsv", "text\tlabel\tlang\nda\tpos\tcy\n")
    write(tmp_path / "many.tsv", "text\tlabel\tlang\nda\tpos\tcy\nmat\tpos\tbre\n")
    data, task = DataFolder(tmp_path), Labelled("x", "classification")
    many = reference_to(tmp_path / "many.tsv")
    assert len(data.examples(task, "eng", reference_to(tmp_path / "eng.tsv"), "train")) == 2
    assert len(data.examples(task, "cym", reference_to(tmp_path / "cy.tsv"), "train")) == 1
    assert [one.text for one in data.examples(task, "bre", many, "x")] == ["mat"]
    with pytest.raises(CorpusError, match="glv"):  # no row of others is taken for it
        data.examples(task, "glv", many, "test")


def test_a_sample_of_json_lines_is_of_their_texts(tmp_path: Path) -> None:
    records = [{"text": f"one two three four number {number}"} for number in range(200)]
    write(tmp_path / "cym.jsonl", "".join(json.dumps(record) + "\n" for record in records))
    reference = reference_to(tmp_path / "cym.jsonl")
    sample = DataFolder(tmp_path).corpus([reference], "cym", 0.002)
    found = {line.text for line in sample.lines()}
    assert found < {record["text"] for record in records}
    assert len(found) > 40
