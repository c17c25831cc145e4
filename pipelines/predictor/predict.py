"""Prediction of the properties of all molecules of a file: constant memory, order preserved, restartable."""

import csv
import hashlib
import io
import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path

from rdkit import rdBase

from tenfold.emulators.graphs import Graphs
from tenfold.hpc.engine import Engine
from tenfold.hpc.progress import progress
from tenfold.hpc.scheduler import check_reachable
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import TEMPORARY, check_free, replacing, sweep, writable
from tenfold.pipelines.files.spreadsheet import as_text
from tenfold.pipelines.molecules.featuriser import NO_COORDINATES
from tenfold.pipelines.predictor.featurised import BLOCK, featurised_blocks
from tenfold.pipelines.predictor.input_columns import InputColumns, unique_names
from tenfold.pipelines.predictor.prediction_columns import column_names, prediction_cells
from tenfold.pipelines.predictor.predictor import MoleculePredictor
from tenfold.pipelines.readers.archives import unpack
from tenfold.pipelines.readers.molecule import MoleculeRecord
from tenfold.pipelines.readers.molecules import MoleculeFile, inspect_file, read_records
from tenfold.pipelines.training.bundle import find_bundle
from tenfold.pipelines.training.prefetch import Prefetcher

log = logging.getLogger("tenfold")

_MAX_HEADER_BYTES = 2**20
LARGEST_GIB = 64.0
"""Largest size that a compressed input may unpack to [GiB]."""


@dataclass(frozen=True)
class PredictionSummary:
    """Summary of a finished prediction."""

    path: Path
    molecules: int
    unreadable: int
    """Number of molecules without a prediction."""
    renamed: dict[str, str]
    """New names of the columns of predictions whose names the input already has."""

    def __str__(self) -> str:
        problem = self.renamed.get("problem", "problem")
        unreadable = f", {self.unreadable:,} of them could not be read: see column {problem}" if self.unreadable else ""
        lines = [f"Predicted {self.molecules:,} molecules{unreadable}: {self.path}"]
        if self.renamed:
            names = ", ".join(f"{name} to {new}" for name, new in self.renamed.items())
            lines.append(f"The input has columns of these names; the columns of predictions were renamed: {names}.")
        return "\n".join(lines)


def predict_molecules(
    bundle: Path | str,
    molecules: Path | str,
    out: Path | str,
    *,
    smiles_column: str = "",
    encoding: str = "",
    seconds: float = 20.0,
    embed: bool = False,
    largest_gib: float = LARGEST_GIB,
    processes: int = 1,
    dask: str = "",
) -> PredictionSummary:
    r"""Predict the properties of the molecules of a file.

    An interrupted run is resumed by the same call, and its output is the same to the byte. So it is wherever the
    molecules are parsed and featurised, since the network is evaluated in this process, on all its cores or its GPU.

    Parameters
    ----------
    bundle
        Trained predictor: its bundle, or the folder of the run that wrote it.
    molecules
        CSV, SDF or XYZ file, which may be compressed.
    out
        CSV file to write, with one row per row of the input in the same order. The input's columns come first,
        unchanged (of an SD file the title and all data items, of an XYZ file the comment and keys). The predictions
        follow, named as in `tenfold.pipelines.predictor.prediction_columns.column_names`. The last column, ``problem``,
        is the reason why a molecule has no prediction. If the input already has a column of such a name, the new one
        gets a number, as in ``problem_2``.
    smiles_column
        SMILES column of a table; `smiles` by default.
    encoding
        Encoding of text without a byte-order mark, such as latin-1; UTF-8 by default.
    seconds
        Time limit for one molecule [s]. A molecule that takes longer is reported in ``problem``.
    embed
        Generate coordinates (ETKDGv3, MMFF94) for a network that was trained on given ones, and ignore the file's.
    largest_gib
        Largest size that a compressed input may unpack to [GiB].
    processes
        Processes that parse and featurise molecules.
    dask
        Dask scheduler whose workers parse and featurise instead: tcp://HOST:PORT, tls://HOST:PORT, or its file.

    Raises
    ------
    InputError
        A file cannot be read or written, or a table lacks the column, or `out` exists and is not a table of
        predictions.
    EngineError
        The scheduler cannot be used.

    Example
    -------
    >>> from pathlib import Path
    >>> from tenfold.pipelines import predict_molecules
    >>> _ = Path("library.csv").write_text("smiles\nCCO\nc1ccccc1O\n")
    >>> predict_molecules("predictor", "library.csv", "predicted.csv").molecules
    2
    """
    bundle, molecules, out = find_bundle(Path(bundle)), Path(molecules), Path(out)
    engine = Engine(processes=processes, scheduler=dask)
    check_reachable(engine)
    predictor = MoleculePredictor.load(bundle, BLOCK)
    if embed:
        predictor = predictor.with_embedding()
    if out.exists() and molecules.exists() and out.samefile(molecules):
        raise InputError(f"{out}: is the input and would be overwritten. Choose another --out.")
    check_free(out, _is_ours)
    writable(out.parent)
    sweep(out.with_name(f".{out.name}.state"))
    spool = out.with_name(f".{out.name}.unpacked{TEMPORARY}")
    try:
        if not molecules.is_file():
            raise InputError(f"{molecules}: there is no such file")
        members = unpack(molecules, spool, largest_gib, encoding)
        if len(members) != 1 or not members[0].bytes:
            raise InputError(f"{molecules}: contains {len(members)} files, or nothing; expected one file of molecules")
        described = inspect_file(members[0], smiles_column, None)
        identity = _identity(bundle, molecules, described, seconds, embed)
        return _PredictionRun(predictor, described, out, identity, seconds, engine).finish()
    finally:
        spool.unlink(missing_ok=True)


def _is_ours(path: Path) -> bool:
    """Return whether the header of a file is that of a table of predictions."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header = next(csv.reader([file.readline(_MAX_HEADER_BYTES)]), [])
    except (OSError, ValueError, csv.Error):
        return False
    has_predictions = any(re.search(r"_pred(_\d+)?$", name) for name in header)
    return has_predictions and re.fullmatch(r"problem(_\d+)?", header[-1]) is not None


class _PredictionRun:
    """One output file, from the rows already written to the end."""

    def __init__(
        self,
        predictor: MoleculePredictor,
        described: MoleculeFile,
        out: Path,
        identity: str,
        seconds: float,
        engine: Engine,
    ):
        self.predictor, self.described, self.out, self.seconds = predictor, described, out, seconds
        self.identity, self.engine = identity, engine
        self.input_columns = InputColumns.of(described)
        self.predicted_columns = column_names(predictor.config)
        added = [as_text(name) for name in (*self.predicted_columns, "problem")]
        self.added = unique_names(added, self.input_columns.header)
        self.renamed = {name: new for name, new in zip(added, self.added, strict=True) if new != name}
        self.partial = out.with_name(f".{out.name}.partial")
        self.state = out.with_name(f".{out.name}.state")

    def finish(self) -> PredictionSummary:
        state = self._read_state()
        rows, unreadable = state["rows"], state["unreadable"]
        with self.partial.open("r+b" if state["bytes"] else "wb") as file:
            file.truncate(state["bytes"])
            file.seek(state["bytes"])
            if not state["bytes"]:
                file.write(_csv([[*self.input_columns.header, *self.added]]))
            with progress("Predicting", total=self._total(), unit="byte") as advance, self._lines() as lines:
                stream = read_records(self.described, lines)
                for _ in islice(stream, rows):
                    pass
                done = 0
                featuriser = self.predictor.config.featuriser
                blocks = featurised_blocks(stream, lines, featuriser, self.seconds, self.engine, self.out.parent)
                for block in Prefetcher(2).iterate(blocks):
                    file.write(_csv(self._rows(block.records, block.graphs, block.reasons)))
                    file.flush()
                    rows += len(block.records)
                    unreadable += sum(reason is not None for reason in block.reasons)
                    self._write_state(rows, unreadable, file.tell())
                    advance(block.end - done, note=f"{rows:,} molecules")
                    done = block.end
        self.partial.replace(self.out)
        self.state.unlink(missing_ok=True)
        return PredictionSummary(self.out, rows, unreadable, self.renamed)

    def _lines(self):
        return self.described.data.lines(self.described.start)

    def _total(self) -> int:
        return self.described.data.bytes

    def _rows(self, block: Sequence[MoleculeRecord], graphs: Graphs, reasons: Sequence[str | None]) -> list[list[str]]:
        predictions = iter(prediction_cells(self.predictor, graphs))
        empty = [""] * len(self.predicted_columns)
        rows = []
        for entry, reason in zip(block, reasons, strict=True):
            values = empty if reason else next(predictions)
            rows.append([*self.input_columns.cells(entry), *values, as_text(self._problem(entry, reason or ""))])
        return rows

    def _problem(self, entry: MoleculeRecord, reason: str) -> str:
        if reason == NO_COORDINATES:
            return f"{reason}: add --embed to generate them"
        reason = reason.replace("(geometry embed)", "(add --embed)")
        surplus = self.input_columns.surplus_cells(entry)
        return f"{reason}; surplus fields: {surplus}" if surplus else reason

    def _write_state(self, rows: int, unreadable: int, size: int) -> None:
        state = {"identity": self.identity, "rows": rows, "unreadable": unreadable, "bytes": size}
        with replacing(self.state) as temporary:
            temporary.write_text(json.dumps(state))

    def _read_state(self) -> dict:
        initial = {"rows": 0, "unreadable": 0, "bytes": 0}
        try:
            stored = json.loads(self.state.read_text(encoding="utf-8"))
            state = {name: int(stored[name]) for name in initial}
            if stored["identity"] == self.identity and self.partial.stat().st_size >= state["bytes"] > 0:
                log.info("Resuming after %s molecules", f"{state['rows']:,}")
                return state
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return initial
        return initial


def _identity(bundle: Path, molecules: Path, described: MoleculeFile, seconds: float, embed: bool) -> str:
    """Return a hash of all that determines the output: network, input and settings."""
    status = molecules.stat()
    with bundle.open("rb") as file:
        network = hashlib.file_digest(file, "sha256").hexdigest()
    determinants = [
        network,
        str(molecules.resolve()),
        status.st_size,
        status.st_mtime_ns,
        described.smiles_column,
        described.data.encoding,
        seconds,
        embed,
        BLOCK,
        version("tenfold"),
        rdBase.rdkitVersion,
    ]
    return hashlib.sha256(json.dumps(determinants).encode()).hexdigest()


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    plain = csv.writer(text, lineterminator="\n")
    quoted = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)  # a bare carriage return would end the row
    for row in rows:
        (quoted if any("\r" in cell for cell in row) else plain).writerow(row)
    return text.getvalue().encode()
