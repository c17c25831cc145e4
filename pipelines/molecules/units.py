"""Units of molecular properties, and what turns one into another."""

import numpy as np

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.reports.digits import figure

_UNITS = {
    "energy": {
        "eV": 1.0, "meV": 1e-3, "Ha": 27.211386245988, "kcal/mol": 0.0433641153087705, "kJ/mol": 0.010364269656262,
        "cm^-1": 1.239841984332e-4, "K": 8.617333262e-5,
    },
    "dipole": {"D": 1.0, "e*Angstrom": 4.80320471257, "e*a0": 2.541746473},
    "polarisability": {"a0^3": 1.0, "Angstrom^3": 6.748334508},
    "area": {"a0^2": 1.0, "Angstrom^2": 3.571064313},
    "frequency": {"GHz": 1.0, "MHz": 1e-3},
    "heat capacity": {"cal/mol/K": 1.0, "J/mol/K": 1 / 4.184},
}  # fmt: skip
"""How much of the first of each kind they are; CODATA 2018."""
_TYPICAL_EV = {"homo": (3.0, 25.0), "gap": (1.0, 25.0)}
_ATOMISATION = ("u0_atom", "u298_atom", "h298_atom", "g298_atom", "atomisation_energy")
_ATOMISATION_EV_PER_ATOM = (2.0, 45.0)
"""Between which sizes the median over molecules lies; by atom, whether hydrogens count as atoms or not."""
_SPELLINGS = {
    "hartree": "Ha", "eh": "Ha", "ha": "Ha", "debye": "D", "d": "D", "ev": "eV", "kcal/mol": "kcal/mol",
    "kj/mol": "kJ/mol", "kcal mol-1": "kcal/mol", "kj mol-1": "kJ/mol", "kcal mol^-1": "kcal/mol",
    "kj mol^-1": "kJ/mol", "kcal/mole": "kcal/mol", "kj/mole": "kJ/mol", "bohr^3": "a0^3", "bohr^2": "a0^2",
    "cm-1": "cm^-1", "cal/mol/k": "cal/mol/K", "cal/(mol k)": "cal/mol/K", "cal/(mol*k)": "cal/mol/K", "ghz": "GHz",
}  # fmt: skip
"""Other spellings, in lower case."""
_UNCLEAR = {
    "kcal": "kcal/mol", "kj": "kJ/mol", "cal": "kcal/mol", "j": "kJ/mol", "cal/mol": "kcal/mol", "j/mol": "kJ/mol",
    "mev": "meV", "au": "Ha, D or a0^3", "a.u.": "Ha, D or a0^3", "atomic units": "Ha, D or a0^3",
    "hartree/particle": "Ha", "h": "Ha", "kcal/mol/atom": "kcal/mol of the whole molecule",
    "ev/atom": "eV of the whole molecule",
}  # fmt: skip
"""What may be meant, and is asked about, in lower case."""


def canonical_unit(unit: str) -> str:
    """The unit as it is spelt here, where it is known; as it stands elsewhere."""
    if any(unit in kind for kind in _UNITS.values()):
        return unit
    return _SPELLINGS.get(unit.strip().lower(), unit)


def physical_quantity(unit: str) -> str:
    """What has a unit: energy, dipole, polarisability, area, frequency, heat capacity; empty where that is unknown."""
    unit = canonical_unit(unit)
    return next((name for name, kind in _UNITS.items() if unit in kind), "")


def check_unit(unit: str, name: str) -> None:
    """Check that a unit is not one of those that may mean another. Units that nothing is known of are let through.

    Raises
    ------
    ValueError
        It is: the message has what may be meant.
    """
    if not physical_quantity(unit) and unit.strip().lower() in _UNCLEAR:
        raise ValueError(f"units: {name} is given in {unit!r}; is {_UNCLEAR[unit.strip().lower()]} meant? Write that")


def conversion_factor(given: str, wanted: str, name: str) -> float:
    """Number that turns values in one unit into values in another.

    Parameters
    ----------
    given, wanted
        Such as Ha, eV, kcal/mol, kJ/mol; D; a0^3.
    name
        What has the unit, for the message.

    Raises
    ------
    InputError
        They are not units of one quantity.
    """
    ours, theirs = map(canonical_unit, (given, wanted))
    if ours == theirs:
        return 1.0
    for kind in _UNITS.values():
        if ours in kind:
            if theirs in kind:
                return kind[ours] / kind[theirs]
            raise InputError(f"units: {name} is given in {given}, which is no {wanted}; valid are {', '.join(kind)}")
    raise InputError(f"units: {name} is given in {given}, which nothing is known about; leave its unit out")


def unit_warning(name: str, unit: str, values: np.ndarray, atoms: np.ndarray) -> str | None:
    """Say so where labels are of a size that they have in another unit.

    Parameters
    ----------
    name, unit
        Of the target; upper or lower case.
    values, atoms
        Labels in that unit, and atoms of their molecules, shape (n,).

    Returns
    -------
    str or None
        A sentence for the user; None where nothing is known of the target, or nothing is odd.
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
    looks = f"that would be usual in {' or '.join(others)}" if others else "that is usual in no unit"
    found = f"its median{' by atom' if per_atom else ''} is {figure(median, zeros=False)} {unit}"
    return f"{name}: {found}; {looks}. Is its unit right?"
