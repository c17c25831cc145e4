"""astropy quantities at the border of the public functions: converted once, to the plain numbers used inside."""

from typing import TYPE_CHECKING, Any

from tenfold.pipelines.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from astropy.units import UnitBase

ENERGIES_EV = {
    "eV": 1.0, "meV": 1e-3, "Ha": 27.211386245988, "kcal/mol": 0.0433641153087705, "kJ/mol": 0.010364269656262,
}  # fmt: skip
"""Energy units of molecular properties [eV per molecule]; CODATA 2018."""
_TOLERANCE = 1e-6


def plain_number(name: str, value: Any, unit: str) -> Any:
    """Return a quantity as a plain number in the given unit, and anything else unchanged.

    Parameters
    ----------
    name
        Name of the argument, for the error message.
    value
        An `astropy.units.Quantity`, or a plain number that is in ``unit`` already.
    unit
        ``"Mpc/h"``, ``"deg"``, ``"arcmin"`` or ``"1/arcmin2"``.

    Raises
    ------
    InputError
        The quantity has another dimension than the argument, or is not a single number.

    Example
    -------
    >>> from astropy import units
    >>> plain_number("side_deg", 90 * units.arcmin, "deg")
    1.5
    >>> plain_number("side_deg", 1.5, "deg")
    1.5
    """
    if not hasattr(value, "unit") or not hasattr(value, "to_value"):
        return value
    from astropy.units import UnitConversionError

    try:
        converted = value.to_value(_UNITS[unit]())
    except UnitConversionError:
        hint = "; Mpc/h is astropy.units.Mpc / astropy.cosmology.units.littleh" if unit == "Mpc/h" else ""
        actual_unit = str(value.unit) or "no unit"
        raise InputError(f"{name}: found a quantity in {actual_unit}, expected one in {unit}{hint}") from None
    if getattr(converted, "shape", ()) != ():
        raise InputError(f"{name}: found an array of quantities, expected a single one in {unit}")
    return float(converted)


def convert_quantities(owner: Any, **units: str) -> None:
    """Replace quantities among the fields of a frozen dataclass by plain numbers; called by its ``__post_init__``.

    Parameters
    ----------
    owner
        The dataclass.
    units
        Unit of each field that may be a quantity, by the field's name.

    Raises
    ------
    InputError
        See `plain_number`.
    """
    for name, unit in units.items():
        value = getattr(owner, name)
        if (number := plain_number(name, value, unit)) is not value:
            object.__setattr__(owner, name, number)


def energy_unit(name: str, unit: "str | UnitBase") -> str:
    """Return the name of an energy unit of molecules, given the name itself or an astropy unit.

    Parameters
    ----------
    name
        Name of the argument, for the error message.
    unit
        A name, which is returned unchanged, or an `astropy.units.Unit` of energy or of molar energy.

    Raises
    ------
    InputError
        The unit is not one of energy, or none of `ENERGIES_EV`.

    Example
    -------
    >>> from astropy import units
    >>> energy_unit("units", units.kJ / units.mol)
    'kJ/mol'
    """
    if isinstance(unit, str):
        return unit
    from astropy import constants, units

    expected = ", ".join(ENERGIES_EV)
    try:
        molar = units.Unit(unit).is_equivalent(units.eV / units.mol)
        ev = units.Unit(unit).to(units.eV / units.mol) / constants.N_A.value if molar else units.Unit(unit).to(units.eV)
    except (units.UnitConversionError, TypeError, ValueError):
        raise InputError(f"{name}: found the unit {unit}, expected an energy: {expected}") from None
    for known, size in ENERGIES_EV.items():
        if abs(ev / size - 1) < _TOLERANCE:
            return known
    raise InputError(f"{name}: found the unit {unit}, expected one of {expected}")


def _mpc_h() -> "UnitBase":
    from astropy import units
    from astropy.cosmology.units import littleh

    return units.Mpc / littleh


def _named(text: str) -> "Callable[[], UnitBase]":
    def unit() -> "UnitBase":
        from astropy.units import Unit

        return Unit(text)

    return unit


_UNITS: "dict[str, Callable[[], UnitBase]]" = {
    "Mpc/h": _mpc_h,
    "deg": _named("deg"),
    "arcmin": _named("arcmin"),
    "1/arcmin2": _named("1/arcmin2"),
}
