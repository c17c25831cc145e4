"""Properties of any number of molecules, file in and table out: at constant memory, in order, restartable."""

import csv
import hashlib
import io
import json
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path

from rdkit import rdBase

from tenfold.emulators.graphs import Graphs
from tenfold.hpc.progress import progress
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import TEMPORARY, check_free, replacing, sweep, writable
from tenfold.pipelines.files.spreadsheet import as_text
from tenfold.pipelines.molecules.featuriser import NO_COORDINATES
from tenfold.pipelines.molecules.parsing import featurise_records, record_blocks
from tenfold.pipelines.predictor.answers import cells, columns
from tenfold.pipelines.predictor.kept_columns import KeptColumns, unlike
from tenfold.pipelines.predictor.predictor import MoleculePredictor
from tenfold.pipelines.readers.archives import unpack
from tenfold.pipelines.readers.molecule import LineReader, MoleculeRecord
from tenfold.pipelines.readers.molecules import MoleculeFile, inspect_file, read_records
from tenfold.pipelines.training.prefetch import Feed

log = logging.getLogger("tenfold")

_LONGEST_HEADER = 2**20
BLOCK = 512
"""Molecules that are read, featurised and predicted together; the output is the same wherever a run was interrupted."""
LARGEST_GIB = 64.0
"""Largest size that a compressed input may unpack to [GiB]."""


@dataclass(frozen=True)
class Predicted:
    """What a prediction did."""

    path: Path
    molecules: int
    bad: int
    renamed: dict[str, str]
    """Columns of the answers whose names the input has already, and what they are called instead."""

    def __str__(self) -> str:
        problem = self.renamed.get("problem", "problem")
        bad = f", {self.bad:,} of them cannot be read: see column {problem}" if self.bad else ""
        said = [f"Predicted {self.molecules:,} molecules{bad}: {self.path}"]
        if self.renamed:
            names = ", ".join(f"{new} for {name}" for name, new in self.renamed.items())
            said.append(f"The input has columns of the same names as the answers, which are called {names}.")
        return "\n".join(said)


def predict_molecules(
    bundle: Path,
    molecules: Path,
    out: Path,
    *,
    smiles_column: str = "",
    encoding: str = "",
    seconds: float = 20.0,
    embed: bool = False,
    largest_gib: float = LARGEST_GIB,
) -> Predicted:
    """Predict the properties of the molecules of a file.

    A killed run is taken up where it stood by the same call, and ends with the same bytes.

    Parameters
    ----------
    bundle
        A trained network.
    molecules
        CSV, SDF or XYZ, perhaps compressed.
    out
        CSV to write: one row per row of the input in its order. First come the input's columns to the letter (of an SD
        file the title and all data items, of an XYZ file comment and keys); then the answers, as
        `tenfold.pipelines.predictor.answers.columns` names them; ``problem``, why a molecule has no prediction. Where
        the input has a column of such a name, ours gets a number: ``problem_2``.
    smiles_column
        Of a table; `smiles` if left out.
    encoding
        Of text without a byte-order mark, such as latin-1; empty: UTF-8.
    seconds
        Longest time for one molecule [s]; one that takes longer has a problem, and the run goes on.
    embed
        Make coordinates (ETKDGv3, MMFF94) for a network that was given them in training, and do without the file's.
    largest_gib
        Largest size that a compressed input may unpack to [GiB].

    Raises
    ------
    InputError
        A file cannot be read or written, or a table has no such column; `out` is there, and is no table of predictions.
    """
    predictor = MoleculePredictor.read(bundle, BLOCK)
    if embed:
        predictor = predictor.embedding()
    if out.exists() and molecules.exists() and out.samefile(molecules):
        raise InputError(f"{out}: is the input, and would be overwritten. Choose another --out.")
    check_free(out, _is_ours)
    writable(out.parent)
    sweep(out.with_name(f".{out.name}.state"))
    spool = out.with_name(f".{out.name}.unpacked{TEMPORARY}")
    try:
        if not molecules.is_file():
            raise InputError(f"{molecules}: there is no such file")
        found = unpack(molecules, spool, largest_gib, encoding)
        if len(found) != 1 or not found[0].bytes:
            raise InputError(
                f"{molecules}: found {len(found)} files in it, or nothing; one file of molecules is wanted"
            )
        described = inspect_file(found[0], smiles_column, None)
        identity = _identity(bundle, molecules, described, seconds, embed)
        return _Run(predictor, described, out, identity, seconds).finish()
    finally:
        spool.unlink(missing_ok=True)


def _is_ours(path: Path) -> bool:
    """Whether a file is a table of predictions, which is known by its header."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header = next(csv.reader([file.readline(_LONGEST_HEADER)]), [])
    except (OSError, ValueError, csv.Error):
        return False
    answered = any(re.search(r"_pred(_\d+)?$", name) for name in header)
    return answered and re.fullmatch(r"problem(_\d+)?", header[-1]) is not None


class _Run:
    """One output file, from wherever it stands to its end."""

    def __init__(self, predictor: MoleculePredictor, described: MoleculeFile, out: Path, identity: str, seconds: float):
        self.predictor, self.described, self.out, self.seconds = predictor, described, out, seconds
        self.identity = identity
        self.kept_columns = KeptColumns.of(described)
        self.answers = columns(predictor.learnt)
        added = [as_text(name) for name in (*self.answers, "problem")]
        self.added = unlike(added, self.kept_columns.header)
        self.renamed = {name: new for name, new in zip(added, self.added, strict=True) if new != name}
        self.partial = out.with_name(f".{out.name}.partial")
        self.state = out.with_name(f".{out.name}.state")

    def finish(self) -> Predicted:
        kept = self._kept()
        rows, bad = kept["rows"], kept["bad"]
        with self.partial.open("r+b" if kept["bytes"] else "wb") as file:
            file.truncate(kept["bytes"])
            file.seek(kept["bytes"])
            if not kept["bytes"]:
                file.write(_csv([[*self.kept_columns.header, *self.added]]))
            with progress("Predicting", total=self._total(), unit="byte") as advance, self._lines() as lines:
                stream = read_records(self.described, lines)
                for _ in islice(stream, rows):
                    pass
                done = 0
                for block, graphs, reasons, offset in Feed(2).ahead(self._featurised(stream, lines)):
                    file.write(_csv(self._rows(block, graphs, reasons)))
                    file.flush()
                    rows, bad = rows + len(block), bad + sum(reason is not None for reason in reasons)
                    self._keep(rows, bad, file.tell())
                    advance(offset - done, note=f"{rows:,} molecules")
                    done = offset
        self.partial.replace(self.out)
        self.state.unlink(missing_ok=True)
        return Predicted(self.out, rows, bad, self.renamed)

    def _lines(self):
        return self.described.data.lines(self.described.start)

    def _total(self) -> int:
        return self.described.data.bytes

    def _featurised(
        self, stream: Iterator[MoleculeRecord], lines: LineReader
    ) -> Iterator[tuple[list[MoleculeRecord], Graphs, list[str | None], int]]:
        """Blocks of entries with their graphs and reasons, and where in the file each block ends [bytes]."""
        featuriser = self.predictor.learnt.featuriser
        taken: list[tuple[list[MoleculeRecord], int]] = []

        def blocks() -> Iterator[Sequence[MoleculeRecord]]:
            while block := list(islice(stream, BLOCK)):
                taken.append((block, lines.offset))
                yield from record_blocks(block, featuriser)

        parts: list[Graphs] = []
        reasons: list[str | None] = []
        for graphs, found in featurise_records(blocks(), featuriser, self.seconds):
            parts.append(graphs)
            reasons += found
            if len(reasons) == len(taken[0][0]):
                block, offset = taken.pop(0)
                yield block, Graphs.join(parts), reasons, offset
                parts, reasons = [], []

    def _rows(self, block: Sequence[MoleculeRecord], graphs: Graphs, reasons: Sequence[str | None]) -> list[list[str]]:
        known = iter(cells(self.predictor, graphs))
        empty = [""] * len(self.answers)
        rows = []
        for entry, reason in zip(block, reasons, strict=True):
            values = empty if reason else next(known)
            rows.append([*self.kept_columns.cells(entry), *values, as_text(self._problem(entry, reason or ""))])
        return rows

    def _problem(self, entry: MoleculeRecord, reason: str) -> str:
        if reason == NO_COORDINATES:
            return f"{reason}: add --embed to make them"
        reason = reason.replace("(geometry embed)", "(add --embed)")
        beyond = self.kept_columns.beyond(entry)
        return f"{reason}; beyond them stands {beyond}" if beyond else reason

    def _keep(self, rows: int, bad: int, size: int) -> None:
        with replacing(self.state) as temporary:
            temporary.write_text(json.dumps({"identity": self.identity, "rows": rows, "bad": bad, "bytes": size}))

    def _kept(self) -> dict:
        fresh = {"rows": 0, "bad": 0, "bytes": 0}
        try:
            kept = json.loads(self.state.read_text(encoding="utf-8"))
            found = {name: int(kept[name]) for name in fresh}
            if kept["identity"] == self.identity and self.partial.stat().st_size >= found["bytes"] > 0:
                log.info("Going on after %s molecules", f"{found['rows']:,}")
                return found
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return fresh
        return fresh


def _identity(bundle: Path, molecules: Path, described: MoleculeFile, seconds: float, embed: bool) -> str:
    """What decides the output: the network, the input, and how it is read."""
    about = molecules.stat()
    with bundle.open("rb") as file:
        network = hashlib.file_digest(file, "sha256").hexdigest()
    found = [
        network,
        str(molecules.resolve()),
        about.st_size,
        about.st_mtime_ns,
        described.smiles_column,
        described.data.encoding,
        seconds,
        embed,
        BLOCK,
        version("tenfold"),
        rdBase.rdkitVersion,
    ]
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    plain = csv.writer(text, lineterminator="\n")
    quoted = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)  # else a carriage return would end the row
    for row in rows:
        (quoted if any("\r" in cell for cell in row) else plain).writerow(row)
    return text.getvalue().encode()
