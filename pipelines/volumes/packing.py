"""Packing of source files into one shard: divided, checked, summarised, and written atomically."""

import hashlib
import itertools
import json
import math
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np

from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.readers.formats import read_volumes
from tenfold.pipelines.readers.read_errors import translate_errors, translate_iterator_errors
from tenfold.pipelines.readers.volume import Layout, UnusableFileError, Volume
from tenfold.pipelines.volumes.manifest import RejectedFile
from tenfold.pipelines.volumes.masks import Mask, check_same_mask, zero_masked
from tenfold.pipelines.volumes.moments import Moments
from tenfold.pipelines.volumes.pixels import SAMPLE, check_deviation, check_finite, check_masked
from tenfold.pipelines.volumes.source_file import SourceFile

VERSION = 1
_LARGEST_COUNT = 2**16

# Large records are aligned to pages of memory, from where they are copied faster.
_ALIGNED = {"alignment_threshold": 2**16, "alignment_interval": 4096}


@dataclass(frozen=True, kw_only=True)
class ShardTask:
    """The task of packing one shard."""

    out: Path
    files: tuple[SourceFile, ...]
    layout: Layout
    patches_per_side: int
    compression: str
    mask: Mask | None = None
    """Mask of all maps; None: all pixels are observed."""
    mask_in_values: bool = False
    """Whether the mask is that of the pixels of each map that are NaN or have a fill value."""

    @property
    def record(self) -> tuple[int, ...]:
        """Shape of a record: (X, Y, Z, C), or (Y, X, C) of a map."""
        return record_shape(self.layout.shape, self.patches_per_side)

    @property
    def first(self) -> str:
        """The first of its files, as messages name it."""
        return self.files[0].name

    @property
    def rules(self) -> dict:
        """Everything besides the files that determines the bytes of a record."""
        return {
            "version": VERSION,
            "layout": asdict(self.layout),
            "patches_per_side": self.patches_per_side,
            "compression": self.compression,
            "stated": [asdict(file.stated) for file in self.files],
            "mask": None if self.mask is None else asdict(self.mask),
            "mask_in_values": self.mask_in_values,
        }


@dataclass(frozen=True, kw_only=True)
class PackedFile:
    """A file that was packed, with the statistics of its records."""

    source: str
    bytes: int
    mtime_ns: int
    sha256: str
    simulation: str
    parameters: dict[str, float]
    records: int
    content: str
    """Digest of the records' checksums: equal for equal data, whatever the names of the files."""
    value: Moments
    log1p: Moments | None


@dataclass(frozen=True, kw_only=True)
class PackedShard:
    """Content of one shard."""

    packed: tuple[PackedFile, ...]
    rejected: tuple[RejectedFile, ...]
    bytes: int = 0
    made: bool = True
    """False where the shard existed already."""


def record_shape(shape: tuple[int, ...], patches_per_side: int) -> tuple[int, ...]:
    """Return the shape of the sub-volumes of a volume that is divided along all axes but the channels."""
    return (*(side // patches_per_side for side in shape[:-1]), shape[-1])


def pack(task: ShardTask) -> PackedShard:
    """Pack one shard, unless it exists and its sources are unchanged.

    A file that turns out to be unusable is rejected with its reason; the others are packed. Raises `OSError` if
    the shard cannot be written.
    """
    if (existing := _existing(task)) is not None:
        return existing
    packed: list[PackedFile] = []
    rejected: list[RejectedFile] = []
    with replacing(task.out) as temporary:
        with h5py.File(temporary, "w", **_ALIGNED) as file:
            shape = task.record
            plan = hdf5plugin.Blosc(cname="lz4", clevel=5) if task.compression == "blosc-lz4" else {}
            dtype = np.dtype(task.layout.dtype)
            records = file.create_dataset(
                "records", (0, *shape), dtype, maxshape=(None, *shape), chunks=(1, *shape), **plan
            )
            checksums: list[int] = []
            for source in task.files:
                start = len(checksums)
                try:
                    packed.append(_pack_file(source, task, records, checksums))
                except UnusableFileError as error:
                    rejected.append(source.rejected(error))
                    del checksums[start:]
            records.resize(len(checksums), axis=0)
            file["crc32"] = np.array(checksums, np.uint32)
            counts = [packed_volume.records for packed_volume in packed]
            file["simulation"] = np.repeat(
                np.array([packed_volume.simulation.encode() for packed_volume in packed], "S"), counts
            )
            values = np.array([list(packed_volume.parameters.values()) for packed_volume in packed], np.float64)
            names = task.layout.parameter_names
            file["parameters"] = np.repeat(values.reshape(len(packed), len(names)), counts, axis=0)
            file["parameters"].attrs["names"] = list(names)
            about = {"rules": task.rules, **asdict(PackedShard(packed=tuple(packed), rejected=tuple(rejected)))}
            file["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
        size = temporary.stat().st_size
    return PackedShard(packed=tuple(packed), rejected=tuple(rejected), bytes=size)


def _pack_file(source: SourceFile, task: ShardTask, records: h5py.Dataset, checksums: list[int]) -> PackedFile:
    with translate_errors(source.path):
        sha256 = source.sha256()
    start, value, log1p = len(checksums), Moments(), Moments()
    mask, volume = None if task.mask is None else task.mask.array, None
    for volume in read_volumes(source.path, source.stated):
        if volume.layout != task.layout:
            raise UnusableFileError(source.path, volume.key, f"changed while it was read: {volume.layout}")
        if task.mask_in_values:
            with translate_errors(source.path, volume.key):
                check_same_mask(volume, mask, source.stated.fill_values)
        if mask is not None:
            volume = zero_masked(volume, mask)
        volume_moments: Moments | None = None
        sample: list[np.ndarray] = []
        pixels = math.prod(volume.shape[:-1]) if task.mask is None else task.mask.observed
        step = max(1, pixels // SAMPLE)
        records_of_volume = _records(volume, task.patches_per_side, source.stated.fill_values, mask)
        # a failure while reading records is the fault of their file, not of the shard
        for record in translate_iterator_errors(records_of_volume, source.path, volume.key):
            if len(checksums) == len(records):
                records.resize(2 * len(records) + 1, axis=0)
            records[len(checksums)] = record
            checksums.append(zlib.crc32(record.reshape(-1).view(np.uint8).data))
            observed = record if mask is None else record[mask]
            values, counts = _distinct(observed)
            moments = Moments.of(values, counts)
            volume_moments = moments if volume_moments is None else volume_moments + moments
            if record.dtype.kind == "f" or moments.low < 0:  # counts are not checked for outliers
                sample.append(observed.reshape(-1, record.shape[-1])[::step].copy())
            if moments.low > -1:
                dtype = np.result_type(values.dtype, np.float32)
                spare = task.patches_per_side > 1 and counts is None and values.dtype == dtype  # needed no more
                log1p += Moments.of(np.log1p(values, out=values if spare else None, dtype=dtype), counts)
        if volume_moments is None:
            continue
        if sample:
            with translate_errors(source.path, volume.key):
                whole = record if task.patches_per_side == 1 else None
                check_deviation(
                    volume, volume_moments, np.concatenate(sample), source.stated.largest_deviation, whole, mask
                )
        value += volume_moments
    if volume is None:
        raise UnusableFileError(source.path, "", "holds no volume")
    return PackedFile(
        source=source.name,
        bytes=source.bytes,
        mtime_ns=source.mtime_ns,
        sha256=sha256,
        simulation=volume.simulation,
        parameters=volume.parameters,
        records=len(checksums) - start,
        content=hashlib.sha256(np.array(checksums[start:], np.uint32).tobytes()).hexdigest(),
        value=value,
        log1p=log1p if value.low > -1 else None,
    )


def _distinct(record: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the values of a record or, for counts, the distinct values and how often each occurs."""
    if record.dtype.kind == "f" or record.min() < 0 or record.max() > _LARGEST_COUNT:
        return record, None
    times = np.bincount(record.reshape(-1))
    values = np.flatnonzero(times)
    return values, times[values]


def _records(
    volume: Volume, patches_per_side: int, fill_values: tuple[float, ...], mask: np.ndarray | None
) -> Iterator[np.ndarray]:
    """Yield the equal parts of a volume or map, x slowest, and check the values on the way.

    A map with a mask is one record, whose observed pixels are checked.
    """
    side, *others = record_shape(volume.shape, patches_per_side)[:-1]
    least_fill = min(map(abs, fill_values), default=math.inf)
    total = np.zeros(volume.shape[-1])
    low, high = math.inf, -math.inf
    for x in range(0, volume.shape[0], side):
        slab = volume.read(x, x + side)
        observed = slab if mask is None else slab[mask]
        check_finite(volume, observed)
        least, greatest = observed.min(), observed.max()
        if volume.mask_values or least <= -least_fill or greatest >= least_fill:
            check_masked(volume, observed, least, greatest, fill_values)
        low, high = min(low, least), max(high, greatest)
        if volume.units == "counts" and low < 0:
            reason = f"negative counts (minimum {low}): an integer type too narrow for its counts has overflowed"
            raise UnusableFileError(volume.source, volume.key, reason)
        total += observed.sum(axis=tuple(range(observed.ndim - 1)), dtype=np.float64)
        for places in itertools.product(range(patches_per_side), repeat=slab.ndim - 2):
            parts = (slice(n * length, (n + 1) * length) for n, length in zip(places, others, strict=True))
            yield np.ascontiguousarray(slab[:, *parts])
        del slab, observed  # before the next is read
    if low == high:
        raise UnusableFileError(volume.source, volume.key, f"every value is {low}: a constant field")
    exact = volume.dtype.kind in "iu"
    if volume.expected_total is not None and not np.allclose(
        total, volume.expected_total, rtol=0 if exact else 1e-4, atol=0
    ):
        sums = ", ".join(f"{channel:,.0f}" for channel in total)
        reason = f"voxels add up to {sums}, where the file's attributes say {volume.expected_total:,.0f} particles"
        raise UnusableFileError(volume.source, volume.key, reason)


def _existing(task: ShardTask) -> PackedShard | None:
    """Return the content of an existing shard, None unless it was made of the same files by the same rules."""
    try:
        with h5py.File(task.out, "r") as file:
            about = json.loads(file["about"][:].tobytes())
            whole = len(file["records"]) == len(file["crc32"])
    except (OSError, KeyError, RuntimeError, ValueError):
        return None
    if not whole or about["rules"] != json.loads(json.dumps(task.rules)):
        return None
    packed = {entry["source"]: entry for entry in about["packed"]}
    rejected = {entry["source"]: entry for entry in about.get("rejected", about.get("quarantined"))}  # its former name
    if sorted(file.name for file in task.files) != sorted([*packed, *rejected]):
        return None
    for file in task.files:
        known = packed.get(file.name) or rejected[file.name]
        if (known["bytes"], known["mtime_ns"]) == (file.bytes, file.mtime_ns):
            continue
        try:
            if known["bytes"] != file.bytes or "sha256" not in known or known["sha256"] != file.sha256():
                return None
        except (OSError, UnusableFileError):  # packing it fails in the same way, and rejects it
            return None
        known["mtime_ns"] = file.mtime_ns
    moments: dict[str, Any] = {"value": Moments, "log1p": Moments}
    return PackedShard(
        packed=tuple(
            PackedFile(**dict[str, Any]((k, moments[k](**v) if k in moments and v else v) for k, v in entry.items()))
            for entry in packed.values()
        ),
        rejected=tuple(RejectedFile(**entry) for entry in rejected.values()),
        bytes=task.out.stat().st_size,
        made=False,
    )
