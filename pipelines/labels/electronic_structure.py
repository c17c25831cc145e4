"""Molecular properties from an electronic-structure calculation, whatever the level of theory."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from threadpoolctl import threadpool_limits

BOHR_ANGSTROM = 0.529177210903
HARTREE_EV = 27.211386246
DEBYE_PER_AU = 2.541746473
"""CODATA 2018; the hartree to the digits with which QM9 is read."""

UNPAIRED_ELECTRONS = {1: 1, 5: 1, 6: 2, 7: 3, 8: 2, 9: 1, 14: 2, 15: 3, 16: 2, 17: 1, 35: 1, 53: 1}
"""Number of unpaired electrons in the ground state of a free atom, by atomic number."""


class CalculationError(RuntimeError):
    """A calculation without a usable result, and the reason."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class MolecularProperties:
    """Properties of a neutral closed-shell molecule at a fixed geometry."""

    atomisation_energy: float
    """Energy of the free atoms minus that of the molecule, without zero-point energy [eV]; QM9 lists its negative."""
    homo: float
    """Energy of the highest occupied orbital [eV]."""
    lumo: float
    """Energy of the lowest unoccupied orbital [eV]."""
    gap: float
    """HOMO-LUMO gap [eV]."""
    dipole: float
    """Magnitude of the dipole moment [D]."""


UNITS = {"atomisation_energy": "eV", "homo": "eV", "lumo": "eV", "gap": "eV", "dipole": "D"}
"""Units of the properties, by name."""


def derive_properties(
    energy: float, free_atoms: float, orbitals: np.ndarray, occupations: np.ndarray, dipole: np.ndarray
) -> MolecularProperties:
    """Derive the properties from a converged calculation.

    Parameters
    ----------
    energy, free_atoms
        Energy of the molecule, and sum over its free atoms [Ha].
    orbitals
        Orbital energies in ascending order, shape (M,) [Ha].
    occupations
        Number of electrons in each orbital, 0 to 2, shape (M,).
    dipole
        Dipole moment, shape (3,) [e a0].

    Raises
    ------
    CalculationError
        Orbitals are partially occupied, so that the gap is undefined, or a value is not finite.
    """
    if np.any((occupations > 0.1) & (occupations < 1.9)):
        raise CalculationError("orbitals are partially occupied: the HOMO-LUMO gap is closed")
    n_occupied = int(np.count_nonzero(occupations > 1))
    homo, lumo = orbitals[n_occupied - 1] * HARTREE_EV, orbitals[n_occupied] * HARTREE_EV
    properties = MolecularProperties(
        atomisation_energy=float((free_atoms - energy) * HARTREE_EV),
        homo=float(homo),
        lumo=float(lumo),
        gap=float(lumo - homo),
        dipole=float(np.linalg.norm(dipole) * DEBYE_PER_AU),
    )
    if not np.isfinite(list(vars(properties).values())).all():
        raise CalculationError("a property is not finite")
    return properties


@cache
def limit_to_one_thread() -> None:
    """Limit the numerical libraries of this process to one thread: molecules run in parallel, one per core."""
    threadpool_limits(1)
