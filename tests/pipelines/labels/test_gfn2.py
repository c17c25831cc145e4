import numpy as np
import pytest
from rdkit import Chem

from tenfold.pipelines.labels.electronic_structure import HARTREE_EV, CalculationError, derive_properties
from tenfold.pipelines.labels.gfn2 import calculate_gfn2, free_atom_energy, relax_geometry
from tenfold.pipelines.molecules.conformers import embed_conformer

WATER = np.array([8, 1, 1]), np.array([[0.0, 0.0, 0.1173], [0.0, 0.7572, -0.4692], [0.0, -0.7572, -0.4692]])


def molecule(smiles: str) -> tuple[np.ndarray, np.ndarray]:
    mol = embed_conformer(Chem.AddHs(Chem.MolFromSmiles(smiles)), seed=1)
    return np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()]), mol.GetConformer().GetPositions()


def test_free_atoms_have_the_energies_of_the_xtb_program():
    # printed by xtb 6.7 --gfn 2 with the ground state's unpaired electrons [Ha]
    for number, energy in ((1, -0.393483), (6, -1.793296), (7, -2.605824), (8, -3.767606), (9, -4.619339)):
        assert free_atom_energy(number) == pytest.approx(energy, abs=2e-6)


def test_water_agrees_with_experiment_within_the_accuracy_of_the_method():
    properties = calculate_gfn2(*WATER)
    assert properties.dipole == pytest.approx(1.855, abs=0.5)  # microwave spectrum [D]
    assert properties.homo == pytest.approx(-12.6, abs=0.6)  # vertical ionisation [eV]
    assert properties.gap == pytest.approx(properties.lumo - properties.homo)


def test_properties_are_invariant_under_translation_rotation_and_permutation():
    numbers, positions = molecule("CC(=O)NC")
    turn, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))
    original, moved = calculate_gfn2(numbers, positions), calculate_gfn2(numbers, positions @ turn + 3.0)
    order = np.random.default_rng(1).permutation(len(numbers))
    shuffled = calculate_gfn2(numbers[order], positions[order])
    for other in (moved, shuffled):
        np.testing.assert_allclose(list(vars(other).values()), list(vars(original).values()), atol=2e-5)


def test_the_method_is_size_consistent():
    numbers, positions = molecule("C")
    both = calculate_gfn2(np.tile(numbers, 2), np.concatenate([positions, positions + 100.0]))
    one = calculate_gfn2(numbers, positions)
    assert both.atomisation_energy == pytest.approx(2 * one.atomisation_energy, abs=1e-4)
    assert both.gap == pytest.approx(one.gap, abs=1e-3)


def test_symmetric_molecules_have_no_dipole_moment():
    for smiles in ("C", "c1ccccc1", "C#C"):
        assert calculate_gfn2(*molecule(smiles)).dipole < 0.01


def test_relaxed_water_has_the_experimental_bond_length_and_angle():
    numbers, start = WATER
    positions = relax_geometry(numbers, start * 1.1)
    one, other = positions[1] - positions[0], positions[2] - positions[0]
    lengths = np.linalg.norm(one), np.linalg.norm(other)
    assert lengths == pytest.approx((0.958, 0.958), abs=0.01)
    assert np.degrees(np.arccos(one @ other / np.prod(lengths))) == pytest.approx(104.5, abs=4)
    assert (
        calculate_gfn2(numbers, positions).atomisation_energy > calculate_gfn2(numbers, start * 1.1).atomisation_energy
    )


def test_a_closed_gap_raises():
    with pytest.raises(CalculationError, match="gap is closed"):
        calculate_gfn2(np.array([8, 8]), np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.21]]))  # O2 is a triplet


def test_an_unknown_element_raises():
    with pytest.raises(CalculationError, match="element 26"):
        free_atom_energy(26)


def test_properties_follow_from_the_orbitals():
    properties = derive_properties(
        -1.0, -0.5, np.array([-0.5, -0.3, 0.1]), np.array([2.0, 2.0, 0.0]), np.array([0.0, 3.0, 4.0])
    )
    assert properties.atomisation_energy == pytest.approx(0.5 * HARTREE_EV)
    assert (properties.homo, properties.lumo, properties.gap) == pytest.approx(
        (-8.163416, 2.721139, 10.884554), abs=1e-5
    )
    assert properties.dipole == pytest.approx(12.708732, abs=1e-5)
