"""Batches of molecules: composition, padded shapes and the fraction of padding."""

from dataclasses import replace

import numpy as np
import pytest
from tests.emulators.molecules import LAYOUT, random_molecules

from tenfold.emulators.graph_batches import collate, plan_batches
from tenfold.emulators.graph_layouts import padded_size
from tenfold.emulators.graphs import Graphs
from tenfold.emulators.mpnn import MPNN


def test_padded_sizes_are_few_and_sufficient():
    sizes = [padded_size(rows) for rows in range(1, 5000)]
    assert all(rows <= size <= max(8, 1.125 * rows) for rows, size in enumerate(sizes, 1))
    assert len(set(sizes)) < 85
    assert [padded_size(rows) for rows in (8, 9, 16, 17, 33)] == [8, 9, 16, 18, 36]


@pytest.mark.parametrize("window", [1, 3, 100])
def test_every_molecule_is_in_exactly_one_batch(window):
    rng = np.random.default_rng(0)
    order, sizes = rng.permutation(103), rng.integers(1, 40, 103)
    batches = plan_batches(order, sizes, 10, window)
    assert [len(part) for part in batches] == [10] * 10 + [3]
    np.testing.assert_array_equal(np.sort(np.concatenate(batches)), np.arange(103))
    again = plan_batches(order, sizes, 10, window)
    assert all((a == b).all() for a, b in zip(batches, again, strict=True))


def test_a_window_of_one_keeps_the_order():
    order = np.random.default_rng(0).permutation(20)
    np.testing.assert_array_equal(np.concatenate(plan_batches(order, np.ones(20), 6)), order)


def test_bucketing_groups_molecules_by_size_in_random_order():
    sizes = np.repeat([5, 10, 15, 20], 8)
    firsts = []
    for seed in range(8):
        batches = plan_batches(np.random.default_rng(seed).permutation(32), sizes, 8, window=4)
        assert all(np.ptp(sizes[part]) == 0 for part in batches)
        firsts.append(sizes[batches[0][0]])
    assert len(set(firsts)) > 1


def test_weights_and_padding_fraction_distinguish_molecules_from_padding():
    graphs = random_molecules((9, 9, 9))
    laid = collate(graphs, MPNN(), LAYOUT, 5)
    np.testing.assert_array_equal(laid.weights, [1, 1, 1, 0, 0])
    assert laid.n_atoms == 27
    assert 0 < laid.padding_fraction < 0.5


def test_a_large_batch_has_little_padding():
    graphs = random_molecules(np.random.default_rng(0).integers(5, 30, 200))
    assert collate(graphs, MPNN(), LAYOUT, deduplicate=False).padding_fraction < 0.1


@pytest.mark.parametrize("network", ["dmpnn", "enn-s2s", "painn"])
def test_only_the_first_axes_depend_on_the_molecules(network):
    one, other = (
        collate(random_molecules(sizes), MPNN(network=network), LAYOUT).inputs for sizes in ((3, 4), (30, 9, 9))
    )
    for name in one:
        assert (one[name].shape[1:], one[name].dtype) == (other[name].shape[1:], other[name].dtype)


def test_equal_environments_are_stored_once():
    one = random_molecules((12,))
    many = collate(Graphs.join([one] * 20), MPNN(), LAYOUT).inputs
    single = collate(one, MPNN(), LAYOUT).inputs
    for name in ("atom_type_codes", "directed_bond_codes", "initial_1", "initial_2", "atom_type"):
        assert many[name].shape == single[name].shape
    assert len(collate(Graphs.join([one] * 20), MPNN(), LAYOUT, deduplicate=False).inputs["atom_type"]) > 200


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"capacity": 2}, "capacity, 2"),
        ({"graphs": replace(random_molecules((3, 4)), atom_offsets=np.array([0, 7, 7]))}, "molecule 1 has no atoms"),
        ({"layout": type(LAYOUT)(LAYOUT.atoms[:2], LAYOUT.bonds)}, "found 3 columns of codes, the layout has 2"),
    ],
)
def test_inconsistent_inputs_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        collate(**{"graphs": random_molecules((3, 4, 5)), "architecture": MPNN(), "layout": LAYOUT, **change})
