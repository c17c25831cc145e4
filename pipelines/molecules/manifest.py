"""The manifest of shards of molecules: targets, units, statistics, featuriser, sources, splits, leakage."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from tenfold.pipelines.molecules.cells import IgnoredLabels
from tenfold.pipelines.molecules.config import Kind
from tenfold.pipelines.molecules.featuriser import Featuriser
from tenfold.pipelines.molecules.properties import Property
from tenfold.pipelines.reports.digits import format_with_uncertainty
from tenfold.pipelines.storage.manifest import Count, Entry, ShardManifest, SourceEntry


@dataclass(frozen=True, kw_only=True)
class MoleculeSourceEntry(SourceEntry):
    """One file of molecules, or all the small files of a folder."""

    sha256: str
    molecules: Count
    """Number of molecules, rejected ones included."""


@dataclass(frozen=True, kw_only=True)
class Target(Entry):
    """A property to be learnt; mean, standard deviation and count are those of the training split."""

    name: str
    unit: str
    """Empty where it is not known."""
    kind: Kind
    mean: float
    """For two classes, the fraction of the second; for more classes, `mean` and `std` have no meaning."""
    std: float
    count: Count
    """Number of labels in the training split."""
    classes: tuple[str, ...] = ()
    """Names of the classes by code, from 0; of two, the second is the positive class. Empty for regression."""
    class_counts: tuple[int, ...] = ()
    """Number of labels of each class, in all splits."""
    labelled: Count = 0
    """Number of labels in all splits."""
    physical: Property = "other"
    """Physical nature of the property, where the network depends on it."""

    def __post_init__(self):
        """Turn the lists of JSON into tuples; refuse negative numbers."""
        super().__post_init__()
        for name in ("classes", "class_counts"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    @property
    def identity(self) -> dict[str, Any]:
        """Entries that enter the fingerprint of the data."""
        entries = {name: getattr(self, name) for name in ("name", "unit", "kind", "mean", "std", "count")}
        if self.classes not in ((), ("0", "1")):
            entries["classes"] = self.classes
        return entries if self.physical == "other" else {**entries, "physical": self.physical}

    def __str__(self) -> str:
        unit = f" [{self.unit}]" if self.unit else ""
        if self.kind == "regression":
            kind = "regression" if self.physical == "other" else f"regression, {self.physical}"
            labels = f"{self.labelled:,} labels" if self.labelled else f"{self.count:,} labels in training"
            return f"{self.name}{unit}: {kind}, {labels}, mean {format_with_uncertainty(self.mean, self.std)}"
        if not self.class_counts:
            return f"{self.name}: classification"
        counts = ", ".join(
            f"{count:,} of class {name}" for name, count in zip(self.classes, self.class_counts, strict=True)
        )
        positive = f"; positive class: {self.classes[1]}" if len(self.classes) == 2 else ""
        return f"{self.name}: classification, {self.labelled:,} labels: {counts}{positive}"


@dataclass(frozen=True, kw_only=True)
class Leakage(Entry):
    """Similarity of test molecules to the training set.

    Tanimoto similarity of each test molecule to its nearest training molecule; Morgan fingerprints of radius 2 and
    2048 bits.
    """

    test: int
    """Number of test molecules."""
    mean: float
    median: float
    high: float
    """90th percentile."""
    above_0_9: float
    """Fraction of test molecules with a similarity above 0.9."""
    identical: float
    """Fraction with a training molecule of the same fingerprint: stereoisomers and homologues, not duplicates."""


@dataclass(frozen=True, kw_only=True)
class MoleculeManifest(ShardManifest):
    """All that is known about a folder of molecules without opening its shards."""

    VERSION: ClassVar[int] = 3  # the featuriser's limit of size is called max_atoms since
    RECORDS: ClassVar[str] = "molecules"
    COMMAND: ClassVar[str] = "tenfold ingest molecules"

    featuriser: Featuriser
    targets: tuple[Target, ...]
    doubts: tuple[str, ...]
    """Warnings about labels that may be in another unit, or classes."""
    notes: tuple[str, ...]
    """Choices made for the user, such as which split was taken."""
    blanked: tuple[IgnoredLabels, ...]
    """Cells of targets without a usable label."""
    sizes: dict[str, int]
    """Number of molecules by split."""
    atoms: Count
    """Number of atoms of all molecules."""
    bonds: Count
    """Number of bonds of all molecules."""
    largest: Count
    """Number of atoms of the largest molecule."""
    duplicates: Count
    """Number of molecules with the InChIKey of an earlier one."""
    leakage: Leakage | None
    """None where there is no test or no training molecule."""
    sources: tuple[MoleculeSourceEntry, ...]
    index_sha256: str
    """SHA-256 of ``index.h5``, which holds splits and similarities."""
    rejected: Count
    """Number of rejected molecules."""
    content: str
    """Digest of the records' checksums and splits."""
    rdkit: str
    """Version of RDKit."""
    version: int = 3

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digest of graphs, targets and split, independent of the sources' paths."""
        about = [asdict(self.featuriser), [target.identity for target in self.targets], self.content]
        return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]

    @property
    def sizes_and_times(self) -> Mapping[str, tuple[int, int]]:
        """Size [bytes] and time [ns] of every source, by path."""
        return {entry.source: (entry.bytes, entry.mtime_ns) for entry in self.sources}
