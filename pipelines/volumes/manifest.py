"""The manifest of shards of volumes or maps: shapes, units, parameters, statistics, sources and splits."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tenfold.pipelines.storage.manifest import Count, Entry, ShardManifest, SourceEntry, Spread
from tenfold.pipelines.storage.splits import Split
from tenfold.pipelines.volumes.masks import Mask

_LATER_SETTINGS = {"pixel_arcmin": None, "mask_threshold": None, "masked_values": False, "mask_sha256": ""}
"""Settings of an ingest of maps that earlier versions did not have, with the values that they used."""
LARGEST_RECORD = 2**32
"""Upper bound on the size of a record [bytes]."""


@dataclass(frozen=True, kw_only=True)
class Statistics(Entry):
    """Mean, standard deviation, minimum and maximum over the training split."""

    mean: float
    std: Spread
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class SimulationEntry(SourceEntry):
    """One source file; its records follow those of the entry before."""

    simulation: str
    """Name of the simulation; all files of one simulation are in one split."""
    split: Split | None
    """None: left out, because another source holds the same data."""
    parameters: dict[str, float]
    """All known parameters, by canonical name, in physical units."""
    sha256: str
    records: Count


@dataclass(frozen=True, kw_only=True)
class RejectedFile(SourceEntry):
    """A source file that cannot be used, with the reason."""

    key: str
    """Dataset or HDU of the file; empty: the whole file."""
    reason: str


@dataclass(frozen=True, kw_only=True)
class Manifest(ShardManifest):
    """All that is known about a folder of shards without opening them."""

    VERSION: ClassVar[int] = 3
    READABLE: ClassVar[tuple[int, ...]] = (1, 2)
    """Version 1 called the rejected files quarantined; before version 3 maps were square and complete."""

    shape: tuple[int, ...]
    """Shape of a record: (X, Y, Z, C) of volumes, (Y, X, C) of maps."""
    dtype: str
    units: str
    """Unit of a voxel: "counts", or what the source states."""
    box_mpc_h: float | None
    """Side of a record [Mpc/h]."""
    periodic: bool
    """Whether a record is a whole periodic box, or a map of one."""
    redshifts: tuple[float, ...]
    """Redshift of each channel; of convergence maps, of their sources."""
    parameter_names: tuple[str, ...]
    """Canonical names of the parameters to be learnt."""
    parameters: tuple[Statistics, ...]
    """Statistics of each of parameter_names over the simulations of the training split, physical units."""
    value: Statistics
    """Statistics of the voxels of the training split."""
    log1p: Statistics | None
    """Statistics of log(1 + value) over the training split; None where a value of any split is -1 or less."""
    simulations: tuple[SimulationEntry, ...]
    rejected: tuple[RejectedFile, ...]
    side_deg: float | None = None
    """Side of a square map [degrees]."""
    pixel_arcmin: float | None = None
    """Side of a pixel of a map [arcmin]."""
    mask: Mask | None = None
    """Mask of all maps, whose masked pixels are 0 and not in the statistics; None: all pixels are observed."""
    periodicity_known: bool = True
    """False where neither the files nor the user state whether records are periodic: they count as not periodic."""
    multipoles: tuple[float, float] | None = None
    """Range of multipoles in which the C_ℓ of all maps is accurate, where the files state it."""
    version: int = 3

    @property
    def not_periodic(self) -> str:
        """Why records must not be shifted or padded periodically, where `periodic` is false."""
        if self.mask is not None:
            return "the data are maps with a mask, which are not periodic"
        if self.periodicity_known:
            return "the data are pieces of boxes or of the sky, which are not periodic"
        advice = "if they are, ingest them with --set ingest.periodic=true; if not"
        return f"it is not known whether the data are whole periodic boxes: {advice}"

    @property
    def parameter_mean(self) -> tuple[float, ...]:
        """Mean of each of parameter_names over the training simulations, physical units."""
        return tuple(statistics.mean for statistics in self.parameters)

    @property
    def parameter_std(self) -> tuple[float, ...]:
        """Standard deviation of each of parameter_names over the training simulations, physical units."""
        return tuple(statistics.std for statistics in self.parameters)

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digest of records, parameters and split, independent of the sources' paths."""
        entries = [[e.simulation, e.split, e.parameters, e.sha256, e.records] for e in self.simulations]
        about = [self.shape, self.dtype, self.parameter_names, entries]
        if self.mask is not None:
            about.append(self.mask.bits)
        return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]

    @property
    def sizes_and_times(self) -> Mapping[str, tuple[int, int]]:
        """Size [bytes] and time [ns] of every source, rejected ones included, by path."""
        return {entry.source: (entry.bytes, entry.mtime_ns) for entry in (*self.simulations, *self.rejected)}

    @classmethod
    def upgrade(cls, entries: dict[str, Any]) -> dict[str, Any]:
        """Return the entries of a manifest of version 1 or 2 as version 3 has them."""
        renamed = {"rejected" if name == "quarantined" else name: value for name, value in entries.items()}
        side, shape, ingest = renamed.get("side_deg"), renamed.get("shape"), renamed.get("ingest")
        if isinstance(side, (int, float)) and isinstance(shape, list) and shape:  # checked when they are read
            renamed["pixel_arcmin"] = 60 * side / shape[0] if isinstance(shape[0], int) and shape[0] > 0 else None
        if isinstance(ingest, dict) and "side_deg" in ingest:  # of maps
            renamed["ingest"] = _LATER_SETTINGS | ingest
        return {**renamed, "version": cls.VERSION}

    @property
    def contradiction(self) -> str:
        """The first disagreement between its entries; empty where there is none."""
        size = math.prod(self.shape) * _itemsize(self.dtype)
        records = [sum(entry.records for entry in entries) for entries in (self.simulations, self.shards)]
        if min(self.shape, default=0) < 1 or not 0 < size < LARGEST_RECORD:
            return f"records of {self.dtype} {self.shape}"
        if records[0] != records[1]:
            return f"{records[0]:,} records by simulations, {records[1]:,} by shards"
        if len(self.parameters) != len(self.parameter_names):
            return f"statistics of {len(self.parameters)} parameters, {len(self.parameter_names)} names"
        if self.mask is not None:
            if (self.mask.height, self.mask.width) != tuple(self.shape[:-1]):
                return f"a mask of {self.mask.height} × {self.mask.width} pixels"
            try:
                _ = self.mask.array
            except ValueError as error:
                return str(error)
        for entry in self.simulations:
            if missing := [name for name in self.parameter_names if name not in entry.parameters]:
                return f"{entry.source} has no {missing[0]}"
        return ""


def _itemsize(dtype: str) -> int:
    """Return the size of a number of a type [bytes], 0 where there is no such numeric type."""
    try:
        numeric = np.dtype(dtype)
    except (TypeError, ValueError, SyntaxError):
        return 0
    return numeric.itemsize if numeric.kind in "iuf" else 0
