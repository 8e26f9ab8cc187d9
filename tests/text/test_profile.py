"""The report on a corpus, and what it warns of."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from adapterkit.text.lines import content_hash, count_lines
from adapterkit.text.profile import Profile, batches, measure

UNK = 0
Encoded = tuple[list[int], list[tuple[int, int]]]


def toy_pieces(lines: list[str], *, longest: int = 4) -> list[Encoded]:
    """Cut words (at spaces) into pieces of at most ``longest``; a piece with an x is UNK."""
    encoded = []
    for line in lines:
        spans, start = [], 0
        for word in line.split(" "):
            ends = range(start, start + len(word), longest)
            spans += [(at, min(at + longest, start + len(word))) for at in ends]
            start += len(word) + 1
        ids = [UNK if "x" in line[a:b] else 1 for a, b in spans]
        encoded.append((ids, spans))
    return encoded


def profile(lines: list[str], longest: int | None = None, language: str = "eng") -> Profile:
    pieces = None if longest is None else (lambda batch: toy_pieces(batch, longest=longest))
    return measure(lines, count_lines(lines), language=language, pieces=pieces, unk_id=UNK)


def test_text_alone_gives_words_scripts_and_no_coverage() -> None:
    report = profile(["Croeso i Gymru, Мир !"])
    assert report.words == 4
    assert report.scripts == pytest.approx({"Latin": 12 / 15, "Cyrillic": 3 / 15})
    assert report.coverage is None


def test_tokens_are_counted_against_words_and_characters() -> None:
    # Pieces: abcd ef | g | hixj kl. ; words: abcdef, g, hixjkl; 14 characters to see.
    coverage = profile(["abcdef g hixjkl."], 4).coverage
    assert coverage is not None
    assert coverage.tokens == 5
    assert coverage.unk_rate == pytest.approx(1 / 5)
    assert coverage.unreadable_characters == pytest.approx(4 / 14)
    assert coverage.fertility == pytest.approx(5 / 3)
    assert coverage.split_to_characters == 0


def test_words_spelt_out_are_those_with_one_character_a_token() -> None:
    coverage = profile(["ab c def"], 1).coverage
    assert coverage is not None
    assert coverage.split_to_characters == 1
    assert coverage.fertility == 2
    mixed = profile(["ab abc a"], 2).coverage
    assert mixed is not None
    assert mixed.split_to_characters == 0


def test_punctuation_that_touches_a_word_is_no_piece_of_it() -> None:
    line = '"ab,cd"'
    encoded: Encoded = ([1] * 5, [(0, 1), (1, 3), (3, 4), (4, 6), (6, 7)])
    report = measure([line], count_lines([line]), language="eng", pieces=lambda batch: [encoded])
    assert report.coverage is not None
    assert report.coverage.fertility == 1


def test_a_token_over_two_words_counts_once() -> None:
    line = "我们学习汉语"  # three words of two characters
    spans = [(0, 3), (3, 6)]
    counts = count_lines([line])
    report = measure(
        [line], counts, language="cmn", pieces=lambda batch: [([1, 1], spans) for _ in batch]
    )
    assert report.words == 3
    assert report.coverage is not None
    assert report.coverage.fertility == pytest.approx(2 / 3)
    assert report.coverage.unk_rate == 0


def test_an_unknown_token_hides_each_character_once_and_no_spaces() -> None:
    line = "abc def"
    encoded: Encoded = ([UNK, UNK], [(0, 5), (3, 7)])
    report = measure(
        [line], count_lines([line]), language="eng", pieces=lambda batch: [encoded], unk_id=UNK
    )
    assert report.coverage is not None
    assert report.coverage.unreadable_characters == 1


def test_the_record_is_plain_json_with_rounded_shares() -> None:
    record = profile(["abcdef g hixjkl.", "one two three four"], 4).as_dict()
    assert json.loads(json.dumps(record)) == record
    assert record["kept"] == 2
    assert record["words"] == 7
    assert record["unreadable_characters"] == round(4 / 29, 6)


def test_of_a_large_corpus_every_so_many_th_line_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = [f"{index:03} {'word ' * (5 + index % 7)}end" for index in range(600)]
    whole = profile(lines, 4)
    assert (whole.every, "measured_every" in whole.as_dict()) == (1, False)
    asked: list[str] = []

    def pieces(batch: Sequence[str]) -> list[Encoded]:
        asked.extend(batch)
        return toy_pieces([*batch])

    monkeypatch.setattr("adapterkit.text.profile.ENOUGH", whole.counts.characters // 4 + 1)
    part = measure(lines, count_lines(lines), language="eng", pieces=pieces, unk_id=UNK)
    assert part.as_dict()["measured_every"] == part.every == 4
    assert asked == lines[::4]
    assert part.counts == whole.counts
    assert whole.coverage is not None
    assert part.coverage is not None
    assert part.words == pytest.approx(whole.words, rel=0.01)
    assert part.words != len(" ".join(asked).split())
    assert part.coverage.tokens == pytest.approx(whole.coverage.tokens, rel=0.01)
    assert part.coverage.fertility == pytest.approx(whole.coverage.fertility, rel=0.01)
    nothing = replace(count_lines(lines), characters=0)
    assert measure(lines, nothing, language="eng").every == 1


BASE = [f"a plain sentence about some thing {index}" for index in range(40)]


def warned(report: Profile) -> str:
    return "\n".join(report.warnings())


@pytest.mark.long
def test_a_healthy_corpus_warns_of_nothing() -> None:
    lines = [f"{text} {index}" for index in range(800) for text in BASE]
    assert warned(profile(lines[:28_000], 8)) == ""


def test_unreadable_characters_are_warned_of_in_plain_words() -> None:
    lines = [f"{text} xxxx yyyy" for text in BASE]
    message = warned(profile(lines, 4))
    assert "this backbone cannot read 11 % of the characters" in message
    assert "cannot learn what it cannot see" in message
    assert "cannot read" not in warned(profile(BASE, 4))


def test_little_text_is_warned_of_by_degrees() -> None:
    assert "probably too little" in warned(profile(BASE))
    lines = [f"{text} {index}" for index in range(100) for text in BASE]
    assert "is little: expect weaker results; by default an adapter that" in warned(profile(lines))


def test_lines_so_few_and_long_that_much_is_held_out_are_warned_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    long = " ".join(BASE * 20)
    lower = [text for text in BASE if content_hash(text) < content_hash(long)]
    higher = [text for text in BASE if text not in lower]
    report = profile([long, higher[0]])
    assert report.counts.heldout_characters == len(long)
    assert "100 % of the text is held out to judge by, because its lines are few" in warned(report)
    report = profile([long, lower[0]])
    assert report.counts.heldout_characters == len(lower[0])
    assert "held out" not in warned(report)
    counts = count_lines(BASE)
    kept = [text for text in BASE if content_hash(text) < counts.heldout_below]
    assert (counts.heldout, counts.heldout_characters) == (len(kept), sum(map(len, kept)))
    monkeypatch.setattr("adapterkit.text.lines.HELDOUT_SHARE", 1)
    counts = count_lines(BASE)
    kept = [text for text in BASE if content_hash(text) < counts.heldout_below]
    assert (counts.heldout, counts.heldout_characters) == (len(kept), sum(map(len, kept)))


def test_duplicates_and_dropped_lines_are_warned_of() -> None:
    report = measure(BASE, count_lines(BASE * 2), language="eng")
    assert "50 % of the lines are duplicates" in warned(report)
    report = measure(BASE, count_lines(BASE + ["?!"] * 60), language="eng")
    assert '60 % of the lines were dropped, most of them as "not text"' in warned(report)


def test_two_writing_systems_are_warned_of_and_japanese_is_not() -> None:
    assert "of the letters are Cyrillic, beside Latin" in warned(
        profile([*BASE, "Доброе утро" * 50])
    )
    assert "of the letters" not in warned(profile(["私はコーヒーを飲みます"] * 2, language="jpn"))


def test_a_tokenizer_that_spells_is_warned_of_except_where_words_are_short_anyway() -> None:
    message = warned(profile(BASE, 1))
    assert "pieces on average" in message
    assert "character by character" in message
    assert "character by character" not in warned(profile(["我们学习汉语"], 1, language="cmn"))


def test_lines_go_to_the_tokenizer_in_bounded_batches() -> None:
    sizes = [len(batch) for batch in batches(["x"] * 2500)]
    assert sizes == [1000, 1000, 500]
    assert [len(batch) for batch in batches(["x" * 600_000] * 3)] == [2, 1]
