"""A corpus from files, data sets and memory."""

import gzip
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapterkit.data.corpus import Corpus
from adapterkit.data.datasets_door import rows_of
from adapterkit.errors import ConfigError, CorpusError

SENTENCES = [f"This is the sentence of number {index}." for index in range(100)]


def from_text(path: Path, text: str) -> Corpus:
    path.write_text(text, encoding="utf-8")
    return Corpus.from_files(path, language="eng")


def test_lines_come_cleaned_in_order_and_every_pass_is_the_same(tmp_path: Path) -> None:
    corpus = from_text(tmp_path / "a.txt", "\n\n".join(f"  {line} " for line in SENTENCES))
    assert [line.text for line in corpus.lines()] == SENTENCES
    assert list(corpus.lines()) == list(corpus.lines())
    assert corpus.counts().dropped["empty"] == 99


def test_the_same_text_from_anywhere_is_the_same_corpus(tmp_path: Path) -> None:
    text = "\n".join(reversed(SENTENCES))
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(text.encode("utf-16")))
    packed = Corpus.from_files([tmp_path / "b.txt.gz"], language="en", encoding="utf-16")
    plain = from_text(tmp_path / "a.txt", "\n".join(SENTENCES))
    memory = Corpus.from_lines(SENTENCES, language="eng", licence="CC0")
    assert packed.fingerprint() == plain.fingerprint() == memory.fingerprint()
    assert set(packed.lines()) == set(plain.lines()) == set(memory.lines())
    assert packed.language == "eng"
    assert memory.licence == "CC0"


@pytest.mark.long
@given(st.lists(st.text(max_size=30), max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_lines_changes_neither_fingerprint_nor_split(
    extra: list[str], chance: object
) -> None:
    lines = [*SENTENCES[:5], *extra]
    shuffled = lines.copy()
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    left = Corpus.from_lines(lines, language="eng")
    right = Corpus.from_lines(shuffled, language="eng")
    assert left.fingerprint() == right.fingerprint()
    assert set(left.lines()) == set(right.lines())


def test_there_is_always_a_line_to_train_on_and_a_line_held_out() -> None:
    for index in range(0, 100, 2):
        pair = Corpus.from_lines(SENTENCES[index : index + 2], language="eng")
        assert {line.heldout for line in pair.lines()} == {True, False}
        assert pair.counts().heldout == 1


@pytest.mark.parametrize("text", ["One line of good text.", "?!\n\n...\n", " \n"])
def test_a_corpus_without_two_lines_worth_keeping_is_refused(tmp_path: Path, text: str) -> None:
    corpus = from_text(tmp_path / "a.txt", text)
    with pytest.raises(CorpusError, match=r"a\.txt has [01] worth keeping of"):
        list(corpus.lines())


def test_a_missing_file_and_a_wrong_code_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no such file"):
        Corpus.from_files(tmp_path / "a.txt", language="eng")
    with pytest.raises(ConfigError, match="not a language code"):
        Corpus.from_lines(SENTENCES, language="English text")


def test_a_languages_name_does_for_its_code_and_the_text_is_not_shown() -> None:
    corpus = Corpus.from_lines(["Croeso i Gymru", "Diolch yn fawr"], language="Welsh")
    assert corpus.language == "cym"
    assert "Croeso" not in repr(corpus)
    assert Corpus.from_lines(["a"], language="Haitian Creole").language == "hat"


def test_the_key_of_the_text_may_be_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"body": "one two three"}\n{"body": "four five six"}\n', encoding="utf-8")
    corpus = Corpus.from_files(str(path), language="eng", text_field="body")
    assert corpus.counts().kept == 2


def test_lines_that_can_be_read_only_once_are_refused() -> None:
    for once in (iter(SENTENCES), "one string"):
        with pytest.raises(CorpusError, match="give a list"):
            Corpus.from_lines(once, language="eng")
    with pytest.raises(CorpusError, match="line 1 of the list is int"):
        Corpus.from_lines(["one two three", 2], language="eng").counts()  # type: ignore[list-item]


def test_the_profile_counts_what_lines_yields() -> None:
    report = Corpus.from_lines([*SENTENCES, *SENTENCES[:50]], language="eng").profile()
    assert report.counts.kept == 100
    assert report.words == 700
    assert report.as_dict()["language"] == "eng"


def test_a_corpus_can_be_sent_to_another_process(tmp_path: Path) -> None:
    corpus = from_text(tmp_path / "a.txt", "\n".join(SENTENCES))
    again = pickle.loads(pickle.dumps(corpus))
    assert list(again.lines()) == list(corpus.lines())


def test_reading_a_corpus_imports_no_heavy_library() -> None:
    program = (
        "import sys; from adapterkit.data.corpus import Corpus;"
        "Corpus.from_lines(['one two three', 'four five six'], language='eng').profile();"
        "assert not {'torch', 'transformers', 'datasets', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.long
def test_every_kind_of_datasets_object_gives_the_same_corpus() -> None:
    datasets = pytest.importorskip("datasets")
    table = datasets.Dataset.from_dict({"text": [*SENTENCES, None], "n": list(range(101))})
    expected = Corpus.from_lines(SENTENCES, language="eng").fingerprint()
    streamed = datasets.IterableDataset.from_generator(lambda: iter(table))
    for dataset in (table, table.to_iterable_dataset(), streamed):
        assert Corpus.from_dataset(dataset, language="eng").fingerprint() == expected
        split = datasets.DatasetDict({"train": table})
        assert Corpus.from_dataset(split, language="eng").fingerprint() == expected


@pytest.mark.long
def test_a_wrong_data_set_split_column_or_type_is_refused_with_what_there_is() -> None:
    datasets = pytest.importorskip("datasets")
    table = datasets.Dataset.from_dict({"body": SENTENCES, "n": list(range(100))})
    with pytest.raises(CorpusError, match="'text' was asked for, found body, n"):
        Corpus.from_dataset(table, language="eng")
    with pytest.raises(CorpusError, match="'train' was asked for, found test"):
        Corpus.from_dataset(datasets.DatasetDict({"test": table}), language="eng")
    with pytest.raises(CorpusError, match="row 0: column 'n' holds int"):
        Corpus.from_dataset(table, language="eng", column="n").counts()
    with pytest.raises(CorpusError, match="expected, found list"):
        Corpus.from_dataset(SENTENCES, language="eng")
    with pytest.raises(CorpusError, match="is a path"):
        Corpus.from_dataset("./texts", language="eng")


def test_labelled_rows_come_by_split_with_the_names_of_their_labels() -> None:
    datasets = pytest.importorskip("datasets")
    label = datasets.ClassLabel(names=["bad", "good"])
    features = datasets.Features({"text": datasets.Value("string"), "label": label})
    table = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [1, 0]}, features=features)
    splits = datasets.DatasetDict({"train": table, "validation": table, "heldback": table})
    for split, names in (("train", None), ("dev", None), ("test", {"test": "heldback"})):
        rows, labels = rows_of(splits, split=split, names=names, column="label")
        assert rows is not None
        assert [row["text"] for row in rows] == ["a", "b"]
        assert labels == ["bad", "good"]
    assert rows_of(splits, split="test", column="label") == (None, None)
    assert rows_of(table, split="train", column="label") == (None, None)
    assert rows_of(table, split="test", column="text")[1] is None
    with pytest.raises(CorpusError, match="found train, validation, heldback"):
        rows_of(splits, split="test", names={"test": "other"}, column="label")


def test_the_labels_of_tags_are_named_through_their_lists() -> None:
    datasets = pytest.importorskip("datasets")
    tags = datasets.Sequence(datasets.ClassLabel(names=["O", "B-PER"]))
    features = datasets.Features({"tags": tags})
    table = datasets.Dataset.from_dict({"tags": [[0, 1]]}, features=features)
    assert rows_of(table, split="test", column="tags")[1] == ["O", "B-PER"]
