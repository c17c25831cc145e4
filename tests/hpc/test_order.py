import numpy as np
import pytest

from tenfold.hpc.order import Order, batches, steps_per_epoch


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 97, 1000, 4096, 4097])
def test_an_epoch_is_a_permutation(count):
    order = Order(count, seed=3)
    for epoch in range(5):
        indices = order.epoch(epoch, np.arange(count))
        assert indices.dtype == np.int64
        assert np.array_equal(np.sort(indices), np.arange(count))


def test_single_positions_can_be_evaluated():
    order = Order(1000, seed=1)
    full = order.epoch(7, np.arange(1000))
    assert order.epoch(7, np.array(123)) == full[123]
    assert np.array_equal(order.epoch(7, np.array([[5, 999], [0, 5]])), full[[[5, 999], [0, 5]]])
    assert order.epoch(7, np.array([], np.int64)).size == 0


def test_epochs_and_seeds_have_their_own_orders():
    count = 1000
    one = Order(count, seed=1).epoch(0, np.arange(count))
    others = [Order(count, seed=1).epoch(1, np.arange(count)), Order(count, seed=2).epoch(0, np.arange(count))]
    for other in others:
        assert np.count_nonzero(one == other) < 10  # 1 is expected of two random permutations


def test_the_order_of_a_key_is_fixed():
    # runs are resumed by later versions: these numbers are part of the format
    assert Order(10, seed=0).epoch(0, np.arange(10)).tolist() == [4, 8, 7, 0, 9, 2, 6, 5, 1, 3]
    large = Order(10**12, seed=5).epoch(3, np.array([0, 1, 10**12 - 1]))
    assert large.tolist() == [
        515122616895,
        897380510624,
        404803463682,
    ]


def test_all_orders_of_four_samples_are_equally_likely():
    counts = np.zeros(256, int)
    for seed in range(2400):
        indices = Order(4, seed).epoch(0, np.arange(4))
        counts[indices @ [1, 4, 16, 64]] += 1
    seen = counts[counts > 0]
    assert seen.size == 24
    assert ((seen - 100) ** 2 / 100).sum() < 50  # chi2 of 23 degrees of freedom: one in a thousand above 49.7


def test_neighbouring_positions_are_uncorrelated():
    count = 20000
    indices = Order(count, seed=9).epoch(2, np.arange(count)).astype(float)
    assert abs(np.corrcoef(indices[:-1], indices[1:])[0, 1]) < 4 / np.sqrt(count)
    assert abs(np.corrcoef(indices, np.arange(count))[0, 1]) < 4 / np.sqrt(count)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
@pytest.mark.parametrize(("count", "global_batch"), [(101, 8), (97, 16), (5, 8), (64, 8), (1, 1), (33, 32)])
def test_each_sample_is_seen_exactly_once_an_epoch(count, global_batch, size):
    seen = [
        sample for rank in range(size) for _, part in batches(count, global_batch, 1, 4, rank, size) for sample in part
    ]
    assert sorted(seen) == list(range(count))


@pytest.mark.parametrize("size", [2, 3, 4, 7])
def test_a_step_sees_the_same_samples_in_the_same_order_for_any_number_of_ranks(size):
    alone = dict(batches(101, 8, seed=1, epoch=2))
    assert len(alone) == steps_per_epoch(101, 8) == 13
    parts = [dict(batches(101, 8, 1, 2, rank, size)) for rank in range(size)]
    for step, samples in alone.items():
        assert np.array_equal(np.concatenate([part[step] for part in parts]), samples)
        sizes = [part[step].size for part in parts]
        assert max(sizes) - min(sizes) <= 1


def test_every_rank_takes_part_in_every_step_even_without_samples():
    last = [list(batches(9, 8, 0, 0, rank, 4))[-1] for rank in range(4)]
    assert [step for step, _ in last] == [1] * 4
    assert sum(samples.size for _, samples in last) == 1


def test_an_epoch_resumes_at_any_step():
    full = list(batches(101, 8, 1, 0, rank=1, size=3))
    rest = list(batches(101, 8, 1, 0, rank=1, size=3, start=5))
    assert [step for step, _ in rest] == list(range(5, 13))
    for (_, expected), (_, resumed) in zip(full[5:], rest, strict=True):
        assert np.array_equal(expected, resumed)
    assert list(batches(101, 8, 1, 0, start=13)) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 0}, "count: found 0"),
        ({"seed": -1}, "seed: found -1"),
        ({"global_batch": 0}, "global_batch: found 0"),
        ({"rank": 2}, "rank: found 2 of 2"),
        ({"start": 14}, "start: found step 14 of 13"),
    ],
)
def test_arguments_out_of_range_are_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        list(batches(**{"count": 101, "global_batch": 8, "seed": 1, "epoch": 0, "rank": 0, "size": 2} | change))


def test_positions_outside_the_epoch_are_refused():
    with pytest.raises(ValueError, match="must lie in 0 to 9"):
        Order(10, 0).epoch(0, np.array([10]))
