"""Volumes of many simulations into shards that training reads: looked at, cut, packed, split by simulation."""

import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from tenfold.hpc.cluster import WorkerDiedError, completed
from tenfold.hpc.progress import progress
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.storage.output_folder import OutputFolder
from tenfold.pipelines.storage.shard_files import ShardEntry, unchanged
from tenfold.pipelines.storage.splits import split_simulations
from tenfold.pipelines.volumes.config import Ingest
from tenfold.pipelines.volumes.manifest import MANIFEST, Manifest, Quarantined, SimulationEntry, Statistics
from tenfold.pipelines.volumes.moments import Moments
from tenfold.pipelines.volumes.packing import Packed, Packing, SourceFile, cut_shape, pack
from tenfold.pipelines.volumes.sources import QUARANTINE, Header, find_sources, judge, look, write_quarantine

log = logging.getLogger("tenfold")

WORTH_A_PROCESS = 2**29
"""A Dask worker takes about as long to start as to pack so many bytes."""

__all__ = ["Ingest", "IngestSize", "IngestSummary", "estimate_size", "ingest_volumes"]


@dataclass(frozen=True, kw_only=True)
class IngestSummary:
    """What an ingest did."""

    out: Path
    files: int
    simulations: int
    records: int
    bytes: int
    made: int
    """Shards written in this run; the others were there already."""
    quarantined: tuple[Quarantined, ...]
    periodicity_known: bool = True

    def __str__(self) -> str:
        what = f"{self.records:,} records of {self.simulations:,} simulations ({self.files:,} files)"
        said = [f"{self.out}: {what}, {self.bytes / 1e6:.1f} MB, {self.made} shards new."]
        if not self.periodicity_known:
            said.append(
                "Nothing says whether these are whole periodic boxes: they are taken not to be. If they are, ingest "
                "them with --set ingest.periodic=true"
            )
        said += [f"Left out: {each.source} {each.key}: {each.reason}" for each in self.quarantined[:10]]
        if len(self.quarantined) > 10:
            said.append(f"… and {len(self.quarantined) - 10:,} more, all of them in {self.out / 'manifest.json'}")
        return "\n".join(said)


@dataclass(frozen=True, kw_only=True)
class IngestSize:
    """What an ingest would write."""

    files: int
    unusable: int
    simulations: int
    records: int
    record: tuple[int, ...]
    dtype: str
    bytes: int


def ingest_volumes(paths: Iterable[Path | str], out: Path | str, config: Ingest) -> IngestSummary:
    """Make shards of volumes.

    Every file is opened safely and looked at; what cannot be used goes to ``OUT/quarantine.csv`` with its reason. The
    rest is cut and packed under Dask, one shard per task. What is whole is not made again: after a kill, or with files
    added, only what is missing; with nothing changed, nothing.

    Parameters
    ----------
    paths
        Files, and folders that are searched for files.
    out
        Folder of the shards.

    Raises
    ------
    InputError
        There are no files, too many are unusable, `out` cannot be written or holds something else. What tenfold did
        not make there is neither overwritten nor removed.

    Example
    -------
    >>> from tenfold.pipelines import Ingest, ingest_volumes
    >>> ingest_volumes(["boxes"], "data", Ingest(fractions=(0.6, 0.2, 0.2), processes=1)).records
    20
    """
    sources = find_sources(paths, config)
    out, recorded = Path(out), config.recorded()
    made = Manifest.read(out / MANIFEST) if (out / MANIFEST).exists() else None
    known = () if made is None else (MANIFEST, QUARANTINE, *(shard.file for shard in made.shards))
    folder = OutputFolder.claim(out, (MANIFEST, QUARANTINE), alone=True, known=known)
    done = None if made is None else _unchanged(out, made, sources, recorded)
    if done is not None:
        return done
    headers, bad = look(sources, config)
    judge(bad, len(sources), out, config)
    layout = headers[0].layout
    plan = [
        Packing(
            out=out / f"shard_{number:05d}.h5",
            files=tuple(header.file for header in group),
            layout=layout,
            cut=config.cut,
            compression=config.compression,
        )
        for number, group in enumerate(_groups(headers, config))
    ]
    folder = folder.add(packing.out.name for packing in plan)
    (out / MANIFEST).unlink(missing_ok=True)
    shards: dict[int, Packed] = {}
    try:
        with progress("Packing", total=len(plan), unit="shard") as advance:
            worth = 1 + sum(header.file.bytes for header in headers) // WORTH_A_PROCESS
            for number, packed in completed(pack, plan, min(config.processes, worth)):
                shards[number] = packed
                advance(1)
    except WorkerDiedError as error:
        files: list[SourceFile] = list(plan[error.position].files)
        names = f"{files[0].path} … {files[-1].path.name}" if len(files) > 1 else str(files[0].path)
        raise InputError(f"Packing {names}: {error}. Is there memory enough? Is one of them damaged?") from error
    except OSError as error:
        raise InputError(f"{out}: a shard could not be written ({error}). Make room, then run again.") from error
    folder.keep((MANIFEST, QUARANTINE, *(packing.out.name for packing in plan)))
    in_order = [shards[number] for number in range(len(plan))]
    bad += [each for shard in in_order for each in shard.quarantined]
    judge(bad, len(sources), out, config)
    manifest = _manifest(plan, in_order, headers, bad, recorded, config)
    listed = write_quarantine(out, manifest.quarantined)
    if manifest.quarantined:
        log.warning("%d of %d files were set aside; %s says why", len(manifest.quarantined), len(sources), listed)
    manifest.write(out / MANIFEST)
    return _summary(out, manifest, sum(shard.made for shard in in_order))


def estimate_size(paths: Iterable[Path | str], config: Ingest) -> IngestSize:
    """Say what `ingest_volumes` would write, from the files' headers.

    Raises
    ------
    InputError
        There are no files, or none can be used.
    """
    sources = find_sources(paths, config)
    headers, bad = look(sources, config)
    if not headers:
        raise InputError(f"None of {len(sources)} files can be used. The first, {bad[0].source}: {bad[0].reason}")
    records = sum(header.volumes for header in headers) * config.parts
    record = cut_shape(headers[0].layout.shape, config.cut)
    return IngestSize(
        files=len(sources),
        unusable=len(bad),
        simulations=len({header.simulation for header in headers}),
        records=records,
        record=record,
        dtype=headers[0].layout.dtype,
        bytes=records * math.prod(record) * np.dtype(headers[0].layout.dtype).itemsize,
    )


def _groups(headers: Sequence[Header], config: Ingest) -> list[list[Header]]:
    """Files in order, as many to a shard as give it its records."""
    groups: list[list[Header]] = []
    full = True
    for header in headers:
        if full:
            groups.append([])
        groups[-1].append(header)
        full = sum(each.volumes for each in groups[-1]) * config.parts >= config.records_per_shard
    return groups


def _manifest(
    plan: Sequence[Packing],
    shards: Sequence[Packed],
    headers: Sequence[Header],
    bad: Sequence[Quarantined],
    recorded: dict,
    config: Ingest,
) -> Manifest:
    files = [each for shard in shards for each in shard.packed]
    first: dict[str, str] = {}
    copies = {
        each.source: first[each.content] for each in files if first.setdefault(each.content, each.source) != each.source
    }
    bad = [*bad] + [
        Quarantined(source=each.source, key="", reason=f"holds the same data as {copies[each.source]}",
                    bytes=each.bytes, mtime_ns=each.mtime_ns)
        for each in files if each.source in copies
    ]  # fmt: skip
    try:
        split = split_simulations(
            [each.simulation for each in files if each.source not in copies], config.fractions, config.seed
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    entries = tuple(
        SimulationEntry(
            simulation=each.simulation,
            split=None if each.source in copies else split[each.simulation],
            parameters=each.parameters,
            source=each.source,
            sha256=each.sha256,
            bytes=each.bytes,
            mtime_ns=each.mtime_ns,
            records=each.records,
        )
        for each in files
    )
    names = _learnt(headers, config)
    training = [each for each, entry in zip(files, entries, strict=True) if entry.split == "train"]
    used = [each for each, entry in zip(files, entries, strict=True) if entry.split is not None]
    cosmologies = {each.simulation: each.parameters for each in training}.values()
    value, log1p = Moments(), Moments()
    for each in training:
        value += each.value
        log1p += each.log1p or Moments()
    layout = plan[0].layout
    return Manifest(
        shape=plan[0].record,
        dtype=layout.dtype,
        units=layout.units,
        box_mpc_h=None if layout.box_mpc_h is None else layout.box_mpc_h / config.cut,
        side_deg=None if layout.side_deg is None else layout.side_deg / config.cut,
        multipoles=_trusted([header.multipoles for header in headers]),
        periodic=layout.periodic is True and config.cut == 1,
        periodicity_known=layout.periodic is not None or config.cut > 1,
        redshifts=layout.redshifts,
        parameter_names=names,
        parameters=tuple(_statistics(Moments.of(np.array([each[name] for each in cosmologies]))) for name in names),
        value=_statistics(value),
        log1p=None if any(each.log1p is None for each in used) else _statistics(log1p),
        simulations=entries,
        shards=tuple(
            ShardEntry(file=packing.out.name, records=sum(each.records for each in shard.packed), bytes=shard.bytes)
            for packing, shard in zip(plan, shards, strict=True)
        ),
        quarantined=tuple(sorted(bad, key=lambda each: each.source)),
        ingest=recorded,
        tenfold=version("tenfold"),
    )


def _trusted(ranges: Sequence[tuple[float, float] | None]) -> tuple[float, float] | None:
    """Multipoles that every file trusts, where all say which."""
    said = [each for each in ranges if each is not None]
    return (max(low for low, _ in said), min(high for _, high in said)) if len(said) == len(ranges) else None


def _statistics(moments: Moments) -> Statistics:
    return Statistics(mean=moments.mean, std=moments.std, low=moments.low, high=moments.high)


def _learnt(headers: Sequence[Header], config: Ingest) -> tuple[str, ...]:
    """The parameters to learn: asked for, or said to vary, or found to."""
    if config.parameters:
        return config.parameters
    said = {name for header in headers for name in header.varied}
    names = tuple(
        name
        for name in headers[0].parameters
        if (name in said if said else len({header.parameters[name] for header in headers}) > 1)
    )
    if not names and config.DIMENSIONS == 3:  # maps of one cosmology teach an unconditional emulator
        raise InputError("no cosmological parameter varies between the files: name those to learn in ingest.parameters")
    return names


def _unchanged(out: Path, manifest: Manifest, sources: Sequence[SourceFile], recorded: dict) -> IngestSummary | None:
    """What is there already, if it is all that is wanted; an error, if it is something else."""
    known = {each.source: (each.bytes, each.mtime_ns) for each in (*manifest.simulations, *manifest.quarantined)}
    now = {each.name: (each.bytes, each.mtime_ns) for each in sources}
    whole = unchanged(out, manifest.ingest, recorded, known, now, manifest.shards)
    return _summary(out, manifest, 0) if whole else None


def _summary(out: Path, manifest: Manifest, made: int) -> IngestSummary:
    used = [entry for entry in manifest.simulations if entry.split is not None]
    return IngestSummary(
        out=out,
        files=len({each.source for each in (*manifest.simulations, *manifest.quarantined)}),
        simulations=len({entry.simulation for entry in used}),
        records=sum(entry.records for entry in used),
        bytes=sum(shard.bytes for shard in manifest.shards),
        made=made,
        quarantined=manifest.quarantined,
        periodicity_known=manifest.periodicity_known,
    )
