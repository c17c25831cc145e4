"""A simulated volume, or map, as a reader gives it: everything known about it before its voxels are read."""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from tenfold.pipelines.errors import InputError

FILL_VALUES = (-1.6375e30, -99.0, -999.0, -9999.0, -99999.0, 1e20, 9.969209968386869e36)
"""What stands for masked pixels where a file does not say: HEALPix's UNSEEN, survey maps' −99 …, netCDF's two."""


class UnusableFileError(InputError):
    """One file cannot be used: where it stands, in which key, and why."""

    def __init__(self, path: Path, key: str, reason: str):
        super().__init__(path, key, reason)
        self.path, self.key, self.reason = path, key, reason

    def __str__(self) -> str:
        return f"{self.path}{f', {self.key}' if self.key else ''}: {self.reason}"


@dataclass(frozen=True, kw_only=True)
class StatedMetadata:
    """What the user says of a file: it completes what the file says itself, and may not contradict it."""

    format: str = "auto"
    key: str = ""
    """Dataset to read in a plain HDF5 file."""
    simulation: str = ""
    parameters: dict[str, float] = field(default_factory=dict)
    """By canonical name; from the table of parameters."""
    box_mpc_h: float | None = None
    """Side of the box [Mpc/h]."""
    periodic: bool | None = None
    """Whether it is a whole periodic box; None: not said."""
    redshifts: tuple[float, ...] = ()
    units: str = ""
    densities: Literal["fractions", "physical"] | None = None
    """What lower-case densities such as ``omega_b`` stand for: Ω or Ω h²; None: not said."""
    unit_ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    """What -1 and 1 stand for, by canonical name, where a file holds unit parameters only."""
    largest_gib: float = 16.0
    """Largest volume that is believed [GiB]."""
    dimensions: int = 3
    """2: the file holds maps."""
    side_deg: float | None = None
    """Side of a map [degrees]."""
    fill_values: tuple[float, ...] = FILL_VALUES
    """Values that stand for masked pixels, besides those that a file names itself."""
    largest_deviation: float = 50.0
    """Distance from the median from which an isolated value is asked about [robust standard deviations]."""
    part: tuple[int, int] | None = None
    """Of a file with many simulations: the records from one to before the other belong to this one."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What all volumes of one data set have in common."""

    shape: tuple[int, ...]
    dtype: str
    units: str
    redshifts: tuple[float, ...]
    box_mpc_h: float | None
    periodic: bool | None
    parameter_names: tuple[str, ...]
    side_deg: float | None = None


@dataclass(frozen=True, kw_only=True)
class Volume:
    """One volume of one simulation; its voxels are read slab by slab while its file is open."""

    simulation: str
    source: Path
    key: str
    shape: tuple[int, ...]
    """(X, Y, Z, C), of a map (Y, X, C): C redshifts."""
    dtype: np.dtype
    parameters: dict[str, float]
    """By canonical name, physical units."""
    varied: tuple[str, ...]
    """Names of those that vary in the suite; empty where the file does not say."""
    redshifts: tuple[float, ...]
    box_mpc_h: float | None
    """Side of this volume [Mpc/h]."""
    periodic: bool | None
    """Whether it is a whole periodic box; None where nobody says."""
    units: str
    side_deg: float | None = None
    """Side of a map [degrees]."""
    multipoles: tuple[float, float] | None = None
    """Of a map: least and largest multipole at which its C_ℓ is trusted, where the file says."""
    mask_values: tuple[float, ...] = ()
    """Values that stand for masked pixels, as the file says."""
    expected_total: float | None = None
    """Sum over the voxels of a channel, where the file says what it must be."""
    read: Callable[[int, int], np.ndarray] = field(repr=False, compare=False)
    """``read(start, stop)``: start ≤ x < stop along the first axis, shape (stop - start, …, C), native byte order."""

    @property
    def layout(self) -> Layout:
        """What must agree with the other volumes."""
        return Layout(
            shape=self.shape,
            dtype=str(self.dtype),
            units=self.units,
            redshifts=self.redshifts,
            box_mpc_h=None if self.box_mpc_h is None else float(f"{self.box_mpc_h:.6g}"),
            periodic=self.periodic,
            parameter_names=tuple(self.parameters),
            side_deg=None if self.side_deg is None else float(f"{self.side_deg:.6g}"),
        )


def cosmology_id(parameters: dict[str, float]) -> str:
    """A name for the simulation of maps that do not tell theirs: maps of one cosmology have the same."""
    return "cosmology_" + hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:12]


def check_array(
    shape: tuple[int, ...], dtype: np.dtype, largest_gib: float, path: Path, key: str, dimensions: int = 3
) -> None:
    """Refuse an array that no volume, or map, can be, before a byte is allocated for it.

    Parameters
    ----------
    shape
        (X, Y, Z, C) with X = Y = Z; of a map (Y, X, C) with X = Y.
    largest_gib
        Largest size that is believed [GiB].
    dimensions
        3 for volumes, 2 for maps.

    Raises
    ------
    UnusableFileError
        The type is not a real number, the shape not a cube, empty, or too large.
    """
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise UnusableFileError(path, key, f"holds {dtype}, not integers or real numbers of up to 64 bits")
    if len(shape) != dimensions + 1 or len(set(shape[:-1])) != 1:
        wanted = "a cube with channels, (N, N, N, C)" if dimensions == 3 else "a square with channels, (N, N, C)"
        raise UnusableFileError(path, key, f"shape {shape} is not {wanted}")
    if 0 in shape:
        raise UnusableFileError(path, key, f"shape {shape} is empty")
    gib = math.prod(shape) * dtype.itemsize / 2**30
    if gib > largest_gib:
        reason = f"shape {shape} of {dtype} is {gib:,.1f} GiB, more than the {largest_gib:g} GiB that are believed"
        raise UnusableFileError(path, key, reason)
