"""What only all molecules together can say: splits, statistics, duplicates, leakage; kept in ``index.h5``."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files import replacing
from tenfold.pipelines.molecules.ingest import Kind, MoleculeIngest
from tenfold.pipelines.molecules.manifest import Leakage, Target
from tenfold.pipelines.molecules.packing import Rejected, read_texts
from tenfold.pipelines.molecules.similarity import clusters, nearest_of
from tenfold.pipelines.molecules.splits import by_chance, by_column, by_group
from tenfold.pipelines.molecules.units import doubt
from tenfold.pipelines.splits import SPLITS

ALIKE = 0.4
"""Tanimoto similarity from which on two molecules are neighbours in a Butina clustering."""


@dataclass(frozen=True, kw_only=True)
class Index:
    """All molecules of a folder, seen together."""

    split: np.ndarray
    """Position in SPLITS, -1 for those left out, shape (n,), int8."""
    values: np.ndarray
    """Targets, NaN where missing, shape (n, T)."""
    atoms: np.ndarray
    """Of each molecule's graph, shape (n,)."""
    bonds: int
    """Of all molecules."""
    duplicates: int
    leakage: Leakage | None
    set_aside: list[Rejected]
    """Copies of test and validation molecules that a column put into training."""
    content: str
    sha256: str
    """Of ``index.h5``."""

    @property
    def sizes(self) -> dict[str, int]:
        """Molecules by split."""
        return {name: int((self.split == number).sum()) for number, name in enumerate(SPLITS)}

    def targets(self, config: MoleculeIngest, units: dict[str, str]) -> tuple[Target, ...]:
        """Each target's unit, kind, and statistics over the training split.

        Raises
        ------
        InputError
            A target has no label there, or is to be a class and is more than 0 and 1.
        """
        found = []
        for n, name in enumerate(config.targets):
            values = self.values[self.split >= 0, n]
            training = self.values[self.split == 0, n]
            values, training = values[~np.isnan(values)], training[~np.isnan(training)]
            if not len(training):
                raise InputError(f"target {name}: no molecule of the training split has a label. Leave it out.")
            classes = bool(np.isin(values, (0, 1)).all())
            kind: Kind = config.kinds.get(name, "classification" if classes else "regression")
            if kind == "classification" and not classes:
                wrong = values[~np.isin(values, (0, 1))][0]
                raise InputError(f"target {name}: is to be classification, and has a label {wrong:g}; valid are 0, 1")
            unit = config.units.get(name, units.get(name, ""))
            mean, std = float(training.mean()), float(training.std())
            found.append(Target(name=name, unit=unit, kind=kind, mean=mean, std=std, count=len(training)))
        return tuple(found)

    def doubts(self, targets: Sequence[Target]) -> tuple[str, ...]:
        """Sentences about targets whose labels are of a size that they have in another unit."""
        labelled = ~np.isnan(self.values)
        found = (
            doubt(target.name, target.unit, self.values[labelled[:, n], n], self.atoms[labelled[:, n]])
            for n, target in enumerate(targets)
        )
        return tuple(each for each in found if each)


def index_molecules(shards: Sequence[Path], out: Path, config: MoleculeIngest) -> Index:
    """Split the molecules of all shards, and hold the test molecules against the training set.

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
            if config.split == "column":
                files = read_texts(file, "files")
                named = [files[n] for n in file["file"][:].tolist()]
                rows += zip(named, file["line"][:].tolist(), read_texts(file, "smiles"), strict=True)
            for name, found in arrays.items():
                found.append(file[name][:])
            sizes.append(np.diff(file["atom_offsets"][:]))
            bonds += len(file["bonds"])
    whole = {name: np.concatenate(found) for name, found in arrays.items()}
    match config.split:
        case "random":
            split = by_chance(keys, config.fractions, config.seed)
        case "scaffold":
            split = by_group(scaffolds, keys, config.fractions, config.seed)
        case "butina":
            centres = clusters(whole["fingerprints"], ALIKE).tolist()
            split = by_group([f"cluster {centre}" for centre in centres], keys, config.fractions, config.seed)
        case "column":
            split = by_column(words, keys)  # pyright: ignore[reportArgumentType]
    similarity = np.full(len(keys), np.nan, np.float32)
    training = whole["fingerprints"][split == 0]
    if len(training):
        held = split > 0
        similarity[held] = nearest_of(whole["fingerprints"][held], training)
    with replacing(out / "index.h5") as temporary:
        with h5py.File(temporary, "w") as file:
            file["split"], file["similarity"] = split, similarity
        sha256 = hashlib.sha256(temporary.read_bytes()).hexdigest()
    copies = [row for row, side in zip(rows, split.tolist(), strict=False) if side < 0]
    return Index(
        split=split,
        values=whole["targets"],
        atoms=np.concatenate(sizes),
        bonds=bonds,
        duplicates=len(keys) - len(set(keys)),
        leakage=_leakage(similarity[split == SPLITS.index("test")]),
        set_aside=[
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
