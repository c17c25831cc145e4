"""Some source files into one shard: cut, checked, counted, written whole or not at all."""

import hashlib
import itertools
import json
import math
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import h5py
import hdf5plugin
import numpy as np

from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.readers.formats import volumes
from tenfold.pipelines.readers.readable import readable, reading
from tenfold.pipelines.readers.volume import Layout, Stated, UnusableFileError, Volume
from tenfold.pipelines.volumes.manifest import Quarantined
from tenfold.pipelines.volumes.moments import Moments
from tenfold.pipelines.volumes.pixels import SAMPLE, check_deviation, check_finite, check_masked

VERSION = 1
_LARGEST_COUNT = 2**16

# Records of some size begin on a page of memory: they are copied faster from there.
_ALIGNED = {"alignment_threshold": 2**16, "alignment_interval": 4096}


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """A file to be read, as it is now, and what is stated of it."""

    path: Path
    bytes: int
    mtime_ns: int
    stated: Stated

    @property
    def name(self) -> str:
        """The path, and which records of the file are meant."""
        part = self.stated.part
        return str(self.path) if part is None else f"{self.path}[{part[0]}:{part[1]}]"

    @classmethod
    def at(cls, path: Path, stated: Stated) -> Self:
        """Look a file up."""
        about = path.stat() if path.exists() else path.lstat()  # of a link that leads nowhere, the link itself
        return cls(path=path, bytes=about.st_size, mtime_ns=about.st_mtime_ns, stated=stated)

    def quarantined(self, error: UnusableFileError) -> Quarantined:
        """The file's line in the quarantine list."""
        return Quarantined(
            source=self.name, key=error.key, reason=error.reason, bytes=self.bytes, mtime_ns=self.mtime_ns
        )


@dataclass(frozen=True, kw_only=True)
class Packing:
    """One shard to be made."""

    out: Path
    files: tuple[SourceFile, ...]
    layout: Layout
    cut: int
    compression: str

    @property
    def record(self) -> tuple[int, ...]:
        """Shape of a record: (X, Y, Z, C), or (Y, X, C) of a map."""
        return cut_shape(self.layout.shape, self.cut)

    @property
    def rules(self) -> dict:
        """What, besides the files, decides the bytes of a record."""
        return {
            "version": VERSION,
            "layout": asdict(self.layout),
            "cut": self.cut,
            "compression": self.compression,
            "stated": [asdict(file.stated) for file in self.files],
        }


@dataclass(frozen=True, kw_only=True)
class PackedFile:
    """What one file gave."""

    source: str
    bytes: int
    mtime_ns: int
    sha256: str
    simulation: str
    parameters: dict[str, float]
    records: int
    content: str
    """Digest of the records' checksums: equal for equal data, whatever the files are called."""
    value: Moments
    log1p: Moments | None


@dataclass(frozen=True, kw_only=True)
class Packed:
    """What one shard holds."""

    packed: tuple[PackedFile, ...]
    quarantined: tuple[Quarantined, ...]
    bytes: int = 0
    made: bool = True
    """False where the shard was there already."""


def cut_shape(shape: tuple[int, ...], cut: int) -> tuple[int, ...]:
    """Shape of the parts of a volume that is cut along all axes but the channels."""
    return (*(side // cut for side in shape[:-1]), shape[-1])


def pack(packing: Packing) -> Packed:
    """Make one shard, unless it is there already and its sources are what they were.

    A file that turns out not to be usable is left out with its reason; the others stay.

    Raises
    ------
    OSError
        The shard cannot be written.
    """
    kept = _kept(packing)
    if kept is not None:
        return kept
    packed: list[PackedFile] = []
    quarantined: list[Quarantined] = []
    with replacing(packing.out) as temporary:
        with h5py.File(temporary, "w", **_ALIGNED) as file:
            shape = packing.record
            plan = hdf5plugin.Blosc(cname="lz4", clevel=5) if packing.compression == "blosc-lz4" else {}
            dtype = np.dtype(packing.layout.dtype)
            records = file.create_dataset(
                "records", (0, *shape), dtype, maxshape=(None, *shape), chunks=(1, *shape), **plan
            )
            checksums: list[int] = []
            for source in packing.files:
                start = len(checksums)
                try:
                    packed.append(_pack_file(source, packing, records, checksums))
                except UnusableFileError as error:
                    quarantined.append(source.quarantined(error))
                    del checksums[start:]
            records.resize(len(checksums), axis=0)
            file["crc32"] = np.array(checksums, np.uint32)
            counts = [each.records for each in packed]
            file["simulation"] = np.repeat(np.array([each.simulation.encode() for each in packed], "S"), counts)
            values = np.array([list(each.parameters.values()) for each in packed], np.float64)
            names = packing.layout.parameter_names
            file["parameters"] = np.repeat(values.reshape(len(packed), len(names)), counts, axis=0)
            file["parameters"].attrs["names"] = list(names)
            about = {"rules": packing.rules, **asdict(Packed(packed=tuple(packed), quarantined=tuple(quarantined)))}
            file["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
        size = temporary.stat().st_size
    return Packed(packed=tuple(packed), quarantined=tuple(quarantined), bytes=size)


def _pack_file(source: SourceFile, packing: Packing, records: h5py.Dataset, checksums: list[int]) -> PackedFile:
    with reading(source.path):
        sha256 = _sha256(source)
    start, value, log1p = len(checksums), Moments(), Moments()
    volume = None
    for volume in volumes(source.path, source.stated):
        if volume.layout != packing.layout:
            raise UnusableFileError(source.path, volume.key, f"changed while it was read: {volume.layout}")
        own: Moments | None = None
        some: list[np.ndarray] = []
        step = max(1, math.prod(volume.shape[:-1]) // SAMPLE)
        cut = _records(volume, packing.cut, source.stated.fill_values)
        for record in readable(cut, source.path, volume.key):  # what fails here is the file's fault, not the shard's
            if len(checksums) == len(records):
                records.resize(2 * len(records) + 1, axis=0)
            records[len(checksums)] = record
            checksums.append(zlib.crc32(record.reshape(-1).view(np.uint8).data))
            values, times = _distinct(record)
            here = Moments.of(values, times)
            own = here if own is None else own + here
            if record.dtype.kind == "f" or here.low < 0:  # counts are not judged
                some.append(record.reshape(-1, record.shape[-1])[::step].copy())
            if here.low > -1:
                log1p += Moments.of(np.log1p(values, dtype=np.result_type(values.dtype, np.float32)), times)
        if own is None:
            continue
        if some:
            with reading(source.path, volume.key):
                whole = record if packing.cut == 1 else None
                check_deviation(volume, own, np.concatenate(some), source.stated.largest_deviation, whole)
        value += own
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
    """The values of a record, or, of counts, the few different ones and how often each is there."""
    if record.dtype.kind == "f" or record.min() < 0 or record.max() > _LARGEST_COUNT:
        return record, None
    times = np.bincount(record.reshape(-1))
    values = np.flatnonzero(times)
    return values, times[values]


def _records(volume: Volume, cut: int, fill_values: tuple[float, ...]) -> Iterator[np.ndarray]:
    """Cut a volume into cut³ cubes, or a map into cut² squares, x slowest, checking its values on the way."""
    side = volume.shape[0] // cut
    least_fill = min(map(abs, fill_values), default=math.inf)
    total = np.zeros(volume.shape[-1])
    low, high = math.inf, -math.inf
    for x in range(0, volume.shape[0], side):
        slab = volume.read(x, x + side)
        check_finite(volume, slab)
        least, greatest = slab.min(), slab.max()
        if volume.masked or least <= -least_fill or greatest >= least_fill:
            check_masked(volume, slab, least, greatest, fill_values)
        low, high = min(low, least), max(high, greatest)
        if volume.units == "counts" and low < 0:
            reason = f"negative counts (least {low}): a type too narrow for its counts has run over"
            raise UnusableFileError(volume.source, volume.key, reason)
        total += slab.sum(axis=tuple(range(slab.ndim - 1)), dtype=np.float64)
        for starts in itertools.product(range(0, volume.shape[0], side), repeat=slab.ndim - 2):
            yield np.ascontiguousarray(slab[:, *(slice(start, start + side) for start in starts)])
    if low == high:
        raise UnusableFileError(volume.source, volume.key, f"every value is {low}: it holds no field")
    exact = volume.dtype.kind in "iu"
    if volume.total is not None and not np.allclose(total, volume.total, rtol=0 if exact else 1e-4, atol=0):
        found = ", ".join(f"{each:,.0f}" for each in total)
        reason = f"voxels add up to {found}, where the file's attributes say {volume.total:,.0f} particles"
        raise UnusableFileError(volume.source, volume.key, reason)


def _kept(packing: Packing) -> Packed | None:
    """What a shard made earlier holds, if it was made of the same files by the same rules."""
    try:
        with h5py.File(packing.out, "r") as file:
            about = json.loads(file["about"][:].tobytes())
            whole = len(file["records"]) == len(file["crc32"])
    except (OSError, KeyError, RuntimeError, ValueError):
        return None
    if not whole or about["rules"] != json.loads(json.dumps(packing.rules)):
        return None
    packed = {each["source"]: each for each in about["packed"]}
    quarantined = {each["source"]: each for each in about["quarantined"]}
    if sorted(file.name for file in packing.files) != sorted([*packed, *quarantined]):
        return None
    for file in packing.files:
        known = packed.get(file.name) or quarantined[file.name]
        if (known["bytes"], known["mtime_ns"]) == (file.bytes, file.mtime_ns):
            continue
        try:
            if known["bytes"] != file.bytes or "sha256" not in known or known["sha256"] != _sha256(file):
                return None
        except (OSError, UnusableFileError):  # packing it will say so again, and set it aside
            return None
        known["mtime_ns"] = file.mtime_ns
    moments: dict[str, Any] = {"value": Moments, "log1p": Moments}
    return Packed(
        packed=tuple(
            PackedFile(**dict[str, Any]((k, moments[k](**v) if k in moments and v else v) for k, v in each.items()))
            for each in packed.values()
        ),
        quarantined=tuple(Quarantined(**each) for each in quarantined.values()),
        bytes=packing.out.stat().st_size,
        made=False,
    )


def _sha256(source: SourceFile) -> str:
    """Digest of a file; of a part of one, of the values of that part."""
    if source.stated.part is None:
        with source.path.open("rb") as raw:
            return hashlib.file_digest(raw, "sha256").hexdigest()
    digest = hashlib.sha256()
    for volume in volumes(source.path, source.stated):
        digest.update(np.ascontiguousarray(volume.read(0, volume.shape[0])).data)
    return digest.hexdigest()
