"""Configuration of the ingest of molecules."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import ClassVar, Literal, get_args

from tenfold.hpc.engine import Engine
from tenfold.pipelines.molecules.featuriser import Featuriser
from tenfold.pipelines.molecules.properties import Property
from tenfold.pipelines.molecules.splits import Folds, parse_folds
from tenfold.pipelines.molecules.units import check_unit
from tenfold.pipelines.quantities import energy_unit
from tenfold.pipelines.readers.text_encodings import check_encoding
from tenfold.pipelines.storage.splits import check_fractions

Kind = Literal["regression", "classification"]


@dataclass(frozen=True, kw_only=True)
class MoleculeIngest:
    """Configuration of the ingest: sources, targets, features, geometry and split.

    Example
    -------
    >>> from tenfold.pipelines import MoleculeIngest
    >>> from astropy import units
    >>> MoleculeIngest(targets=("gap",), units={"gap": units.eV}).units
    {'gap': 'eV'}
    """

    RENAMED: ClassVar[dict[str, str]] = {"largest_atoms": "max_atoms"}

    targets: tuple[str, ...] = ()
    """Columns to learn, or keys of SD files and XYZ comments; blank cells are missing labels."""
    smiles_column: str = ""
    """Column of tables that holds the SMILES; empty: `smiles`."""
    labels: str = ""
    """Table of labels for files without labels; one of its columns holds the title or file name of the molecule."""
    labels_by: Literal["name", "order"] = "name"
    """Matching of the rows of the table of labels to molecules: by that column, or by order."""
    encoding: str = ""
    """Encoding of text files without a byte-order mark, such as latin-1; empty: UTF-8."""
    exclude: str = ""
    """Text file of molecules to exclude: the first word of each line, such as a title or a number."""
    units: dict[str, str] = field(default_factory=dict)
    """Unit by target. If the format defines units, as QM9 does, values are converted to the unit given here."""
    properties: dict[str, Property] = field(default_factory=dict)
    """Physical property by target: dipole (the magnitude of a dipole moment), extensive, or other. By default it is
    inferred from name and unit: `mu` in D is a dipole, `u0` in eV is extensive."""
    kinds: dict[str, Kind] = field(default_factory=dict)
    """Kind by target. By default, two distinct values and words are classes; other numbers are not."""
    extensive: tuple[str, ...] = ()
    """Extensive targets, such as energies; equivalent to `properties` extensive."""
    features: Literal["rich", "gilmer"] = "rich"
    """Atom and bond features: a rich set for networks without geometry, or table 1 of arXiv:1704.01212."""
    hydrogens: bool = False
    """Whether hydrogens are explicit atoms of the graph."""
    geometry: Literal["none", "given", "embed"] = "none"
    """Atom positions: none, taken from the file (given), or generated with ETKDGv3 and MMFF94 (embed)."""
    standardise: bool = False
    """Keep only the largest fragment, neutral."""
    split: Literal["auto", "random", "scaffold", "butina", "column"] = "auto"
    """Random split, by Bemis-Murcko scaffold, by Butina cluster, or from a column; a molecule is never in two splits.
    Auto: the published split if file names or a column give one (train, validation, test); otherwise random."""
    split_column: str = ""
    """Column that holds train, validation or test, or the number of a fold."""
    test_folds: tuple[str | int, ...] = ()
    """Folds of the test split, if the column numbers folds."""
    validation_folds: tuple[str | int, ...] = ()
    """Folds of the validation split, if the column numbers folds; the others are training."""
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    """Fractions of the molecules in the training, validation and test splits."""
    seed: int = 0
    """Seed of the split and of generated conformers."""
    max_atoms: int = 1000
    """Largest number of atoms; larger molecules are rejected."""
    seconds_per_molecule: float = 20.0
    """Time limit per molecule [s]; slower molecules are rejected."""
    largest_gib: float = 64.0
    """Largest unpacked size of a compressed file [GiB]."""
    records_per_shard: int = 8192
    """Number of input rows per shard, rejected rows included."""
    rejected_threshold: float = 0.5
    """Largest fraction of rows that may be rejected."""
    processes: int = 2
    """Largest number of Dask worker processes; 1 runs without Dask, and small data sets use fewer."""
    dask: str = ""
    """Dask scheduler that does the work in place of processes here: tcp://HOST:PORT, tls://HOST:PORT, or its file."""

    def __post_init__(self):
        """Check that the values are valid and consistent."""
        units = {name: energy_unit("units", unit) for name, unit in self.units.items()}
        object.__setattr__(self, "units", units)
        for name in ("records_per_shard", "processes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: found {getattr(self, name)}, valid is 1 or more")
        if not self.seconds_per_molecule > 0:
            raise ValueError(f"seconds_per_molecule: found {self.seconds_per_molecule}, valid is above 0")
        if not self.largest_gib > 0:
            raise ValueError(f"largest_gib: found {self.largest_gib}, valid is above 0")
        check_fractions(self.fractions)
        if not 0 <= self.rejected_threshold <= 1:
            raise ValueError(f"rejected_threshold: found {self.rejected_threshold}, valid is 0 to 1")
        if self.split not in ("auto", "random", "scaffold", "butina", "column"):
            raise ValueError(f"split: found {self.split!r}, valid are auto, random, scaffold, butina, column")
        if (self.split == "column") != bool(self.split_column):
            raise ValueError("split_column: needed with split column, and only then")
        if (self.test_folds or self.validation_folds) and self.split != "column":
            raise ValueError("test_folds, validation_folds: only valid with split column")
        if {*self.folds.test} & {*self.folds.validation}:
            raise ValueError(f"validation_folds: found {self.validation_folds}, which overlaps with test_folds")
        check_encoding(self.encoding)
        if self.labels_by not in ("name", "order"):
            raise ValueError(f"labels_by: found {self.labels_by!r}, valid are name, order")
        if len(set(self.targets)) != len(self.targets):
            raise ValueError(f"targets: found {self.targets}, which names a target twice")
        for name in (*self.units, *self.kinds, *self.extensive, *self.properties):
            if name not in self.targets:
                reason = f"found {name!r}, which is not one of the targets {self.targets}"
                raise ValueError(f"units, kinds, properties and extensive: {reason}")
        for name, unit in self.units.items():
            check_unit(unit, name)
        for name, physical in self.properties.items():
            if physical not in get_args(Property):
                raise ValueError(f"properties: found {physical!r}, valid are {', '.join(get_args(Property))}")
            if name in self.extensive and physical != "extensive":
                raise ValueError(f"properties: found {physical!r} for {name}, which is also listed in extensive")
        for kind in self.kinds.values():
            if kind not in ("regression", "classification"):
                raise ValueError(f"kinds: found {kind!r}, valid are regression, classification")
        self.featuriser  # noqa: B018 (checks the remaining values)
        self.engine  # noqa: B018 (checks dask)

    @property
    def engine(self) -> Engine:
        """Where the work is done."""
        return Engine(processes=self.processes, scheduler=self.dask)

    @property
    def featuriser(self) -> Featuriser:
        """Featuriser with these settings."""
        return Featuriser(**{field.name: getattr(self, field.name) for field in fields(Featuriser)})

    @property
    def folds(self) -> Folds:
        """Assignment of the values of the split column to splits."""
        return parse_folds(self.test_folds, self.validation_folds)

    def recorded(self) -> dict:
        """Settings that determine the result, as stored in the manifest."""
        settings = json.loads(json.dumps(asdict(self)))
        for without_effect in ("processes", "dask", "rejected_threshold", "largest_gib"):
            del settings[without_effect]
        for name in ("labels", "exclude"):
            path = settings.pop(name)
            settings[f"{name}_sha256"] = hashlib.sha256(Path(path).read_bytes()).hexdigest() if path else ""
        return settings
