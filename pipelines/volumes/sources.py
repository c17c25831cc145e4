"""The files an ingest is given: found, opened safely, and those that cannot be used set aside with the reason."""

import csv
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tenfold.hpc.isolated import Died, isolated
from tenfold.hpc.progress import progress
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import check_names, replacing
from tenfold.pipelines.files.spreadsheet import as_text
from tenfold.pipelines.readers.formats import volumes
from tenfold.pipelines.readers.readable import reading
from tenfold.pipelines.readers.tables import ParameterRow, matching_key, read_table
from tenfold.pipelines.readers.volume import Layout, UnusableFileError
from tenfold.pipelines.volumes.config import Ingest
from tenfold.pipelines.volumes.manifest import Quarantined
from tenfold.pipelines.volumes.packing import SourceFile

_NO_DATA = {".csv", ".json", ".log", ".md", ".txt", ".yaml", ".yml"}
_LARGEST_RECORD = 2**32 - 1
QUARANTINE = "quarantine.csv"
"""Lists the files that were set aside."""
LONGEST_LOOK_S = 300.0
"""A file whose header takes longer to read is set aside [s]."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """What is known of a file without its voxels."""

    file: SourceFile
    simulation: str
    layout: Layout
    parameters: dict[str, float]
    varied: tuple[str, ...]
    multipoles: tuple[float, float] | None
    volumes: int


def find_sources(paths: Iterable[Path | str], config: Ingest) -> list[SourceFile]:
    """Files named or found in folders, in order of their paths, each with what is stated of it.

    Raises
    ------
    InputError
        A path is not there, or there are no files at all.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = (file for file in path.rglob("*") if file.is_file() or _leads_nowhere(file))
            found += [file for file in inside if file.suffix not in _NO_DATA and not file.name.startswith(".")]
        elif path.exists() or _leads_nowhere(path):
            found.append(path)
        else:
            raise InputError(f"{path}: there is no such file or folder")
    if not found:
        raise InputError(f"{', '.join(map(str, paths))}: no files of volumes there")
    files = sorted({path.absolute() if _leads_nowhere(path) else path.resolve() for path in found})
    check_names(files)
    config.check_together(files)
    stated = config.stated()
    rows = _rows(files, config)
    sources = []
    for path in files:
        row = rows.get(path)
        said = replace(stated, simulation=row.simulation, parameters=row.parameters) if row else stated
        sources += [SourceFile.at(path, each) for each in config.parted(path, said)]
    return sources


def _leads_nowhere(path: Path) -> bool:
    """Whether a path is a link to a file that is not there: git-annex leaves them for what was not fetched."""
    return path.is_symlink() and not path.exists()


def _rows(files: Sequence[Path], config: Ingest) -> dict[Path, ParameterRow]:
    """The row of each file that has one in the table of parameters."""
    if not config.table:
        return {}
    table = read_table(Path(config.table), config.densities)
    rows: dict[Path, ParameterRow] = {}
    named: dict[str, Path] = {}
    for path in files:
        key = matching_key(path, table)
        if key is None:
            continue
        if key in named:
            raise InputError(
                f"{config.table}: {key} may be {named[key]} or {path}: name the files with as much of their folders as "
                "tells them apart"
            )
        named[key], rows[path] = path, table[key]
        if "/" in key and not table[key].simulation:  # files of one name in many folders are of as many simulations
            rows[path] = replace(table[key], simulation=key)
    if not rows:
        raise InputError(
            f"{config.table}: names none of the {len(files)} files, such as {files[0].name}; its first row is of "
            f"{next(iter(table), '(none)')}"
        )
    return rows


def look(sources: Sequence[SourceFile], config: Ingest) -> tuple[list[Header], list[Quarantined]]:
    """Headers of the files that can be used together, and the files that cannot."""
    headers: list[Header] = []
    bad: list[Quarantined] = []

    def refuse(header: Header, key: str, reason: str) -> None:
        headers.remove(header)
        bad.append(header.file.quarantined(UnusableFileError(header.file.path, key, reason)))

    with progress("Looking at files", total=len(sources), unit="file") as advance:
        # HDF5 itself may crash or go round for ever in a damaged file, and must not take the run with it.
        asked = [(source, config) for source in sources]
        for source, found in zip(sources, isolated(_header, asked, LONGEST_LOOK_S), strict=True):
            if isinstance(found, Died):
                found = source.quarantined(UnusableFileError(source.path, "", f"damaged: reading it {found.reason}"))
            if isinstance(found, Header):
                headers.append(found)
            else:
                bad.append(found)
            advance(1)
    if headers:
        usual, number = Counter(header.layout for header in headers).most_common(1)[0]
        for header in [header for header in headers if header.layout != usual]:
            ours, theirs = asdict(header.layout), asdict(usual)
            apart = "; ".join(f"{name} {ours[name]}, not {theirs[name]}" for name in ours if ours[name] != theirs[name])
            refuse(header, "", f"differs from {number} other files: {apart}")
    first: dict[str, Header] = {}
    for header in list(headers):
        other = first.setdefault(header.simulation, header)
        if other.parameters != header.parameters:
            reason = (
                f"is called simulation {header.simulation} as {other.file.path} is, with other parameters: name the "
                "simulation of each in a table, --set ingest.table=FILE"
            )
            refuse(header, "", reason)
    return headers, bad


def _header(asked: tuple[SourceFile, Ingest]) -> Header | Quarantined:
    source, config = asked
    try:
        with reading(source.path):
            return _read_header(source, config)
    except UnusableFileError as error:
        return source.quarantined(error)


def _read_header(source: SourceFile, config: Ingest) -> Header:
    count, volume = 0, None
    for volume in volumes(source.path, source.stated):
        count += 1
        side = volume.shape[0]
        if side % config.cut:
            reason = f"side of {side} voxels cannot be cut into {config.cut} equal parts"
            raise UnusableFileError(source.path, volume.key, reason)
        if math.prod(volume.shape) * volume.dtype.itemsize // config.parts > _LARGEST_RECORD:
            raise UnusableFileError(source.path, volume.key, "a record would be larger than 4 GiB: raise cut")
        unknown = [name for name in config.parameters if name not in volume.parameters]
        if unknown:
            reason = f"has no parameter {', '.join(unknown)}; it has {', '.join(volume.parameters)}"
            raise UnusableFileError(source.path, volume.key, reason)
    if volume is None:
        raise UnusableFileError(source.path, "", "holds no volume")
    return Header(
        file=source,
        simulation=volume.simulation,
        layout=volume.layout,
        parameters=volume.parameters,
        varied=volume.varied,
        multipoles=volume.multipoles,
        volumes=count,
    )


def judge(bad: Sequence[Quarantined], files: int, out: Path, config: Ingest) -> None:
    """End the run where too many files are unusable."""
    if bad and (len(bad) > config.quarantine_threshold * files or len(bad) == files):
        listed = write_quarantine(out, bad)
        first = f"{bad[0].source}{f', {bad[0].key}' if bad[0].key else ''}: {bad[0].reason}"
        raise InputError(
            f"{len(bad)} of {files} files cannot be used, more than quarantine_threshold "
            f"{config.quarantine_threshold:g} allows. The first: {first}. "
            f"All are listed in {listed}: mend or remove them, or raise the threshold."
        )


def write_quarantine(out: Path, bad: Sequence[Quarantined]) -> Path:
    """Write ``quarantine.csv``: file, key, reason."""
    listed = out / QUARANTINE
    with replacing(listed) as temporary, temporary.open("w", newline="", encoding="utf-8") as opened:
        lines = csv.writer(opened)
        lines.writerow(["file", "key", "reason"])
        listing = sorted(bad, key=lambda each: each.source)
        lines.writerows([as_text(text) for text in (each.source, each.key, each.reason)] for each in listing)
    return listed
