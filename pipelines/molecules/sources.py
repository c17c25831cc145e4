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
_COMPRESSED = tuple(ending + compression for ending in FILE_ENDINGS for compression in (".gz", ".bz2", ".xz", ".zip"))
_STRUCTURES = (".xyz", ".extxyz", ".mol")


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


def has_molecule_ending(path: Path) -> bool:
    """Whether a file has the ending of a file of molecules, or of an archive of such files."""
    return path.name.lower().endswith(FILE_ENDINGS + _COMPRESSED + _ARCHIVES)


def find_molecule_sources(paths: Iterable[Path | str], config: MoleculeIngest) -> list[MoleculeSource]:
    """Find the files among the paths and in folders among them, in order of path.

    Raises
    ------
    InputError
        A path does not exist, or there are no molecule files.
    """
    inputs = [Path(path) for path in paths]
    for name in ("labels", "exclude"):
        if getattr(config, name) and not Path(getattr(config, name)).is_file():
            raise InputError(f"{name}: found {getattr(config, name)!r}, which does not exist")
    files: set[Path] = set()
    structures: dict[Path, list[Path]] = {}  # files of one molecule each, by folder
    tables = {Path(path).resolve() for path in (config.labels, config.exclude) if path}
    for path in inputs:
        if not path.exists():
            raise InputError(f"{path}: there is no such file or folder")
        if not path.is_dir():
            files.add(path.resolve())
            continue
        for file in path.resolve().rglob("*"):
            if not has_molecule_ending(file) or file.name.startswith("."):
                continue
            if file.is_file() and file.name != REJECTED and file not in tables and not _is_labels_of_sdf(file):
                if file.name.lower().endswith(_STRUCTURES):
                    structures.setdefault(file.parent, []).append(file)
                else:
                    files.add(file)
    check_names(sorted(files.union(*structures.values())))
    sources = [_source(str(path), (path,), labels=_labels_of_sdf(path)) for path in files]
    sources += [_source(f"{folder}/", tuple(sorted(members))) for folder, members in structures.items()]
    if not sources:
        raise InputError(
            f"{', '.join(map(str, inputs))}: no files of molecules found ({', '.join(FILE_ENDINGS)}, or archives)"
        )
    return sorted(sources, key=lambda source: source.name)


def _source(name: str, paths: tuple[Path, ...], labels: Path | None = None) -> MoleculeSource:
    stats = [path.stat() for path in (*paths, *([labels] if labels else []))]
    return MoleculeSource(
        name=name,
        paths=paths,
        bytes=sum(stat.st_size for stat in stats),
        mtime_ns=max(stat.st_mtime_ns for stat in stats),
    )


def _labels_of_sdf(path: Path) -> Path | None:
    """Return the table of labels named after an SD file, such as gdb9.sdf.csv."""
    table = path.with_name(f"{path.name}.csv")
    return table if path.suffix == ".sdf" and table.exists() else None


def _is_labels_of_sdf(file: Path) -> bool:
    """Whether a table is named after an SD file whose labels it holds, such as gdb9.sdf.csv."""
    return file.suffix == ".csv" and file.with_suffix("").suffix == ".sdf" and file.with_suffix("").exists()


def inspect_files(source: MoleculeSource, spool: Path, config: MoleculeIngest) -> Iterator[MoleculeFile]:
    """Unpack and inspect the files of a source; unpacked files are named after `spool`."""
    common_labels = (
        unpack(
            config.engine.path(Path(config.labels)),
            spool.with_suffix(f".labels{TEMPORARY}"),
            config.largest_gib,
            config.encoding,
        )[0]
        if config.labels
        else None
    )
    for n, path in enumerate(source.paths):
        members = unpack(path, spool.with_suffix(f".{n}{TEMPORARY}"), config.largest_gib, config.encoding)
        by_name = {member.name: member for member in members}
        for member in members:
            labels = common_labels or by_name.get(f"{member.name}.csv")
            if len(members) > 1 and not member.name.lower().endswith(FILE_ENDINGS):
                continue
            if member.name.endswith(".sdf.csv") and member.name.removesuffix(".csv") in by_name:
                continue
            table = _labels_of_sdf(path)
            if labels is None and len(members) == 1 and table is not None:
                labels = unpack(table, spool.with_suffix(f".beside{TEMPORARY}"), config.largest_gib, config.encoding)[0]
            yield inspect_file(member, config.smiles_column, labels)
