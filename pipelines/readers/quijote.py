"""Density fields of the Quijote simulations (arXiv:1909.05273): ``3D_cubes/SET/REALISATION/df_m_128_PCS_z=0.npy``.

The name gives the number of cells per side, the mass assignment and the redshift; the array has no metadata. Layout as
documented at https://quijote-simulations.readthedocs.io/en/latest/df.html.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from tenfold.pipelines.readers.consistency import reconcile
from tenfold.pipelines.readers.npy import memory_map, volume_of
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError, Volume

BOX_MPC_H = 1000.0
"""Side of the boxes [Mpc/h]; they are periodic."""
_NAME = re.compile(r"df_m_(\d+)_(NGP|CIC|TSC|PCS)_z=(\d+(?:\.\d+)?)\.npy")
_FOLDER = "3D_cubes"
"""Folder of all density fields in the documented layout."""
_TOLERANCE = 1e-3
"""Largest deviation of a mean from 0 or 1; single precision causes less than 1e-5."""
_SLAB_BYTES = 2**26


def is_quijote(path: Path) -> bool:
    """Whether the name of a file is that of a density field of Quijote."""
    return _NAME.fullmatch(path.name) is not None


def read_volumes(path: Path, stated: StatedMetadata) -> Iterator[Volume]:
    """Yield the density field (N, N, N) of a file, memory-mapped.

    The unit is found from the mean of all cells: a field with mean 0 is the overdensity δ (``overdensity``), one with
    mean 1 is 1 + δ (``density/mean``). In the documented layout, in a folder ``3D_cubes``, the box is periodic and has
    1000 Mpc/h; elsewhere this must be stated. The simulation is named after the two folders that contain the file, such
    as ``latin_hypercube/17``, if it is not stated.

    Raises
    ------
    UnusableFileError
        The header is damaged; the shape disagrees with the name or the size of the file; the mean is neither 0 nor 1,
        or a density is negative; the stated metadata contradict the file; or the parameters are not stated.
    """
    array = memory_map(path, stated)
    match = _NAME.fullmatch(path.name)
    if match is None:
        reason = "the name is not that of a density field of Quijote, df_m_N_CIC_z=….npy: --set ingest.format=npy"
        raise UnusableFileError(path, "", reason)
    cells = int(match[1])
    if array.shape != (cells, cells, cells, 1):
        raise UnusableFileError(path, "", f"shape {array.shape[:3]}, but the name states {cells} cells per side")
    if not stated.parameters:
        raise UnusableFileError(
            path, "", "no cosmological parameters: give the table of the simulations, --set ingest.table=FILE"
        )
    documented = _FOLDER in path.parts
    stated = replace(
        stated,
        simulation=stated.simulation or "/".join(path.absolute().parent.parts[-2:]),
        units=reconcile("units", _units(array, path), stated.units, path, "") or "",
        redshifts=reconcile("redshifts", (float(match[3]),), stated.redshifts, path, "") or (),
        box_mpc_h=reconcile("box_mpc_h", BOX_MPC_H if documented else None, stated.box_mpc_h, path, ""),
        periodic=reconcile("periodic", True if documented else None, stated.periodic, path, ""),
    )
    yield volume_of(array, stated, path)


def _units(array: np.ndarray, path: Path) -> str:
    """Return the unit of a field (N, N, N, 1) from the mean of its cells."""
    thickness = max(1, _SLAB_BYTES // (math.prod(array.shape[1:]) * array.dtype.itemsize))
    total, low = 0.0, math.inf
    for start in range(0, array.shape[0], thickness):
        slab = np.asarray(array[start : start + thickness])
        total += float(slab.sum(dtype=np.float64))
        low = min(low, float(slab.min()))
    mean = total / array.size
    if not math.isfinite(mean):
        raise UnusableFileError(path, "", "values are NaN or infinite: damaged. Download the file again")
    for expected, units in ((0.0, "overdensity"), (1.0, "density/mean")):
        if abs(mean - expected) > _TOLERANCE:
            continue
        if low < expected - 1 - _TOLERANCE:
            reason = f"the mean is {mean:.6g}, but the minimum {low:.6g} would be a negative density"
            raise UnusableFileError(path, "", reason)
        return units
    reason = f"the mean is {mean:.6g}: neither an overdensity δ (mean 0) nor 1 + δ (mean 1). Damaged?"
    raise UnusableFileError(path, "", f"{reason} If it is another field, --set ingest.format=npy")
