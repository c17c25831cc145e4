"""Properties of any number of molecules, file in and table out: at constant memory, in order, restartable."""

import csv
import hashlib
import io
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

from rdkit import rdBase

from tenfold.emulators.graphs import Graphs
from tenfold.hpc.isolated import Died, isolated
from tenfold.hpc.progress import progress
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.feed import Feed
from tenfold.pipelines.files import TEMPORARY, replacing, writable
from tenfold.pipelines.molecules.answers import cells, columns
from tenfold.pipelines.molecules.atom_codes import Codes
from tenfold.pipelines.molecules.featuriser import Featuriser
from tenfold.pipelines.molecules.predictor import MoleculePredictor
from tenfold.pipelines.molecules.work import molecule
from tenfold.pipelines.readers.archives import pieces
from tenfold.pipelines.readers.molecule import Entry, UnusableMoleculeError
from tenfold.pipelines.readers.molecules import Described, describe, entries

log = logging.getLogger("tenfold")

BLOCK = 512
"""Molecules that are read, featurised and predicted together; the output is the same wherever a run was interrupted."""
LARGEST_GIB = 1024.0
"""Largest size that a compressed input may unpack to [GiB]."""


@dataclass(frozen=True)
class Predicted:
    """What a prediction did."""

    path: Path
    molecules: int
    bad: int

    def __str__(self) -> str:
        bad = f", {self.bad:,} of them cannot be read: see column problem" if self.bad else ""
        return f"Predicted {self.molecules:,} molecules{bad}: {self.path}"


def predict_molecules(
    bundle: Path,
    molecules: Path,
    out: Path,
    *,
    smiles_column: str = "",
    encoding: str = "",
    seconds: float = 20.0,
    embed: bool = False,
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
        CSV to write: one row per molecule in the order of the input, its other columns kept; the answers, as
        `tenfold.pipelines.molecules.answers.columns` names them; ``problem``, why a molecule has no prediction.
    smiles_column
        Of a table; `smiles` if left out.
    encoding
        Of text without a byte-order mark, such as latin-1; empty: UTF-8.
    seconds
        Longest time for one molecule [s]; one that takes longer has a problem, and the run goes on.
    embed
        Make coordinates (ETKDGv3, MMFF94) for a network that was given them in training, and do without the file's.

    Raises
    ------
    InputError
        A file cannot be read or written, or a table has no such column.
    """
    predictor = MoleculePredictor.read(bundle, BLOCK)
    if embed:
        predictor = predictor.embedding()
    writable(out.parent)
    spool = out.with_name(f".{out.name}.unpacked{TEMPORARY}")
    try:
        if not molecules.is_file():
            raise InputError(f"{molecules}: there is no such file")
        found = pieces(molecules, spool, LARGEST_GIB, encoding)
        if len(found) != 1 or not found[0].bytes:
            raise InputError(
                f"{molecules}: found {len(found)} files in it, or nothing; one file of molecules is wanted"
            )
        described = describe(found[0], smiles_column, None)
        identity = _identity(bundle, molecules, described, seconds, embed)
        return _Run(predictor, described, out, identity, seconds).finish()
    finally:
        spool.unlink(missing_ok=True)


class _Run:
    """One output file, from wherever it stands to its end."""

    def __init__(self, predictor: MoleculePredictor, described: Described, out: Path, identity: str, seconds: float):
        self.predictor, self.described, self.out, self.seconds = predictor, described, out, seconds
        self.identity = identity
        self.columns = described.table.header if described.table else ("molecule",)
        self.partial = out.with_name(f".{out.name}.partial")
        self.state = out.with_name(f".{out.name}.state")

    def finish(self) -> Predicted:
        kept = self._kept()
        rows, bad = kept["rows"], kept["bad"]
        with self.partial.open("r+b" if kept["bytes"] else "wb") as file:
            file.truncate(kept["bytes"])
            file.seek(kept["bytes"])
            if not kept["bytes"]:
                file.write(_csv([[*self.columns, *columns(self.predictor.learnt), "problem"]]))
            with progress("Predicting", total=self._total(), unit="byte") as advance, self._lines() as lines:
                stream = entries(self.described, lines)
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
        return Predicted(self.out, rows, bad)

    def _lines(self):
        return self.described.piece.lines(self.described.start)

    def _total(self) -> int:
        return self.described.piece.bytes

    def _featurised(
        self, stream: Iterator[Entry], lines
    ) -> Iterator[tuple[list[Entry], Graphs, list[str | None], int]]:
        """Blocks of entries with their graphs, made in a process that can be spared."""
        work = partial(_graphs, featuriser=self.predictor.learnt.featuriser)
        taken: list[tuple[list[Entry], int]] = []

        def blocks() -> Iterator[tuple[Entry, ...]]:
            while block := list(islice(stream, BLOCK)):
                taken.append((block, lines.offset))
                yield tuple(replace(entry, fields={}) for entry in block)

        for found in isolated(work, blocks(), self.seconds):
            block, offset = taken.pop(0)
            if not isinstance(found, Died):
                yield block, *found, offset
                continue
            parts = []
            alone = [(replace(entry, fields={}),) for entry in block]
            for entry, one in zip(block, isolated(work, alone, self.seconds), strict=True):
                parts.append(work((replace(entry, problem=one.reason),)) if isinstance(one, Died) else one)
            yield (
                block,
                Graphs.join([graphs for graphs, _ in parts]),
                [r for _, reasons in parts for r in reasons],
                offset,
            )

    def _rows(self, block: Sequence[Entry], graphs: Graphs, reasons: Sequence[str | None]) -> list[list[str]]:
        known = iter(cells(self.predictor, graphs))
        empty = [""] * len(columns(self.predictor.learnt))
        rows = []
        for entry, reason in zip(block, reasons, strict=True):
            if self.described.table is None:
                own = [entry.text]
            elif entry.fields:
                own = list(entry.fields.values())
            else:  # a row of the wrong length: what is known of it is its text
                names = self.described.table.columns if self.described.table else self.columns
                own = [entry.text if name == self.described.smiles_column else "" for name in names]
            values = empty if reason else next(known)
            rows.append([*own, *values, reason or ""])
        return rows

    def _keep(self, rows: int, bad: int, size: int) -> None:
        with replacing(self.state) as temporary:
            temporary.write_text(json.dumps({"identity": self.identity, "rows": rows, "bad": bad, "bytes": size}))

    def _kept(self) -> dict:
        fresh = {"rows": 0, "bad": 0, "bytes": 0}
        try:
            kept = json.loads(self.state.read_text())
            if kept["identity"] == self.identity and self.partial.stat().st_size >= kept["bytes"]:
                log.info("Going on after %s molecules", f"{kept['rows']:,}")
                return kept
        except (OSError, ValueError, KeyError):
            return fresh
        return fresh


def _graphs(block: Sequence[Entry], featuriser: Featuriser) -> tuple[Graphs, list[str | None]]:
    """Graphs of the entries that can be used, and for every entry None or why it cannot."""
    codes = Codes(featuriser.layout, positions=featuriser.geometry != "none")
    reasons: list[str | None] = []
    with rdBase.BlockLogs():
        for entry in block:
            try:
                codes.add(molecule(entry, featuriser))
            except UnusableMoleculeError as error:
                reasons.append(error.reason)
            except Exception as error:  # noqa: BLE001 (RDKit raises many kinds; a bad row never stops a run)
                reasons.append(f"RDKit cannot use it ({str(error).strip().splitlines()[0] if str(error) else error!r})")
            else:
                reasons.append(None)
    return codes.graphs(), reasons


def _identity(bundle: Path, molecules: Path, described: Described, seconds: float, embed: bool) -> str:
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
        described.piece.encoding,
        seconds,
        embed,
        BLOCK,
    ]
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
