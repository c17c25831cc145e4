"""B3LYP/6-31G(2df,p), the density functional theory of QM9 (doi:10.1038/sdata.2014.22), by PySCF."""

from functools import cache
from typing import Any

import numpy as np
import scipy.linalg
from pyscf import dft, gto
from pyscf.lib import param

from tenfold.pipelines.labels.electronic_structure import (
    UNPAIRED_ELECTRONS,
    CalculationError,
    MolecularProperties,
    derive_properties,
    limit_to_one_thread,
)

POLARISATION_FUNCTIONS: dict[str, tuple[tuple[int, float], ...]] = {
    "H": ((1, 1.1),),
    "C": ((2, 1.6), (2, 0.4), (3, 0.8)),
    "N": ((2, 1.6), (2, 0.4), (3, 1.0)),
    "O": ((2, 1.6), (2, 0.4), (3, 1.4)),
    "F": ((2, 1.6), (2, 0.4), (3, 1.85)),
    "S": ((2, 1.3), (2, 0.325), (3, 0.55)),
    "Cl": ((2, 1.5), (2, 0.375), (3, 0.7)),
}
"""Angular momentum and exponent [a0^-2] of the functions that 6-31G(2df,p) adds to 6-31G.

As Gaussian has them, and so QM9: the two d are those of 6-31G(d), halved and doubled. What other programs, PySCF among
them, call by this name has the d functions of 6-311G, and misses QM9's energies by some 0.01 Ha a molecule.
"""


def calculate_b3lyp(numbers: np.ndarray, positions: np.ndarray) -> MolecularProperties:
    """Calculate a neutral closed-shell molecule as it stands: minutes for nine heavy atoms on one core.

    The functional is that of Gaussian (VWN3 inside), and so are the functions of the basis: six Cartesian d, seven
    pure f. At QM9's own geometries this gives QM9's own numbers: energies to some µHa, orbitals and dipoles to all the
    digits that it prints.

    Parameters
    ----------
    numbers
        Atomic numbers, shape (A,).
    positions
        Of the nuclei, shape (A, 3) [Å].

    Raises
    ------
    NoAnswerError
        An element has no basis here, or self-consistency is not reached.
    """
    free_atoms = sum(free_atom_energy(int(number)) for number in numbers)
    field = _solved(numbers, positions, spin=0)
    dipole = field.dip_moment(unit="AU", verbose=0)
    return derive_properties(field.e_tot, free_atoms, field.mo_energy, field.mo_occ, np.asarray(dipole))


def total_energy(numbers: np.ndarray, positions: np.ndarray) -> float:
    """Total energy of a closed-shell molecule [Ha], without zero-point vibration; as `b3lyp`."""
    return float(_solved(numbers, positions, spin=0).e_tot)


@cache
def free_atom_energy(number: int) -> float:
    """Energy of an atom on its own [Ha], spin-unrestricted.

    Raises
    ------
    NoAnswerError
        The element has no basis here, or self-consistency is not reached.
    """
    return float(_solved(np.array([number]), np.zeros((1, 3)), spin=UNPAIRED_ELECTRONS.get(number, 0)).e_tot)


def _solved(numbers: np.ndarray, positions: np.ndarray, spin: int) -> Any:
    """The self-consistent field, on one thread."""
    limit_to_one_thread()
    symbols = [param.ELEMENTS[number] for number in numbers]
    missing = sorted(set(symbols) - set(POLARISATION_FUNCTIONS))
    if missing:
        raise CalculationError(f"no basis 6-31G(2df,p) for {', '.join(missing)}")
    mol = gto.M(
        atom=list(zip(symbols, np.asarray(positions).tolist(), strict=True)),
        basis={symbol: _basis(symbol) for symbol in set(symbols)},
        spin=spin,
        cart=True,
        unit="Angstrom",
        verbose=0,
    )
    field = dft.UKS(mol) if spin else dft.RKS(mol)
    field.xc = "b3lypg"
    field.conv_tol = 1e-8
    pure = _pure_f(mol)
    field.check_linear_dependency = lambda overlap, *_: _orthonormal(pure, overlap)  # what all orbitals are made of
    field.kernel()
    if not field.converged:
        field.max_cycle = 200
        for shift in (0.3, 0.0):  # orbitals held apart at first [Ha]
            field.level_shift = shift
            field.kernel(field.make_rdm1())
    if not field.converged:
        raise CalculationError("B3LYP failed: self-consistency is not reached")
    return field


def _basis(symbol: str) -> list:
    return [
        *gto.basis.load("6-31G", symbol),
        *([momentum, [exponent, 1.0]] for momentum, exponent in POLARISATION_FUNCTIONS[symbol]),
    ]


def _pure_f(mol: gto.Mole) -> np.ndarray:
    """Columns that span the Cartesian functions without the p part of f, shape (Cartesian functions, functions)."""
    blocks = []
    for shell in range(mol.nbas):
        momentum = mol.bas_angular(shell)
        one = gto.mole.cart2sph(3, normalized="sp") if momentum == 3 else np.eye((momentum + 1) * (momentum + 2) // 2)
        blocks += [one] * mol.bas_nctr(shell)
    return scipy.linalg.block_diag(*blocks)


def _orthonormal(span: np.ndarray, overlap: np.ndarray) -> np.ndarray:
    """Orthonormal functions with the same span (Löwdin)."""
    values, vectors = np.linalg.eigh(span.T @ overlap @ span)
    return span @ (vectors / np.sqrt(values)) @ vectors.T
