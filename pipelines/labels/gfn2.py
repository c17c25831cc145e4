"""GFN2-xTB (doi:10.1021/acs.jctc.8b01176), the tight binding that labels molecules in milliseconds, by tblite."""

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

_STEPS = 200
_FLAT = 1e-3
"""Largest component of the gradient in a relaxed molecule [Ha/a0]."""


def calculate_gfn2(numbers: np.ndarray, positions: np.ndarray) -> MolecularProperties:
    """Calculate a neutral closed-shell molecule as it stands.

    Parameters
    ----------
    numbers
        Atomic numbers, shape (A,).
    positions
        Of the nuclei, shape (A, 3) [Å].

    Raises
    ------
    NoAnswerError
        Self-consistency is not reached, or the gap is closed.

    Notes
    -----
    Made for geometries and weak bonds, not for these numbers. Over QM9, atomisation energies are a third too large;
    scaled, and with a constant per element, they come within 0.5 eV of B3LYP's. HOMO and LUMO lie some 4 and 6 eV below
    B3LYP's, in nearly the same order; dipoles are a quarter too large. What learns these labels learns GFN2.
    """
    return _properties(numbers, _run(_calculator(numbers, positions)))


def relax_geometry(numbers: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Move the nuclei to the nearest minimum of the energy.

    Parameters
    ----------
    numbers, positions
        As for `gfn2`.

    Returns
    -------
    np.ndarray
        Positions, shape (A, 3) [Å]; no component of the gradient exceeds 0.001 Ha/a0.

    Raises
    ------
    NoAnswerError
        Self-consistency, or the minimum, is not reached.
    """
    calculator = _calculator(numbers, positions)
    result: Result | None = None

    def energy(flat: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal result
        calculator.update(flat.reshape(-1, 3))
        result = _run(calculator, result)
        return float(result["energy"]), np.array(result["gradient"]).reshape(-1)

    start = np.asarray(positions, np.float64).reshape(-1) / BOHR_ANGSTROM
    options = {"maxiter": _STEPS, "gtol": _FLAT, "ftol": 0.0}
    found = minimize(energy, start, jac=True, method="L-BFGS-B", options=options)
    if np.abs(found.jac).max() > _FLAT:
        raise CalculationError(f"no minimum of the energy in {_STEPS} steps")
    return found.x.reshape(-1, 3) * BOHR_ANGSTROM


@cache
def free_atom_energy(number: int) -> float:
    """Energy of an atom on its own [Ha].

    Raises
    ------
    NoAnswerError
        Its ground state is not in the table.
    """
    if number not in UNPAIRED_ELECTRONS:
        raise CalculationError(f"no ground state is known here for element {number}")
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
