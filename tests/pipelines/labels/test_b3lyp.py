import numpy as np
import pytest

from tenfold.pipelines.labels.b3lyp import calculate_b3lyp, free_atom_energy, total_energy
from tenfold.pipelines.labels.electronic_structure import HARTREE_EV, CalculationError

# What QM9 (doi:10.1038/sdata.2014.22) prints of its third molecule, water: distances of its geometry [Å], energy at
# 0 K less zero-point vibration [Ha], orbitals [Ha], dipole [D]; and of free atoms [Ha], in its atomref.txt.
OH, HH = 0.96211, 1.51327
WATER_HARTREE = -76.404702 - 0.021375
WATER_HOMO, WATER_LUMO, WATER_DEBYE = -0.2928, 0.0687, 1.8511
ATOMS = {1: -0.500273, 6: -37.846772, 7: -54.583861, 8: -75.064579, 9: -99.71873}

NUMBERS = np.array([8, 1, 1])
POSITIONS = np.array([[0, 0, 0], [HH / 2, np.sqrt(OH**2 - HH**2 / 4), 0], [-HH / 2, np.sqrt(OH**2 - HH**2 / 4), 0]])


@pytest.mark.parametrize("number", ATOMS)
def test_free_atom_energies_are_those_of_qm9(number):
    assert free_atom_energy(number) == pytest.approx(ATOMS[number], abs=5e-6)


def test_water_agrees_with_qm9_to_all_printed_digits():
    properties = calculate_b3lyp(NUMBERS, POSITIONS)
    free = ATOMS[8] + 2 * ATOMS[1]
    assert properties.atomisation_energy == pytest.approx((free - WATER_HARTREE) * HARTREE_EV, abs=3e-4)
    assert properties.homo / HARTREE_EV == pytest.approx(WATER_HOMO, abs=1e-4)
    assert properties.lumo / HARTREE_EV == pytest.approx(WATER_LUMO, abs=1e-4)
    assert properties.dipole == pytest.approx(WATER_DEBYE, abs=5e-4)


def test_the_energy_is_invariant_under_rotation():
    turn, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))
    assert total_energy(NUMBERS, POSITIONS @ turn) == pytest.approx(total_energy(NUMBERS, POSITIONS), abs=2e-5)


def test_an_element_without_a_basis_set_raises():
    with pytest.raises(CalculationError, match="for Br"):
        calculate_b3lyp(np.array([35, 1]), np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.41]]))
