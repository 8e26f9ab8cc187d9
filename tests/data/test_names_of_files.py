"""What a file's name and its first lines say of it: capitals, other endings, CoNLL-U under another name, gzip."""

import gzip
from pathlib import Path

import pytest

import adapterkit as ak
from adapterkit.cli.labelled import make_task
from adapterkit.data.labelled import read_labelled, read_words
from adapterkit.data.tables import in_language, read_rows
from adapterkit.data.writing import PredictedText, ScoredText, write_predictions, write_scored
from adapterkit.errors import CorpusError

ENTITIES = "1\tAnn\t_\tPROPN\t_\t_\t_\t_\t_\tNER=B-PER\n2\truns\t_\tVERB\t_\t_\t_\t_\t_\tNER=O\n\n"
COLUMNS = "Ann\tB-PER\nruns\tO\n\n"


def ner(**files: Path) -> set[str]:
    given = {split: [path] for split, path in files.items()}
    task = make_task("ner", **given, column=None, text=None, language=None)
    return {tag for split in files for one in task.examples(split) for tag in one.tags}


@pytest.mark.parametrize("name", ["a.conllu", "A.CONLLU", "a.CoNLLU.gz"])
def test_entities_are_read_from_conllu_whatever_the_case_of_its_name(
    tmp_path: Path, name: str
) -> None:
    data = ENTITIES.encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    assert ner(train=tmp_path / name) == {"B-PER", "O"}


def test_each_file_of_entities_is_read_as_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.conllu").write_text(ENTITIES)
    (tmp_path / "b.bio").write_text(COLUMNS)
    (tmp_path / "c.NDJSON").write_text('{"tokens": ["Ann"], "tags": ["B-PER"]}\n')
    files = {"train": "a.conllu", "dev": "b.bio", "test": "c.NDJSON"}
    assert ner(**{split: tmp_path / name for split, name in files.items()}) == {"B-PER", "O"}


@pytest.mark.parametrize("column", [None, "4", "10"])
def test_conllu_under_another_name_is_called_that_and_its_numbers_are_no_words(
    tmp_path: Path, column: str | None
) -> None:
    path = tmp_path / "a.conll"
    path.write_text(f"# sent_id = 1\n{ENTITIES}")
    with pytest.raises(CorpusError, match=r"a\.conll, line 2: this is CoNLL-U .* name the file"):
        ak.Tagging.from_files(test=path, column=column)
    with pytest.raises(CorpusError, match="this is CoNLL-U under another name"):
        read_words(path)


def test_the_number_of_a_column_may_be_a_number(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("Ann\tPROPN\tB-PER\nruns\tVERB\tO\n")
    for column in (3, "3"):
        (one,) = ak.Tagging.from_files(test=path, column=column).examples("test")
        assert one.tags == ("B-PER", "O")


def test_of_words_with_labels_the_words_are_predicted_for(tmp_path: Path) -> None:
    path = tmp_path / "a.bio"
    path.write_text(f"-DOCSTART-\tO\n\n{COLUMNS}# 1\nHe\tO\n")
    assert read_words(path) == [("Ann", "runs"), ("He",)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ann B-PER\nruns O\n\n. O\n", [("Ann", "runs"), (".",)]),
        (
            "-DOCSTART- -X- -X- O\n\nEU NNP I-NP B-ORG\nis VBZ I-VP O\n. . O O\n",
            [("EU", "is", ".")],
        ),
        ("# a b\nAnn PROPN\nruns VERB\n. PUNCT\n", [("Ann", "runs", ".")]),
        ("token pos\nAnn PROPN\nruns VERB\n. PUNCT\n", [("Ann", "runs", ".")]),
        ("10 000\tNUM\na\tDET\nb\tX\n", [("10 000", "a", "b")]),
    ],
)
def test_words_with_labels_are_the_words_that_a_scoring_reads(
    tmp_path: Path, text: str, words: list[tuple[str, ...]]
) -> None:
    path = tmp_path / "a.txt"
    path.write_text(text)
    assert read_words(path) == words
    column = str(len(text.splitlines()[-1].split())) if "\t" not in text else None
    scored = ak.Tagging.from_files(test=path, column=column).examples("test")
    assert [one.words for one in scored] == words


def test_words_are_no_texts_because_a_document_begins_with_a_tab(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("-DOCSTART-\tO\n\nAnn B-PER\nruns O\n. O\n")
    with pytest.raises(CorpusError, match=r"line 1: a word and a tag .* were expected"):
        read_words(path)


@pytest.mark.parametrize(
    "text",
    [
        "Type O\nGroup B\nGroup O\n",
        "Ann O\nruns O\n",
        "a b O\nc O\nd O\n",
        "O\nO\nO\n",
        "A long text\tgood\nand another\tbad\n",
        "it is an X\nit is a X\nit is an ADV\nmore\n",
    ],
)
def test_lines_that_only_look_like_words_with_labels_are_texts(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(text)
    assert read_words(path) == text.splitlines()


@pytest.mark.parametrize("text", ["1\tAnn runs\n2\tHe runs\n", "Ann runs\n\nHe\truns\n"])
def test_lines_of_text_may_hold_tabs(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(text)
    assert read_words(path) == [line for line in text.splitlines() if line]


def test_a_language_is_found_by_its_name_on_either_side(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("text\tlabel\tlang\nBore da\tx\tWelsh\nDydh da\ty\tcor\n")
    for said in ("cym", "cy", "Welsh", "welsh"):
        assert [one.text for one in read_labelled(path, language=said)] == ["Bore da"]
        assert len(list(in_language(read_rows(path), said, source="x"))) == 1
    (tmp_path / "a.conllu").write_text(ENTITIES)
    task = ak.Tagging.from_files(test=tmp_path / "a.conllu", language="Welsh")
    assert task.examples("test")[0].language == "cym"


def test_what_is_written_is_compressed_where_its_name_says_so(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl.gz"
    write_predictions(path, [PredictedText("a b", ("a", "b"), ("X", "Y"), (1, 1))], format="jsonl")
    assert read_words(path) == [("a", "b")]
    before = path.read_bytes()
    write_predictions(path, [PredictedText("a b", ("a", "b"), ("X", "Y"), (1, 1))], format="jsonl")
    assert path.read_bytes() == before
    write_scored(path, [ScoredText("", ("a",), ("X",), ("X",))])
    assert gzip.decompress(path.read_bytes()).startswith(b"{")
