"""Configuration of the ingest of volumes."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import BeforeValidator

from tenfold.hpc.engine import Engine
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.quantities import convert_quantities
from tenfold.pipelines.readers import camels_maps
from tenfold.pipelines.readers.cmd_names import parse_file_name
from tenfold.pipelines.readers.cosmological_units import LENGTH_UNITS
from tenfold.pipelines.readers.formats import VolumeFormat, detect_format
from tenfold.pipelines.readers.parameters import PARAMETERS, DensityConvention
from tenfold.pipelines.readers.volume import FILL_VALUES, StatedMetadata, UnusableFileError
from tenfold.pipelines.storage.splits import check_fractions
from tenfold.stats.painting import WINDOW_ORDER, Assignment

_STATED = (
    "format", "key", "densities", "box_mpc_h", "box_varies", "periodic", "redshifts", "units", "unit_ranges",
    "largest_gib", "fill_values", "largest_deviation", "mesh", "assignment", "particle_types", "length_unit",
    "parameters",
)  # fmt: skip
"""Keys that are metadata of the files."""
_LARGEST_MESH = 16_384


@dataclass(frozen=True, kw_only=True)
class Ingest:
    """Configuration of the ingest of volumes.

    Example
    -------
    >>> from tenfold.pipelines import Ingest
    >>> Ingest(patches_per_side=2).records_per_volume
    8
    """

    RENAMED: ClassVar[dict[str, str]] = {"cut": "patches_per_side", "quarantine_threshold": "rejected_threshold"}
    DIMENSIONS: ClassVar[int] = 3
    """Spatial axes of a record."""

    format: VolumeFormat = "auto"
    """Format of the files; auto: detected from their content."""
    key: Annotated[str, BeforeValidator(lambda key: str(key) if type(key) is int else key)] = ""
    """Dataset of HDF5 files, or image of FITS files: EXTNAME, EXTNAME,EXTVER or the number of the HDU."""
    pattern: str = ""
    """Pattern of the end of the paths, with named fields: `{simulation}/df_m_{grid}_CIC_z={redshift}.npy`, or
    `Om{omega_m}_w{w_0}.npy`. Files that do not match are left out. See `tenfold.pipelines.readers.path_pattern`."""
    table: str = ""
    """Table of the parameters that the files lack (CSV, whitespace, FITS, HDF5 or NPY): columns of parameters, and
    file or simulation."""
    table_rows: Literal["auto", "file", "simulation", "order"] = "auto"
    """What a row belongs to: the file of its column file; the simulation of its column simulation or, without one, of
    its number from 0; or, in order, the next records."""
    table_columns: tuple[str, ...] = ()
    """Names of the columns of the table, if it does not name them."""
    camels_parameters: str = ""
    """Parameter file of CAMELS Multifield maps or grids (NPY files), under its original name, a row per simulation."""
    densities: DensityConvention | None = None
    """Meaning of lower-case omega_b, omega_m and omega_cdm where the values do not decide: Ω (fractions) or Ω h²
    (physical)."""
    box_mpc_h: float | None = None
    """Side of the box [Mpc/h], where the files do not state it."""
    box_varies: bool = False
    """Whether boxes differ in their side in Mpc/h, such as where the side in Mpc is fixed and h varies. The data set
    then states none, and wavenumbers are in units of the inverse side."""
    periodic: bool | None = None
    """Whether each volume or map is a whole periodic box, where the files do not state it; default: not periodic."""
    redshifts: tuple[float, ...] = ()
    """Redshift of each channel, where the files do not state it."""
    units: str = ""
    """Unit of a voxel, where the files do not state it."""
    unit_ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Values that -1 and 1 stand for, by canonical name, where files hold unit parameters only."""
    mesh: int | None = None
    """Cells per side of the mesh on which particle snapshots are painted; needed for these alone."""
    assignment: Assignment = "cic"
    """Mass assignment of particles: nearest grid point, cloud in cell, triangular-shaped cloud or piecewise cubic
    spline. With ngp, particles of one mass are counted."""
    particle_types: tuple[int, ...] = ()
    """Types of particles to paint, such as 0 (gas) and 1 (dark matter); empty: all that have a mass."""
    length_unit: Literal["", "kpc/h", "Mpc/h", "kpc", "Mpc"] = ""
    """Unit of length of particle snapshots that do not state it, comoving."""
    parameters: tuple[str, ...] = ()
    """Names of the parameters to learn; empty: those that vary. In HDF5 attributes and paths, names that are not
    cosmological count as parameters only if listed here."""
    patches_per_side: int = 1
    """Equal parts per side that each volume or map is divided into."""
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    """Fractions of the simulations in the training, validation and test splits."""
    seed: int = 0
    """Seed of the split."""
    records_per_shard: int = 128
    """Minimum number of records per shard; files are not divided between shards."""
    compression: Literal["none", "blosc-lz4"] = "none"
    """Compression of records; uncompressed ones are read fastest."""
    rejected_threshold: float = 0.02
    """Largest fraction of files that may be rejected."""
    largest_gib: float = 16.0
    """Largest volume that is accepted [GiB]."""
    fill_values: tuple[float, ...] = FILL_VALUES
    """Fill values of masked pixels, besides those that the files state; volumes with masked pixels are rejected,
    and maps unless a mask is stated."""
    largest_deviation: float = 50.0
    """Distance from the median [1.4826 × MAD] beyond which isolated values are outliers, and their volume is rejected:
    see `tenfold.pipelines.volumes.pixels`."""
    processes: int = 2
    """Maximum number of Dask worker processes; fewer are started for little data, and 1 works without Dask."""
    dask: str = ""
    """Dask scheduler that does the work in place of processes here: tcp://HOST:PORT, tls://HOST:PORT, or its file."""

    def __post_init__(self):
        """Check that every value is in its range."""
        convert_quantities(self, box_mpc_h="Mpc/h")
        for name in ("patches_per_side", "records_per_shard", "processes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: found {getattr(self, name)}, valid is 1 or more")
        check_fractions(self.fractions)
        if not 0 <= self.rejected_threshold <= 1:
            raise ValueError(f"rejected_threshold: found {self.rejected_threshold}, valid is 0 to 1")
        if self.compression not in ("none", "blosc-lz4"):
            raise ValueError(f"compression: found {self.compression!r}, valid are none, blosc-lz4")
        for name in self.unit_ranges:
            if name not in PARAMETERS:
                raise ValueError(f"unit_ranges: found {name!r}, valid are {', '.join(PARAMETERS)}")
        if self.table_rows not in ("auto", "file", "simulation", "order"):
            raise ValueError(f"table_rows: found {self.table_rows!r}, valid are auto, file, simulation, order")
        if not self.table and (self.table_columns or self.table_rows != "auto"):
            raise ValueError("table_columns and table_rows describe a table, but no table is given: set ingest.table")
        if self.densities not in (None, "fractions", "physical"):
            raise ValueError(f"densities: found {self.densities!r}, valid are fractions, physical")
        if self.box_mpc_h is not None and not self.box_mpc_h > 0:
            raise ValueError(f"box_mpc_h: found {self.box_mpc_h}, valid is above 0")
        if self.box_mpc_h is not None and self.box_varies:
            raise ValueError("box_varies: found true, and box_mpc_h, one side of all boxes: set one of them")
        if not 0 < self.largest_deviation < math.inf:
            raise ValueError(f"largest_deviation: found {self.largest_deviation}, valid is above 0, and finite")
        if not all(math.isfinite(value) for value in self.fill_values):
            raise ValueError(f"fill_values: found {self.fill_values}, valid are finite numbers")
        if self.mesh is not None and not 4 <= self.mesh <= _LARGEST_MESH:
            raise ValueError(f"mesh: found {self.mesh}, valid is 4 to {_LARGEST_MESH:,}")
        if self.assignment not in WINDOW_ORDER:
            raise ValueError(f"assignment: found {self.assignment!r}, valid are {', '.join(WINDOW_ORDER)}")
        if self.length_unit not in ("", *LENGTH_UNITS):
            raise ValueError(f"length_unit: found {self.length_unit!r}, valid are {', '.join(LENGTH_UNITS)}")
        if not set(self.particle_types) <= set(range(7)):
            raise ValueError(f"particle_types: found {self.particle_types}, valid are 0 to 6")
        if not self.largest_gib > 0:
            raise ValueError(f"largest_gib: found {self.largest_gib}, valid is above 0")
        self.engine  # noqa: B018 (checks dask)

    @property
    def engine(self) -> Engine:
        """Where the work is done."""
        return Engine(processes=self.processes, scheduler=self.dask)

    @property
    def records_per_volume(self) -> int:
        """Number of records per volume or map."""
        return self.patches_per_side**self.DIMENSIONS

    def stated(self) -> StatedMetadata:
        """Return the user's metadata of the files."""
        settings = {name: getattr(self, name) for name in _STATED}
        return StatedMetadata(dimensions=self.DIMENSIONS, listed=settings.pop("parameters"), **settings)

    def parts_of(self, path: Path, stated: StatedMetadata) -> list[StatedMetadata]:
        """Return the metadata of each simulation in a file; files of CAMELS Multifield hold all simulations."""
        kind, name = "Maps" if self.DIMENSIONS == 2 else "Grids", parse_file_name(path)
        if name is not None and name.kind == kind:
            camels_maps.check_no_table_row(path, stated)
        if not self.camels_parameters:
            return [stated]
        try:
            if detect_format(path, stated) != "camels":
                return [stated]
            camels_maps.count_records(path)
        except UnusableFileError:
            return [stated]  # reading its header fails in the same way, and rejects it
        if name is not None and name.kind == kind:
            return camels_maps.metadata_by_simulation(path, name, Path(self.camels_parameters), stated)
        if stated.parameters:
            return [stated]
        raise InputError(
            f"{path}: ingest.camels_parameters labels the {kind.lower()} of CAMELS Multifield, whose files are called "
            f"{kind}_FIELD_SUITE_SET_z=….npy; give any other file a row in ingest.table"
        )

    @property
    def beside_data(self) -> tuple[str, ...]:
        """Files that describe the data, and are not data themselves."""
        return (self.table, self.camels_parameters)

    @property
    def mask_in_values(self) -> bool:
        """Whether NaN and fill values mark masked pixels; only maps may have them."""
        return False

    def mask_in_file(self) -> np.ndarray | None:
        """Return the mask of all records, shape (Y, X), None if there is none; only maps may have one."""
        return None

    def check_compatible(self, paths: list[Path]) -> None:
        """Check that files can form one data set, by their names; volumes are compared by their headers.

        Raises
        ------
        InputError
            Files of CAMELS Multifield differ in field, suite, set or redshift.
        """
        camels_maps.check_same_data_set(paths)

    def recorded(self) -> dict:
        """Return the part of the configuration that determines the result, as a manifest records it."""
        config = json.loads(json.dumps(asdict(self)))
        for name in ("processes", "dask", "rejected_threshold", "largest_gib", "table", "camels_parameters"):
            del config[name]
        config["camels_parameters_sha256"] = digest(Path(self.camels_parameters)) if self.camels_parameters else ""
        config["table_sha256"] = hashlib.sha256(Path(self.table).read_bytes()).hexdigest() if self.table else ""
        return config


def digest(path: Path) -> str:
    """Return the SHA-256 of a small file.

    Raises
    ------
    InputError
        It cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
