"""References of elements: found again where they made the data."""

import numpy as np
import pytest
from tests.emulators.molecules import molecules

from tenfold.emulators.reference import element_counts, reference


def test_counts_by_hand():
    graphs = molecules((3, 1))
    counts = element_counts(graphs, 5)
    np.testing.assert_array_equal(counts.sum(axis=1), [3, 1])
    assert counts[1, graphs.atoms[3, 0]] == 1


def test_references_that_made_the_energies_are_found_again():
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 9, (200, 4)) * [1, 1, 1, 0] + [1, 0, 0, 0]
    truth = np.array([-0.5, -38.0, -75.0, 0.0])
    energy = counts @ truth
    noise = rng.normal(0, 1e-3, 200) * counts.sum(axis=1)
    gap = rng.normal(5, 2, 200)
    gap[::3] = np.nan
    found = reference(counts, np.stack([energy + noise, gap], axis=1), np.array([True, False]))
    np.testing.assert_allclose(found.atoms[:, 0], truth, atol=2e-3)
    np.testing.assert_array_equal(found.atoms[:, 1], 0)
    np.testing.assert_allclose([found.location[0], found.scale[0]], [0, 1e-3], atol=2e-4)
    np.testing.assert_allclose([found.location[1], found.scale[1]], [np.nanmean(gap), np.nanstd(gap)])


def test_elements_that_always_come_together_are_no_trouble():
    counts = np.tile(np.arange(1, 6)[:, None], (1, 2))
    found = reference(counts, counts.sum(axis=1)[:, None] * 3.0, np.array([True]))
    np.testing.assert_allclose(found.atoms[:, 0], [3, 3], rtol=1e-5)


def test_a_target_that_nothing_is_known_of_is_refused():
    with pytest.raises(ValueError, match="column 1"):
        reference(np.ones((3, 2)), np.array([[1.0, np.nan]] * 3), np.array([False, False]))
