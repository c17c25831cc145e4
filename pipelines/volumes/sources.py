"""The source files of an ingest: found, opened safely, their headers read, and rejected where they cannot be used."""

import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tenfold.hpc.isolated import ProcessDied, run_isolated
from tenfold.hpc.progress import progress
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import check_names
from tenfold.pipelines.readers.formats import read_volumes
from tenfold.pipelines.readers.read_errors import translate_errors
from tenfold.pipelines.readers.snapshot_files import group_parts, number_of_files, possible_first_files
from tenfold.pipelines.readers.volume import Layout, UnusableFileError
from tenfold.pipelines.storage.rejected import check_rejected, write_rejected
from tenfold.pipelines.volumes.config import Ingest
from tenfold.pipelines.volumes.labels import label_files
from tenfold.pipelines.volumes.manifest import RejectedFile
from tenfold.pipelines.volumes.masks import HEADER_TIMEOUT_S
from tenfold.pipelines.volumes.source_file import SourceFile

_NO_DATA = {".csv", ".json", ".log", ".md", ".txt", ".yaml", ".yml"}
_LARGEST_RECORD = 2**32 - 1


@dataclass(frozen=True, kw_only=True)
class FileHeader:
    """Metadata of a file, read without its voxels."""

    file: SourceFile
    simulation: str
    layout: Layout
    parameters: dict[str, float]
    varied: tuple[str, ...]
    multipoles: tuple[float, float] | None
    volumes: int
    left_out: int = 0
    """Number of patches of a HEALPix map that contain masked pixels."""


def find_sources(paths: Iterable[Path | str], config: Ingest) -> list[SourceFile]:
    """Find the files that are named or lie in folders, in order of their paths, each with the user's metadata.

    Raises
    ------
    InputError
        A path does not exist, or there are no files.
    """
    candidates: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            candidates += _files_in(path)
        elif path.exists() or _is_dangling_link(path):
            candidates.append(path)
        else:
            raise InputError(f"{path}: there is no such file or folder")
    beside = {Path(name).resolve() for name in config.beside_data if name}
    candidates = [path for path in candidates if path.resolve() not in beside]
    if not candidates:
        raise InputError(f"{', '.join(map(str, paths))}: no files of volumes found")
    files = sorted({path.absolute() for path in candidates})
    check_names(files)
    parts = {group[0]: group for group in _parts(files)}
    files = list(parts)
    config.check_compatible(files)
    sources = []
    for path, stated in label_files(files, config):
        siblings = parts[path] if len(parts[path]) > 1 else ()
        sources += [SourceFile.at(path, part, siblings) for part in config.parts_of(path, stated)]
    return sources


def _files_in(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder, by links to other folders too, but never twice in the same folder."""
    visited: set[Path] = set()
    for root, folders, names in os.walk(folder, followlinks=True):
        real = Path(root).resolve()
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        for name in names:
            path = Path(root, name)
            if path.suffix not in _NO_DATA and not name.startswith(".") and (path.is_file() or _is_dangling_link(path)):
                yield path


def _parts(files: Sequence[Path]) -> list[tuple[Path, ...]]:
    """Return the files of each source: those of a particle snapshot together, any other file alone."""
    first = possible_first_files(files)
    numbers = run_isolated(number_of_files, first, HEADER_TIMEOUT_S)
    return group_parts(files, {path: n for path, n in zip(first, numbers, strict=True) if isinstance(n, int)})


def _is_dangling_link(path: Path) -> bool:
    """Whether a path is a link to a missing file: git-annex leaves them for files that were not fetched."""
    return path.is_symlink() and not path.exists()


def read_headers(sources: Sequence[SourceFile], config: Ingest) -> tuple[list[FileHeader], list[RejectedFile]]:
    """Read the headers of all files; reject files that cannot be read, or do not match the others."""
    headers: list[FileHeader] = []
    rejected: list[RejectedFile] = []

    def reject(header: FileHeader, reason: str) -> None:
        headers.remove(header)
        rejected.append(header.file.rejected(UnusableFileError(header.file.path, "", reason)))

    with progress("Reading headers", total=len(sources), unit="file") as advance:
        # HDF5 itself may crash or loop for ever on a damaged file, and must not take the run with it.
        tasks = [(source, config) for source in sources]
        for source, result in zip(sources, run_isolated(_header, tasks, HEADER_TIMEOUT_S), strict=True):
            if isinstance(result, FileHeader):
                headers.append(result)
            elif isinstance(result, ProcessDied):
                error = UnusableFileError(source.path, "", f"damaged: reading it {result.reason}")
                rejected.append(source.rejected(error))
            else:
                rejected.append(result)
            advance(1)
    if headers:
        commonest, number = Counter(header.layout for header in headers).most_common(1)[0]
        for header in [header for header in headers if header.layout != commonest]:
            layout, expected = asdict(header.layout), asdict(commonest)
            different = "; ".join(
                f"{name} {layout[name]}, not {expected[name]}" for name in layout if layout[name] != expected[name]
            )
            if layout["box_mpc_h"] and expected["box_mpc_h"] and layout["box_mpc_h"] != expected["box_mpc_h"]:
                different += ". If h varies at one side in Mpc, pack them without a side: --set ingest.box_varies=true"
            reject(header, f"differs from {number} other file{'s' * (number > 1)}: {different}")
    first: dict[str, FileHeader] = {}
    for header in list(headers):
        other = first.setdefault(header.simulation, header)
        labelled = header.file.stated.simulation and config.table  # one simulation may have several rows, of nuisances
        if other.parameters != header.parameters and not labelled:
            reason = (
                f"is called simulation {header.simulation} as {other.file.path} is, with other parameters: name the "
                "simulation of each in a table, --set ingest.table=FILE"
            )
            reject(header, reason)
    return headers, rejected


def _header(task: tuple[SourceFile, Ingest]) -> FileHeader | RejectedFile:
    source, config = task
    try:
        with translate_errors(source.path):
            return _read_header(source, config)
    except UnusableFileError as error:
        return source.rejected(error)


def _read_header(source: SourceFile, config: Ingest) -> FileHeader:
    count, volume = 0, None
    for volume in read_volumes(source.path, source.stated):
        count += 1
        if any(side % config.patches_per_side for side in volume.shape[:-1]):
            sides = " × ".join(map(str, dict.fromkeys(volume.shape[:-1])))
            reason = f"side of {sides} voxels cannot be divided into {config.patches_per_side} equal parts"
            raise UnusableFileError(source.path, volume.key, reason)
        if math.prod(volume.shape) * volume.dtype.itemsize // config.records_per_volume > _LARGEST_RECORD:
            raise UnusableFileError(
                source.path, volume.key, "a record would be larger than 4 GiB: raise patches_per_side"
            )
        unknown = [name for name in config.parameters if name not in volume.parameters]
        if unknown:
            reason = f"has no parameter {', '.join(unknown)}; it has {', '.join(volume.parameters)}"
            raise UnusableFileError(source.path, volume.key, reason)
    if volume is None:
        raise UnusableFileError(source.path, "", "holds no volume")
    return FileHeader(
        file=source,
        simulation=volume.simulation,
        layout=volume.layout,
        parameters=volume.parameters,
        varied=volume.varied,
        multipoles=volume.multipoles,
        volumes=count,
        left_out=volume.left_out,
    )


def check_threshold(rejected: Sequence[RejectedFile], files: int, out: Path, config: Ingest) -> None:
    """Stop the ingest where too many files are rejected; the list of them is written first."""
    if rejected:
        first = f"{rejected[0].source}{f', {rejected[0].key}' if rejected[0].key else ''}: {rejected[0].reason}"
        check_rejected(
            len(rejected), files, config.rejected_threshold, noun="files", first=first,
            write=lambda: list_rejected(out, rejected),
        )  # fmt: skip


def list_rejected(out: Path, rejected: Sequence[RejectedFile]) -> Path:
    """Write ``rejected.csv``: file, key, reason."""
    rows = [(file.source, file.key, file.reason) for file in sorted(rejected, key=lambda file: file.source)]
    return write_rejected(out, ("file", "key", "reason"), rows)
