import numpy as np
import pytest

from tenfold.emulators.graphs import Feature, Graphs


def water_and_methane() -> Graphs:
    return Graphs(
        atoms=np.array([[8], [1], [1], [6], [1], [1], [1], [1]], np.uint8),
        atom_offsets=np.array([0, 3, 8]),
        bonds=np.array([[0, 1], [0, 2], [0, 1], [0, 2], [0, 3], [0, 4]], np.int32),
        bond_features=np.arange(6, dtype=np.uint8)[:, None],
        bond_offsets=np.array([0, 2, 6]),
        positions=np.arange(24, dtype=np.float32).reshape(8, 3),
    )


def test_take_selects_atoms_bonds_and_positions():
    taken = water_and_methane().take(np.array([1, 0, 1]))
    assert taken.sizes.tolist() == [5, 3, 5]
    assert taken.atoms[:, 0].tolist() == [6, 1, 1, 1, 1, 8, 1, 1, 6, 1, 1, 1, 1]
    assert taken.bond_features[:, 0].tolist() == [2, 3, 4, 5, 0, 1, 2, 3, 4, 5]
    assert taken.positions is not None
    assert taken.positions[5].tolist() == [0, 1, 2]


def test_join_reverses_take():
    whole = water_and_methane()
    again = Graphs.join([whole.take(np.array([0])), whole.take(np.array([], int)), whole.take(np.array([1]))])
    for name in ("atoms", "atom_offsets", "bonds", "bond_features", "bond_offsets", "positions"):
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))


def test_join_refuses_molecules_with_and_without_positions():
    whole = water_and_methane()
    flat = Graphs(whole.atoms, whole.atom_offsets, whole.bonds, whole.bond_features, whole.bond_offsets)
    with pytest.raises(ValueError, match="positions"):
        Graphs.join([whole, flat])


def test_a_numeric_feature_has_one_column_and_a_one_hot_feature_one_per_code():
    assert Feature("element", 10).columns == 10
    assert Feature("mass", 256, scale=0.01).columns == 1
