"""Units of molecular properties and their conversion."""

import numpy as np

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.quantities import ENERGIES_EV
from tenfold.pipelines.reports.digits import format_number

_UNITS = {
    "energy": {**ENERGIES_EV, "cm^-1": 1.239841984332e-4, "K": 8.617333262e-5},
    "dipole": {"D": 1.0, "e*Angstrom": 4.80320471257, "e*a0": 2.541746473},
    "polarisability": {"a0^3": 1.0, "Angstrom^3": 6.748334508},
    "area": {"a0^2": 1.0, "Angstrom^2": 3.571064313},
    "frequency": {"GHz": 1.0, "MHz": 1e-3},
    "heat capacity": {"cal/mol/K": 1.0, "J/mol/K": 1 / 4.184},
}  # fmt: skip
"""Units by physical quantity, in terms of the first unit of each; CODATA 2018."""
_TYPICAL_EV = {"homo": (3.0, 25.0), "gap": (1.0, 25.0)}
"""Typical range of the median absolute value over molecules [eV]."""
_ATOMISATION = ("u0_atom", "u298_atom", "h298_atom", "g298_atom", "atomisation_energy")
_ATOMISATION_EV_PER_ATOM = (2.0, 45.0)
"""Typical range of the median over molecules per atom [eV], with or without counting hydrogens."""
_SPELLINGS = {
    "hartree": "Ha", "eh": "Ha", "ha": "Ha", "debye": "D", "d": "D", "ev": "eV", "kcal/mol": "kcal/mol",
    "kj/mol": "kJ/mol", "kcal mol-1": "kcal/mol", "kj mol-1": "kJ/mol", "kcal mol^-1": "kcal/mol",
    "kj mol^-1": "kJ/mol", "kcal/mole": "kcal/mol", "kj/mole": "kJ/mol", "bohr^3": "a0^3", "bohr^2": "a0^2",
    "cm-1": "cm^-1", "cal/mol/k": "cal/mol/K", "cal/(mol k)": "cal/mol/K", "cal/(mol*k)": "cal/mol/K", "ghz": "GHz",
}  # fmt: skip
"""Alternative spellings of units, in lower case."""
_AMBIGUOUS = {
    "kcal": "kcal/mol", "kj": "kJ/mol", "cal": "kcal/mol", "j": "kJ/mol", "cal/mol": "kcal/mol", "j/mol": "kJ/mol",
    "mev": "meV", "au": "Ha, D or a0^3", "a.u.": "Ha, D or a0^3", "atomic units": "Ha, D or a0^3",
    "hartree/particle": "Ha", "h": "Ha", "kcal/mol/atom": "kcal/mol of the whole molecule",
    "ev/atom": "eV of the whole molecule",
}  # fmt: skip
"""Ambiguous units in lower case, and the unit that may be meant."""


def canonical_unit(unit: str) -> str:
    """Return the canonical spelling of a unit; unknown units are returned unchanged."""
    if any(unit in kind for kind in _UNITS.values()):
        return unit
    return _SPELLINGS.get(unit.strip().lower(), unit)


def physical_quantity(unit: str) -> str:
    """Return the quantity of a unit (energy, dipole, polarisability, area, frequency, heat capacity), or ""."""
    unit = canonical_unit(unit)
    return next((name for name, kind in _UNITS.items() if unit in kind), "")


def check_unit(unit: str, name: str) -> None:
    """Check that a unit is not ambiguous. Unknown units are accepted.

    Raises
    ------
    ValueError
        The unit is ambiguous; the message names the unit that may be meant.
    """
    if not physical_quantity(unit) and unit.strip().lower() in _AMBIGUOUS:
        meant = _AMBIGUOUS[unit.strip().lower()]
        raise ValueError(f"units: {name} is given in {unit!r}, which is ambiguous. Is {meant} meant? Write it so")


def conversion_factor(source: str, target: str, name: str) -> float:
    """Return the factor that converts values from one unit to another.

    Parameters
    ----------
    source, target
        Units such as Ha, eV, kcal/mol, kJ/mol; D; a0^3.
    name
        Name of the property, for the message.

    Raises
    ------
    InputError
        The units are not of the same quantity.
    """
    old, new = map(canonical_unit, (source, target))
    if old == new:
        return 1.0
    for kind in _UNITS.values():
        if old in kind:
            if new in kind:
                return kind[old] / kind[new]
            valid = ", ".join(kind)
            raise InputError(
                f"units: {name} is given in {source}, which cannot be converted to {target}; valid are {valid}"
            )
    raise InputError(f"units: {name} is given in {source}, which is not a known unit; leave it out")


def unit_warning(name: str, unit: str, values: np.ndarray, atoms: np.ndarray) -> str | None:
    """Warn if the magnitude of the labels is untypical of their unit.

    Parameters
    ----------
    name, unit
        Name and unit of the target; the name in any case.
    values, atoms
        Labels in that unit, and numbers of atoms of their molecules, shape (n,).

    Returns
    -------
    str or None
        Warning; None if the range of the target is not known, or its labels are typical.
    """
    energies = _UNITS["energy"]
    per_atom = name.lower() in _ATOMISATION
    typical = _ATOMISATION_EV_PER_ATOM if per_atom else _TYPICAL_EV.get(name.lower())
    unit = canonical_unit(unit)
    if typical is None or unit not in energies or not len(values):
        return None
    median = float(np.median(abs(values) / (atoms if per_atom else 1)))
    if typical[0] <= median * energies[unit] <= typical[1]:
        return None
    others = [
        other for other in ("Ha", "eV", "kcal/mol", "kJ/mol") if typical[0] <= median * energies[other] <= typical[1]
    ]
    comparison = f"typical of values in {' or '.join(others)}" if others else "not typical of any unit"
    observed = f"its median{' per atom' if per_atom else ''} is {format_number(median, zeros=False)} {unit}"
    return f"{name}: {observed}, which is {comparison}. Is its unit right?"
