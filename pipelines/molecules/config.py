"""How molecules become shards: the configuration of an ingest."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, get_args

from tenfold.pipelines.molecules.featuriser import Featuriser
from tenfold.pipelines.molecules.properties import Property
from tenfold.pipelines.molecules.splits import Folds, parse_folds
from tenfold.pipelines.molecules.units import check_unit
from tenfold.pipelines.readers.text_encodings import check_encoding

Kind = Literal["regression", "classification"]


@dataclass(frozen=True, kw_only=True)
class MoleculeIngest:
    """How molecules become shards."""

    RENAMED: ClassVar[dict[str, str]] = {"largest_atoms": "max_atoms"}

    targets: tuple[str, ...] = ()
    """Columns, or keys of SD files and XYZ comments, to learn; blanks are missing."""
    smiles_column: str = ""
    """Column of the SMILES in tables; empty: `smiles`."""
    labels: str = ""
    """Table of targets for files without their own; a column of it is the molecule's title or file."""
    labels_by: Literal["name", "order"] = "name"
    """How rows of labels belong to molecules: by that column, or by standing in the same order, row by row."""
    encoding: str = ""
    """Of text files without a byte-order mark, such as latin-1; empty: UTF-8."""
    exclude: str = ""
    """Text file that names molecules to leave out: the first word of each line, such as a title or a number."""
    units: dict[str, str] = field(default_factory=dict)
    """By target. Where a format has units, as QM9 has, values are converted to the one named here."""
    properties: dict[str, Property] = field(default_factory=dict)
    """By target: dipole, the length of a dipole moment; extensive, what grows with the molecule; other. Those left out
    are told by name and unit: `mu` in D is a dipole, `u0` in eV is extensive."""
    kinds: dict[str, Kind] = field(default_factory=dict)
    """By target. Where left out, two values of any spelling, and words, are classes; other numbers are not."""
    extensive: tuple[str, ...] = ()
    """Targets that grow with the molecule, as energies do; the same as `properties` extensive."""
    features: Literal["rich", "gilmer"] = "rich"
    """Codes of atoms and bonds: the richer set, or table 1 of arXiv:1704.01212."""
    hydrogens: bool = False
    """Whether hydrogens are atoms of the graph."""
    geometry: Literal["none", "given", "embed"] = "none"
    """Coordinates: left out, taken from the file, or made by ETKDGv3 and MMFF94."""
    standardise: bool = False
    """Keep only the largest fragment, neutral."""
    split: Literal["auto", "random", "scaffold", "butina", "column"] = "auto"
    """By chance, by Bemis-Murcko scaffold, by cluster, or as a column says; a molecule never crosses. Auto: as
    published, where files are called train, validation and test or a column `split` says so; elsewhere by chance."""
    split_column: str = ""
    """Column that says train, validation or test, or numbers folds."""
    test_folds: tuple[str | int, ...] = ()
    """Of a column that numbers folds: those of the test."""
    validation_folds: tuple[str | int, ...] = ()
    """Of a column that numbers folds: those of validation; the others are of training."""
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    """Of the molecules: training, validation, test."""
    seed: int = 0
    """Of the split, and of coordinates that are made."""
    max_atoms: int = 1000
    """A molecule of more atoms is rejected."""
    seconds_per_molecule: float = 20.0
    """A molecule that takes longer is rejected."""
    largest_gib: float = 64.0
    """Largest size that a compressed file may unpack to [GiB]."""
    records_per_shard: int = 8192
    """Rows read, the bad ones included, for each shard."""
    rejected_threshold: float = 0.5
    """Largest fraction of rows that may be bad."""
    processes: int = 2
    """Dask worker processes, at most: one does without Dask, and few data are not worth two."""

    def __post_init__(self):
        """Refuse what cannot be done."""
        for name in ("records_per_shard", "processes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: found {getattr(self, name)}, valid is 1 or more")
        if not self.seconds_per_molecule > 0:
            raise ValueError(f"seconds_per_molecule: found {self.seconds_per_molecule}, valid is above 0")
        if not self.largest_gib > 0:
            raise ValueError(f"largest_gib: found {self.largest_gib}, valid is above 0")
        if len(self.fractions) != 3 or min(self.fractions) < 0 or not math.isclose(sum(self.fractions), 1):
            raise ValueError(f"fractions: found {self.fractions}, valid are three of 0 or more that add up to 1")
        if self.fractions[0] <= 0:
            raise ValueError(f"fractions: found {self.fractions}, the first, for training, must be above 0")
        if not 0 <= self.rejected_threshold <= 1:
            raise ValueError(f"rejected_threshold: found {self.rejected_threshold}, valid is 0 to 1")
        if self.split not in ("auto", "random", "scaffold", "butina", "column"):
            raise ValueError(f"split: found {self.split!r}, valid are auto, random, scaffold, butina, column")
        if (self.split == "column") != bool(self.split_column):
            raise ValueError("split_column: name it with split column, and only then")
        if (self.test_folds or self.validation_folds) and self.split != "column":
            raise ValueError("test_folds, validation_folds: name them with split column, and only then")
        if {*self.folds.test} & {*self.folds.validation}:
            raise ValueError(f"validation_folds: found {self.validation_folds}, some of which are test_folds")
        check_encoding(self.encoding)
        if self.labels_by not in ("name", "order"):
            raise ValueError(f"labels_by: found {self.labels_by!r}, valid are name, order")
        if len(set(self.targets)) != len(self.targets):
            raise ValueError(f"targets: found {self.targets}, each may stand there once")
        for name in (*self.units, *self.kinds, *self.extensive, *self.properties):
            if name not in self.targets:
                found = f"found {name!r}, none of the targets {self.targets}"
                raise ValueError(f"units, kinds, properties and extensive: {found}")
        for name, unit in self.units.items():
            check_unit(unit, name)
        for name, each in self.properties.items():
            if each not in get_args(Property):
                raise ValueError(f"properties: found {each!r}, valid are {', '.join(get_args(Property))}")
            if name in self.extensive and each != "extensive":
                raise ValueError(f"properties: found {each!r} for {name}, which extensive names too")
        for kind in self.kinds.values():
            if kind not in ("regression", "classification"):
                raise ValueError(f"kinds: found {kind!r}, valid are regression, classification")
        self.featuriser  # noqa: B018 (checks the rest)

    @property
    def featuriser(self) -> Featuriser:
        """How molecules become graphs."""
        return Featuriser(
            features=self.features,
            hydrogens=self.hydrogens,
            geometry=self.geometry,
            standardise=self.standardise,
            max_atoms=self.max_atoms,
            seed=self.seed,
        )

    @property
    def folds(self) -> Folds:
        """Which words of the split's column are which split."""
        return parse_folds(self.test_folds, self.validation_folds)

    def recorded(self) -> dict:
        """What decides the result, and no more, as a manifest keeps it."""
        found = json.loads(json.dumps(asdict(self)))
        for without_effect in ("processes", "rejected_threshold", "largest_gib"):
            del found[without_effect]
        for name in ("labels", "exclude"):
            path = found.pop(name)
            found[f"{name}_sha256"] = hashlib.sha256(Path(path).read_bytes()).hexdigest() if path else ""
        return found
