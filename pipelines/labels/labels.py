"""Quantum labels for molecules: geometry by force field, properties by GFN2 or B3LYP, into extended XYZ files."""

import csv
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, get_args

from tenfold.hpc.cluster import WorkerDiedError, completed
from tenfold.hpc.isolated import Died, isolated
from tenfold.hpc.progress import progress
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.files.spreadsheet import as_text
from tenfold.pipelines.labels.electronic_structure import UNITS
from tenfold.pipelines.labels.enumeration import KINDS, Kind, enumerate_molecules
from tenfold.pipelines.labels.labelled_molecule import LabelledMolecule, Level, UnlabelledMolecule, label_molecule
from tenfold.pipelines.storage.output_folder import RECORD, OutputFolder

__all__ = ["UNITS", "LabelSummary", "Labelling", "label_molecules"]

LABELS_RECORD = "labels.json"
"""Says what the labels of a folder were made with."""
LABEL_FOLDER_CONTENTS = (LABELS_RECORD, "unlabelled.csv", "dft.json", "structures", "log")
"""What a folder of labels holds."""


@dataclass(frozen=True, kw_only=True)
class Labelling:
    """A set of enumerated molecules, and how they are labelled."""

    RENAMED: ClassVar[dict[str, str]] = {"dft": "dft_check", "longest_s": "timeout_s"}

    count: int = 4000
    """Number of molecules: 4000 take 90 s on two cores. A larger count in the same folder adds to what is there."""
    seed: int = 1
    """Seed of the molecules, and of their conformers."""
    kind: Kind = "mixed"
    """Up to nine heavy atoms of C, N, O, F (qm9), drug-like ones, or a quarter of these among those (mixed)."""
    level: Level = "gfn2"
    """GFN2-xTB takes milliseconds a molecule; B3LYP/6-31G(2df,p), as QM9 has it, minutes."""
    relax: bool = False
    """Move the nuclei to the minimum of GFN2's energy first: ten times the work. Otherwise they stay at MMFF94's."""
    molecules_per_file: int = 200
    """What is lost at most when a run is killed."""
    timeout_s: float = 60.0
    """Longest time that a molecule may take by GFN2 [s]; by DFT, sixty times as long."""
    dft_check: tuple[str, ...] = ()
    """SMILES of a few small molecules that a study also calculates by DFT, to be shown beside the network's answers."""
    processes: int = 2
    """Processes of this machine that work side by side."""

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        for name, least in (("count", 1), ("seed", 0), ("molecules_per_file", 1), ("processes", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: found {getattr(self, name)}, must be at least {least}")
        for name, valid in (("kind", KINDS), ("level", get_args(Level))):
            if getattr(self, name) not in valid:
                raise ValueError(f"{name}: found {getattr(self, name)!r}, must be {' or '.join(valid)}")
        if not 0 < self.timeout_s < math.inf:
            raise ValueError(f"timeout_s: found {self.timeout_s}, must be positive")

    @property
    def calculation(self) -> dict[str, Any]:
        """What decides what is in a file: all but the number of molecules, of processes, and those by DFT."""
        return {key: value for key, value in asdict(self).items() if key not in ("count", "processes", "dft_check")}


@dataclass(frozen=True)
class LabelSummary:
    """What a call made."""

    out: Path
    """Folder of the labels."""
    labelled: int
    """Molecules with labels."""
    unlabelled: int
    """Molecules without; OUT/unlabelled.csv says why."""
    made: int
    """Files made by this call; the others were there before."""
    geometry_s: float
    """CPU time that all geometries took [s]."""
    quantum_s: float
    """CPU time that all properties took [s]."""
    seconds: float
    """Wall time of this call [s]."""

    @property
    def structures(self) -> Path:
        """Folder of the extended XYZ files, to be ingested."""
        return self.out / "structures"

    def __str__(self) -> str:
        each = 1e3 / max(1, self.labelled)
        cost = f"{self.geometry_s * each:.0f} + {self.quantum_s * each:.0f} ms of CPU each, geometry + properties"
        return f"{self.structures}: {self.labelled} molecules labelled ({cost}), {self.unlabelled} could not be"


def label_molecules(config: Labelling, out: Path | str) -> LabelSummary:
    """Enumerate molecules and label them, into ``OUT/structures/molecules_00000.xyz`` and on, under Dask.

    Every molecule is calculated in a process that can be spared: what crashes, hangs or does not converge is left out,
    with its reason, in ``OUT/unlabelled.csv``. Files that are there already are kept: after a kill, or with a larger
    count, only what is missing is made, and every byte is as in an undisturbed run.

    Parameters
    ----------
    config
        What to label, and how.
    out
        Folder, made where it is not there.

    Raises
    ------
    InputError
        The folder cannot be written to, holds labels of another configuration, or so many molecules do not exist.
    """
    start = time.monotonic()
    out, size = Path(out), config.molecules_per_file
    begins = range(0, config.count, size)
    chunks = [
        _Chunk(config=config, out=out, number=number, count=min(size, config.count - begin))
        for number, begin in enumerate(begins)
    ]
    _claim(out, config, chunks)
    todo = [chunk for chunk in chunks if not chunk.finished]
    if todo:
        try:
            smiles = enumerate_molecules(config.count, config.seed, config.kind)
        except ValueError as error:
            raise InputError(f"{out}: {error}") from error
        work = [(chunk, smiles[begins[chunk.number] :][: chunk.count]) for chunk in todo]
        try:
            with progress("Labelling", total=sum(chunk.count for chunk in todo), unit="molecule") as advance:
                for position, _ in completed(_label_chunk, work, config.processes):
                    advance(todo[position].count)
        except WorkerDiedError as error:
            raise InputError(f"{todo[error.position].structures}: {error}. Is there memory enough?") from error
    logs = [chunk.log() for chunk in chunks]
    unlabelled = [each for log in logs for each in log["unlabelled"]]
    with replacing(out / "unlabelled.csv") as temporary, temporary.open("w", newline="") as file:
        rows = [(as_text(smiles), as_text(reason)) for smiles, reason in unlabelled]
        csv.writer(file, lineterminator="\n").writerows([("smiles", "reason"), *rows])
    return LabelSummary(
        out=out,
        labelled=config.count - len(unlabelled),
        unlabelled=len(unlabelled),
        made=len(todo),
        geometry_s=sum(log["geometry_s"] for log in logs),
        quantum_s=sum(log["quantum_s"] for log in logs),
        seconds=time.monotonic() - start,
    )


_WRITTEN = {"count", "geometry_s", "quantum_s", "unlabelled"}


@dataclass(frozen=True, kw_only=True)
class _Chunk:
    """A file to be made: `count` molecules from `number` times the molecules of a file on."""

    config: Labelling
    out: Path
    number: int
    count: int

    @property
    def structures(self) -> Path:
        return self.out / "structures" / f"molecules_{self.number:05d}.xyz"

    @property
    def _log(self) -> Path:
        """Written last: what it speaks of is whole."""
        return self.out / "log" / f"molecules_{self.number:05d}.json"

    @property
    def finished(self) -> bool:
        try:
            log = self.log()
            return log["count"] == self.count and log.keys() >= _WRITTEN and self.structures.exists()
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return False  # damaged: it is made again

    def log(self) -> dict[str, Any]:
        return json.loads(self._log.read_text())

    def write(self, found: list[LabelledMolecule | UnlabelledMolecule]) -> None:
        labelled = [each for each in found if isinstance(each, LabelledMolecule)]
        log = {
            "count": self.count,
            "geometry_s": sum(each.geometry_s for each in labelled),
            "quantum_s": sum(each.quantum_s for each in labelled),
            "unlabelled": [(each.smiles, each.reason) for each in found if isinstance(each, UnlabelledMolecule)],
        }
        self._log.unlink(missing_ok=True)
        with replacing(self.structures) as temporary:
            temporary.write_text("".join(each.frame for each in labelled))
        with replacing(self._log) as temporary:
            temporary.write_text(json.dumps(log, indent=1))


def _label_chunk(work: tuple[_Chunk, list[str]]) -> None:
    (chunk, smiles), config = work, work[0].config
    limit_s = config.timeout_s * (60 if config.level == "dft" else 1)
    answers = isolated(
        partial(label_molecule, level=config.level, relax=config.relax, seed=config.seed), smiles, limit_s
    )
    chunk.write([
        UnlabelledMolecule(smiles=each, reason=answer.reason) if isinstance(answer, Died) else answer
        for each, answer in zip(smiles, answers, strict=True)
    ])  # fmt: skip


def _claim(out: Path, config: Labelling, chunks: Sequence[_Chunk]) -> None:
    """Write down what the folder holds, or be sure that it is what is wanted now."""
    marker = out / LABELS_RECORD
    known = _known(marker)
    for name, value in config.calculation.items():
        if known is not None and known.get(name) != value:
            found = f"holds labels made with {name} {known.get(name)!r}, now it is {value!r}"
            raise InputError(f"{out}: {found}. Choose another folder, or remove this one.")
    OutputFolder.claim(out, LABEL_FOLDER_CONTENTS, alone=True, known=() if known is None else LABEL_FOLDER_CONTENTS)
    for folder, ending in ((out / "structures", "xyz"), (out / "log", "json")):
        unrecorded = known is not None and not (folder / RECORD).exists()  # an earlier version's
        made = {path.name for path in folder.glob(f"molecules_*.{ending}")} if unrecorded else ()
        needed = {f"molecules_{chunk.number:05d}.{ending}" for chunk in chunks}
        OutputFolder.claim(folder, needed, alone=True, known=made)
    if known is None:
        with replacing(marker) as temporary:
            temporary.write_text(json.dumps({"units": UNITS, "labels": config.calculation}, indent=1))


def _known(marker: Path) -> dict[str, Any] | None:
    """Configuration that the labels of a folder were made with; None where there are none."""
    if not marker.exists():
        return None
    try:
        found = json.loads(marker.read_bytes())["labels"]
        if isinstance(found, dict):
            return found
        raise ValueError("no configuration")
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(f"{marker}: not written by tenfold, or damaged ({error}). Choose another folder.") from error
