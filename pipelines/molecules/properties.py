"""What is known of molecular properties by their names: how well chemistry needs them, and which grow with size."""

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
"""1 kcal/mol, to the digits the paper gives."""
ZPVE_ACCURACY_EV = 0.0012

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
"""Accuracy and its unit, by name."""

EXTENSIVE_QUANTITIES = {
    **dict.fromkeys(
        ("u0", "u", "u298", "h", "h298", "g", "g298", "u0_atom", "u298_atom", "h298_atom", "g298_atom",
         "atomisation_energy", "heat_of_formation", "zpve"), "energy",
    ),
    "alpha": "polarisability", "cv": "heat capacity",
}  # fmt: skip
"""Those of which two molecules far apart have the sum of both, and what quantity they are."""
Property = Literal["dipole", "extensive", "other"]


def infer_property(name: str, unit: str, smallest: float) -> tuple[Property, str]:
    """What a target is by its name, if its unit and its sign agree; and what to say where they do not.

    Parameters
    ----------
    name, unit
        Of the target; upper or lower case.
    smallest
        Of its labels.
    """
    lower, found = name.lower(), physical_quantity(unit)
    if lower in ("mu", "dipole"):
        if found == "dipole" and smallest >= 0:
            return "dipole", ""
        reason = (
            f"it has the label {smallest:g}"
            if found == "dipole"
            else f"its unit is {unit!r}"
            if unit
            else "it has no unit"
        )
        return "other", f"{name}: not taken for the length of a dipole moment, because {reason}"
    if lower in EXTENSIVE_QUANTITIES:
        if found == EXTENSIVE_QUANTITIES[lower]:
            return "extensive", ""
        reason = f"its unit is {unit!r}" if unit else "it has no unit"
        return "other", f"{name}: not taken for a property that grows with the molecule, because {reason}"
    return "other", ""


def chemical_accuracy(name: str, unit: str) -> float | None:
    """Return the error that chemistry calls accurate, in the unit given; None where none is defined.

    Gilmer et al. (arXiv:1704.01212) tell errors in units of it.

    Parameters
    ----------
    name
        Of the property, as QM9 has it; upper or lower case.
    unit
        Of its values.
    """
    name = name.lower()
    if name in ("zpve", *ENERGY_NAMES):
        accuracy = ZPVE_ACCURACY_EV if name == "zpve" else ENERGY_ACCURACY_EV
        return accuracy / EV_PER_UNIT[unit] if unit in EV_PER_UNIT else None
    accuracy, expected = OTHER_ACCURACIES.get(name, (None, ""))
    return accuracy if unit == expected else None
