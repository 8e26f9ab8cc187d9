import json
from collections.abc import Callable
from pathlib import Path

import pytest

from adapterkit.data.labelled import read_labelled, read_tagged, read_words
from adapterkit.data.writing import PredictedText, ScoredText, write_predictions, write_scored
from adapterkit.errors import ConfigError, CorpusError

TAGGED = [
    PredictedText("Croeso # i", ("Croeso", "#", "i"), ("NOUN", "SYM", "ADP"), (0.75, 1.0, 1 / 3)),
    PredictedText("Ie", ("Ie",), ("INTJ",), (0.5,)),
]
CLASSIFIED = [
    PredictedText("da\tiawn\r\nwir", (), ("good",), (0.9999999,)),
    PredictedText('"drwg"', (), ("bad",), (0.25,)),
]


def test_conllu_has_ten_columns_with_the_tag_in_upos() -> None:
    assert write_predictions(None, TAGGED[:1], format="conllu") == (
        "# sent_id = 1\n"
        "# text = Croeso # i\n"
        "1\tCroeso\t_\tNOUN\t_\t_\t_\t_\t_\t_\n"
        "2\t#\t_\tSYM\t_\t_\t_\t_\t_\t_\n"
        "3\ti\t_\tADP\t_\t_\t_\t_\t_\t_\n"
        "\n"
    )


def test_conllu_keeps_other_labels_in_misc() -> None:
    text = PredictedText("Ada\nL.", ("Ada", "L."), ("B-PER", "I-PER"), (1.0, 1.0))
    written = write_predictions(None, [text], format="conllu", column="ner")
    assert written is not None
    assert "# text = Ada L.\n1\tAda\t_\t_\t_\t_\t_\t_\t_\tNER=B-PER\n" in written


def test_tsv_has_a_word_a_line_and_a_blank_line_between_sentences() -> None:
    assert write_predictions(None, TAGGED, format="tsv") == (
        "Croeso\tNOUN\t0.750000\n#\tSYM\t1.000000\ni\tADP\t0.333333\n\nIe\tINTJ\t0.500000\n"
    )


def test_tsv_of_classified_texts_keeps_each_on_one_line() -> None:
    assert write_predictions(None, CLASSIFIED, format="tsv") == (
        'text\tlabel\tscore\nda iawn wir\tgood\t1.000000\n"drwg"\tbad\t0.250000\n'
    )


def test_tagged_and_classified_texts_do_not_go_into_one_table() -> None:
    for mixed in ([*TAGGED, *CLASSIFIED], [*CLASSIFIED, PredictedText("", (), (), ())]):
        with pytest.raises(ConfigError, match="here are both; write them as jsonl"):
            write_predictions(None, mixed, format="tsv")


def test_sentences_keep_their_numbers_beside_texts_without_words() -> None:
    nothing = PredictedText("", (), (), ())
    found = write_predictions(None, [TAGGED[0], nothing, TAGGED[1]], format="conllu")
    assert found is not None
    assert [line for line in found.splitlines() if "sent_id" in line] == [
        "# sent_id = 1",
        "# sent_id = 3",
    ]


def test_json_lines_have_sorted_keys_and_rounded_scores() -> None:
    assert write_predictions(None, [TAGGED[1], *CLASSIFIED], format="jsonl") == (
        '{"labels": ["INTJ"], "scores": [0.5], "text": "Ie", "tokens": ["Ie"]}\n'
        '{"label": "good", "score": 1.0, "text": "da\\tiawn\\r\\nwir"}\n'
        '{"label": "bad", "score": 0.25, "text": "\\"drwg\\""}\n'
    )
    third = write_predictions(None, TAGGED[:1], format="jsonl")
    assert third is not None
    assert json.loads(third)["scores"] == [0.75, 1.0, 0.333333]


@pytest.mark.parametrize(
    ("name", "column", "read_column"),
    [
        ("a.conllu", "upos", "upos"),
        ("a.conllu", "xpos", "xpos"),
        ("a.conllu", "ner", "ner"),
        ("a.tsv", "upos", "2"),
        ("a.jsonl", "upos", "labels"),
    ],
)
def test_what_is_written_for_words_is_read_again(
    tmp_path: Path, name: str, column: str, read_column: str
) -> None:
    path = tmp_path / name
    assert write_predictions(path, TAGGED, format=path.suffix[1:], column=column) is None
    read = read_tagged(path, column=read_column)
    assert [(s.words, s.tags) for s in read] == [(t.tokens, t.labels) for t in TAGGED]


@pytest.mark.parametrize("name", ["a.tsv", "a.jsonl"])
def test_what_is_written_for_texts_is_read_again(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_predictions(path, CLASSIFIED[1:], format=path.suffix[1:])
    assert [(t.text, t.label) for t in read_labelled(path)] == [('"drwg"', "bad")]


def test_a_text_without_words_is_kept_where_the_format_can() -> None:
    empty = PredictedText(" ", (), (), ())
    assert write_predictions(None, [empty], format="conllu") == ""
    assert write_predictions(None, [empty, TAGGED[1]], format="tsv") == "Ie\tINTJ\t0.500000\n"
    assert write_predictions(None, [empty], format="jsonl") == (
        '{"labels": [], "scores": [], "text": " ", "tokens": []}\n'
    )


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="'xml' is not known; there are: conllu, tsv, jsonl"):
        write_predictions(None, TAGGED, format="xml")


def test_classified_texts_do_not_go_into_conllu() -> None:
    with pytest.raises(ConfigError, match="write them as tsv or jsonl"):
        write_predictions(None, CLASSIFIED, format="conllu")


@pytest.mark.parametrize(
    ("tokens", "labels", "scores"),
    [(("a",), (), ()), (("a",), ("X",), ()), ((), ("X", "Y"), (1.0, 1.0)), ((), ("X",), ())],
)
def test_a_prediction_has_a_label_and_a_score_a_word(
    tokens: tuple[str, ...], labels: tuple[str, ...], scores: tuple[float, ...]
) -> None:
    with pytest.raises(ConfigError, match=f"{len(tokens)} words has {len(labels)} labels"):
        PredictedText("a", tokens, labels, scores)


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(ConfigError):
        write_predictions(path, CLASSIFIED, format="conllu")
    nan = PredictedText("a", (), ("X",), (float("nan"),))
    with pytest.raises(ValueError, match="JSON"):
        write_predictions(path, [nan], format="jsonl")
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_scored_examples_keep_gold_beside_predicted(tmp_path: Path) -> None:
    path = tmp_path / "scored.jsonl"
    write_scored(
        path,
        [
            ScoredText("", ("a", "b"), ("X", "Y"), ("X", "X"), id="s1"),
            ScoredText("da", (), ("good",), ("bad",), language="cym"),
            ScoredText("", ("c",), ("X",), ("Y",)),
        ],
    )
    assert [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] == [
        {"tokens": ["a", "b"], "gold": ["X", "Y"], "predicted": ["X", "X"], "id": "s1"},
        {"text": "da", "gold": "good", "predicted": "bad", "lang": "cym"},
        {"tokens": ["c"], "gold": ["X"], "predicted": ["Y"]},
    ]
    assert read_words(path) == [("a", "b"), "da", ("c",)]


TREES = """\
# newdoc
# sent_id = weblog-7
# text = Dámelo ya
1-3\tDámelo\t_\t_\t_\t_\t_\t_\t_\t_
1\tDa\tdar\tVERB\t_\tMood=Imp\t0\troot\t_\t_
2\tme\tyo\tPRON\t_\t_\t1\tiobj\t_\tner=O|Gloss=me
3\tlo\tél\tPRON\t_\t_\t1\tobj\t_\tGloss=it
3.1\tse\t_\t_\t_\t_\t_\t_\t_\t_
4\tya\tya\tADV\t_\t_\t1\tadvmod\t_\tSpaceAfter=No

# nothing is said here

# sent_id = weblog-8
1\tSí\tsí\t_\t_\t_\t0\troot\t_\t_

"""


def predicted_for(path: Path) -> list[PredictedText]:
    return [
        PredictedText(
            " ".join(words), tuple(words), tuple(w.upper() for w in words), (1.0,) * len(words)
        )
        for words in read_words(path)
    ]


def test_conllu_from_conllu_keeps_all_but_the_predicted_tags(tmp_path: Path) -> None:
    source = tmp_path / "a.conllu"
    source.write_text(TREES, encoding="utf-8")
    said = predicted_for(source)
    expected = (
        TREES.replace("\tdar\tVERB", "\tdar\tDA")
        .replace("\tyo\tPRON", "\tyo\tME")
        .replace("\tél\tPRON", "\tél\tLO")
        .replace("\tya\tADV", "\tya\tYA")
        .replace("\tsí\t_", "\tsí\tSÍ")
    )
    assert write_predictions(None, said, format="conllu", source=source) == expected
    assert write_predictions(source, said, format="conllu", source=source) is None
    assert source.read_text(encoding="utf-8") == expected


def test_a_tag_in_misc_is_replaced_or_stands_beside_what_is_there(tmp_path: Path) -> None:
    source = tmp_path / "a.conllu"
    source.write_text(TREES, encoding="utf-8")
    written = write_predictions(
        None, predicted_for(source), format="conllu", column="ner", source=source
    )
    assert written is not None
    misc = [line.split("\t")[9] for line in written.splitlines() if line[:1].isdigit()]
    assert misc == [
        "_",
        "NER=DA",
        "NER=ME|Gloss=me",
        "Gloss=it|NER=LO",
        "_",
        "SpaceAfter=No|NER=YA",
        "NER=SÍ",
    ]


@pytest.mark.parametrize("change", [lambda t: t[:1], lambda t: [*t, t[0]], lambda t: [t[1], t[0]]])
def test_tags_of_another_file_are_not_written(
    tmp_path: Path, change: Callable[[list[PredictedText]], list[PredictedText]]
) -> None:
    source = tmp_path / "a.conllu"
    source.write_text(TREES, encoding="utf-8")
    with pytest.raises(CorpusError, match=r"a.conllu: has (more|fewer) (words|sentences)"):
        write_predictions(None, change(predicted_for(source)), format="conllu", source=source)


def test_a_source_of_another_format_says_nothing_of_how_it_is_written(tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    assert write_predictions(None, TAGGED, format="conllu", source=source) == write_predictions(
        None, TAGGED, format="conllu"
    )
