import gzip
import json
from pathlib import Path

import pytest

from adapterkit.data.overlap import count_overlap, read_sentences, sentence_key
from adapterkit.errors import ConfigError


def test_spaces_punctuation_case_and_composition_do_not_hide_a_sentence() -> None:
    assert sentence_key("Caf\u00e9, n\u00ba 5!") == sentence_key("CAFE\u0301 N\u00ba5 ...")
    assert sentence_key("Stra\u00dfe_a") == sentence_key("STRASSE a")
    assert sentence_key("one two") != sentence_key("one tow")
    assert sentence_key(" ... ") == ""
    assert sentence_key("Well done \u2764\ufe0f") == "welldone"


def test_vowel_signs_are_letters_and_the_points_of_arabic_are_not() -> None:
    assert sentence_key("రామయ్య") != sentence_key("రమయ్య")
    assert sentence_key("كَتَبَ") == sentence_key("كتب")


def test_a_sentence_in_training_text_is_counted_once_a_text_and_named() -> None:
    tests = {"a.test": ["The cat sat.", "the CAT sat", "A dog ran.", "..."], "b.test": ["Nothing."]}
    training = [
        ("eng", ["the cat sat", "The cat sat!", "The cat sat down."]),
        ("deu", ["A dog ran", "The cat sat"]),
    ]
    first, second = count_overlap(tests, training)
    assert (first.name, first.sentences, first.repeated) == ("a.test", 2, 2)
    assert first.sources == (("deu", 2), ("eng", 1))
    assert first.examples == ("thecatsat", "adogran")
    assert first.short == 2
    assert (second.repeated, second.sources, second.exempt) == (0, (), False)


def test_a_set_that_is_trained_on_is_not_compared_with_itself_but_others_are_with_it() -> None:
    tests = {"a.test": ["One two three."], "t.test": ["One two three.", "Four five."]}
    training = [("t.test", ["One two three.", "Four five."])]
    a, t = count_overlap(tests, training, exempt=["t.test"])
    assert (a.repeated, a.exempt) == (1, False)
    assert (t.repeated, t.exempt) == (0, True)


def test_a_misspelt_exemption_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no test set: tatoeba; there are: tatoeba\.test"):
        count_overlap({"tatoeba.test": ["x"]}, [], exempt=["tatoeba"])


def test_every_kind_of_file_gives_its_sentences(tmp_path: Path) -> None:
    row = "\t_" * 6
    files = {
        "a.test.conllu.gz": f"# text = no\n1\tThe\t_\tDET{row}\n2\tcat\t_\tNOUN{row}\n\n",
        "b.test.jsonl.gz": json.dumps(
            {"lang": "eng", "tokens": ["The", "cat"], "tags": ["O", "O"]}
        ),
        "c.test.tsv.gz": "lang\tid\tlabel\ttext\neng\t7\tpositive\tThe cat\n",
        "d.test.tsv.gz": "cym\teng\nY gath\tThe cat\n",
        "e.txt.gz": "The cat\n",
    }
    for name, text in files.items():
        with gzip.open(tmp_path / name, "wt", encoding="utf-8") as file:
            file.write(text)
    found = {name: list(read_sentences(tmp_path / name)) for name in files}
    assert found.pop("d.test.tsv.gz") == ["Y gath", "The cat"]
    assert list(found.values()) == [["The cat"]] * 4
    assert list(read_sentences(tmp_path / "d.test.tsv.gz", left_out=["cym"])) == ["The cat"]
    assert list(read_sentences(tmp_path / "c.test.tsv.gz", left_out=["eng"])) == []
