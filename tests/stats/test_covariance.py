from functools import reduce
from itertools import pairwise

import numpy as np
import pytest

from tenfold.stats.covariance import Moments


def rows(count=40, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, 3)) @ rng.standard_normal((3, 4)) + [0, 10, -1e6, 5]


def test_moments_are_those_of_numpy():
    moments = Moments.of(rows()).finalise()
    assert moments.count == 40
    assert np.allclose(moments.mean, rows().mean(0), rtol=1e-14)
    assert np.allclose(moments.covariance, np.cov(rows().T), rtol=1e-9)
    assert np.allclose(moments.correlation, np.corrcoef(rows().T), rtol=1e-9)
    assert np.allclose(moments.standard_error, rows().std(0, ddof=1) / np.sqrt(40))


@pytest.mark.parametrize("seed", range(3))
def test_chunks_merge_to_the_whole_in_any_order(seed):
    cuts = [0, 1, 1, 7, 30, 40]
    chunks = [Moments.of(rows()[a:b]) for a, b in pairwise(cuts)]
    order = np.random.default_rng(seed).permutation(len(chunks))
    left = reduce(Moments.merge, [chunks[i] for i in order], Moments.empty(4)).finalise()
    right = reduce(lambda a, b: b.merge(a), [chunks[i] for i in order]).finalise()
    whole = Moments.of(rows()).finalise()
    for merged in (left, right):
        assert merged.count == 40
        assert np.allclose(merged.mean, whole.mean, rtol=1e-14)
        assert np.allclose(merged.covariance, whole.covariance, rtol=1e-9)


def test_rows_can_be_added_one_by_one():
    moments = Moments.empty(4)
    for row in rows():
        moments = moments.add(row[None])
    assert np.allclose(moments.finalise().covariance, np.cov(rows().T), rtol=1e-9)


def test_a_column_that_does_not_vary_has_no_correlation():
    table = rows()
    table[:, 1] = 7.0
    moments = Moments.of(table).finalise()
    assert moments.covariance[1].tolist() == [0, 0, 0, 0]
    assert np.isnan(moments.correlation[1]).all()
    assert np.allclose(np.diag(moments.correlation)[[0, 2, 3]], 1)


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match=r"\(4,\)"):
        Moments.of(rows()[0])
    with pytest.raises(ValueError, match="row 2"):
        Moments.of(np.array([[1.0], [2.0], [np.nan]]))
    with pytest.raises(ValueError, match=r"4 columns .* 3"):
        Moments.empty(4).merge(Moments.empty(3))
    with pytest.raises(ValueError, match="at least 2 rows, found 1"):
        Moments.of(rows(1)).finalise()
