"""Quantum-chemical labels of enumerated molecules: force-field geometries, GFN2 or B3LYP properties, extended XYZ."""

import csv
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, get_args

from tenfold.hpc.cluster import WorkerDiedError, map_unordered
from tenfold.hpc.engine import Engine
from tenfold.hpc.isolated import ProcessDied, run_isolated
from tenfold.hpc.progress import progress
from tenfold.hpc.scheduler import check_reachable
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.files.spreadsheet import as_text
from tenfold.pipelines.labels.electronic_structure import UNITS
from tenfold.pipelines.labels.enumeration import KINDS, Kind, enumerate_molecules
from tenfold.pipelines.labels.labelled_molecule import LabelledMolecule, Level, UnlabelledMolecule, label_molecule
from tenfold.pipelines.storage.output_folder import RECORD, OutputFolder

__all__ = ["UNITS", "LabelSummary", "Labelling", "label_molecules"]

LABELS_RECORD = "labels.json"
"""File that records the configuration of the labels in a folder."""
LABEL_FOLDER_CONTENTS = (LABELS_RECORD, "unlabelled.csv", "dft.json", "structures", "log")
"""Files and folders of a folder of labels."""


@dataclass(frozen=True, kw_only=True)
class Labelling:
    """Enumeration of molecules, and the calculation of their labels.

    Example
    -------
    >>> from tenfold.pipelines import Labelling
    >>> Labelling(count=100).count
    100
    """

    RENAMED: ClassVar[dict[str, str]] = {"dft": "dft_check", "longest_s": "timeout_s"}

    count: int = 4000
    """Number of molecules; 4000 take 90 s on two cores. A larger count in the same folder adds molecules."""
    seed: int = 1
    """Seed of the enumeration and of the conformers."""
    kind: Kind = "mixed"
    """qm9: up to nine heavy atoms of C, N, O, F; druglike: drug-like molecules; mixed: a quarter drug-like."""
    level: Level = "gfn2"
    """Level of theory: GFN2-xTB takes milliseconds per molecule; B3LYP/6-31G(2df,p), the level of QM9, minutes."""
    relax: bool = False
    """Relax the geometry with GFN2 first, which takes ten times as long. Otherwise MMFF94 geometries are used."""
    molecules_per_file: int = 200
    """Molecules per XYZ file: at most so many are lost per process when a run is killed."""
    timeout_s: float = 60.0
    """Time limit per molecule with GFN2 [s]; with DFT it is sixty times as long."""
    dft_check: tuple[str, ...] = ()
    """SMILES of a few small molecules that a study also calculates by DFT, for comparison with the network."""
    processes: int = 2
    """Number of parallel worker processes."""
    dask: str = ""
    """Dask scheduler that does the work in place of processes here: tcp://HOST:PORT, tls://HOST:PORT, or its file."""

    def __post_init__(self) -> None:
        """Check that the values are valid."""
        for name, minimum in (("count", 1), ("seed", 0), ("molecules_per_file", 1), ("processes", 1)):
            if getattr(self, name) < minimum:
                raise ValueError(f"{name}: found {getattr(self, name)}, must be at least {minimum}")
        for name, valid in (("kind", KINDS), ("level", get_args(Level))):
            if getattr(self, name) not in valid:
                raise ValueError(f"{name}: found {getattr(self, name)!r}, must be {' or '.join(valid)}")
        if not 0 < self.timeout_s < math.inf:
            raise ValueError(f"timeout_s: found {self.timeout_s}, must be positive")
        self.engine  # noqa: B018 (checks dask)

    @property
    def engine(self) -> Engine:
        """Where the work is done."""
        return Engine(processes=self.processes, scheduler=self.dask)

    @property
    def calculation(self) -> dict[str, Any]:
        """Settings that determine the content of a file: all except count, dft_check, and where they are calculated."""
        return {
            key: value for key, value in asdict(self).items() if key not in ("count", "processes", "dask", "dft_check")
        }


@dataclass(frozen=True)
class LabelSummary:
    """Result of `label_molecules`."""

    out: Path
    """Folder of the labels."""
    labelled: int
    """Number of molecules with labels."""
    unlabelled: int
    """Number of molecules without labels; OUT/unlabelled.csv lists the reasons."""
    made: int
    """Number of files written by this call; the others existed before."""
    geometry_s: float
    """CPU time of all geometries [s]."""
    quantum_s: float
    """CPU time of all property calculations [s]."""
    seconds: float
    """Wall time of this call [s]."""

    @property
    def structures(self) -> Path:
        """Folder of the extended XYZ files, the input of the ingest."""
        return self.out / "structures"

    def __str__(self) -> str:
        ms_per_molecule = 1e3 / max(1, self.labelled)
        geometry, quantum = self.geometry_s * ms_per_molecule, self.quantum_s * ms_per_molecule
        cost = f"{geometry:.0f} ms + {quantum:.0f} ms of CPU time per molecule for geometry + properties"
        return f"{self.structures}: {self.labelled} molecules labelled ({cost}), {self.unlabelled} failed"


def label_molecules(config: Labelling, out: Path | str) -> LabelSummary:
    """Enumerate molecules and calculate their labels with Dask; write ``OUT/structures/molecules_00000.xyz`` and so on.

    Every molecule is calculated in an isolated process. Molecules that crash it, exceed the time limit or do not
    converge are listed with their reasons in ``OUT/unlabelled.csv``. Existing files are kept: after an interruption, or
    with a larger count, only missing files are written, and the result is byte-identical to an uninterrupted run.

    Parameters
    ----------
    config
        Molecules, and how they are labelled.
    out
        Output folder, created if it does not exist.

    Raises
    ------
    InputError
        The folder cannot be written to, holds labels of another configuration, or the fragments do not yield so many
        molecules.

    Example
    -------
    >>> from tenfold.pipelines import Labelling, label_molecules
    >>> label_molecules(Labelling(count=2, processes=1), "labels").labelled
    2
    """
    start = time.monotonic()
    out, size = config.engine.path(Path(out)), config.molecules_per_file
    starts = range(0, config.count, size)
    chunks = [
        _Chunk(config=config, out=out, number=number, count=min(size, config.count - start))
        for number, start in enumerate(starts)
    ]
    if not all(chunk.finished for chunk in chunks):
        check_reachable(config.engine)
    _claim(out, config, chunks)
    missing = [chunk for chunk in chunks if not chunk.finished]
    if missing:
        try:
            smiles = enumerate_molecules(config.count, config.seed, config.kind)
        except ValueError as error:
            raise InputError(f"{out}: {error}") from error
        work = [(chunk, smiles[starts[chunk.number] :][: chunk.count]) for chunk in missing]
        try:
            with progress("Labelling", total=sum(chunk.count for chunk in missing), unit="molecule") as advance:
                for position, _ in map_unordered(_label_chunk, work, config.engine, shared=out):
                    advance(missing[position].count)
        except WorkerDiedError as error:
            raise InputError(f"{missing[error.position].structures}: {error}. Is there enough memory?") from error
    logs = [chunk.log() for chunk in chunks]
    unlabelled = [row for log in logs for row in log["unlabelled"]]
    with replacing(out / "unlabelled.csv") as temporary, temporary.open("w", newline="") as file:
        rows = [(as_text(smiles), as_text(reason)) for smiles, reason in unlabelled]
        csv.writer(file, lineterminator="\n").writerows([("smiles", "reason"), *rows])
    return LabelSummary(
        out=out,
        labelled=config.count - len(unlabelled),
        unlabelled=len(unlabelled),
        made=len(missing),
        geometry_s=sum(log["geometry_s"] for log in logs),
        quantum_s=sum(log["quantum_s"] for log in logs),
        seconds=time.monotonic() - start,
    )


_LOG_KEYS = {"count", "geometry_s", "quantum_s", "unlabelled"}


@dataclass(frozen=True, kw_only=True)
class _Chunk:
    """One XYZ file, of `count` molecules; the first is `number` times the number of molecules per file."""

    config: Labelling
    out: Path
    number: int
    count: int

    @property
    def structures(self) -> Path:
        return self.out / "structures" / f"molecules_{self.number:05d}.xyz"

    @property
    def _log(self) -> Path:
        """Log of the file. It is written last: a file with a log is complete."""
        return self.out / "log" / f"molecules_{self.number:05d}.json"

    @property
    def finished(self) -> bool:
        try:
            log = self.log()
            return log["count"] == self.count and log.keys() >= _LOG_KEYS and self.structures.exists()
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return False  # damaged: the file is written again

    def log(self) -> dict[str, Any]:
        return json.loads(self._log.read_text())

    def write(self, molecules: list[LabelledMolecule | UnlabelledMolecule]) -> None:
        labelled = [molecule for molecule in molecules if isinstance(molecule, LabelledMolecule)]
        log = {
            "count": self.count,
            "geometry_s": sum(molecule.geometry_s for molecule in labelled),
            "quantum_s": sum(molecule.quantum_s for molecule in labelled),
            "unlabelled": [
                (failed.smiles, failed.reason) for failed in molecules if isinstance(failed, UnlabelledMolecule)
            ],
        }
        self._log.unlink(missing_ok=True)
        with replacing(self.structures) as temporary:
            temporary.write_text("".join(molecule.frame for molecule in labelled))
        with replacing(self._log) as temporary:
            temporary.write_text(json.dumps(log, indent=1))


def _label_chunk(work: tuple[_Chunk, list[str]]) -> None:
    (chunk, smiles), config = work, work[0].config
    limit_s = config.timeout_s * (60 if config.level == "dft" else 1)
    calculate = partial(label_molecule, level=config.level, relax=config.relax, seed=config.seed)
    results = run_isolated(calculate, smiles, limit_s)
    chunk.write([
        UnlabelledMolecule(smiles=molecule, reason=result.reason) if isinstance(result, ProcessDied) else result
        for molecule, result in zip(smiles, results, strict=True)
    ])  # fmt: skip


def _claim(out: Path, config: Labelling, chunks: Sequence[_Chunk]) -> None:
    """Record the configuration of the folder, or check that it is the present one."""
    marker = out / LABELS_RECORD
    known = _known(marker)
    for name, value in config.calculation.items():
        if known is not None and known.get(name) != value:
            difference = f"holds labels made with {name} {known.get(name)!r}, which is now {value!r}"
            raise InputError(f"{out}: {difference}. Choose another folder, or remove this one.")
    OutputFolder.claim(out, LABEL_FOLDER_CONTENTS, alone=True, known=() if known is None else LABEL_FOLDER_CONTENTS)
    for folder, ending in ((out / "structures", "xyz"), (out / "log", "json")):
        unrecorded = known is not None and not (folder / RECORD).exists()  # written by an earlier version
        made = {path.name for path in folder.glob(f"molecules_*.{ending}")} if unrecorded else ()
        needed = {f"molecules_{chunk.number:05d}.{ending}" for chunk in chunks}
        OutputFolder.claim(folder, needed, alone=True, known=made)
    if known is None:
        with replacing(marker) as temporary:
            temporary.write_text(json.dumps({"units": UNITS, "labels": config.calculation}, indent=1))


def _known(marker: Path) -> dict[str, Any] | None:
    """Recorded configuration of the labels of a folder; None if there are no labels."""
    if not marker.exists():
        return None
    try:
        recorded = json.loads(marker.read_bytes())["labels"]
        if isinstance(recorded, dict):
            return {Labelling.RENAMED.get(str(name), str(name)): value for name, value in recorded.items()}
        raise ValueError("no configuration")
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(f"{marker}: not written by tenfold, or damaged ({error}). Choose another folder.") from error
