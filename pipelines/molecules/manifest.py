"""What a folder of molecules says about itself: targets, units, statistics, featuriser, sources, splits, leakage."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files import replacing
from tenfold.pipelines.molecules.featuriser import Featuriser
from tenfold.pipelines.molecules.ingest import Kind
from tenfold.pipelines.packed import ShardEntry

VERSION = 1


@dataclass(frozen=True, kw_only=True)
class SourceEntry:
    """One file of molecules, or all the small files of a folder."""

    source: str
    sha256: str
    bytes: int
    mtime_ns: int
    molecules: int
    """Those that cannot be used included."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """One column to learn; its statistics are those of the training split alone."""

    name: str
    unit: str
    """Empty where nobody said it."""
    kind: Kind
    mean: float
    """Of classes: the fraction of ones."""
    std: float
    count: int
    """Labels that are there, in the training split."""


@dataclass(frozen=True, kw_only=True)
class Leakage:
    """How near the test molecules are to the training set: Tanimoto of the nearest, Morgan radius 2, 2048 bits."""

    test: int
    mean: float
    median: float
    high: float
    """A tenth are nearer than this."""
    above_0_9: float
    """Fraction of near copies."""
    identical: float
    """Fraction with a training molecule of the same fingerprint: stereoisomers and homologues, never duplicates."""


@dataclass(frozen=True, kw_only=True)
class MoleculeManifest:
    """All that is known about a folder of molecules without opening its shards."""

    featuriser: Featuriser
    targets: tuple[Target, ...]
    doubts: tuple[str, ...]
    """About labels that look as if they were in another unit."""
    sizes: dict[str, int]
    """Molecules by split."""
    atoms: int
    """Of all molecules."""
    bonds: int
    largest: int
    """Atoms of the largest molecule."""
    duplicates: int
    """Molecules whose InChIKey another one, earlier in the data, has too."""
    leakage: Leakage | None
    """None where there is no test or no training molecule."""
    sources: tuple[SourceEntry, ...]
    shards: tuple[ShardEntry, ...]
    index_sha256: str
    """Of ``index.h5``: splits and similarities."""
    rejected: int
    content: str
    """Digest of the records' checksums and splits."""
    ingest: dict[str, Any]
    """The configuration it was made with."""
    rdkit: str
    tenfold: str
    """Versions of the code."""
    version: int = VERSION
    """Of this format."""

    @property
    def fingerprint(self) -> str:
        """The same for the same graphs, targets and split, wherever the sources lie: hexadecimal."""
        about = [asdict(self.featuriser), [asdict(target) for target in self.targets], self.content]
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
            if found.get("version") != VERSION or "featuriser" not in found:
                advice = f"this version reads {VERSION} of molecules. Remove the folder and ingest again."
                raise InputError(f"{path}: format version {found.get('version')}; {advice}")
            return cls(
                **{
                    **found,
                    "featuriser": Featuriser(**found["featuriser"]),
                    "targets": tuple(Target(**each) for each in found["targets"]),
                    "doubts": tuple(found["doubts"]),
                    "leakage": None if found["leakage"] is None else Leakage(**found["leakage"]),
                    "sources": tuple(SourceEntry(**each) for each in found["sources"]),
                    "shards": tuple(ShardEntry(**each) for each in found["shards"]),
                }
            )
        except FileNotFoundError as error:
            advice = "Make them by `tenfold ingest molecules`."
            raise InputError(f"{path}: there are no shards of molecules here. {advice}") from error
        except (OSError, json.JSONDecodeError, TypeError, KeyError, AttributeError) as error:
            advice = "Remove the folder and ingest again."
            raise InputError(f"{path}: not a manifest of molecules ({error}). {advice}") from error

    def write(self, path: Path) -> None:
        """Write the manifest, whole or not at all."""
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=1, allow_nan=False) + "\n", encoding="utf-8")
