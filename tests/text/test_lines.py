"""Duplicates, the held-out split and the counts of a pass."""

import random
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from adapterkit.text.lines import Seen, Tally, content_hash, count_lines, kept_lines

RAW = st.lists(st.sampled_from(["", "one two three", "1 2 3", "a b  c", "a b c", "x"]) | st.text())


def sentences(count: int) -> list[str]:
    return [f"sentence number {index} of this text" for index in range(count)]


def heldout(raw: Iterable[str]) -> set[str]:
    raw = list(raw)
    threshold = count_lines(raw).heldout_below
    return {line.text for line in kept_lines(raw) if line.key < threshold}


@given(RAW, st.randoms(use_true_random=False))
def test_what_is_kept_counted_and_held_out_does_not_depend_on_order(
    raw: list[str], chance: random.Random
) -> None:
    shuffled = raw.copy()
    chance.shuffle(shuffled)
    assert count_lines(shuffled) == count_lines(raw)
    assert heldout(shuffled) == heldout(raw)


@given(RAW)
def test_every_line_read_is_either_kept_or_dropped_for_one_reason(raw: list[str]) -> None:
    counts = count_lines(raw)
    assert counts.read == len(raw) == counts.kept + sum(counts.dropped.values())


def test_about_one_line_in_twenty_is_held_out() -> None:
    counts = count_lines(sentences(4000))
    # Four standard deviations of a binomial with p = 0.05.
    assert abs(counts.heldout - 200) < 4 * (4000 * 0.05 * 0.95) ** 0.5
    assert counts.heldout == len(heldout(sentences(4000)))


def test_a_line_is_held_out_whatever_else_is_in_the_corpus() -> None:
    few, many = sentences(1000), sentences(3000)
    assert heldout(few) == heldout(many) & set(few)


def test_two_lines_are_enough_for_one_of_each_kind() -> None:
    for index in range(50):
        pair = [f"first line number {index}", f"second line number {index}"]
        assert len(heldout(pair)) == 1 == count_lines(pair).heldout


def test_a_corpus_whose_lines_would_all_be_held_out_keeps_the_highest_for_training() -> None:
    lines = sentences(2000)
    low = sorted(lines, key=content_hash)[:5]
    assert heldout(low) == set(low[:4])


def test_the_fingerprint_changes_with_any_line_and_not_with_duplicates() -> None:
    lines = sentences(10)
    known = count_lines(lines).fingerprint
    assert count_lines(lines + lines[:3]).fingerprint == known
    assert count_lines(lines[1:]).fingerprint != known
    assert count_lines([*lines[1:], "sentence number 99 of this text"]).fingerprint != known
    assert len(known) == 64


def test_duplicates_are_found_on_both_sides_of_the_spill_to_disk() -> None:
    lines = sentences(50)
    tally = Tally()
    kept = [line.text for line in kept_lines(lines + lines[::-1], tally, remembered=7)]
    assert kept == lines
    assert tally.dropped["duplicate"] == 50
    assert count_lines(lines * 2, remembered=0) == count_lines(lines * 2)


def test_the_set_of_keys_takes_the_whole_range_of_64_bits() -> None:
    seen = Seen(limit=1)
    keys = [5, 0, 1, 2**63 - 1, 2**63, 2**64 - 2, 2**64 - 1]
    assert [seen.add(key) for key in keys] == [True] * 7
    assert [seen.add(key) for key in keys] == [False] * 7
    seen.close()
