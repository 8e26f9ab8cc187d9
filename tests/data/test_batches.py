import numpy as np

from adapterkit.data.batches import Passes


def test_each_pass_reads_every_example_once_and_in_another_order() -> None:
    for count, size in ((10, 4), (103, 8), (3, 8), (64, 8)):
        passes = Passes(tuple(range(5, count + 5)), size, seed=3)
        places = [i for number in range(-(-3 * count // size)) for i in passes.batch(number)]
        first, second = places[:count], places[count : 2 * count]
        assert sorted(first) == sorted(second) == list(range(count))
        assert first != second


def test_a_batch_depends_on_the_seed_and_its_number_alone() -> None:
    lengths = tuple(np.random.default_rng(0).integers(3, 60, 200).tolist())
    one, other = Passes(lengths, 8, seed=1), Passes(lengths, 8, seed=1)
    assert [one.batch(n) for n in range(60)][40] == other.batch(40)
    assert one.batch(3) != Passes(lengths, 8, seed=2).batch(3)


def test_batches_hold_similar_lengths_in_a_random_order() -> None:
    lengths = tuple(np.random.default_rng(0).integers(3, 100, 1003).tolist())
    passes, random = Passes(lengths, 8, seed=0), Passes(lengths, 8, seed=0, pool=1)
    padded, plain = (
        [max(lengths[i] for i in one.batch(n)) for n in range(500)] for one in (passes, random)
    )
    read = sum(lengths[i] for n in range(500) for i in passes.batch(n))
    # Without padding at all it would be 1; a random batch of eight pads to about 1.75 of its tokens.
    assert 8 * sum(padded) < 1.06 * read
    assert 8 * sum(plain) > 1.6 * read
    assert all(abs(np.corrcoef(padded[k:-1], padded[k + 1 :])[0, 1]) < 0.2 for k in range(2))
