"""Molecular properties by name: chemical accuracy, and which are extensive."""

from typing import Literal

from tenfold.pipelines.molecules.units import physical_quantity

EV_PER_UNIT = {
    "eV": 1.0,
    "meV": 1e-3,
    "Ha": 27.211386246,
    "kcal/mol": 0.04336414,
    "kJ/mol": 0.04336414 / 4.184,
}
"""Units of energy [eV]."""

ENERGY_ACCURACY_EV = 0.043
"""Chemical accuracy of energies [eV]: 1 kcal/mol, to the digits of arXiv:1704.01212."""
ZPVE_ACCURACY_EV = 0.0012
"""Chemical accuracy of the zero-point vibrational energy [eV]."""

ENERGY_NAMES = (
    "homo", "lumo", "gap", "u0", "u", "u298", "h", "h298", "g", "g298",
    "u0_atom", "u298_atom", "h298_atom", "g298_atom",
    "atomisation_energy", "heat_of_formation", "hydration_free_energy",
)  # fmt: skip
OTHER_ACCURACIES = {
    "mu": (0.1, "D"),
    "dipole": (0.1, "D"),
    "alpha": (0.1, "a0^3"),
    "r2": (1.2, "a0^2"),
    "cv": (0.05, "cal/mol/K"),
    "omega1": (10.0, "cm^-1"),
}
"""Chemical accuracy and its unit of other properties, by name."""

EXTENSIVE_QUANTITIES = {
    **dict.fromkeys(
        ("u0", "u", "u298", "h", "h298", "g", "g298", "u0_atom", "u298_atom", "h298_atom", "g298_atom",
         "atomisation_energy", "heat_of_formation", "zpve"), "energy",
    ),
    "alpha": "polarisability", "cv": "heat capacity",
}  # fmt: skip
"""Physical quantity of the extensive properties, by name: the value of two distant molecules is the sum of theirs."""
Property = Literal["dipole", "extensive", "other"]


def infer_property(name: str, unit: str, smallest: float) -> tuple[Property, str]:
    """Infer the physical property of a target from its name, and check it against the unit and sign of its labels.

    Parameters
    ----------
    name, unit
        Name and unit of the target; the name in any case.
    smallest
        Smallest label.

    Returns
    -------
    property, warning
        The property, and why the one its name suggests is not used; empty if there is no contradiction.
    """
    lower, quantity = name.lower(), physical_quantity(unit)
    if lower in ("mu", "dipole"):
        if quantity == "dipole" and smallest >= 0:
            return "dipole", ""
        reason = (
            f"it has the label {smallest:g}"
            if quantity == "dipole"
            else f"its unit is {unit!r}"
            if unit
            else "it has no unit"
        )
        return "other", f"{name}: not treated as the magnitude of a dipole moment, because {reason}"
    if lower in EXTENSIVE_QUANTITIES:
        if quantity == EXTENSIVE_QUANTITIES[lower]:
            return "extensive", ""
        reason = f"its unit is {unit!r}" if unit else "it has no unit"
        return "other", f"{name}: not treated as an extensive property, because {reason}"
    return "other", ""


def chemical_accuracy(name: str, unit: str) -> float | None:
    """Return the chemical accuracy of a property in the given unit; None if it is not defined.

    Gilmer et al. (arXiv:1704.01212) report errors relative to it.

    Parameters
    ----------
    name
        Name of the property in QM9, in any case.
    unit
        Unit of the property.
    """
    name = name.lower()
    if name in ("zpve", *ENERGY_NAMES):
        accuracy = ZPVE_ACCURACY_EV if name == "zpve" else ENERGY_ACCURACY_EV
        return accuracy / EV_PER_UNIT[unit] if unit in EV_PER_UNIT else None
    accuracy, expected = OTHER_ACCURACIES.get(name, (None, ""))
    return accuracy if unit == expected else None
