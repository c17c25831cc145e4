"""What a folder of molecules says about itself: targets, units, statistics, featuriser, sources, splits, leakage."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.molecules.cells import IgnoredLabels
from tenfold.pipelines.molecules.config import Kind
from tenfold.pipelines.molecules.featuriser import Featuriser
from tenfold.pipelines.molecules.properties import Property
from tenfold.pipelines.reports.digits import measured
from tenfold.pipelines.storage.shard_files import EXACT, ShardEntry, check_counts, read_manifest

MANIFEST = "manifest.json"
"""Name of the file."""
VERSION = 3  # since the featuriser's limit of size is called max_atoms


@dataclass(frozen=True, kw_only=True)
class SourceEntry:
    """One file of molecules, or all the small files of a folder."""

    __pydantic_config__: ClassVar[Any] = EXACT

    source: str
    sha256: str
    bytes: int
    mtime_ns: int
    molecules: int
    """Those that cannot be used included."""

    def __post_init__(self) -> None:
        """Refuse negative numbers."""
        check_counts(self, "bytes", "molecules")


@dataclass(frozen=True, kw_only=True)
class Target:
    """One column to learn; its statistics are those of the training split alone."""

    __pydantic_config__: ClassVar[Any] = EXACT

    name: str
    unit: str
    """Empty where nobody said it."""
    kind: Kind
    mean: float
    """Of two classes: the fraction of the second; of more, and `std`, of nothing."""
    std: float
    count: int
    """Labels that are there, in the training split."""
    classes: tuple[str, ...] = ()
    """By code, 0 first; of two, the second is the positive one. Empty for numbers."""
    class_counts: tuple[int, ...] = ()
    """Labels of each class, in all splits."""
    labelled: int = 0
    """Labels that are there, in all splits."""
    physical: Property = "other"
    """What it is physically, where that matters to a network."""

    def __post_init__(self):
        """Make tuples of what JSON has as lists; refuse negative numbers."""
        check_counts(self, "count", "labelled")
        for name in ("classes", "class_counts"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    @property
    def identity(self) -> dict[str, Any]:
        """What a fingerprint is made of."""
        found = {name: getattr(self, name) for name in ("name", "unit", "kind", "mean", "std", "count")}
        if self.classes not in ((), ("0", "1")):
            found["classes"] = self.classes
        return found if self.physical == "other" else {**found, "physical": self.physical}

    def __str__(self) -> str:
        unit = f" [{self.unit}]" if self.unit else ""
        if self.kind == "regression":
            kind = "regression" if self.physical == "other" else f"regression, {self.physical}"
            labels = f"{self.labelled:,} labels" if self.labelled else f"{self.count:,} labels in training"
            return f"{self.name}{unit}: {kind}, {labels}, mean {measured(self.mean, self.std)}"
        if not self.class_counts:
            return f"{self.name}: classification"
        counts = ", ".join(
            f"{count:,} of class {name}" for name, count in zip(self.classes, self.class_counts, strict=True)
        )
        positive = f"; positive class: {self.classes[1]}" if len(self.classes) == 2 else ""
        return f"{self.name}: classification, {self.labelled:,} labels: {counts}{positive}"


@dataclass(frozen=True, kw_only=True)
class Leakage:
    """How near the test molecules are to the training set: Tanimoto of the nearest, Morgan radius 2, 2048 bits."""

    __pydantic_config__: ClassVar[Any] = EXACT

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

    __pydantic_config__: ClassVar[Any] = EXACT

    featuriser: Featuriser
    targets: tuple[Target, ...]
    doubts: tuple[str, ...]
    """About labels that may not be what they are taken for: numbers in another unit, or classes."""
    notes: tuple[str, ...]
    """What was decided for the user, such as which split was taken."""
    blanked: tuple[IgnoredLabels, ...]
    """Cells of targets that hold no usable label."""
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

    def __post_init__(self) -> None:
        """Refuse negative numbers."""
        check_counts(self, "atoms", "bonds", "largest", "duplicates", "rejected")

    @property
    def fingerprint(self) -> str:
        """The same for the same graphs, targets and split, wherever the sources lie: hexadecimal."""
        about = [self.featuriser.identity, [target.identity for target in self.targets], self.content]
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
            return read_manifest(cls, path, VERSION)
        except FileNotFoundError as error:
            advice = "Make them by `tenfold ingest molecules`."
            raise InputError(f"{path}: there are no shards of molecules here. {advice}") from error

    def write(self, path: Path) -> None:
        """Write the manifest, whole or not at all."""
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=1, allow_nan=False) + "\n", encoding="utf-8")
