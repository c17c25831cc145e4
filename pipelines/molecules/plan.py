"""Plan of an ingest of molecules: rows counted, columns found, labels and published splits matched."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tenfold.hpc.progress import progress
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.molecules.classes import Classes, count_cell, infer_classes
from tenfold.pipelines.molecules.config import MoleculeIngest
from tenfold.pipelines.molecules.manifest import MoleculeSourceEntry
from tenfold.pipelines.molecules.sources import MoleculeSource, described_pieces
from tenfold.pipelines.molecules.splits import Method, find_split_columns, is_published_split, split_from_name
from tenfold.pipelines.readers.archives import DataFile
from tenfold.pipelines.readers.labels_table import LabelTable, candidate_file_names, read_labels
from tenfold.pipelines.readers.molecule_table import TableHeader
from tenfold.pipelines.readers.molecules import MoleculeFile, RecordRange, read_records
from tenfold.pipelines.readers.qm9_xyz import SIGNATURE_COLUMNS as QM9_COLUMNS
from tenfold.pipelines.readers.qm9_xyz import UNITS as QM9_UNITS


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which rows go to which shard, and what is known about columns, units and splits."""

    chunks: list[tuple[RecordRange, ...]]
    sources: tuple[MoleculeSourceEntry, ...]
    units: dict[str, str]
    """Units defined by the formats, by column."""
    cells: dict[str, Counter[str]]
    """Counts of the cells in each target's column; of columns with very many distinct cells, not of all."""
    split: Method
    """Method of the split: that of the configuration, or for auto the published or a random one."""
    split_column: str
    notes: tuple[str, ...]
    """Choices made for the user."""

    @property
    def rows(self) -> int:
        """Number of molecules, rejected ones included."""
        return sum(source.molecules for source in self.sources)

    def classes(self, config: MoleculeIngest) -> tuple[Classes, ...]:
        """Return the classes of each target, none for regression; raises as `classes_of`."""
        measured = {*config.units, *config.extensive, *config.properties, *self.units}
        return tuple(
            infer_classes(name, self.cells[name], config.kinds.get(name), measured=name in measured)
            for name in config.targets
        )


def plan(sources: Sequence[MoleculeSource], out: Path, config: MoleculeIngest) -> Plan:
    """Read all sources once: count the molecules, find the columns, and divide the rows into shards.

    Parameters
    ----------
    out
        Folder for unpacked files, which are temporary and removed by the caller.

    Raises
    ------
    InputError
        A table has no column of SMILES, a target or the column of the split is nowhere in a source, labels cannot be
        matched, or some files' names say a split and others' do not; the message names what is there.
    """
    described = [
        (source, list(described_pieces(source, out / f".unpacked_{number}", config)))
        for number, source in enumerate(sources)
    ]
    by_name = _split_by_name([piece.data.name for _, pieces in described for piece in pieces], config)
    reading = _Reading(config, described)
    with progress("Reading", total=len(sources), unit="source") as advance:
        for source, pieces in described:
            reading.read(source, [replace(each, split=by_name.get(each.data.name, "")) for each in pieces])
            advance(1)
    reading.check_order()
    notes = []
    method: Method = "random" if config.split == "auto" else config.split
    split_column = config.split_column
    if config.split == "auto":
        split_column = "" if by_name else reading.published_column()
        method = "column" if by_name or split_column else "random"
        if method == "column":
            notes.append(f"Split as {f'column {split_column!r} says' if split_column else 'the files are called'}.")
    elif by_name and config.split != "column":
        notes.append(f"The files' names say a split, which is not used: they are split anew ({config.split}).")
    if config.geometry == "embed":
        notes.append("Coordinates were made by ETKDGv3 and MMFF94; any that files give are not used.")
    return Plan(
        chunks=reading.chunks,
        sources=tuple(reading.sources),
        units=reading.units(),
        cells=reading.cells,
        split=method,
        split_column=split_column,
        notes=tuple(notes),
    )


def _split_by_name(names: Sequence[str], config: MoleculeIngest) -> dict[str, str]:
    """Return the split in the name of each file, empty unless they are the files of a published split."""
    said = {name: split_from_name(name) for name in names}
    if len({*said.values()} - {""}) < 2:
        return {}
    unsaid = [name for name, split in said.items() if not split]
    if unsaid and config.split == "auto":
        named = next(name for name, split in said.items() if split)
        raise InputError(
            f"{unsaid[0]}: its name says no split, as {named} does. Give the files of the published split alone, or "
            "pool all by --split random."
        )
    return said


class _Reading:
    """State while the sources are read."""

    def __init__(self, config: MoleculeIngest, described: Sequence[tuple[MoleculeSource, Sequence[MoleculeFile]]]):
        self.config = config
        self.chunks: list[tuple[RecordRange, ...]] = []
        self.sources: list[MoleculeSourceEntry] = []
        self.cells: dict[str, Counter[str]] = {name: Counter() for name in config.targets}
        self._room = 0
        self._qm9: dict[bool, str] = {}
        self._labelled: Counter[DataFile] = Counter()
        tables = [each.table for _, pieces in described for each in pieces]
        first = tables[0].columns if tables and tables[0] else ()
        self._splits: dict[str, Counter[str]] = {
            column: Counter()
            for column in (find_split_columns(first) if config.split == "auto" else ())
            if column not in config.targets and all(table and column in table.columns for table in tables)
        }
        """Counts of the cells of columns that may hold a published split, over all tables."""

    def read(self, source: MoleculeSource, pieces: Sequence[MoleculeFile]) -> None:
        whole, count, columns, problem = hashlib.sha256(), 0, set[str](), ""
        for described in pieces:
            labels = described.labels and read_labels(described.labels)
            counted = {**self.cells, **self._splits}
            if labels:
                labels.check_key(self.config.labels_by)
                counted = _cells_beside(labels, counted, done=described.labels in self._labelled)
                columns.update(labels.columns)
            before = count
            for span, names, bad in self._spans(described, counted):
                whole.update(bytes.fromhex(span.digest))
                count += span.count
                columns |= names
                problem = problem or bad
            if labels and self.config.labels_by == "name" and count > before + 1:
                _check_about_one(described.data.name, count - before, labels)
        if not columns:
            empty = all(described.format == "empty" for described in pieces)
            said = f"none of its {count:,} molecules can be read. The first: {problem}"
            raise InputError(f"{source.name}: {'empty: there is no molecule in it' if empty else said}")
        _check_columns(source.name, columns, [each.table for each in pieces if each.table], self.config)
        self._qm9[columns >= QM9_COLUMNS] = source.name
        self.sources.append(
            MoleculeSourceEntry(
                source=source.name,
                sha256=source.sha256() if len(source.paths) == 1 else whole.hexdigest(),
                bytes=source.bytes,
                mtime_ns=source.mtime_ns,
                molecules=count,
            )
        )

    def check_order(self) -> None:
        """Check that labels by order have as many rows as there are molecules."""
        for piece, count in self._labelled.items() if self.config.labels_by == "order" else ():
            rows = len(read_labels(piece).rows)
            if rows != count:
                found = f"{rows:,} rows for {count:,} molecules, which labels_by order cannot match"
                raise InputError(f"{piece.name}: {found}.")

    def published_column(self) -> str:
        """Return the column with a published split, empty if there is none."""
        name = self.sources[0].source
        return next((column for column, cells in self._splits.items() if is_published_split(column, cells, name)), "")

    def units(self) -> dict[str, str]:
        """Units defined by the formats, by column."""
        if len(self._qm9) == 2 and not set(self.config.targets).isdisjoint(QM9_UNITS):
            message = f"is QM9, with its units, and {self._qm9[False]} is not: ingest them one by one"
            raise InputError(f"{self._qm9[True]}: {message}")
        return QM9_UNITS if True in self._qm9 else {}

    def _spans(
        self, described: MoleculeFile, cells: dict[str, Counter[str]]
    ) -> Iterator[tuple[RecordRange, set[str], str]]:
        """Divide a file where a shard is full.

        Yields each range with the columns found and the first problem; cells of the columns of `cells` are counted.
        """
        columns = set(described.table.columns) if described.table else set[str]()
        mark, count, problem = described.start, 0, ""
        with described.data.lines(described.start) as lines:
            lines.digest = hashlib.blake2b(digest_size=16)
            self._room = self._room or self.config.records_per_shard
            for entry in read_records(described, lines):
                count += 1
                if described.table is None:
                    columns.update(entry.fields)
                for name, counts in cells.items():
                    count_cell(counts, entry.fields.get(name, ""))
                if entry.problem and not problem:
                    problem = f"{described.data.name}, line {entry.line}: {entry.problem}"
                if count == self._room:
                    yield self._taken(described, mark, count, lines.digest.hexdigest()), columns, problem
                    mark, count = lines.position, 0
                    lines.digest = hashlib.blake2b(digest_size=16)
            if count:
                yield self._taken(described, mark, count, lines.digest.hexdigest()), columns, problem

    def _taken(self, described: MoleculeFile, mark, count: int, digest: str) -> RecordRange:
        """Assign a range to the shard being filled, or to a new one."""
        first = self._labelled[described.labels] if described.labels else 0
        span = RecordRange(file=described, start=mark, count=count, digest=digest, first_row=first)
        if described.labels:
            self._labelled[described.labels] += count
        if not self.chunks or self._room == self.config.records_per_shard:
            self.chunks.append(())
        self.chunks[-1] = (*self.chunks[-1], span)
        self._room = self._room - count or self.config.records_per_shard
        return span


def _cells_beside(labels: LabelTable, cells: dict[str, Counter[str]], *, done: bool) -> dict[str, Counter[str]]:
    """Count the cells of a table of labels, unless done before; return the columns that it lacks."""
    for row in () if done else labels.rows:
        for name in cells.keys() & labels.columns:
            count_cell(cells[name], row.get(name, ""))
    return {name: counts for name, counts in cells.items() if name not in labels.columns}


def _check_about_one(source: str, count: int, labels: LabelTable) -> None:
    """Check that no row of labels is about a file of several molecules."""
    row = next((name for name in candidate_file_names(source) if name in labels.by_name), None)
    if row is not None:
        raise InputError(f"{labels.source}: a row is about {row}, which holds {count:,} molecules. Name each molecule.")


def _check_columns(source: str, columns: set[str], tables: Sequence[TableHeader], config: MoleculeIngest) -> None:
    wanted = [*config.targets, *([config.split_column] if config.split_column else [])]
    missing = [name for name in wanted if name not in columns]
    if missing or not config.targets:
        several = next((t for t in tables for name in missing if t.header.count(name) > 1), None)
        if several:
            raise InputError(f"{source}: {several.missing(*missing)} Set targets.")
        there = ", ".join(sorted(columns)) or "none"
        what = f"no column {', '.join(map(repr, missing))}" if missing else "which columns are the targets?"
        raise InputError(f"{source}: {what}; it has {there}. Set targets.")
