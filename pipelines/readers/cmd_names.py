"""Names of the CAMELS Multifield Dataset's files, which say what they hold; the arrays in them say nothing.

As documented at https://camels-multifield-dataset.readthedocs.io/en/latest/data.html (arXiv:2109.10915).
"""

import re
from dataclasses import dataclass
from pathlib import Path

BOX_MPC_H = 25.0
"""Side of all boxes, and maps [Mpc/h]; they are periodic."""

_SURFACE_DENSITY = "(Msun/h)/(Mpc/h)^2"
MAP_UNITS = {
    "Mgas": _SURFACE_DENSITY, "HI": _SURFACE_DENSITY, "Mcdm": _SURFACE_DENSITY, "Mstar": _SURFACE_DENSITY,
    "Mtot": _SURFACE_DENSITY, "Vgas": "km/s", "Vcdm": "km/s", "T": "K", "P": "h^2 Msun (km/s)^2/kpc^3",
    "Z": "dimensionless", "MgFe": "dimensionless", "ne": "h^2/cm^3 (Mpc/h)", "B": "Gauss",
}  # fmt: skip
"""Unit of the pixels of a map, by field."""

_SET = r"(?P<set>LH|CV|1P|EX|BE|SB\d*)"
_MAPS = re.compile(
    rf"(?P<kind>Maps|Grids)_(?P<field>[A-Za-z]+)_(?P<suite>\w+?)_{_SET}(?:_(?P<grid>\d+))?_z=(?P<z>\d+(?:\.\d+)?)\.npy"
)
_TABLES = (
    re.compile(rf"params_{_SET}_(?P<suite>\w+)\.txt"),
    re.compile(rf"CosmoAstroSeed_(?P<suite>\w+?)_L25n\d+_{_SET}\.txt"),
)


@dataclass(frozen=True, kw_only=True)
class CMDName:
    """What the name of a file of maps or grids says."""

    kind: str
    """Maps or Grids."""
    field: str
    suite: str
    """Code and, of N-body twins, what they are twins of: ``Nbody_IllustrisTNG``."""
    set: str
    redshift: float

    @property
    def units(self) -> str:
        """Of the pixels of maps, as the dataset documents it; of a field it does not know, the field's name."""
        return MAP_UNITS.get(self.field, self.field)


def parse_file_name(path: Path) -> CMDName | None:
    """What the name of a file says; None where it is not one of the dataset's."""
    found = _MAPS.fullmatch(path.name)
    if found is None:
        return None
    return CMDName(
        kind=found["kind"], field=found["field"], suite=found["suite"], set=found["set"], redshift=float(found["z"])
    )


def parse_table_name(path: Path) -> tuple[str, str] | None:
    """Suite and set of a parameter file, by its name; None where it is not one of the dataset's."""
    found = next((match for pattern in _TABLES if (match := pattern.fullmatch(path.name))), None)
    return None if found is None else (found["suite"], found["set"])
