import numpy as np
import pytest

from tenfold.stats.bins import bins_per_unit, bounds_of, checked_edges, find_bins


@pytest.mark.parametrize("edges", [np.linspace(-1, 1, 11), np.array([-1.0, -0.9, 0.0, 0.1, 1.0])])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_bins_are_those_of_numpy_also_for_values_on_an_edge(edges, kind):
    on = edges.astype(kind)
    values = np.concatenate([on, np.nextafter(on, kind(9)), np.nextafter(on, kind(-9)), np.linspace(-1.1, 1.1, 333)])
    values = np.append(values, [-1e30, 1e30]).astype(kind)
    indices = np.empty(len(values), np.int32)
    find_bins(values, bounds_of(edges), bins_per_unit(edges), indices)
    bins = len(edges) - 1
    assert np.array_equal(np.bincount(indices, minlength=bins + 2)[1:-1], np.histogram(values.astype(float), edges)[0])
    assert np.array_equal(indices == 0, values < edges[0]) and np.array_equal(indices == bins + 1, values > edges[-1])


def test_invalid_edges_are_refused():
    assert bins_per_unit(np.array([0.0, 0.5, 1.0])) == 2
    assert bins_per_unit(np.array([0.0, 0.4, 1.0])) == 0
    assert bins_per_unit(1e6 + np.array([0.0, 0.5, 1.0])) == 0
    for wrong in ([1.0], [0.0, 0.0], [0.0, np.nan], [[0.0, 1.0]]):
        with pytest.raises(ValueError, match="heights"):
            checked_edges(wrong, "heights")
