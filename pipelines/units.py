"""Units of molecular properties, and what turns one into another."""

from tenfold.pipelines.errors import InputError

_UNITS = {
    "energy": {
        "eV": 1.0, "meV": 1e-3, "Ha": 27.211386245988, "kcal/mol": 0.0433641153087705, "kJ/mol": 0.010364269656262,
        "cm-1": 1.239841984332e-4, "K": 8.617333262e-5,
    },
    "dipole": {"D": 1.0, "e*Angstrom": 4.80320471257, "e*a0": 2.541746473},
    "polarisability": {"a0^3": 1.0, "Angstrom^3": 6.748334508},
    "area": {"a0^2": 1.0, "Angstrom^2": 3.571064313},
    "frequency": {"GHz": 1.0, "MHz": 1e-3},
    "heat capacity": {"cal/mol/K": 1.0, "J/mol/K": 1 / 4.184},
}  # fmt: skip
"""How much of the first of each kind they are; CODATA 2018."""
_SPELLINGS = {"hartree": "Ha", "eh": "Ha", "debye": "D", "ev": "eV", "bohr^3": "a0^3", "bohr^2": "a0^2"}


def factor(given: str, wanted: str, name: str) -> float:
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
    ours, theirs = (_SPELLINGS.get(unit.lower(), unit) for unit in (given, wanted))
    if ours == theirs:
        return 1.0
    for kind in _UNITS.values():
        if ours in kind:
            if theirs in kind:
                return kind[ours] / kind[theirs]
            raise InputError(f"units: {name} is given in {given}, which is no {wanted}; valid are {', '.join(kind)}")
    raise InputError(f"units: {name} is given in {given}, which nothing is known about; leave its unit out")
