"""What quantum chemistry says of a molecule, whichever method was asked."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from threadpoolctl import threadpool_limits

BOHR_ANGSTROM = 0.529177210903
HARTREE_EV = 27.211386246
DEBYE_PER_AU = 2.541746473
"""CODATA 2018; the hartree to the digits that QM9 is read with."""

UNPAIRED_ELECTRONS = {1: 1, 5: 1, 6: 2, 7: 3, 8: 2, 9: 1, 14: 2, 15: 3, 16: 2, 17: 1, 35: 1, 53: 1}
"""Electrons without a partner in the ground state of a free atom, by atomic number."""


class CalculationError(RuntimeError):
    """A calculation that gives no usable result, and why."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class MolecularProperties:
    """Of a neutral closed-shell molecule at given positions of its nuclei."""

    atomisation_energy: float
    """Energy of the free atoms less that of the molecule, without zero-point vibration [eV]; QM9 has its negative."""
    homo: float
    """Energy of the highest occupied orbital [eV]."""
    lumo: float
    """Energy of the lowest empty orbital [eV]."""
    gap: float
    """Their difference [eV]."""
    dipole: float
    """Length of the dipole moment [D]."""


UNITS = {"atomisation_energy": "eV", "homo": "eV", "lumo": "eV", "gap": "eV", "dipole": "D"}
"""Of the properties, by name."""


def derive_properties(
    energy: float, free_atoms: float, orbitals: np.ndarray, occupations: np.ndarray, dipole: np.ndarray
) -> MolecularProperties:
    """Read the properties off a converged calculation.

    Parameters
    ----------
    energy, free_atoms
        Of the molecule, and of its atoms on their own [Ha].
    orbitals
        Energies, rising, shape (M,) [Ha].
    occupations
        Electrons in each, 0 to 2, shape (M,).
    dipole
        Shape (3,) [e a0].

    Raises
    ------
    NoAnswerError
        Orbitals are partly filled: there is no gap to speak of; or a number is not finite.
    """
    if np.any((occupations > 0.1) & (occupations < 1.9)):
        raise CalculationError("orbitals are partly filled: the gap is closed")
    filled = int(np.count_nonzero(occupations > 1))
    homo, lumo = orbitals[filled - 1] * HARTREE_EV, orbitals[filled] * HARTREE_EV
    found = MolecularProperties(
        atomisation_energy=float((free_atoms - energy) * HARTREE_EV),
        homo=float(homo),
        lumo=float(lumo),
        gap=float(lumo - homo),
        dipole=float(np.linalg.norm(dipole) * DEBYE_PER_AU),
    )
    if not np.isfinite(list(vars(found).values())).all():
        raise CalculationError("a number is not finite")
    return found


@cache
def limit_to_one_thread() -> None:
    """Hold this process's libraries to one thread, once: molecules run side by side, one to a core."""
    threadpool_limits(1)
