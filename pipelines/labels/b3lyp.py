"""B3LYP/6-31G(2df,p), the level of theory of QM9 (doi:10.1038/sdata.2014.22), computed with PySCF."""

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
"""Angular momentum and exponent [a0^-2] of the polarisation functions that 6-31G(2df,p) adds to 6-31G.

The definition is that of Gaussian, and hence of QM9: the two d exponents are twice and half that of 6-31G(d). Other
programs, including PySCF, use the d functions of 6-311G under this name, which changes the energies of QM9's molecules
by some 0.01 Ha.
"""


def calculate_b3lyp(numbers: np.ndarray, positions: np.ndarray) -> MolecularProperties:
    """Calculate the properties of a neutral closed-shell molecule at a fixed geometry.

    Nine heavy atoms take minutes on one core. As in Gaussian, the functional contains VWN3, and the basis has six
    Cartesian d and seven pure f functions. At the geometries of QM9, the results reproduce QM9: energies to some µHa,
    orbital energies and dipole moments to all printed digits.

    Parameters
    ----------
    numbers, positions
        As for `tenfold.pipelines.labels.gfn2.calculate_gfn2`.

    Raises
    ------
    CalculationError
        The basis set of an element is missing, or the SCF does not converge.
    """
    free_atoms = sum(free_atom_energy(int(number)) for number in numbers)
    field = _solved(numbers, positions, spin=0)
    dipole = field.dip_moment(unit="AU", verbose=0)
    return derive_properties(field.e_tot, free_atoms, field.mo_energy, field.mo_occ, np.asarray(dipole))


def total_energy(numbers: np.ndarray, positions: np.ndarray) -> float:
    """Total electronic energy of a closed-shell molecule [Ha], without zero-point energy; see `calculate_b3lyp`."""
    return float(_solved(numbers, positions, spin=0).e_tot)


@cache
def free_atom_energy(number: int) -> float:
    """Energy of a free atom [Ha], spin-unrestricted.

    Raises
    ------
    CalculationError
        The basis set of the element is missing, or the SCF does not converge.
    """
    return float(_solved(np.array([number]), np.zeros((1, 3)), spin=UNPAIRED_ELECTRONS.get(number, 0)).e_tot)


def _solved(numbers: np.ndarray, positions: np.ndarray, spin: int) -> Any:
    """The converged self-consistent field, calculated on one thread."""
    limit_to_one_thread()
    symbols = [param.ELEMENTS[number] for number in numbers]
    missing = sorted(set(symbols) - set(POLARISATION_FUNCTIONS))
    if missing:
        raise CalculationError(f"no 6-31G(2df,p) basis set for {', '.join(missing)}")
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
    field.check_linear_dependency = lambda overlap, *_: _orthonormal(
        pure, overlap
    )  # PySCF expands the orbitals in this basis
    field.kernel()
    if not field.converged:
        field.max_cycle = 200
        for shift in (0.3, 0.0):  # level shift [Ha], then none
            field.level_shift = shift
            field.kernel(field.make_rdm1())
    if not field.converged:
        raise CalculationError("B3LYP failed: the SCF does not converge")
    return field


def _basis(symbol: str) -> list:
    return [
        *gto.basis.load("6-31G", symbol),
        *([momentum, [exponent, 1.0]] for momentum, exponent in POLARISATION_FUNCTIONS[symbol]),
    ]


def _pure_f(mol: gto.Mole) -> np.ndarray:
    """Transformation to pure f functions, shape (Cartesian functions, basis functions)."""
    blocks = []
    for shell in range(mol.nbas):
        momentum = mol.bas_angular(shell)
        block = gto.mole.cart2sph(3, normalized="sp") if momentum == 3 else np.eye((momentum + 1) * (momentum + 2) // 2)
        blocks += [block] * mol.bas_nctr(shell)
    return scipy.linalg.block_diag(*blocks)


def _orthonormal(span: np.ndarray, overlap: np.ndarray) -> np.ndarray:
    """Orthonormal basis of the same span (Löwdin)."""
    values, vectors = np.linalg.eigh(span.T @ overlap @ span)
    return span @ (vectors / np.sqrt(values)) @ vectors.T
