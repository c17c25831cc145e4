"""The files an ingest of molecules is given: found, unpacked, counted, and cut into the rows of each shard."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tenfold.hpc.progress import progress
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files import TEMPORARY
from tenfold.pipelines.molecules.classes import Classes, classes_of, count_cell
from tenfold.pipelines.molecules.ingest import MoleculeIngest
from tenfold.pipelines.molecules.manifest import SourceEntry
from tenfold.pipelines.readers.archives import Piece, pieces
from tenfold.pipelines.readers.labels_table import read_labels
from tenfold.pipelines.readers.molecules import ENDINGS, Described, Span, describe, entries
from tenfold.pipelines.readers.qm9_xyz import COLUMNS as QM9_COLUMNS
from tenfold.pipelines.readers.qm9_xyz import UNITS as QM9_UNITS

_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_PACKED = tuple(ending + packed for ending in ENDINGS for packed in (".gz", ".bz2", ".xz"))
_LOOSE = (".xyz", ".extxyz", ".mol")
REJECTED = "rejected.csv"
"""What an ingest writes of the molecules that it could not use."""
LARGEST_GIB = 64.0
"""Largest size that is unpacked of one file [GiB]."""


@dataclass(frozen=True, kw_only=True)
class MoleculeSource:
    """A file, or all the small files of a folder that hold a molecule each, as they are now."""

    name: str
    paths: tuple[Path, ...]
    bytes: int
    mtime_ns: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be read for each shard."""

    chunks: list[tuple[Span, ...]]
    sources: tuple[SourceEntry, ...]
    units: dict[str, str]
    """Units that the formats themselves give, by column."""
    cells: dict[str, Counter[str]]
    """How often each cell stands in a target's column; of columns with very many different ones not all are there."""

    def classes(self, config: MoleculeIngest) -> tuple[Classes, ...]:
        """Return the classes of each target, none where its labels are numbers; raises as `classes_of`."""
        measured = {*config.units, *config.extensive, *self.units}
        return tuple(
            classes_of(name, self.cells[name], config.kinds.get(name), measured=name in measured)
            for name in config.targets
        )


def find_molecule_sources(paths: Iterable[Path | str], config: MoleculeIngest) -> list[MoleculeSource]:
    """Files named or found in folders, in order of their paths.

    Raises
    ------
    InputError
        A path is not there, or there are no files of molecules at all.
    """
    given = [Path(path) for path in paths]
    for name in ("labels", "exclude"):
        if getattr(config, name) and not Path(getattr(config, name)).is_file():
            raise InputError(f"{name}: found {getattr(config, name)!r}, which is not there")
    found: set[Path] = set()
    loose: dict[Path, list[Path]] = {}
    besides = {Path(path).resolve() for path in (config.labels, config.exclude) if path}
    for path in given:
        if not path.exists():
            raise InputError(f"{path}: there is no such file or folder")
        if not path.is_dir():
            found.add(path.resolve())
            continue
        for file in path.resolve().rglob("*"):
            if not file.name.lower().endswith(ENDINGS + _PACKED + _ARCHIVES) or file.name.startswith("."):
                continue
            if file.is_file() and file.name != REJECTED and file not in besides and not _beside_an_sdf(file):
                if file.name.lower().endswith(_LOOSE):
                    loose.setdefault(file.parent, []).append(file)
                else:
                    found.add(file)
    sources = [_source(str(path), (path,)) for path in found]
    sources += [_source(f"{folder}/", tuple(sorted(files))) for folder, files in loose.items()]
    if not sources:
        raise InputError(
            f"{', '.join(map(str, given))}: no files of molecules there ({', '.join(ENDINGS)}, or archives)"
        )
    return sorted(sources, key=lambda source: source.name)


def _source(name: str, paths: tuple[Path, ...]) -> MoleculeSource:
    about = [path.stat() for path in paths]
    return MoleculeSource(
        name=name,
        paths=paths,
        bytes=sum(each.st_size for each in about),
        mtime_ns=max(each.st_mtime_ns for each in about),
    )


def _beside_an_sdf(file: Path) -> bool:
    """Whether a table holds the labels of the SD file that it is named after, as gdb9.sdf.csv."""
    return file.suffix == ".csv" and file.with_suffix("").suffix == ".sdf" and file.with_suffix("").exists()


def plan(sources: Sequence[MoleculeSource], out: Path, config: MoleculeIngest) -> Plan:
    """Read everything once: count the molecules, find the columns, and cut what is there into chunks.

    Parameters
    ----------
    out
        Folder for files that must be unpacked; they are temporary, and the caller removes them.

    Raises
    ------
    InputError
        A table has no column of SMILES, or a target or the column of the split is nowhere in a source; the message
        names what is there.
    """
    chunks: list[tuple[Span, ...]] = []
    spans: list[Span] = []
    about: list[SourceEntry] = []
    qm9: dict[bool, str] = {}
    room = config.records_per_shard
    cells: dict[str, Counter[str]] = {name: Counter() for name in config.targets}
    labels: set[Piece] = set()
    with progress("Reading", total=len(sources), unit="source") as advance:
        for number, source in enumerate(sources):
            whole, count, columns = hashlib.sha256(), 0, set()
            for described in _described(source, out / f".unpacked_{number}", config):
                own = _cells_beside(described, cells, labels)
                for span, names in _spans(described, room, config.records_per_shard, own):
                    spans.append(span)
                    whole.update(bytes.fromhex(span.digest))
                    count += span.count
                    columns |= names
                    room -= span.count
                    if not room:
                        chunks.append(tuple(spans))
                        spans, room = [], config.records_per_shard
                if described.labels is not None:
                    columns.update(read_labels(described.labels)[0])
            if not columns:
                raise InputError(f"{source.name}: empty: there is no molecule in it")
            _check_columns(source.name, columns, config)
            qm9[columns >= QM9_COLUMNS] = source.name
            about.append(
                SourceEntry(
                    source=source.name,
                    sha256=_sha256(source) if len(source.paths) == 1 else whole.hexdigest(),
                    bytes=source.bytes,
                    mtime_ns=source.mtime_ns,
                    molecules=count,
                )
            )
            advance(1)
    if spans:
        chunks.append(tuple(spans))
    if len(qm9) == 2 and not set(config.targets).isdisjoint(QM9_UNITS):
        message = "is QM9, with its units, and {} is not: ingest them one by one"
        raise InputError(f"{qm9[True]}: {message.format(qm9[False])}")
    return Plan(chunks=chunks, sources=tuple(about), units=QM9_UNITS if True in qm9 else {}, cells=cells)


def _described(source: MoleculeSource, spool: Path, config: MoleculeIngest) -> Iterator[Described]:
    stated = Path(config.labels)
    labels = pieces(stated, spool.with_suffix(f".labels{TEMPORARY}"), LARGEST_GIB)[0] if config.labels else None
    for n, path in enumerate(source.paths):
        found = pieces(path, spool.with_suffix(f".{n}{TEMPORARY}"), LARGEST_GIB)
        by_name = {piece.name: piece for piece in found}
        for piece in found:
            besides = labels or by_name.get(f"{piece.name}.csv")
            if len(found) > 1 and not piece.name.lower().endswith(ENDINGS):
                continue
            if piece.name.endswith(".sdf.csv") and piece.name.removesuffix(".csv") in by_name:
                continue
            beside = path.with_name(f"{path.name}.csv")
            if besides is None and len(found) == 1 and path.suffix == ".sdf" and beside.exists():
                besides = pieces(beside, spool.with_suffix(f".beside{TEMPORARY}"), LARGEST_GIB)[0]
            yield describe(piece, config.smiles_column, besides)


def _cells_beside(described: Described, cells: dict[str, Counter[str]], counted: set[Piece]) -> dict[str, Counter[str]]:
    """Count the cells of a piece's table of labels, once for each table; return the columns that it does not have."""
    if described.labels is None:
        return cells
    columns, rows = read_labels(described.labels)
    if described.labels not in counted:
        counted.add(described.labels)
        for row in rows.values():
            for name in cells.keys() & columns:
                count_cell(cells[name], row.get(name, ""))
    return {name: counts for name, counts in cells.items() if name not in columns}


def _spans(
    described: Described, room: int, most: int, cells: dict[str, Counter[str]]
) -> Iterator[tuple[Span, set[str]]]:
    """Cut a piece where a shard is full: `room` molecules first, then `most` each; with the columns met.

    What stands in the columns of `cells` is counted there.
    """
    with described.piece.lines(described.start) as lines:
        columns = set(described.table.columns) if described.table else set()
        mark, count = described.start, 0
        lines.digest = hashlib.blake2b(digest_size=16)
        for entry in entries(described, lines):
            count += 1
            if described.table is None:
                columns.update(entry.fields)
            for name, counts in cells.items():
                count_cell(counts, entry.fields.get(name, ""))
            if count == room:
                yield Span(described=described, mark=mark, count=count, digest=lines.digest.hexdigest()), columns
                mark, count, room = lines.mark, 0, most
                lines.digest = hashlib.blake2b(digest_size=16)
        if count:
            yield Span(described=described, mark=mark, count=count, digest=lines.digest.hexdigest()), columns


def _check_columns(source: str, columns: set[str], config: MoleculeIngest) -> None:
    wanted = [*config.targets, *([config.split_column] if config.split_column else [])]
    missing = [name for name in wanted if name not in columns]
    if missing or not config.targets:
        there = ", ".join(sorted(columns)) or "none"
        what = f"no column {', '.join(map(repr, missing))}" if missing else "which columns are the targets?"
        raise InputError(f"{source}: {what}; it has {there}. Set targets.")


def _sha256(source: MoleculeSource) -> str:
    with source.paths[0].open("rb") as raw:
        return hashlib.file_digest(raw, "sha256").hexdigest()
