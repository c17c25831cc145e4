"""Classes of equal environments in molecules small enough to count by hand."""

import numpy as np

from tenfold.emulators.environments import find_environments

CARBON, OXYGEN = 0, 1


def chain(*elements):
    codes = np.array(elements, np.uint8)[:, None]
    bonds = np.stack([np.arange(len(elements) - 1), np.arange(1, len(elements))], axis=1)
    return codes, bonds, np.zeros((len(bonds), 1), np.uint8)


def test_propane_has_two_classes_of_directed_bonds():
    environments = find_environments(*chain(CARBON, CARBON, CARBON), steps=1)
    assert len(environments.atom_types) == len(environments.bond_atom_type) == 1
    # the bond from the middle outwards has received from the other end; the bond inwards has received nothing
    assert len(environments.levels[0].initial) == 2
    assert sorted(np.bincount(environments.levels[0].receivers, minlength=2)) == [0, 1]
    assert len(environments.atoms.initial) == 2
    assert environments.atom_class[0] == environments.atom_class[2] != environments.atom_class[1]


def test_two_copies_have_the_classes_of_one():
    codes, bonds, bond_codes = chain(CARBON, CARBON, OXYGEN, CARBON)
    one = find_environments(codes, bonds, bond_codes, steps=2)
    two = find_environments(
        np.concatenate([codes] * 2), np.concatenate([bonds, bonds + 4]), np.concatenate([bond_codes] * 2), steps=2
    )
    assert [len(level.initial) for level in two.levels] == [len(level.initial) for level in one.levels]
    np.testing.assert_array_equal(two.atom_class, np.tile(one.atom_class, 2))


def test_without_deduplication_the_numbering_is_kept():
    codes, bonds, bond_codes = chain(CARBON, CARBON, CARBON)
    environments = find_environments(codes, bonds, bond_codes, steps=1, deduplicate=False)
    np.testing.assert_array_equal(environments.atom_class, [0, 1, 2])
    np.testing.assert_array_equal(environments.bond_atom_type, [0, 1, 1, 2])
    np.testing.assert_array_equal(environments.levels[0].senders, [2 - 2, 3])  # 1→2 receives from 0→1, 1→0 from 2→1
    np.testing.assert_array_equal(environments.levels[0].receivers, [1, 2])


def test_isolated_atoms_form_one_class():
    environments = find_environments(
        np.zeros((3, 1), np.uint8), np.zeros((0, 2), int), np.zeros((0, 1), np.uint8), steps=2
    )
    assert len(environments.atoms.initial) == 1 and len(environments.atoms.senders) == 0
    np.testing.assert_array_equal(environments.atom_class, [0, 0, 0])


def test_keys_of_many_bonds_and_codes_do_not_overflow():
    rng = np.random.default_rng(0)
    leaves = 40
    codes = rng.integers(0, 256, (leaves + 1, 12)).astype(np.uint8)
    bonds = np.stack([np.zeros(leaves, int), np.arange(1, leaves + 1)], axis=1)
    environments = find_environments(codes, bonds, rng.integers(0, 256, (leaves, 4)).astype(np.uint8), steps=2)
    assert len(np.unique(environments.atom_class)) == leaves + 1
    assert len(environments.atoms.senders) == 2 * leaves
