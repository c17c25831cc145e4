"""Simulated volumes and maps: metadata that is known before any voxel is read."""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from tenfold.pipelines.errors import InputError
from tenfold.stats.painting import Assignment

FILL_VALUES = (-1.6375e30, -99.0, -999.0, -9999.0, -99999.0, 1e20, 9.969209968386869e36)
"""Masked pixels if a file defines no value for them: HEALPix's UNSEEN, −99 … of surveys, two values of netCDF."""


class UnusableFileError(InputError):
    """Error of one file that cannot be used, with its path, key and reason."""

    def __init__(self, path: Path, key: str, reason: str):
        super().__init__(path, key, reason)
        self.path, self.key, self.reason = path, key, reason

    def __str__(self) -> str:
        return f"{self.path}{f', {self.key}' if self.key else ''}: {self.reason}"


@dataclass(frozen=True, kw_only=True)
class StatedMetadata:
    """Metadata of a file that the user states. It complements the metadata in the file and must not contradict it."""

    format: str = "auto"
    key: str = ""
    """Dataset of a plain HDF5 file, or image of a FITS file."""
    simulation: str = ""
    parameters: dict[str, float] = field(default_factory=dict)
    """Parameters by canonical name, from the table of parameters or from the path."""
    listed: tuple[str, ...] = ()
    """Names that the user lists as parameters, cosmological or not."""
    box_mpc_h: float | None = None
    """Side of the box [Mpc/h]."""
    box_varies: bool = False
    """Whether boxes differ in side, so that a volume states none."""
    periodic: bool | None = None
    """Whether the volume is a complete periodic box; None: not stated."""
    redshifts: tuple[float, ...] = ()
    units: str = ""
    densities: Literal["fractions", "physical"] | None = None
    """Meaning of lower-case densities such as ``omega_b``: Ω or Ω h²; None: not stated."""
    unit_ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Physical values of -1 and 1, by canonical name, for files that contain unit parameters only."""
    largest_gib: float = 16.0
    """Maximum size of a volume [GiB]."""
    dimensions: int = 3
    """3: the file contains volumes; 2: maps."""
    side_deg: float | None = None
    """Side of a square map [degrees]."""
    pixel_arcmin: float | None = None
    """Side of a pixel of a map [arcmin]."""
    mask: str = ""
    """Mask file of all maps (see `tenfold.pipelines.readers.masks`); empty: none."""
    mask_threshold: float | None = None
    """Weight above which a pixel of the mask file is observed; None: the mask file holds 0 and 1 only."""
    patch_deg: float | None = None
    """Side of the patches that HEALPix maps are cut into [degrees]."""
    patch_pixels: int | None = None
    """Pixels per side of these patches."""
    fill_values: tuple[float, ...] = FILL_VALUES
    """Values of masked pixels, in addition to those that a file defines."""
    largest_deviation: float = 50.0
    """Distance from the median above which an isolated value is refused [robust standard deviations]."""
    mesh: int | None = None
    """Cells per side of the mesh on which the particles of a snapshot are painted."""
    assignment: Assignment = "cic"
    """Mass assignment of particles."""
    particle_types: tuple[int, ...] = ()
    """Types of particles to paint; empty: all."""
    length_unit: Literal["", "kpc/h", "Mpc/h", "kpc", "Mpc"] = ""
    """Unit of length of a snapshot that states none."""
    part: tuple[int, int] | None = None
    """Records of this simulation in a file of many simulations, as (start, stop); None: all."""

    def records(self, count: int) -> range:
        """Return the numbers of this simulation's records in a file of `count` records."""
        return range(count)[slice(*(self.part or (0, count)))]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Properties that all volumes of a data set share."""

    shape: tuple[int, ...]
    dtype: str
    units: str
    redshifts: tuple[float, ...]
    box_mpc_h: float | None
    periodic: bool | None
    parameter_names: tuple[str, ...]
    side_deg: float | None = None
    pixel_arcmin: float | None = None


@dataclass(frozen=True, kw_only=True)
class Volume:
    """One volume or map of a simulation. Its voxels are read slab by slab while its file is open."""

    simulation: str
    source: Path
    key: str
    shape: tuple[int, ...]
    """(X, Y, Z, C) for a volume, (Y, X, C) for a map, with C redshifts."""
    dtype: np.dtype
    parameters: dict[str, float]
    """Cosmological parameters in physical units, by canonical name."""
    varied: tuple[str, ...]
    """Names of the parameters that vary in the suite; empty if the file does not list them."""
    redshifts: tuple[float, ...]
    box_mpc_h: float | None
    """Side of the volume or map [Mpc/h]."""
    periodic: bool | None
    """Whether it is a complete periodic box; None if unknown."""
    units: str
    side_deg: float | None = None
    """Side of a square map [degrees]; None for other maps, and if unknown."""
    pixel_arcmin: float | None = None
    """Side of a pixel of a map [arcmin]; None if unknown."""
    multipoles: tuple[float, float] | None = None
    """Minimum and maximum multipole at which the C_ℓ of a map is reliable, if the file gives them."""
    mask_values: tuple[float, ...] = ()
    """Values of masked pixels, as defined in the file."""
    left_out: int = 0
    """Number of patches of the same file that are left out because they contain masked pixels."""
    expected_total: float | None = None
    """Expected sum over the voxels of a channel, if the file gives it."""
    read: Callable[[int, int], np.ndarray] = field(repr=False, compare=False)
    """``read(start, stop)``: start ≤ x < stop along the first axis, shape (stop - start, …, C), native byte order."""

    @classmethod
    def from_stated(
        cls,
        stated: StatedMetadata,
        source: Path,
        key: str,
        *,
        shape: tuple[int, ...],
        dtype: np.dtype,
        read: Callable[[int, int], np.ndarray],
    ) -> "Volume":
        """Return a volume or map of a file without metadata: all of it is as the user states."""
        return cls(
            simulation=stated.simulation or file_stem(source), source=source, key=key, shape=shape, dtype=dtype,
            parameters=stated.parameters, varied=(), redshifts=stated.redshifts, box_mpc_h=stated.box_mpc_h,
            periodic=stated.periodic, units=stated.units, side_deg=stated.side_deg, pixel_arcmin=stated.pixel_arcmin,
            read=read,
        )  # fmt: skip

    @property
    def layout(self) -> Layout:
        """Properties that must be the same for all volumes of a data set."""
        return Layout(
            shape=self.shape,
            dtype=str(self.dtype),
            units=self.units,
            redshifts=self.redshifts,
            box_mpc_h=_rounded(self.box_mpc_h),
            periodic=self.periodic,
            parameter_names=tuple(self.parameters),
            side_deg=_rounded(self.side_deg),
            pixel_arcmin=_rounded(self.pixel_arcmin),
        )


def _rounded(length: float | None) -> float | None:
    """Round a length to six digits, so that files whose lengths differ by rounding have the same layout."""
    return None if length is None else float(f"{length:.6g}")


def file_stem(path: Path) -> str:
    """Return the name of a file without the endings of formats; decimal points remain: Om0.3_w-1.0.npy is Om0.3_w-1.0.

    It names the simulation of a file that does not name its own.
    """
    name = path.name
    while (stem := Path(name).stem) and Path(name).suffix.lower() in _ENDINGS:
        name = stem
    return name


_ENDINGS = (".npy", ".h5", ".hdf5", ".hdf", ".he5", ".nc", ".fits", ".fit", ".fts", ".gz", ".tfrecord")


def cosmology_id(parameters: dict[str, float]) -> str:
    """Return a simulation name derived from the cosmological parameters, for maps that do not name their simulation.

    Maps of the same cosmology get the same name.
    """
    return "cosmology_" + hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:12]


def check_array(
    shape: tuple[int, ...], dtype: np.dtype, largest_gib: float, path: Path, key: str, dimensions: int = 3
) -> None:
    """Check type, shape and size of an array before memory is allocated for it.

    Parameters
    ----------
    shape
        (X, Y, Z, C) with X = Y = Z for a volume; (Y, X, C) for a map.
    dtype
        Type of the values.
    largest_gib
        Maximum size [GiB].
    path, key
        File and key, for messages.
    dimensions
        3 for volumes, 2 for maps.

    Raises
    ------
    UnusableFileError
        The values are not real numbers, or the array is not a cube (or map), is empty or is too large.
    """
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise UnusableFileError(path, key, f"has type {dtype}; expected integers or real numbers of up to 64 bits")
    if len(shape) != dimensions + 1 or (dimensions == 3 and len(set(shape[:-1])) != 1):
        expected = "a cube with channels, (N, N, N, C)" if dimensions == 3 else "a map with channels, (Y, X, C)"
        raise UnusableFileError(path, key, f"shape {shape} is not {expected}")
    if 0 in shape:
        raise UnusableFileError(path, key, f"shape {shape} is empty")
    gib = math.prod(shape) * dtype.itemsize / 2**30
    if gib > largest_gib:
        limit = f"the limit of {largest_gib:g} GiB (ingest.largest_gib)"
        reason = f"shape {shape} of {dtype} takes {gib:,.1f} GiB, above {limit}"
        raise UnusableFileError(path, key, reason)
