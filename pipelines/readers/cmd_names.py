"""File names of the CAMELS Multifield Dataset (CMD), which carry the metadata; the arrays carry none.

As documented at https://camels-multifield-dataset.readthedocs.io/en/latest/data.html (arXiv:2109.10915).
"""

import re
from dataclasses import dataclass
from pathlib import Path

BOX_MPC_H = 25.0
"""Side of all boxes and maps [Mpc/h]; they are periodic."""

_SURFACE_DENSITY = "(Msun/h)/(Mpc/h)^2"
MAP_UNITS = {
    "Mgas": _SURFACE_DENSITY, "HI": _SURFACE_DENSITY, "Mcdm": _SURFACE_DENSITY, "Mstar": _SURFACE_DENSITY,
    "Mtot": _SURFACE_DENSITY, "Vgas": "km/s", "Vcdm": "km/s", "T": "K", "P": "h^2 Msun (km/s)^2/kpc^3",
    "Z": "dimensionless", "MgFe": "dimensionless", "ne": "h^2/cm^3 (Mpc/h)", "B": "Gauss",
}  # fmt: skip
"""Unit of the pixels of a map, by field."""
GRID_UNITS = {field: "(Msun/h)/(Mpc/h)^3" if unit == _SURFACE_DENSITY else unit for field, unit in MAP_UNITS.items()}
GRID_UNITS["ne"] = "h^2/cm^3"
"""Unit of the voxels of a grid, by field."""

_SET = r"(?P<set>LH|CV|1P|EX|BE|SB\d*)"
_MAPS = re.compile(
    rf"(?P<kind>Maps|Grids)_(?P<field>[A-Za-z]+)_(?P<suite>\w+?)_{_SET}(?:_(?P<voxels>\d+))?_z=(?P<z>\d+(?:\.\d+)?)\.npy"
)
_TABLES = (
    re.compile(rf"params_{_SET}_(?P<suite>\w+)\.txt"),
    re.compile(rf"CosmoAstroSeed_(?P<suite>\w+?)_L25n\d+_{_SET}\.txt"),
)


@dataclass(frozen=True, kw_only=True)
class CMDName:
    """Metadata in the name of a file of maps or grids."""

    kind: str
    """Maps or Grids."""
    field: str
    suite: str
    """Simulation code; for N-body counterparts also the code of their hydrodynamic partner: ``Nbody_IllustrisTNG``."""
    set: str
    redshift: float
    voxels: int | None = None
    """Voxels per side of grids."""

    @property
    def units(self) -> str:
        """Documented unit of pixels or voxels; for an undocumented field, the name of the field."""
        return (GRID_UNITS if self.kind == "Grids" else MAP_UNITS).get(self.field, self.field)

    @property
    def per_simulation(self) -> int:
        """Number of maps or grids of each simulation."""
        return 1 if self.kind == "Grids" else 15


def parse_file_name(path: Path) -> CMDName | None:
    """Return the metadata in the name of a file of maps or grids; None if the name is not one of the dataset."""
    match = _MAPS.fullmatch(path.name)
    if match is None:
        return None
    return CMDName(
        kind=match["kind"], field=match["field"], suite=match["suite"], set=match["set"], redshift=float(match["z"]),
        voxels=int(match["voxels"]) if match["voxels"] else None,
    )  # fmt: skip


def parse_table_name(path: Path) -> tuple[str, str] | None:
    """Return suite and set in the name of a parameter file; None if the name is not one of the dataset."""
    match = next(filter(None, (pattern.fullmatch(path.name) for pattern in _TABLES)), None)
    return None if match is None else (match["suite"], match["set"])
