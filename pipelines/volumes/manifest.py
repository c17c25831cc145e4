"""What a folder of shards says about itself: shapes, units, parameters, statistics, sources and splits."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.storage.shard_files import EXACT, ShardEntry, check_counts, read_manifest
from tenfold.pipelines.storage.splits import Split

MANIFEST = "manifest.json"
"""Name of the file."""
VERSION = 1
LARGEST_RECORD = 2**32
"""A record is smaller [bytes]."""


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Of numbers, over the training split."""

    __pydantic_config__: ClassVar[Any] = EXACT

    mean: float
    std: float
    low: float
    high: float

    def __post_init__(self) -> None:
        """Refuse negative numbers."""
        check_counts(self, "std")


@dataclass(frozen=True, kw_only=True)
class SimulationEntry:
    """One source file; its records follow those of the entry before."""

    __pydantic_config__: ClassVar[Any] = EXACT

    simulation: str
    """Files of one simulation share the name and the split."""
    split: Split | None
    """None: left out, because another source holds the same data."""
    parameters: dict[str, float]
    """All that are known, by canonical name, physical units."""
    source: str
    sha256: str
    bytes: int
    mtime_ns: int
    records: int

    def __post_init__(self) -> None:
        """Refuse negative numbers."""
        check_counts(self, "bytes", "records")


@dataclass(frozen=True, kw_only=True)
class Quarantined:
    """A source file that was left out, and why."""

    __pydantic_config__: ClassVar[Any] = EXACT

    source: str
    key: str
    reason: str
    bytes: int
    mtime_ns: int

    def __post_init__(self) -> None:
        """Refuse negative numbers."""
        check_counts(self, "bytes")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """All that is known about a folder of shards without opening them."""

    __pydantic_config__: ClassVar[Any] = EXACT

    shape: tuple[int, ...]
    """Of a record: (X, Y, Z, C), or (Y, X, C) of maps."""
    dtype: str
    units: str
    """Of a voxel: "counts" or what the source says."""
    box_mpc_h: float | None
    """Side of a record [Mpc/h]."""
    periodic: bool
    """Whether a record is a whole periodic box, or a map of one."""
    redshifts: tuple[float, ...]
    """Of the channels; of maps of the convergence, of their sources."""
    parameter_names: tuple[str, ...]
    """Those to be learnt, canonical."""
    parameters: tuple[Statistics, ...]
    """Of each of parameter_names, over the simulations of the training split, physical units."""
    value: Statistics
    """Of the voxels of the training split."""
    log1p: Statistics | None
    """Of log(1 + value), over the training split; None where a value of any split is -1 or less."""
    simulations: tuple[SimulationEntry, ...]
    shards: tuple[ShardEntry, ...]
    quarantined: tuple[Quarantined, ...]
    ingest: dict[str, Any]
    """The configuration it was made with."""
    tenfold: str
    """Version of the code."""
    side_deg: float | None = None
    """Side of a map [degrees]."""
    periodicity_known: bool = True
    """False where neither the files nor the user say whether records are periodic: they are taken not to be."""
    multipoles: tuple[float, float] | None = None
    """Least and largest multipole at which the C_ℓ of all maps is trusted, where the files say."""
    version: int = VERSION
    """Of this format."""

    @property
    def not_periodic(self) -> str:
        """Why records may not be shifted or padded periodically, where `periodic` is false."""
        if self.periodicity_known:
            return "the data hold pieces of boxes or of the sky, which are not periodic"
        ask = "if they are, ingest them with --set ingest.periodic=true; if not"
        return f"nothing says that the data are whole periodic boxes: {ask}"

    @property
    def parameter_mean(self) -> tuple[float, ...]:
        """Mean of each of parameter_names over the training simulations, physical units."""
        return tuple(each.mean for each in self.parameters)

    @property
    def parameter_std(self) -> tuple[float, ...]:
        """Standard deviation of each of parameter_names over the training simulations, physical units."""
        return tuple(each.std for each in self.parameters)

    @property
    def fingerprint(self) -> str:
        """The same for the same records, parameters and split, wherever the sources lie: hexadecimal."""
        entries = [[e.simulation, e.split, e.parameters, e.sha256, e.records] for e in self.simulations]
        about = [self.shape, self.dtype, self.parameter_names, entries]
        return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a manifest.

        Raises
        ------
        InputError
            It is not there, is damaged, or of a format this version does not know.
        """
        try:
            manifest = read_manifest(cls, path, VERSION)
        except FileNotFoundError as error:
            raise InputError(f"{path}: there are no shards here. Make them by `tenfold ingest`.") from error
        if problem := manifest.contradiction:
            raise InputError(f"{path}: damaged ({problem}). Ingest again, into another folder.")
        return manifest

    @property
    def contradiction(self) -> str:
        """Where its entries do not fit each other; empty where they do."""
        size = math.prod(self.shape) * _itemsize(self.dtype)
        records = [sum(each.records for each in entries) for entries in (self.simulations, self.shards)]
        if min(self.shape, default=0) < 1 or not 0 < size < LARGEST_RECORD:
            return f"records of {self.dtype} {self.shape}"
        if records[0] != records[1]:
            return f"{records[0]:,} records by simulations, {records[1]:,} by shards"
        if len(self.parameters) != len(self.parameter_names):
            return f"statistics of {len(self.parameters)} parameters, {len(self.parameter_names)} names"
        for each in self.simulations:
            if missing := [name for name in self.parameter_names if name not in each.parameters]:
                return f"{each.source} has no {missing[0]}"
        return ""

    def write(self, path: Path) -> None:
        """Write the manifest, whole or not at all."""
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _itemsize(dtype: str) -> int:
    """Bytes of a number; 0 where it is the name of none."""
    try:
        found = np.dtype(dtype)
    except (TypeError, ValueError, SyntaxError):
        return 0
    return found.itemsize if found.kind in "iuf" else 0
