"""What a folder of shards says about itself: shapes, units, parameters, statistics, sources and splits."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files import replacing
from tenfold.pipelines.packed import ShardEntry
from tenfold.pipelines.splits import Split

MANIFEST = "manifest.json"
"""Name of the file."""
VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Of numbers, over the training split."""

    mean: float
    std: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class SimulationEntry:
    """One source file; its records follow those of the entry before."""

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


@dataclass(frozen=True, kw_only=True)
class Quarantined:
    """A source file that was left out, and why."""

    source: str
    key: str
    reason: str
    bytes: int
    mtime_ns: int


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """All that is known about a folder of shards without opening them."""

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
            found = json.loads(path.read_text(encoding="utf-8"))
            if found.get("version") != VERSION:
                advice = f"this version reads {VERSION}. Ingest again into another folder."
                raise InputError(f"{path}: format version {found.get('version')}; {advice}")
            tuples = {name: tuple(found[name]) for name in ("shape", "redshifts", "parameter_names", "multipoles")
                      if found.get(name) is not None}  # fmt: skip
            return cls(
                **{
                    **found,
                    **tuples,
                    "parameters": tuple(Statistics(**each) for each in found["parameters"]),
                    "value": Statistics(**found["value"]),
                    "log1p": None if found["log1p"] is None else Statistics(**found["log1p"]),
                    "simulations": tuple(SimulationEntry(**entry) for entry in found["simulations"]),
                    "quarantined": tuple(Quarantined(**entry) for entry in found["quarantined"]),
                    "shards": tuple(ShardEntry(**entry) for entry in found["shards"]),
                }
            )
        except FileNotFoundError as error:
            raise InputError(f"{path}: there are no shards here. Make them by `tenfold ingest`.") from error
        except (OSError, json.JSONDecodeError, TypeError, KeyError, AttributeError) as error:
            raise InputError(f"{path}: not a manifest of shards ({error}). Ingest again.") from error

    def write(self, path: Path) -> None:
        """Write the manifest, whole or not at all."""
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=1, allow_nan=False) + "\n", encoding="utf-8")
