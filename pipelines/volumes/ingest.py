"""Ingest of volumes or maps: files are checked, divided into records, packed into shards and split by simulation."""

import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from tenfold.hpc.scheduler import check_reachable
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.storage.manifest import MANIFEST, ShardEntry
from tenfold.pipelines.storage.shard_folder import ShardFolder
from tenfold.pipelines.storage.splits import split_simulations
from tenfold.pipelines.volumes.config import Ingest
from tenfold.pipelines.volumes.manifest import Manifest, RejectedFile, SimulationEntry, Statistics
from tenfold.pipelines.volumes.masks import common_mask
from tenfold.pipelines.volumes.moments import Moments
from tenfold.pipelines.volumes.packing import PackedShard, ShardTask, pack, record_shape
from tenfold.pipelines.volumes.sources import (
    FileHeader,
    check_threshold,
    find_sources,
    list_rejected,
    read_headers,
)

log = logging.getLogger("tenfold")

BYTES_PER_PROCESS = 2**29
"""A Dask worker takes about as long to start as to pack this many bytes."""

__all__ = ["Ingest", "IngestSize", "IngestSummary", "estimate_size", "ingest_volumes"]


@dataclass(frozen=True, kw_only=True)
class IngestSummary:
    """Result of an ingest of volumes or maps."""

    out: Path
    files: int
    """Number of files, rejected ones included."""
    simulations: int
    records: int
    bytes: int
    """Size of all shards."""
    new_shards: int
    """Number of shards written in this run; the others existed already."""
    rejected: tuple[RejectedFile, ...]
    periodicity_known: bool = True
    observed: float = 1.0
    """Fraction of the pixels of a map that is observed."""
    left_out: int = 0
    """Number of patches of HEALPix maps that contain masked pixels; 0 if all shards existed already."""

    def __str__(self) -> str:
        count = f"{self.records:,} records of {self.simulations:,} simulations ({self.files:,} files)"
        lines = [f"{self.out}: {count}, {self.bytes / 1e6:.1f} MB, {self.new_shards} new shards."]
        if self.observed < 1:
            lines.append(f"{100 * self.observed:.1f} % of the pixels are observed; masked ones are stored as 0.")
        if self.left_out:
            lines.append(f"{self.left_out:,} patches of HEALPix maps contain masked pixels, and are left out.")
        if not self.periodicity_known:
            lines.append(
                "It is not known whether these are whole periodic boxes; they count as not periodic. If they are, "
                "ingest them with --set ingest.periodic=true"
            )
        lines += [f"Rejected: {file.source} {file.key}: {file.reason}" for file in self.rejected[:10]]
        if len(self.rejected) > 10:
            lines.append(f"… and {len(self.rejected) - 10:,} more, listed in {self.out / 'rejected.csv'}")
        return "\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class IngestSize:
    """Size of what an ingest would write."""

    files: int
    unusable: int
    simulations: int
    records: int
    record: tuple[int, ...]
    """Shape of a record."""
    dtype: str
    bytes: int
    left_out: int = 0
    """Number of patches of HEALPix maps that contain masked pixels."""

    def __str__(self) -> str:
        shape = " × ".join(map(str, self.record))
        files = f"{self.files:,} files ({self.unusable:,} unusable), {self.simulations:,} simulations"
        left_out = f"; {self.left_out:,} patches with masked pixels left out" if self.left_out else ""
        return f"{files}, {self.records:,} records of {shape} {self.dtype}, {self.bytes / 1e6:.1f} MB{left_out}"


def ingest_volumes(paths: Iterable[Path | str], out: Path | str, config: Ingest) -> IngestSummary:
    """Pack volumes into shards.

    The header of every file is read first; files that cannot be used are listed in ``OUT/rejected.csv`` with the
    reason. The others are divided and packed under Dask, one shard per task. Complete shards are kept: after an
    interruption, or with files added, only the missing ones are made.

    Parameters
    ----------
    paths
        Files, and folders that are searched for files.
    out, config
        Folder of the shards, and configuration of the ingest.

    Raises
    ------
    InputError
        There are no files, too many are rejected, or ``out`` cannot be written or holds something else. Files that
        tenfold did not make are neither overwritten nor removed.

    Example
    -------
    >>> from tenfold.pipelines import Ingest, ingest_volumes
    >>> ingest_volumes(["boxes"], "data", Ingest(fractions=(0.6, 0.2, 0.2), processes=1)).records
    20
    """
    sources = find_sources(paths, config)
    out, recorded = config.engine.path(Path(out)), config.recorded()
    folder = ShardFolder(out, Manifest, former=("quarantine.csv",))
    if folder.is_complete(recorded, {source.name: (source.bytes, source.mtime_ns) for source in sources}):
        assert folder.manifest is not None
        return _summary(out, folder.manifest, 0)
    check_reachable(config.engine)
    headers, rejected = read_headers(sources, config)
    check_threshold(rejected, len(sources), out, config)
    mask = None
    if headers:
        source = headers[0].file
        mask = common_mask(
            source.path, source.stated, headers[0].layout,
            in_file=config.mask_in_file(), in_values=config.mask_in_values,
        )  # fmt: skip
    tasks = [
        ShardTask(
            out=out / f"shard_{number:05d}.h5",
            files=tuple(header.file for header in group),
            layout=headers[0].layout,
            patches_per_side=config.patches_per_side,
            compression=config.compression,
            mask=mask,
            mask_in_values=config.mask_in_values,
        )
        for number, group in enumerate(_groups(headers, config))
    ]
    worthwhile = 1 + sum(header.file.bytes for header in headers) // BYTES_PER_PROCESS
    inputs = [header.file.path for header in headers]
    shards = folder.pack(pack, tasks, config.engine.at_most(worthwhile), title="Packing", inputs=inputs)
    rejected += [file for shard in shards for file in shard.rejected]
    check_threshold(rejected, len(sources), out, config)
    manifest = _manifest(tasks, shards, headers, rejected, recorded, config)
    path = list_rejected(out, manifest.rejected)
    if manifest.rejected:
        log.warning("%d of %d files were rejected; the reasons are in %s", len(manifest.rejected), len(sources), path)
    manifest.write(out / MANIFEST)
    new_shards, left_out = sum(shard.made for shard in shards), sum(header.left_out for header in headers)
    return replace(_summary(out, manifest, new_shards), left_out=left_out)


def estimate_size(paths: Iterable[Path | str], config: Ingest) -> IngestSize:
    """Estimate what `ingest_volumes` would write, from the headers of the files.

    Raises
    ------
    InputError
        There are no files, or none is usable.
    """
    sources = find_sources(paths, config)
    headers, rejected = read_headers(sources, config)
    if not headers:
        first = f"{rejected[0].source}: {rejected[0].reason}"
        raise InputError(f"None of {len(sources)} files can be used. The first: {first}")
    records = sum(header.volumes for header in headers) * config.records_per_volume
    record = record_shape(headers[0].layout.shape, config.patches_per_side)
    return IngestSize(
        files=len(sources),
        unusable=len(rejected),
        simulations=len({header.simulation for header in headers}),
        records=records,
        record=record,
        dtype=headers[0].layout.dtype,
        bytes=records * math.prod(record) * np.dtype(headers[0].layout.dtype).itemsize,
        left_out=sum(header.left_out for header in headers),
    )


def _groups(headers: Sequence[FileHeader], config: Ingest) -> list[list[FileHeader]]:
    """Group the files in order, so that each group but the last has at least `records_per_shard` records."""
    groups: list[list[FileHeader]] = []
    full = True
    for header in headers:
        if full:
            groups.append([])
        groups[-1].append(header)
        full = sum(member.volumes for member in groups[-1]) * config.records_per_volume >= config.records_per_shard
    return groups


def _manifest(
    tasks: Sequence[ShardTask],
    shards: Sequence[PackedShard],
    headers: Sequence[FileHeader],
    rejected: Sequence[RejectedFile],
    recorded: dict,
    config: Ingest,
) -> Manifest:
    files = [file for shard in shards for file in shard.packed]
    first: dict[str, str] = {}
    duplicates = {
        file.source: first[file.content] for file in files if first.setdefault(file.content, file.source) != file.source
    }
    rejected = [*rejected] + [
        RejectedFile(source=file.source, key="", reason=f"holds the same data as {duplicates[file.source]}",
                     bytes=file.bytes, mtime_ns=file.mtime_ns)
        for file in files if file.source in duplicates
    ]  # fmt: skip
    try:
        split = split_simulations(
            [file.simulation for file in files if file.source not in duplicates], config.fractions, config.seed
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    entries = tuple(
        SimulationEntry(
            simulation=file.simulation,
            split=None if file.source in duplicates else split[file.simulation],
            parameters=file.parameters,
            source=file.source,
            sha256=file.sha256,
            bytes=file.bytes,
            mtime_ns=file.mtime_ns,
            records=file.records,
        )
        for file in files
    )
    names = _learnt(headers, config)
    training = [file for file, entry in zip(files, entries, strict=True) if entry.split == "train"]
    used = [file for file, entry in zip(files, entries, strict=True) if entry.split is not None]
    cosmologies = {(file.simulation, *file.parameters.values()): file.parameters for file in training}.values()
    value, log1p = Moments(), Moments()
    for file in training:
        value += file.value
        log1p += file.log1p or Moments()
    layout, mask = tasks[0].layout, tasks[0].mask
    return Manifest(
        shape=tasks[0].record,
        dtype=layout.dtype,
        units=layout.units,
        box_mpc_h=None if layout.box_mpc_h is None else layout.box_mpc_h / config.patches_per_side,
        side_deg=None if layout.side_deg is None else layout.side_deg / config.patches_per_side,
        pixel_arcmin=layout.pixel_arcmin,
        mask=mask,
        multipoles=_common_range([header.multipoles for header in headers]),
        periodic=layout.periodic is True and config.patches_per_side == 1 and mask is None,
        periodicity_known=layout.periodic is not None or config.patches_per_side > 1 or mask is not None,
        redshifts=layout.redshifts,
        parameter_names=names,
        parameters=tuple(
            _statistics(Moments.of(np.array([cosmology[name] for cosmology in cosmologies]))) for name in names
        ),
        value=_statistics(value),
        log1p=None if any(file.log1p is None for file in used) else _statistics(log1p),
        simulations=entries,
        shards=tuple(
            ShardEntry(file=task.out.name, records=sum(file.records for file in shard.packed), bytes=shard.bytes)
            for task, shard in zip(tasks, shards, strict=True)
        ),
        rejected=tuple(sorted(rejected, key=lambda file: file.source)),
        ingest=recorded,
        tenfold=version("tenfold"),
    )


def _common_range(ranges: Sequence[tuple[float, float] | None]) -> tuple[float, float] | None:
    """Return the intersection of the ranges of all files, None unless all files state one."""
    stated = [interval for interval in ranges if interval is not None]
    if len(stated) < len(ranges):
        return None
    return max(low for low, _ in stated), min(high for _, high in stated)


def _statistics(moments: Moments) -> Statistics:
    return Statistics(mean=moments.mean, std=moments.std, low=moments.low, high=moments.high)


def _learnt(headers: Sequence[FileHeader], config: Ingest) -> tuple[str, ...]:
    """Return the parameters to learn: those of the configuration, else those that vary, as files state or as found."""
    if config.parameters:
        return config.parameters
    stated = {name for header in headers for name in header.varied}
    names = tuple(
        name
        for name in headers[0].parameters
        if (name in stated if stated else len({header.parameters[name] for header in headers}) > 1)
    )
    if not names and config.DIMENSIONS == 3:  # maps of one cosmology can train an unconditional emulator
        raise InputError("no cosmological parameter varies between the files: name those to learn in ingest.parameters")
    return names


def _summary(out: Path, manifest: Manifest, new_shards: int) -> IngestSummary:
    used = [entry for entry in manifest.simulations if entry.split is not None]
    return IngestSummary(
        out=out,
        files=len(manifest.sizes_and_times),
        simulations=len({entry.simulation for entry in used}),
        records=sum(entry.records for entry in used),
        bytes=sum(shard.bytes for shard in manifest.shards),
        new_shards=new_shards,
        rejected=manifest.rejected,
        periodicity_known=manifest.periodicity_known,
        observed=1.0 if manifest.mask is None else manifest.mask.fraction,
    )
