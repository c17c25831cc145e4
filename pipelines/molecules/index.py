"""What only all molecules together can say: splits, statistics, duplicates, leakage; kept in ``index.h5``."""

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
from tenfold.pipelines.molecules.packing import Rejected, read_texts
from tenfold.pipelines.molecules.properties import Property, infer_property
from tenfold.pipelines.molecules.similarity import butina_clusters, nearest_tanimoto
from tenfold.pipelines.molecules.splits import Method, draw_validation, group_split, published_split, random_split
from tenfold.pipelines.molecules.units import canonical_unit, unit_warning
from tenfold.pipelines.storage.splits import SPLITS

INDEX = "index.h5"
"""Name of the file of splits and similarities."""
BUTINA_SIMILARITY = 0.4
"""Tanimoto similarity from which on two molecules are neighbours in a Butina clustering."""

MAX_DISCRETE_VALUES = 10
"""Different whole numbers up to which labels may be classes."""


@dataclass(frozen=True, kw_only=True)
class MoleculeIndex:
    """All molecules of a folder, seen together."""

    split: np.ndarray
    """Position in SPLITS, -1 for those left out, shape (n,), int8."""
    validation_drawn: int
    """Training molecules of a published split that were drawn for validation, because it has none."""
    values: np.ndarray
    """Targets, NaN where missing, shape (n, T)."""
    atoms: np.ndarray
    """Of each molecule's graph, shape (n,)."""
    bonds: int
    """Of all molecules."""
    duplicates: int
    leakage: Leakage | None
    rejected: list[Rejected]
    """Copies of test and validation molecules that a column put into training."""
    content: str
    sha256: str
    """Of ``index.h5``."""

    @property
    def sizes(self) -> dict[str, int]:
        """Molecules by split."""
        return {name: int((self.split == number).sum()) for number, name in enumerate(SPLITS)}

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided for the user."""
        drawn = f"{self.validation_drawn:,} of its training molecules were drawn for it at random"
        return (f"The published split has no validation set: {drawn}.",) if self.validation_drawn else ()

    def targets(self, config: MoleculeIngest, units: dict[str, str], classes: Sequence[Classes]) -> tuple[Target, ...]:
        """Each target's unit, kind, classes, and statistics over the training split.

        Raises
        ------
        InputError
            A target has no label there.
        """
        found = []
        for n, (name, own) in enumerate(zip(config.targets, classes, strict=True)):
            values = self.values[self.split >= 0, n]
            training = self.values[self.split == 0, n]
            values, training = values[~np.isnan(values)], training[~np.isnan(training)]
            if not len(training):
                raise InputError(f"target {name}: no molecule of the training split has a label. Leave it out.")
            kind: Kind = "classification" if own.names else "regression"
            meaningful = len(own.names) <= 2
            found.append(
                Target(
                    name=name,
                    unit=(unit := canonical_unit(config.units.get(name, units.get(name, "")))),
                    physical=_property(name, unit, values, config) if kind == "regression" else "other",
                    kind=kind,
                    mean=float(training.mean()) if meaningful else 0.0,
                    std=float(training.std()) if meaningful else 0.0,
                    count=len(training),
                    classes=own.names,
                    class_counts=tuple(int((values == code).sum()) for code in range(len(own.names))),
                    labelled=len(values),
                )
            )
        return tuple(found)

    def label_warnings(
        self, targets: Sequence[Target], stated: Collection[str] = (), properties: Collection[str] = ()
    ) -> tuple[str, ...]:
        """Sentences about labels that may not be what they are taken for.

        Parameters
        ----------
        targets
            As `targets` returns them.
        stated, properties
            Those whose kind, and whose property, the user said.
        """
        found = []
        for n, target in enumerate(targets):
            labelled = ~np.isnan(self.values[:, n])
            values = self.values[labelled, n]
            if target.kind == "regression":
                found.append(unit_warning(target.name, target.unit, values, self.atoms[labelled]))
                if target.name not in properties and target.physical == "other":
                    found.append(_not_taken(target, values))
                if target.name not in stated and not target.unit:
                    found.append(_few_numbers(target.name, values))
            else:
                training = self.values[labelled & (self.split == 0), n]
                found += [
                    f"{target.name}: no molecule of the training split is of class {name}, which cannot be learnt."
                    for code, name in enumerate(target.classes)
                    if not (training == code).any()
                ]
        return tuple(each for each in found if each)


def _property(name: str, unit: str, values: np.ndarray, config: MoleculeIngest) -> Property:
    """What a target is physically, as the user says or by its name."""
    stated = config.properties.get(name) or ("extensive" if name in config.extensive else None)
    if stated == "dipole" and values.min() < 0:
        found = f"is to be the length of a dipole moment, and has the label {values.min():g}"
        raise InputError(f"target {name}: {found}. Leave it out of properties.")
    return stated or infer_property(name, unit, float(values.min()))[0]


def _not_taken(target: Target, values: np.ndarray) -> str:
    """Say so where a name means a property that the unit or the sign of the labels speaks against."""
    said = infer_property(target.name, target.unit, float(values.min()))[1]
    return said and f"{said}. If it is one, say so by units or properties; if not, property other silences this."


def _few_numbers(name: str, values: np.ndarray) -> str | None:
    """Say so where numbers may be classes: few different whole ones, each of many molecules."""
    found, counts = np.unique(values, return_counts=True)
    if not 2 <= len(found) <= MAX_DISCRETE_VALUES or len(values) < 2 * len(found) or (found != np.round(found)).any():
        return None
    shown = ", ".join(f"{value:g} ({count:,})" for value, count in zip(found, counts, strict=True))
    key = json.dumps(name, ensure_ascii=False)
    return (
        f"{name}: its labels are {shown}, learnt as numbers (regression). If they are classes: "
        f"--set 'ingest.kinds={{{key}: classification}}'; if not, regression there silences this."
    )


def index_molecules(shards: Sequence[Path], out: Path, config: MoleculeIngest, method: Method) -> MoleculeIndex:
    """Split the molecules of all shards, and hold the test molecules against the training set.

    Parameters
    ----------
    method
        How they are split: that of the configuration, or, of auto, what the files allow.

    Raises
    ------
    InputError
        They are too few for the splits that are wanted.
    """
    keys: list[str] = []
    scaffolds: list[str] = []
    words: list[str] = []
    rows: list[tuple[str, int, str]] = []
    sizes, bonds = [], 0
    arrays: dict[str, list[np.ndarray]] = {"fingerprints": [], "targets": [], "crc32": []}
    for path in shards:
        with h5py.File(path, "r") as file:
            keys += read_texts(file, "keys")
            scaffolds += read_texts(file, "scaffolds")
            words += read_texts(file, "splits")
            if method == "column":
                files = read_texts(file, "files")
                named = [files[n] for n in file["file"][:].tolist()]
                rows += zip(named, file["line"][:].tolist(), read_texts(file, "smiles"), strict=True)
            for name, found in arrays.items():
                found.append(file[name][:])
            sizes.append(np.diff(file["atom_offsets"][:]))
            bonds += len(file["bonds"])
    whole = {name: np.concatenate(found) for name, found in arrays.items()}
    drawn = 0
    match method:
        case "random":
            split = random_split(keys, config.fractions, config.seed)
        case "scaffold":
            split = group_split(scaffolds, keys, config.fractions, config.seed)
        case "butina":
            centres = butina_clusters(whole["fingerprints"], BUTINA_SIMILARITY).tolist()
            split = group_split([f"cluster {centre}" for centre in centres], keys, config.fractions, config.seed)
        case "column":
            published = published_split(words, keys)  # pyright: ignore[reportArgumentType]
            split = draw_validation(published, keys, config.fractions, config.seed)
            drawn = int((split != published).sum())
    if method == "column" and not (split == 0).any() and (split < 0).any():
        raise InputError(
            f"no molecule is left to learn from: all {(split < 0).sum():,} of the training split are in a split to be "
            "tested on as well. All geometries of a molecule are one molecule."
        )
    similarity = np.full(len(keys), np.nan, np.float32)
    training = whole["fingerprints"][split == 0]
    if len(training):
        held = split > 0
        similarity[held] = nearest_tanimoto(whole["fingerprints"][held], training)
    with replacing(out / INDEX) as temporary:
        with h5py.File(temporary, "w") as file:
            file["split"], file["similarity"] = split, similarity
        sha256 = hashlib.sha256(temporary.read_bytes()).hexdigest()
    copies = [row for row, side in zip(rows, split.tolist(), strict=False) if side < 0]
    return MoleculeIndex(
        split=split,
        validation_drawn=drawn,
        values=whole["targets"],
        atoms=np.concatenate(sizes),
        bonds=bonds,
        duplicates=len(keys) - len(set(keys)),
        leakage=_leakage(similarity[split == SPLITS.index("test")]),
        rejected=[
            Rejected(file=file, line=line, text=text, reason="the same molecule is in a split to be tested on")
            for file, line, text in copies
        ],
        content=hashlib.sha256(whole["crc32"].tobytes() + split.tobytes()).hexdigest(),
        sha256=sha256,
    )


def _leakage(similarity: np.ndarray) -> Leakage | None:
    """Summary of the test molecules' similarities to their nearest training molecules."""
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
