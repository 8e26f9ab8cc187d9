import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from adapterkit.data.labelled import (
    LabelledText,
    TaggedSentence,
    labelled_from_rows,
    read_labelled,
    read_tagged,
    read_words,
    tagged_from_rows,
)
from adapterkit.errors import CorpusError

CONLLU = """\
# newdoc id = d
# sent_id = s-1
# text = Vámonos # al mar
1-2\tVámonos\t_\t_\t_\t_\t_\t_\t_\t_
1\tVamos\tir\tVERB\tV\tMood=Imp\t0\troot\t_\tNER=O
2\tnos\tnosotros\tPRON\tP\t_\t1\tobj\t_\tX=1|NER=B-PER
3\t#\t#\tSYM\tS\t_\t1\tdep\t_\tNER=O
3.1\tghost\tghost\tNOUN\tN\t_\t_\t_\t_\t_

1\tSí\tsí\tINTJ\tI\t_\t0\troot\t_\tNER=O
"""


def put(path: Path, content: str) -> Path:
    path.write_bytes(content.encode())
    return path


def lines(*records: object) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def refusal(read: Callable[[], object]) -> str:
    with pytest.raises(CorpusError) as error:
        read()
    return str(error.value)


def test_conllu_gives_the_syntactic_words_and_their_upos(tmp_path: Path) -> None:
    path = put(tmp_path / "a.conllu", CONLLU)
    assert read_tagged(path, column=None, language="spa") == [
        TaggedSentence(("Vamos", "nos", "#"), ("VERB", "PRON", "SYM"), "s-1", "spa"),
        TaggedSentence(("Sí",), ("INTJ",), "", "spa"),
    ]


@pytest.mark.parametrize(
    ("column", "tags"),
    [
        ("xpos", ("V", "P", "S")),
        ("deprel", ("root", "obj", "dep")),
        ("lemma", ("ir", "nosotros", "#")),
        ("feats", ("Mood=Imp", "_", "_")),
        ("ner", ("O", "B-PER", "O")),
    ],
)
def test_conllu_has_other_columns_by_name(
    tmp_path: Path, column: str, tags: tuple[str, ...]
) -> None:
    path = put(tmp_path / "a.conllu", CONLLU)
    assert read_tagged(path, column=column)[0].tags == tags


def test_the_last_sentence_needs_no_blank_line_and_windows_line_ends_are_fine(
    tmp_path: Path,
) -> None:
    path = put(tmp_path / "a.conllu", CONLLU.rstrip("\n").replace("\n", "\r\n"))
    assert [s.tags[-1] for s in read_tagged(path, column="upos")] == ["SYM", "INTJ"]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_byte_order_mark_and_gzip_change_nothing(tmp_path: Path, mark: str, suffix: str) -> None:
    content = f"{mark}lang\tlabel\ttext\neng\tgood\tfine\n".encode()
    path = tmp_path / f"a.TSV{suffix}"
    path.write_bytes(gzip.compress(content) if suffix else content)
    assert read_labelled(path, language="eng") == [LabelledText("fine", "good", "", "eng")]


def test_a_word_without_a_tag_is_named_with_its_line(tmp_path: Path) -> None:
    path = put(tmp_path / "a.conllu", CONLLU.replace("INTJ", "_"))
    message = refusal(lambda: read_tagged(path, column="upos"))
    assert message.startswith(f"{path}, line 10: the word 'Sí' has no tag in the column 'upos'")


def test_an_unknown_conllu_column_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    path = put(tmp_path / "a.conllu", CONLLU)
    message = refusal(lambda: read_tagged(path, column="upso"))
    assert "'upso'" in message
    assert "lemma, upos, xpos, feats, deprel" in message


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("Sí\tINTJ", "line 3: a CoNLL-U line has 10 columns between tabs, this one has 2"),
        ("x\tSí" + "\t_" * 8, "line 3: a number and a word were expected"),
        ("1\t" + "\t_" * 8, "line 3: a number and a word were expected"),
    ],
)
def test_what_is_not_conllu_is_refused_with_its_line(
    tmp_path: Path, line: str, problem: str
) -> None:
    path = put(tmp_path / "a.conllu", f"# a\n\n{line}\n")
    assert problem in refusal(lambda: read_tagged(path, column="upos"))


@pytest.mark.parametrize("separator", ["\t", " "])
def test_words_and_tags_in_columns_are_read(tmp_path: Path, separator: str) -> None:
    content = "-DOCSTART- O\n\n# sent_id = 1\n# text = Ada # 1\nAda B-PER\n# O\n1 O\n\n\nSo O\n"
    rows = [
        line if line.startswith("# ") and line != "# O" else line.replace(" ", separator)
        for line in content.split("\n")
    ]
    path = put(tmp_path / "a.bio", "\n".join(rows))
    assert read_tagged(path, column=None) == [
        TaggedSentence(("Ada", "#", "1"), ("B-PER", "O", "O")),
        TaggedSentence(("So",), ("O",)),
    ]


@pytest.mark.parametrize("header", ["Word\tTag\n", "token\tner_tag\n\n", "word upos\n"])
def test_the_names_of_columns_are_no_word_and_its_tag(tmp_path: Path, header: str) -> None:
    between = " " if " upos" in header else "\t"
    path = put(tmp_path / "a.txt", header + f"word{between}NOUN\ntag{between}X\n")
    assert read_tagged(path, column=None) == [TaggedSentence(("word", "tag"), ("NOUN", "X"))]
    if between == "\t":
        assert read_words(path) == [("word", "tag")]


def test_names_of_columns_stand_in_the_first_line_only(tmp_path: Path) -> None:
    path = put(tmp_path / "a.tsv", "a\tDET\nword\tlabel\n")
    assert read_tagged(path, column=None)[0].words == ("a", "word")
    path = put(tmp_path / "c.tsv", "Ann\tlabel\nruns\tlabel\n")
    assert read_tagged(path, column=None)[0].words == ("Ann", "runs")
    path = put(tmp_path / "b.tsv", "token\tpos\tner\nAda\tPROPN\tB-PER\n")
    assert read_tagged(path, column="3")[0].tags == ("B-PER",)
    assert read_tagged(path, column="2")[0].words == ("Ada",)


def test_a_comment_of_two_words_is_no_word(tmp_path: Path) -> None:
    path = put(tmp_path / "a.txt", "# sentence\nAda NOUN\n#ada NOUN\n")
    assert read_tagged(path, column=None)[0].words == ("Ada", "#ada")


def test_a_hashtag_with_the_only_tag_of_its_kind_is_a_word(tmp_path: Path) -> None:
    path = put(tmp_path / "a.txt", "so O\n#ada B-PER\n")
    assert read_tagged(path, column=None)[0].tags == ("O", "B-PER")


def test_a_word_between_tabs_may_hold_spaces(tmp_path: Path) -> None:
    path = put(tmp_path / "a.tsv", "1 000\tNUM\n#\tSYM\n")
    assert read_tagged(path, column=None)[0].words == ("1 000", "#")


def test_the_tag_of_many_columns_is_asked_for_by_number(tmp_path: Path) -> None:
    path = put(tmp_path / "a.conll", "-DOCSTART- -X- -X- O\n\nEU NNP I-NP B-ORG\n")
    assert read_tagged(path, column="4")[0].tags == ("B-ORG",)
    assert read_tagged(path, column="2")[0].tags == ("NNP",)
    message = refusal(lambda: read_tagged(path, column=None))
    assert "line 3: has 4 columns, a word and its tag were expected. Say which" in message
    assert "line 3: a word and a tag in column 5" in refusal(lambda: read_tagged(path, column="5"))
    assert "have no names" in refusal(lambda: read_tagged(path, column="upos"))
    assert "have no names" in refusal(lambda: read_tagged(path, column="1"))


def test_a_separator_may_be_given(tmp_path: Path) -> None:
    path = put(tmp_path / "a.txt", "Ada|B-PER\n#|O\n")
    assert read_tagged(path, column=None, separator="|")[0].tags == ("B-PER", "O")


def test_a_line_without_a_tag_is_refused_with_its_number(tmp_path: Path) -> None:
    path = put(tmp_path / "a.bio", "Ada B-PER\nLovelace\n")
    message = refusal(lambda: read_tagged(path, column=None))
    assert message == f"{path}, line 2: a word and its tag were expected, found ['Lovelace']"


def test_json_lines_are_filtered_by_language(tmp_path: Path) -> None:
    records = (
        {"lang": "eng", "tokens": ["a"], "tags": ["O"], "id": 7},
        {"lang": "cym", "tokens": ["b", "c"], "tags": ["O", "B-LOC"]},
        {"lang": "eng", "tokens": [], "tags": []},
    )
    path = put(tmp_path / "a.jsonl", lines(*records) + "\n")
    assert read_tagged(path, column=None, language="eng") == [
        TaggedSentence(("a",), ("O",), "7", "eng")
    ]
    assert len(read_tagged(path, column=None)) == 2
    message = refusal(lambda: read_tagged(path, column=None, language="bre"))
    assert message == f"{path}: nothing in the language 'bre'; there are: cym, eng"


def test_json_lines_have_their_tags_under_any_key(tmp_path: Path) -> None:
    path = put(tmp_path / "a.jsonl", lines({"tokens": ["a"], "upos": ["X"]}))
    assert read_tagged(path, column="upos")[0].tags == ("X",)
    message = refusal(lambda: read_tagged(path, column=None))
    assert message == f"{path}, line 1: there is no 'tags'; there are: tokens, upos"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{'a'}", "not one JSON object a line"),
        ("[1]", "holds a list, a JSON object was expected"),
        (lines({"tokens": ["a", "b"], "tags": ["O"]}), "has 2 words and 'tags' has 1 tags"),
        (lines({"tokens": "a b", "tags": ["O"]}), "'tokens' holds a str, not a list"),
        (lines({"tokens": ["a", ""], "tags": ["O", "O"]}), "'tokens' holds '', not a word"),
        (lines({"tokens": ["a", 1], "tags": ["O", "O"]}), "'tokens' holds 1, not a word"),
        (lines({"tokens": ["a"], "tags": [None]}), "the label is None"),
        (lines({"tokens": ["a"], "tags": [""]}), "the label is ''"),
    ],
)
def test_wrong_json_lines_are_refused_with_their_number(
    tmp_path: Path, line: str, problem: str
) -> None:
    good = lines({"tokens": ["a"], "tags": ["O"]})
    path = put(tmp_path / "a.jsonl", good + line)
    message = refusal(lambda: read_tagged(path, column=None))
    assert message.startswith(f"{path}, line 2: ")
    assert problem in message


def test_a_quote_in_tsv_is_a_plain_character(tmp_path: Path) -> None:
    path = put(tmp_path / "a.tsv", 'label\ttext\n1\t"so\u2028it\n0\tgoes"\n')
    assert [t.text for t in read_labelled(path)] == ['"so\u2028it', 'goes"']
    assert [t.label for t in read_labelled(path)] == ["1", "0"]


def test_a_long_text_stands_in_csv_as_in_tsv(tmp_path: Path) -> None:
    text = "word " * 40_000
    tsv = put(tmp_path / "a.tsv", f"text\tlabel\n{text}\tgood\n")
    table = put(tmp_path / "a.csv", f'text,label\n"{text}",good\n')
    assert read_labelled(table) == read_labelled(tsv)


@pytest.mark.parametrize("mark", [";", "\t"])
def test_what_is_called_csv_may_be_separated_by_semicolons_or_tabs(
    tmp_path: Path, mark: str
) -> None:
    path = put(tmp_path / "a.csv", f'text{mark}label\n"so, it; is"{mark}good\nno, no{mark}bad\n')
    assert read_labelled(path) == [
        LabelledText("so, it; is", "good"),
        LabelledText("no, no", "bad"),
    ]
    table = put(tmp_path / "b.csv", "text,label\nso; it\tis,good\n")
    assert read_labelled(table) == [LabelledText("so; it\tis", "good")]


def test_a_quote_in_csv_quotes(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", 'id,label,text\n1,good,"so, ""it""\nis"\n')
    assert read_labelled(path) == [LabelledText('so, "it"\nis', "good", "1")]
    broken = put(tmp_path / "b.csv", 'label,text\ngood,"so"it\n')
    assert f"{broken}, line 2: not CSV" in refusal(lambda: read_labelled(broken))


def test_labelled_json_lines_are_read_with_columns_by_name(tmp_path: Path) -> None:
    path = put(tmp_path / "a.jsonl", lines({"review": "so", "stars": 5, "id": "x"}))
    texts = read_labelled(path, text_column="review", label_column="stars")
    assert texts == [LabelledText("so", "5", "x")]


def test_wrong_tables_are_refused_with_file_and_line(tmp_path: Path) -> None:
    path = put(tmp_path / "a.tsv", "label\ttext\ngood\tso\ngood\n")
    assert refusal(lambda: read_labelled(path)) == (
        f"{path}, line 3: has 1 columns, the header has 2: label, text"
    )
    assert (
        f"{path}, line 2: there is no 'sentence' to read the text from; there are: label, text"
        in refusal(lambda: read_labelled(path, text_column="sentence"))
    )
    message = refusal(lambda: read_labelled(path, language="eng"))
    assert f"{path}, line 2: the language 'eng' was asked for, but there is no 'lang'" in message
    twice = put(tmp_path / "b.tsv", "text\ttext\na\tb\n")
    assert "stands twice in the header" in refusal(lambda: read_labelled(twice))
    other = put(tmp_path / "b.xlsx", "")
    assert ".csv, .json, .jsonl, .ndjson, .tsv" in refusal(lambda: read_labelled(other))


@pytest.mark.parametrize("name", ["a.conllu", "a.bio", "a.jsonl"])
@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
def test_an_empty_file_is_refused(tmp_path: Path, name: str, content: str) -> None:
    path = put(tmp_path / name, content)
    assert refusal(lambda: read_tagged(path, column=None)) == (
        f"{path}: there is not one tagged sentence in it"
    )
    assert "not one text" in refusal(lambda: read_words(path))


@pytest.mark.parametrize("content", ["", "label\ttext\n"])
def test_a_table_without_rows_is_refused(tmp_path: Path, content: str) -> None:
    path = put(tmp_path / "a.tsv", content)
    assert "not one labelled text" in refusal(lambda: read_labelled(path, language="eng"))


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    missing = tmp_path / "no.tsv"
    assert refusal(lambda: read_labelled(missing)) == f"{missing}: there is no such file"
    assert "cannot be read" in refusal(lambda: read_words(tmp_path))
    latin = tmp_path / "latin.tsv"
    latin.write_bytes(b"label\ttext\ngood\tol\xe9\n")
    assert f"{latin}, line 2: not UTF-8 (byte 0xe9 at position 7)" in refusal(
        lambda: read_labelled(latin)
    )
    cut = tmp_path / "cut.tsv.gz"
    cut.write_bytes(gzip.compress(b"label\ttext\ngood\tso\n")[:-9])
    assert "cut or damaged" in refusal(lambda: read_labelled(cut))
    false = put(tmp_path / "false.tsv.gz", "label\ttext\n")
    assert "cut or damaged" in refusal(lambda: read_labelled(false))


def test_words_for_prediction_come_from_every_format(tmp_path: Path) -> None:
    conllu = put(tmp_path / "a.conllu", CONLLU.replace("INTJ", "_"))
    assert read_words(conllu) == [("Vamos", "nos", "#"), ("Sí",)]
    jsonl = put(tmp_path / "a.jsonl", lines({"tokens": ["a", "b"]}, {"text": "c d"}))
    assert read_words(jsonl) == [("a", "b"), "c d"]
    assert read_words(put(tmp_path / "a.txt", "\ufeffc d\n\n e\n")) == ["c d", " e"]
    tsv = put(tmp_path / "a.tsv", "lang\ttext\neng\ta\ncym\tb\n")
    assert read_words(tsv) == ["a", "b"]
    assert read_words(tsv, language="cym") == ["b"]
    assert read_words(tsv, text_column="lang") == ["eng", "cym"]
    assert read_words(put(tmp_path / "b.tsv", "text\na\n"), language="cym") == ["a"]
    short = put(tmp_path / "c.tsv", "lang\ttext\nen\ta\ncy\tb\nx?\tc\n")
    assert read_words(short, language="cym") == ["b"]
    assert "nothing in the language 'bre'" in refusal(lambda: read_words(short, language="bre"))


def test_of_a_row_with_words_and_texts_the_one_is_read_that_is_asked_for(tmp_path: Path) -> None:
    path = put(tmp_path / "a.jsonl", lines({"tokens": ["a", "b"], "text": "c d", "body": "e"}))
    assert read_words(path) == [("a", "b")]
    assert read_words(path, whole=True) == ["c d"]
    assert read_words(path, text_column="body") == ["e"]
    words = put(tmp_path / "b.jsonl", lines({"tokens": ["a", "b"]}))
    assert read_words(words, whole=True) == [("a", "b")]


def test_a_form_of_a_language_is_that_language_and_what_cannot_be_read_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = ("en", "en-GB", "en_US", "English (UK)", "", None, "fr", "eng")
    path = put(tmp_path / "a.jsonl", lines(*({"text": str(n), "lang": n} for n in names)))
    assert read_words(path, language="eng") == ["en", "en-GB", "en_US", "eng"]
    assert "left out 3 rows whose 'lang' is no language's code or name: " in caplog.text
    assert "'English (UK)', ''" in caplog.text
    assert read_words(path, language="en-GB") == ["en-GB"]
    caplog.clear()
    assert read_words(path, language="fra") == ["fr"]


def test_a_number_that_marks_what_is_not_learned_is_no_tag(tmp_path: Path) -> None:
    path = put(tmp_path / "a.jsonl", lines({"tokens": ["a", "b"], "tags": [1, -100]}))
    assert "line 1: -100 is no word's label" in refusal(lambda: read_tagged(path, column=None))


def test_quotes_that_a_program_put_into_a_tsv_are_taken_off(tmp_path: Path) -> None:
    content = 'text\tlabel\n"He said ""goal""."\tx\n"a" and "b"\ty\n"c"\tz\n"\t"\n"""\tw\n'
    read = read_labelled(put(tmp_path / "a.tsv", content))
    assert [one.text for one in read] == ['He said "goal".', '"a" and "b"', '"c"', '"', '"""']


def test_tags_of_named_entities_are_found_under_either_name(tmp_path: Path) -> None:
    line = "1\tAda" + "\t_" * 7 + "\t"
    for number, misc in enumerate(("NER=B-PER", "TAGS=B-PER", "NER=O|TAGS=B-PER")):
        path = put(tmp_path / f"{number}.conllu", line + misc + "\n\n")
        assert read_tagged(path, column="tags")[0].tags == ("B-PER",)


def test_rows_of_a_data_set_have_their_integers_named() -> None:
    rows = [
        {"tokens": ["a", "b"], "ner_tags": [0, 1], "lang": "eng", "id": "0"},
        {"tokens": ["c"], "ner_tags": [1], "lang": "cym", "id": "1"},
    ]
    read = tagged_from_rows(rows, tags_column="ner_tags", names=["O", "B-PER"])
    assert read[0] == TaggedSentence(("a", "b"), ("O", "B-PER"), "0", "eng")
    assert tagged_from_rows(rows, tags_column="ner_tags")[1].tags == ("1",)
    only = tagged_from_rows(rows, tags_column="ner_tags", language="cym")
    assert [sentence.words for sentence in only] == [("c",)]


def test_labelled_rows_of_a_data_set_have_their_integers_named() -> None:
    rows: list[dict[str, object]] = [{"premise": "so", "y": 1}, {"premise": "it", "y": "other"}]
    read = labelled_from_rows(rows, text_column="premise", label_column="y", names=["no", "yes"])
    assert read == [LabelledText("so", "yes"), LabelledText("it", "other")]


def test_wrong_rows_are_refused_with_their_number() -> None:
    rows: list[dict[str, object]] = [{"text": "a", "label": 0}, {"text": "b", "label": -1}]
    assert refusal(lambda: labelled_from_rows(rows, names=["x", "y"])).startswith(
        "row 1: the label -1 has no name, the names are x, y."
    )
    rows[1]["label"] = 2
    assert "row 1: the label 2 has no name" in refusal(
        lambda: labelled_from_rows(rows, names=["x", "y"])
    )
    assert "row 0: 'text' holds nothing, not a string" in refusal(
        lambda: labelled_from_rows([{"text": None, "label": 0}])
    )
    assert refusal(lambda: labelled_from_rows([])) == (
        "the data set: there is not one labelled text in it"
    )
    assert "row 0: there is no 'tags'" in refusal(
        lambda: tagged_from_rows([{"tokens": ["a"]}], tags_column="tags")
    )
