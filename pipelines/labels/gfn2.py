"""GFN2-xTB (doi:10.1021/acs.jctc.8b01176), semi-empirical tight binding, milliseconds per molecule, with tblite."""

from functools import cache

import numpy as np
from scipy.optimize import minimize
from tblite.exceptions import TBLiteRuntimeError
from tblite.interface import Calculator, Result

from tenfold.pipelines.labels.electronic_structure import (
    BOHR_ANGSTROM,
    UNPAIRED_ELECTRONS,
    CalculationError,
    MolecularProperties,
    derive_properties,
    limit_to_one_thread,
)

_MAX_STEPS = 200
_MAX_GRADIENT = 1e-3
"""Largest gradient component of a relaxed geometry [Ha/a0]."""


def calculate_gfn2(numbers: np.ndarray, positions: np.ndarray) -> MolecularProperties:
    """Calculate the properties of a neutral closed-shell molecule at a fixed geometry.

    Parameters
    ----------
    numbers
        Atomic numbers, shape (A,).
    positions
        Positions of the nuclei, shape (A, 3) [Å].

    Raises
    ------
    CalculationError
        The SCF does not converge, or the HOMO-LUMO gap is closed.

    Notes
    -----
    The method was parametrised for geometries and non-covalent interactions, not for these properties. Over QM9,
    atomisation energies are a third too large; after scaling and a constant per element they agree with B3LYP within
    0.5 eV. HOMO and LUMO lie some 4 and 6 eV below those of B3LYP, in nearly the same order. Dipole moments are a
    quarter too large. A network trained on these labels learns GFN2.
    """
    return _properties(numbers, _run(_calculator(numbers, positions)))


def relax_geometry(numbers: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Relax the geometry to the nearest energy minimum.

    Parameters
    ----------
    numbers, positions
        As for `gfn2`.

    Returns
    -------
    np.ndarray
        Relaxed positions, shape (A, 3) [Å]; no gradient component exceeds 0.001 Ha/a0.

    Raises
    ------
    CalculationError
        The SCF or the relaxation does not converge.
    """
    calculator = _calculator(numbers, positions)
    result: Result | None = None

    def energy(flat: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal result
        calculator.update(flat.reshape(-1, 3))
        result = _run(calculator, result)
        return float(result["energy"]), np.array(result["gradient"]).reshape(-1)

    start = np.asarray(positions, np.float64).reshape(-1) / BOHR_ANGSTROM
    options = {"maxiter": _MAX_STEPS, "gtol": _MAX_GRADIENT, "ftol": 0.0}
    optimum = minimize(energy, start, jac=True, method="L-BFGS-B", options=options)
    if np.abs(optimum.jac).max() > _MAX_GRADIENT:
        raise CalculationError(f"the geometry does not converge in {_MAX_STEPS} steps")
    return optimum.x.reshape(-1, 3) * BOHR_ANGSTROM


@cache
def free_atom_energy(number: int) -> float:
    """Energy of a free atom [Ha].

    Raises
    ------
    CalculationError
        The element is not in `UNPAIRED_ELECTRONS`.
    """
    if number not in UNPAIRED_ELECTRONS:
        raise CalculationError(f"the ground state of element {number} is not tabulated")
    calculator = Calculator("GFN2-xTB", np.array([number]), np.zeros((1, 3)), uhf=UNPAIRED_ELECTRONS[number])
    calculator.set("verbosity", 0)
    return float(_run(calculator)["energy"])


def _properties(numbers: np.ndarray, result: Result) -> MolecularProperties:
    return derive_properties(
        float(result["energy"]),
        sum(free_atom_energy(int(number)) for number in numbers),
        np.array(result["orbital-energies"]),
        np.array(result["orbital-occupations"]),
        np.array(result["dipole"]),
    )


def _calculator(numbers: np.ndarray, positions: np.ndarray) -> Calculator:
    limit_to_one_thread()
    calculator = Calculator("GFN2-xTB", np.asarray(numbers), np.asarray(positions, np.float64) / BOHR_ANGSTROM)
    calculator.set("verbosity", 0)
    return calculator


def _run(calculator: Calculator, result: Result | None = None) -> Result:
    try:
        return calculator.singlepoint(result)
    except TBLiteRuntimeError as error:
        raise CalculationError(f"GFN2 failed: {' '.join(str(error).split())}") from error
