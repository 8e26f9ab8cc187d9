"""The demo's sentences are correct, tagged, repeatable, and never shared between text and test."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from adapterkit.data.columns import UNIVERSAL_TAGS
from adapterkit.demo.creole_phrases import article
from adapterkit.demo.english_forms import conjugate, number
from adapterkit.demo.grammar import (
    LANGUAGES,
    TARGETS,
    Sentence,
    demo_data,
    key,
    sentences,
    write_conllu,
    write_text,
)
from adapterkit.demo.phrases import Phrase, lexicon
from adapterkit.errors import ConfigError

UPOS = UNIVERSAL_TAGS - {"SYM", "X"}
MANY = 3000


@pytest.fixture(scope="module")
def drawn() -> dict[str, list[Sentence]]:
    return {language: sentences(language, count=MANY, seed=5) for language in LANGUAGES}


def pairs(items: list[Sentence]) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """All neighbouring tokens, as (word, tag) twice, words in lower case."""
    for item in items:
        tokens = [(word.lower(), tag) for word, tag in zip(item.words, item.tags, strict=True)]
        yield from pairwise(tokens)


def noun_phrases(items: list[Sentence], first: str) -> Iterator[Phrase]:
    """Runs of determiners, numbers and adjectives up to a noun that begin with tag ``first``."""
    for item in items:
        tags = "".join(f"{tag} " for tag in item.tags)
        for match in re.finditer(rf"(?<!\S){first} ((DET|PART|NUM|ADJ) )*NOUN ", tags):
            start = tags[: match.start()].count(" ")
            span = slice(start, start + match.group().count(" "))
            yield tuple(zip(item.words[span], item.tags[span], strict=True))


@pytest.mark.long
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_has_one_universal_tag(drawn: dict[str, list[Sentence]], language: str) -> None:
    assert all(len(item.words) == len(item.tags) for item in drawn[language])
    assert {tag for item in drawn[language] for tag in item.tags} == UPOS


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sentence_starts_with_a_capital_and_its_text_has_its_words(
    drawn: dict[str, list[Sentence]], language: str
) -> None:
    for item in drawn[language]:
        assert item.words[0][0].isupper()
        assert item.tags[-1] == "PUNCT"
        assert "".join(item.words) == item.text.replace(" ", "")
        assert not re.search(r" [,.?!]|  ", item.text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_grammar_names_at_least_150_words(language: str) -> None:
    words = {
        word.lower() for item in sentences(language, count=MANY, seed=1) for word in item.words
    }
    assert len(words) > 150


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_seed_gives_the_same_sentences_and_another_seed_others(language: str) -> None:
    first = sentences(language, count=50, seed=3)
    assert first == sentences(language, count=50, seed=3)
    assert first != sentences(language, count=50, seed=4)


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_differ_and_leave_out_what_they_are_told_to(
    drawn: dict[str, list[Sentence]], language: str
) -> None:
    texts = {key(item.text) for item in drawn[language]}
    assert len(texts) == MANY
    avoided = [item.text for item in drawn[language][:20]]
    others = sentences(language, count=200, seed=5, avoid=avoided)
    assert not {key(text) for text in avoided} & {key(item.text) for item in others}


@pytest.mark.long
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_dev_or_test_sentence_stands_anywhere_in_the_training_text(language: str) -> None:
    data = demo_data(language, seed=2, lines=3000, train=300, dev=100, test=300)
    sets = [{key(item.text) for item in part} for part in (data.train, data.dev, data.test)]
    assert [len(part) for part in sets] == [300, 100, 300]
    assert len(set.union(*sets)) == 700
    lines = [key(line) for line in data.text]
    assert not any(held in line for held in sets[1] | sets[2] for line in lines)


@pytest.mark.long
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_12000_distinct_lines_beside_its_test_set(language: str) -> None:
    data = demo_data(language, seed=0, lines=12_000, test=400)
    assert len(set(data.text)) == 12_000


def test_an_unknown_language_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="no demo grammar for 'tlh'; there are eng, epo, hat"):
        sentences("tlh", count=1, seed=0)


def test_a_and_an_follow_the_sound_of_the_next_word(drawn: dict[str, list[Sentence]]) -> None:
    for (word, tag), (after, _) in pairs(drawn["eng"]):
        if tag == "DET" and word in {"a", "an"}:
            vowel = (after[0] in "aeiou" and not after.startswith("u")) or after == "honest"
            vowel = vowel or after in {"ugly", "umbrella", "uncle"}
            assert (word == "an") == vowel, f"{word} {after}"


def test_english_auxiliaries_agree_with_pronouns(drawn: dict[str, list[Sentence]]) -> None:
    wrong = {"i": {"is", "are", "has", "does", "were"}, "he": {"am", "are", "have", "do", "were"}}
    wrong["she"] = wrong["he"]
    wrong["they"] = wrong["we"] = wrong["you"] = {"is", "am", "was", "has", "does"}
    for (word, tag), (after, upos) in pairs(drawn["eng"]):
        if tag == "PRON" and upos == "AUX":
            assert after not in wrong.get(word, set())
        if tag == "AUX" and upos == "PRON":
            assert word not in wrong.get(after, set())


def test_english_nouns_agree_with_their_determiner(drawn: dict[str, list[Sentence]]) -> None:
    entries = [entry for words in lexicon("eng")["nouns"].values() for entry in words]
    forms = dict(map(number, entries))
    plurals = set(forms.values())
    for phrase in noun_phrases(drawn["eng"], "(DET|NUM)"):
        word, noun = phrase[0][0].lower(), phrase[-1][0].lower()
        if word in {"these", "those"} or phrase[0][1] == "NUM":
            assert noun in plurals | {"days"}
        if word in {"a", "an", "this", "that", "every"} and "few" not in phrase[1]:
            assert noun in forms or noun in {"day", "week"}


def test_english_forms_are_those_of_the_dictionary() -> None:
    assert number("city/cities") == ("city", "cities")
    assert number("box/boxes") == ("box", "boxes")
    assert number("story") == ("story", "stories")
    assert conjugate("carry") == ("carry", "carries", "carried", "carried", "carrying")
    assert conjugate("love") == ("love", "loves", "loved", "loved", "loving")
    assert conjugate("have/had/had/having").third == "has"
    assert conjugate("go/went/gone/going").third == "goes"
    assert conjugate("play").past == "played"


def ending(word: str) -> str:
    """What follows the vowel that ends an Esperanto noun, adjective or correlative."""
    match = re.search("[aou](j?n?)$", word)
    assert match, word
    return match.group(1)


def test_esperanto_adjectives_and_determiners_share_number_and_case_with_their_noun(
    drawn: dict[str, list[Sentence]],
) -> None:
    seen = set()
    for phrase in noun_phrases(drawn["epo"], "(DET|PART|NUM|ADJ)"):
        flexible = [w.lower() for w, tag in phrase if tag in {"DET", "ADJ", "NOUN"}]
        endings = {ending(word) for word in flexible if word != "la"}
        assert len(endings) == 1, phrase
        seen |= endings
    assert seen == {"", "j", "n", "jn"}


def test_esperanto_numbers_take_the_plural_and_prepositions_the_nominative(
    drawn: dict[str, list[Sentence]],
) -> None:
    for phrase in noun_phrases(drawn["epo"], "NUM"):
        assert "j" in ending(phrase[-1][0])
    for phrase in noun_phrases(drawn["epo"], "ADP"):
        assert "n" not in ending(phrase[-1][0]), phrase


def test_esperanto_predicates_agree_with_their_subject(drawn: dict[str, list[Sentence]]) -> None:
    shape = re.compile(r"^(PART )?(DET )(ADJ )*NOUN (PART )?AUX (ADV )*ADJ PUNCT $")
    checked = 0
    for item in drawn["epo"]:
        if shape.match("".join(f"{tag} " for tag in item.tags)):
            noun = item.words[item.tags.index("NOUN")]
            assert ending(item.words[-2]) == ending(noun)
            checked += 1
    assert checked > 20


@pytest.mark.parametrize(
    ("word", "form"),
    [
        ("chat", "la"),
        ("kay", "la"),
        ("wouj", "la"),
        ("machin", "lan"),
        ("fanm", "lan"),
        ("telefòn", "lan"),
        ("timoun", "lan"),
        ("mache", "a"),
        ("pwofesè", "a"),
        ("radyo", "a"),
        ("chen", "an"),
        ("jaden", "an"),
        ("kamyon", "an"),
        ("restoran", "an"),
    ],
)
def test_the_creole_article_follows_the_last_sound(word: str, form: str) -> None:
    assert article(word) == form


def test_every_creole_article_has_the_form_its_noun_phrase_asks_for(
    drawn: dict[str, list[Sentence]],
) -> None:
    seen = set()
    for (word, upos), (after, tag) in pairs(drawn["hat"]):
        if tag == "DET" and after in {"la", "lan", "a", "an"} and upos in {"NOUN", "ADJ"}:
            expected = "a" if word in {"jodi", "aswè"} else article(word)
            assert after == expected
            seen.add(after)
    assert seen == {"la", "lan", "a", "an"}


def test_no_creole_word_has_an_article_on_which_speakers_differ() -> None:
    table = lexicon("creole")
    nouns = {k: v for k, v in table["nouns"].items() if k not in {"kin", "lesson"}}
    words = {
        word for lists in (nouns, table["after"]) for names in lists.values() for word in names
    }
    # A nasal before a final oral vowel, or a nasal vowel before a final consonant.
    doubtful = [w for w in words if re.search("[nm][aeiouèòà]+$|(an|en|on)[bdfgjkpstvz]$", w)]
    assert doubtful == []


def test_creole_negation_stands_before_the_tense_marker(drawn: dict[str, list[Sentence]]) -> None:
    for (word, tag), (after, _) in pairs(drawn["hat"]):
        if tag == "AUX":
            assert after != "pa"
        if word == "pa":
            assert after not in {"te", "ap", "se"}


@pytest.mark.parametrize("language", TARGETS)
def test_written_files_hold_what_was_made(language: str, tmp_path: Path) -> None:
    data = demo_data(language, seed=1, lines=20, test=10)
    text = write_text(tmp_path / "data" / "a.txt", data.text)
    assert text.read_text(encoding="utf-8").splitlines() == list(data.text)
    blocks = write_conllu(tmp_path / "a.conllu", data.test).read_text(encoding="utf-8")
    read = [block.splitlines() for block in blocks.strip().split("\n\n")]
    for item, rows in zip(data.test, read, strict=True):
        columns = [row.split("\t") for row in rows if not row.startswith("#")]
        assert f"# text = {item.text}" in rows
        assert all(len(row) == 10 for row in columns)
        assert [row[1] for row in columns] == list(item.words)
        assert [row[3] for row in columns] == list(item.tags)
