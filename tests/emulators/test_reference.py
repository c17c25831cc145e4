"""Atomic references and standardisation of targets."""

import numpy as np
import pytest
from tests.emulators.molecules import LAYOUT, random_molecules

from tenfold.emulators.graphs import Graphs
from tenfold.emulators.reference import element_counts, fit_standardisation


def test_element_counts_by_hand():
    graphs = random_molecules((3, 1))
    counts = element_counts(graphs, 5)
    np.testing.assert_array_equal(counts.sum(axis=1), [3, 1])
    assert counts[1, graphs.atoms[3, 0]] == 1


def test_atomic_references_are_recovered():
    rng = np.random.default_rng(0)
    graphs = random_molecules(rng.integers(2, 20, 200))
    truth = np.array([-0.5, -38.0, -75.0, 3.0, -460.0])
    energy = element_counts(graphs, 5) @ truth
    noise = rng.normal(0, 1e-3, 200) * graphs.sizes
    gap = rng.normal(5, 2, 200)
    gap[::3] = np.nan
    standardisation = fit_standardisation(graphs, np.stack([energy + noise, gap], axis=1), LAYOUT, [True, False])
    np.testing.assert_allclose(standardisation.atom_reference[:, 0], truth, atol=2e-3)
    np.testing.assert_array_equal(standardisation.atom_reference[:, 1], 0)
    np.testing.assert_allclose([standardisation.location[0], standardisation.scale[0]], [0, 1e-3], atol=2e-4)
    np.testing.assert_allclose(
        [standardisation.location[1], standardisation.scale[1]], [np.nanmean(gap), np.nanstd(gap)]
    )


def test_elements_that_always_occur_together_share_the_reference():
    graphs = random_molecules((2,))
    graphs.atoms[:, 0] = [1, 2]
    graphs = Graphs.join([graphs] * 4)
    standardisation = fit_standardisation(graphs, np.full((4, 1), 6.0), LAYOUT, [True])
    np.testing.assert_allclose(standardisation.atom_reference[:, 0], [0, 3, 3, 0, 0], atol=1e-5)


def test_a_target_without_labels_is_refused():
    with pytest.raises(ValueError, match="column 1"):
        fit_standardisation(random_molecules((3, 4)), np.array([[1.0, np.nan]] * 2), LAYOUT, [False, False])
