"""Properties of the whole data set: splits, statistics, duplicates, leakage; stored in ``index.h5``."""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.molecules.classes import Classes
from tenfold.pipelines.molecules.config import Kind, MoleculeIngest
from tenfold.pipelines.molecules.manifest import Leakage, Target
from tenfold.pipelines.molecules.packing import RejectedMolecule, read_texts
from tenfold.pipelines.molecules.properties import Property, infer_property
from tenfold.pipelines.molecules.similarity import butina_clusters, nearest_tanimoto
from tenfold.pipelines.molecules.splits import Method, draw_validation, group_split, published_split, random_split
from tenfold.pipelines.molecules.units import canonical_unit, unit_warning
from tenfold.pipelines.storage.splits import SPLITS

INDEX = "index.h5"
"""Name of the file of splits and similarities."""
BUTINA_SIMILARITY = 0.4
"""Smallest Tanimoto similarity of neighbours in the Butina clustering."""

MAX_DISCRETE_VALUES = 10
"""Largest number of distinct integers among labels that may be classes."""


@dataclass(frozen=True, kw_only=True)
class MoleculeIndex:
    """Index of all molecules of a folder."""

    split: np.ndarray
    """Split of each molecule as an index into SPLITS, -1 if rejected, shape (n,), int8."""
    validation_drawn: int
    """Number of training molecules moved to validation, because the published split has none."""
    values: np.ndarray
    """Labels, NaN where missing, shape (n, T)."""
    atoms: np.ndarray
    """Number of atoms of each graph, shape (n,)."""
    bonds: int
    """Number of bonds of all molecules."""
    duplicates: int
    """Number of molecules whose InChIKey occurred before."""
    leakage: Leakage | None
    """Similarity of the test to the training molecules; None if there are none."""
    rejected: list[RejectedMolecule]
    """Copies of test and validation molecules in the published training split."""
    content: str
    """SHA-256 of the checksums of all records and their splits."""
    sha256: str
    """SHA-256 of ``index.h5``."""

    @property
    def sizes(self) -> dict[str, int]:
        """Number of molecules by split."""
        return {name: int((self.split == number).sum()) for number, name in enumerate(SPLITS)}

    @property
    def notes(self) -> tuple[str, ...]:
        """Choices made automatically."""
        drawn = f"{self.validation_drawn:,} of its training molecules were drawn for it at random"
        return (f"The published split has no validation set: {drawn}.",) if self.validation_drawn else ()

    def targets(self, config: MoleculeIngest, units: dict[str, str], classes: Sequence[Classes]) -> tuple[Target, ...]:
        """Unit, kind, classes and training statistics of each target.

        Raises
        ------
        InputError
            A target has no label in the training split.
        """
        described = []
        for n, (name, target_classes) in enumerate(zip(config.targets, classes, strict=True)):
            values = self.values[self.split >= 0, n]
            training = self.values[self.split == 0, n]
            values, training = values[~np.isnan(values)], training[~np.isnan(training)]
            if not len(training):
                raise InputError(f"target {name}: no training molecule has a label. Remove it from targets.")
            kind: Kind = "classification" if target_classes.names else "regression"
            numeric = len(target_classes.names) <= 2
            described.append(
                Target(
                    name=name,
                    unit=(unit := canonical_unit(config.units.get(name, units.get(name, "")))),
                    physical=_physical_property(name, unit, values, config) if kind == "regression" else "other",
                    kind=kind,
                    mean=float(training.mean()) if numeric else 0.0,
                    std=float(training.std()) if numeric else 0.0,
                    count=len(training),
                    classes=target_classes.names,
                    class_counts=tuple(int((values == code).sum()) for code in range(len(target_classes.names))),
                    labelled=len(values),
                )
            )
        return tuple(described)

    def label_warnings(
        self, targets: Sequence[Target], stated: Collection[str] = (), properties: Collection[str] = ()
    ) -> tuple[str, ...]:
        """Warnings about labels whose unit, kind or property may be wrong.

        Parameters
        ----------
        targets
            Targets as returned by `targets`.
        stated, properties
            Targets whose kind, and whose physical property, is set in the configuration.
        """
        warnings: list[str | None] = []
        for n, target in enumerate(targets):
            labelled = ~np.isnan(self.values[:, n])
            values = self.values[labelled, n]
            if target.kind == "regression":
                warnings.append(unit_warning(target.name, target.unit, values, self.atoms[labelled]))
                if target.name not in properties and target.physical == "other":
                    warnings.append(_property_warning(target, values))
                if target.name not in stated and not target.unit:
                    warnings.append(_discrete_warning(target.name, values))
            else:
                training = self.values[labelled & (self.split == 0), n]
                warnings += [
                    f"{target.name}: the training split has no molecule of class {name}, which cannot be learnt."
                    for code, name in enumerate(target.classes)
                    if not (training == code).any()
                ]
        return tuple(warning for warning in warnings if warning)


def _physical_property(name: str, unit: str, values: np.ndarray, config: MoleculeIngest) -> Property:
    """Physical property of a target, from the configuration or inferred from its name."""
    stated = config.properties.get(name) or ("extensive" if name in config.extensive else None)
    if stated == "dipole" and values.min() < 0:
        problem = f"is set to be the magnitude of a dipole moment, but has the label {values.min():g}"
        raise InputError(f"target {name}: {problem}. Remove it from properties.")
    return stated or infer_property(name, unit, float(values.min()))[0]


def _property_warning(target: Target, values: np.ndarray) -> str:
    """Warn if the name denotes a property that the unit or sign of the labels contradicts."""
    warning = infer_property(target.name, target.unit, float(values.min()))[1]
    return (
        warning and f"{warning}. If it is one, set units or properties; if not, property other silences this warning."
    )


def _discrete_warning(name: str, values: np.ndarray) -> str | None:
    """Warn if numbers may be classes: few distinct integers, each of several molecules."""
    distinct, counts = np.unique(values, return_counts=True)
    if not 2 <= len(distinct) <= MAX_DISCRETE_VALUES or len(values) < 2 * len(distinct):
        return None
    if (distinct != np.round(distinct)).any():
        return None
    shown = ", ".join(f"{value:g} ({count:,})" for value, count in zip(distinct, counts, strict=True))
    key = json.dumps(name, ensure_ascii=False)
    return (
        f"{name}: its labels are {shown} and are treated as numbers (regression). If they are classes: "
        f"--set 'ingest.kinds={{{key}: classification}}'; if not, regression there silences this warning."
    )


def index_molecules(shards: Sequence[Path], out: Path, config: MoleculeIngest, method: Method) -> MoleculeIndex:
    """Split the molecules of all shards, and compare the test molecules with the training set.

    Parameters
    ----------
    shards
        Shard files.
    out
        Folder of the shards.
    config
        Configuration of the ingest.
    method
        Method of the split, with auto resolved.

    Raises
    ------
    InputError
        There are too few molecules for the requested splits.
    """
    keys: list[str] = []
    scaffolds: list[str] = []
    published: list[str] = []
    rows: list[tuple[str, int, str]] = []
    sizes, bonds = [], 0
    arrays: dict[str, list[np.ndarray]] = {"fingerprints": [], "targets": [], "crc32": []}
    for path in shards:
        with h5py.File(path, "r") as file:
            keys += read_texts(file, "keys")
            scaffolds += read_texts(file, "scaffolds")
            published += read_texts(file, "splits")
            if method == "column":
                files = read_texts(file, "files")
                sources = [files[n] for n in file["file"][:].tolist()]
                rows += zip(sources, file["line"][:].tolist(), read_texts(file, "smiles"), strict=True)
            for name, parts in arrays.items():
                parts.append(file[name][:])
            sizes.append(np.diff(file["atom_offsets"][:]))
            bonds += len(file["bonds"])
    columns = {name: np.concatenate(parts) for name, parts in arrays.items()}
    drawn = 0
    match method:
        case "random":
            split = random_split(keys, config.fractions, config.seed)
        case "scaffold":
            split = group_split(scaffolds, keys, config.fractions, config.seed)
        case "butina":
            centres = butina_clusters(columns["fingerprints"], BUTINA_SIMILARITY).tolist()
            split = group_split([f"cluster {centre}" for centre in centres], keys, config.fractions, config.seed)
        case "column":
            published_codes = published_split(published, keys)  # pyright: ignore[reportArgumentType]
            split = draw_validation(published_codes, keys, config.fractions, config.seed)
            drawn = int((split != published_codes).sum())
    if method == "column" and not (split == 0).any() and (split < 0).any():
        raise InputError(
            f"no training molecule remains: all {(split < 0).sum():,} of the training split are also in the validation "
            "or test split. All geometries of a molecule count as one molecule."
        )
    similarity = np.full(len(keys), np.nan, np.float32)
    training = columns["fingerprints"][split == 0]
    if len(training):
        held_out = split > 0
        similarity[held_out] = nearest_tanimoto(columns["fingerprints"][held_out], training)
    with replacing(out / INDEX) as temporary:
        with h5py.File(temporary, "w") as file:
            file["split"], file["similarity"] = split, similarity
        sha256 = hashlib.sha256(temporary.read_bytes()).hexdigest()
    copies = [row for row, side in zip(rows, split.tolist(), strict=False) if side < 0]
    return MoleculeIndex(
        split=split,
        validation_drawn=drawn,
        values=columns["targets"],
        atoms=np.concatenate(sizes),
        bonds=bonds,
        duplicates=len(keys) - len(set(keys)),
        leakage=_leakage(similarity[split == SPLITS.index("test")]),
        rejected=[
            RejectedMolecule(
                file=file, line=line, text=text, reason="the same molecule is in the validation or test split"
            )
            for file, line, text in copies
        ],
        content=hashlib.sha256(columns["crc32"].tobytes() + split.tobytes()).hexdigest(),
        sha256=sha256,
    )


def _leakage(similarity: np.ndarray) -> Leakage | None:
    """Summarise the similarity of each test molecule to its nearest training molecule."""
    if not len(similarity) or np.isnan(similarity).any():
        return None
    values = similarity.astype(np.float64)
    return Leakage(
        test=len(values),
        mean=float(values.mean()),
        median=float(np.median(values)),
        high=float(np.quantile(values, 0.9)),
        above_0_9=float((values >= 0.9).mean()),
        identical=float((values == 1).mean()),
    )
