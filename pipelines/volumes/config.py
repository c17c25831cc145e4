"""How volumes become shards: the configuration of an ingest."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator

from tenfold.pipelines.quantities import convert_quantities
from tenfold.pipelines.readers.formats import VolumeFormat
from tenfold.pipelines.readers.parameters import PARAMETERS, DensityConvention
from tenfold.pipelines.readers.volume import FILL_VALUES, StatedMetadata


@dataclass(frozen=True, kw_only=True)
class Ingest:
    """How volumes become shards.

    Example
    -------
    >>> from tenfold.pipelines import Ingest
    >>> Ingest(cut=2).parts
    8
    """

    RENAMED: ClassVar[dict[str, str]] = {"quarantine_threshold": "rejected_threshold"}
    DIMENSIONS: ClassVar[int] = 3
    """Spatial axes of a record."""

    format: VolumeFormat = "auto"
    """Format of the files; auto: told by their content."""
    key: Annotated[str, BeforeValidator(lambda key: str(key) if type(key) is int else key)] = ""
    """Dataset of HDF5 files, or image of FITS files: EXTNAME, EXTNAME,EXTVER or the number of the HDU."""
    table: str = ""
    """CSV table with columns file, parameters by name, and perhaps simulation: what the files do not say themselves."""
    densities: DensityConvention | None = None
    """Lower-case omega_b, omega_m and omega_cdm are Ω (fractions) or Ω h² (physical), where values do not tell."""
    box_mpc_h: float | None = None
    """Side of the box [Mpc/h], where the files do not say."""
    periodic: bool | None = None
    """Whether each volume or map is a whole periodic box, where the files do not say; not said is not periodic."""
    redshifts: tuple[float, ...] = ()
    """Redshift of each channel, where the files do not say."""
    units: str = ""
    """Of a voxel, where the files do not say."""
    unit_ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    """What -1 and 1 stand for, by canonical name, where files hold unit parameters only."""
    parameters: tuple[str, ...] = ()
    """Names of the parameters to learn; empty: those that vary."""
    cut: int = 1
    """Sub-volumes per side of a box."""
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    """Of the simulations: training, validation, test."""
    seed: int = 0
    """Of the split."""
    records_per_shard: int = 128
    """A shard holds at least as many, in whole files."""
    compression: Literal["none", "blosc-lz4"] = "none"
    """Uncompressed records are read fastest."""
    rejected_threshold: float = 0.02
    """Largest fraction of files that may be rejected."""
    largest_gib: float = 16.0
    """Largest volume that is believed [GiB]."""
    fill_values: tuple[float, ...] = FILL_VALUES
    """Values that stand for masked pixels, besides those that the files name; volumes that hold one are set aside."""
    largest_deviation: float = 50.0
    """A volume with values further from its median, and cut off from all others, is set aside [1.4826 × MAD]: see
    `tenfold.pipelines.volumes.pixels`."""
    processes: int = 2
    """Dask worker processes, at most: one does without Dask, and few data are not worth two."""

    def __post_init__(self):
        """Refuse what cannot be done."""
        convert_quantities(self, box_mpc_h="Mpc/h")
        for name in ("cut", "records_per_shard", "processes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: found {getattr(self, name)}, valid is 1 or more")
        if len(self.fractions) != 3 or min(self.fractions) < 0 or not math.isclose(sum(self.fractions), 1):
            raise ValueError(f"fractions: found {self.fractions}, valid are three of 0 or more that add up to 1")
        if self.fractions[0] <= 0:
            raise ValueError(f"fractions: found {self.fractions}, the first, for training, must be above 0")
        if not 0 <= self.rejected_threshold <= 1:
            raise ValueError(f"rejected_threshold: found {self.rejected_threshold}, valid is 0 to 1")
        if self.compression not in ("none", "blosc-lz4"):
            raise ValueError(f"compression: found {self.compression!r}, valid are none, blosc-lz4")
        for name in (*self.parameters, *self.unit_ranges):
            if name not in PARAMETERS:
                raise ValueError(f"parameters: found {name!r}, valid are {', '.join(PARAMETERS)}")
        if self.densities not in (None, "fractions", "physical"):
            raise ValueError(f"densities: found {self.densities!r}, valid are fractions, physical")
        if self.box_mpc_h is not None and not self.box_mpc_h > 0:
            raise ValueError(f"box_mpc_h: found {self.box_mpc_h}, valid is above 0")
        if not 0 < self.largest_deviation < math.inf:
            raise ValueError(f"largest_deviation: found {self.largest_deviation}, valid is above 0, and finite")
        if not all(math.isfinite(value) for value in self.fill_values):
            raise ValueError(f"fill_values: found {self.fill_values}, valid are finite numbers")
        if not self.largest_gib > 0:
            raise ValueError(f"largest_gib: found {self.largest_gib}, valid is above 0")

    @property
    def parts(self) -> int:
        """Records that a volume is cut into."""
        return self.cut**self.DIMENSIONS

    def stated(self) -> StatedMetadata:
        """What it says of the files that they do not say themselves."""
        return StatedMetadata(
            format=self.format,
            key=self.key,
            densities=self.densities,
            box_mpc_h=self.box_mpc_h,
            periodic=self.periodic,
            redshifts=self.redshifts,
            units=self.units,
            unit_ranges=self.unit_ranges,
            largest_gib=self.largest_gib,
            fill_values=self.fill_values,
            largest_deviation=self.largest_deviation,
            dimensions=self.DIMENSIONS,
        )

    def parted(self, path: Path, stated: StatedMetadata) -> list[StatedMetadata]:
        """What is stated of each part of a file that belongs to a simulation of its own; here files are not parted."""
        return [stated]

    def check_together(self, paths: list[Path]) -> None:
        """Refuse files that cannot be one set; here any can, until they are looked at."""

    def recorded(self) -> dict:
        """What decides the result, and no more, as a manifest keeps it."""
        found = json.loads(json.dumps(asdict(self)))
        for without_effect in ("processes", "rejected_threshold", "largest_gib", "table"):
            del found[without_effect]
        found["table_sha256"] = hashlib.sha256(Path(self.table).read_bytes()).hexdigest() if self.table else ""
        return found
