"""Source files of an ingest of molecules: found, unpacked and inspected."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import TEMPORARY, check_names
from tenfold.pipelines.molecules.config import MoleculeIngest
from tenfold.pipelines.readers.archives import unpack
from tenfold.pipelines.readers.molecules import FILE_ENDINGS, MoleculeFile, inspect_file
from tenfold.pipelines.storage.rejected import REJECTED

_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_PACKED = tuple(ending + packed for ending in FILE_ENDINGS for packed in (".gz", ".bz2", ".xz", ".zip"))
_LOOSE = (".xyz", ".extxyz", ".mol")


@dataclass(frozen=True, kw_only=True)
class MoleculeSource:
    """A file, or all files of a folder with one molecule each, with their size and time."""

    name: str
    paths: tuple[Path, ...]
    bytes: int
    """Total size, with the table of labels beside an SD file."""
    mtime_ns: int
    """Time of the most recent change [ns]."""

    def sha256(self) -> str:
        """Return the SHA-256 of the first file, hexadecimal."""
        with self.paths[0].open("rb") as raw:
            return hashlib.file_digest(raw, "sha256").hexdigest()


def find_molecule_sources(paths: Iterable[Path | str], config: MoleculeIngest) -> list[MoleculeSource]:
    """Find the files that are named or lie in folders, in order of their paths.

    Raises
    ------
    InputError
        A path does not exist, or there are no files of molecules.
    """
    given = [Path(path) for path in paths]
    for name in ("labels", "exclude"):
        if getattr(config, name) and not Path(getattr(config, name)).is_file():
            raise InputError(f"{name}: found {getattr(config, name)!r}, which does not exist")
    files: set[Path] = set()
    loose: dict[Path, list[Path]] = {}
    tables = {Path(path).resolve() for path in (config.labels, config.exclude) if path}
    for path in given:
        if not path.exists():
            raise InputError(f"{path}: there is no such file or folder")
        if not path.is_dir():
            files.add(path.resolve())
            continue
        for file in path.resolve().rglob("*"):
            if not file.name.lower().endswith(FILE_ENDINGS + _PACKED + _ARCHIVES) or file.name.startswith("."):
                continue
            if file.is_file() and file.name != REJECTED and file not in tables and not _beside_an_sdf(file):
                if file.name.lower().endswith(_LOOSE):
                    loose.setdefault(file.parent, []).append(file)
                else:
                    files.add(file)
    check_names(sorted(files.union(*loose.values())))
    sources = [_source(str(path), (path,), beside=_labels_beside(path)) for path in files]
    sources += [_source(f"{folder}/", tuple(sorted(members))) for folder, members in loose.items()]
    if not sources:
        raise InputError(
            f"{', '.join(map(str, given))}: no files of molecules found ({', '.join(FILE_ENDINGS)}, or archives)"
        )
    return sorted(sources, key=lambda source: source.name)


def _source(name: str, paths: tuple[Path, ...], beside: Path | None = None) -> MoleculeSource:
    stats = [path.stat() for path in (*paths, *([beside] if beside else []))]
    return MoleculeSource(
        name=name,
        paths=paths,
        bytes=sum(stat.st_size for stat in stats),
        mtime_ns=max(stat.st_mtime_ns for stat in stats),
    )


def _labels_beside(path: Path) -> Path | None:
    """Return the table of labels named after an SD file, such as gdb9.sdf.csv."""
    beside = path.with_name(f"{path.name}.csv")
    return beside if path.suffix == ".sdf" and beside.exists() else None


def _beside_an_sdf(file: Path) -> bool:
    """Whether a table is named after an SD file whose labels it holds, such as gdb9.sdf.csv."""
    return file.suffix == ".csv" and file.with_suffix("").suffix == ".sdf" and file.with_suffix("").exists()


def described_pieces(source: MoleculeSource, spool: Path, config: MoleculeIngest) -> Iterator[MoleculeFile]:
    """The pieces of a source, looked at; what must be unpacked is written beside `spool`."""
    stated = Path(config.labels)
    labels = (
        unpack(stated, spool.with_suffix(f".labels{TEMPORARY}"), config.largest_gib, config.encoding)[0]
        if config.labels
        else None
    )
    for n, path in enumerate(source.paths):
        found = unpack(path, spool.with_suffix(f".{n}{TEMPORARY}"), config.largest_gib, config.encoding)
        by_name = {piece.name: piece for piece in found}
        for piece in found:
            besides = labels or by_name.get(f"{piece.name}.csv")
            if len(found) > 1 and not piece.name.lower().endswith(FILE_ENDINGS):
                continue
            if piece.name.endswith(".sdf.csv") and piece.name.removesuffix(".csv") in by_name:
                continue
            beside = _labels_beside(path)
            if besides is None and len(found) == 1 and beside is not None:
                besides = unpack(beside, spool.with_suffix(f".beside{TEMPORARY}"), config.largest_gib, config.encoding)[
                    0
                ]
            yield inspect_file(piece, config.smiles_column, besides)
