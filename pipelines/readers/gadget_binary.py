"""Snapshots of Gadget-2 and 3 in their binary formats 1 and 2, of either byte order.

A file is a sequence of records, each between two copies of its length (u32): a header of 256 bytes, positions,
velocities, identifiers, and masses of the types without a mass in the header (User guide of Gadget-2, section 6). In
format 2, a short record names each of them. Lengths above 4 GiB are stored modulo 2³².
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import numpy as np

from tenfold.pipelines.readers.gadget_header import snapshot_of
from tenfold.pipelines.readers.snapshot import BLOCK, ParticleBlock, ParticleType, Snapshot, chosen_types, painted
from tenfold.pipelines.readers.snapshot_files import snapshot_files
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError, Volume

_HEADER = np.dtype(
    [
        ("NumPart_ThisFile", "u4", 6), ("MassTable", "f8", 6), ("Time", "f8"), ("Redshift", "f8"), ("flags", "i4", 2),
        ("NumPart_Total", "u4", 6), ("cooling", "i4"), ("NumFilesPerSnapshot", "i4"), ("BoxSize", "f8"),
        ("Omega0", "f8"), ("OmegaLambda", "f8"), ("HubbleParam", "f8"), ("more", "i4", 2),
        ("NumPart_Total_HighWord", "u4", 6), ("fill", "V64"),
    ]
)  # fmt: skip
HEAD = 264
"""Bytes at the beginning of a file that show whether it is a snapshot."""
_MAX_RECORDS = 256
_STATED = ("BoxSize", "Redshift", "Time", "Omega0", "OmegaLambda", "HubbleParam")


@dataclass(frozen=True, kw_only=True)
class BinaryFile:
    """One file of a snapshot."""

    path: Path
    order: str
    """Byte order: "<" or ">"."""
    header: np.void
    counts: tuple[int, ...]
    """Number of particles of each type."""
    positions: int
    """Offset of the positions [bytes]."""
    masses: int
    """Offset of the masses [bytes], where some types have masses of their own."""
    real: str
    """Type of positions and masses: "f4" or "f8"."""


@dataclass(frozen=True, kw_only=True)
class BinaryParticles:
    """Where the chosen particles of a snapshot are."""

    files: tuple[Path, ...]
    types: tuple[ParticleType, ...]
    parts: tuple[BinaryFile, ...]

    def blocks(self, kind: ParticleType) -> Iterator[ParticleBlock]:
        """Yield the particles of a type, in the order of the files."""
        for part in self.parts:
            real = np.dtype(part.order + part.real)
            table = part.header["MassTable"]
            before = sum(part.counts[: kind.number])
            before_masses = sum(n for n, mass in zip(part.counts[: kind.number], table, strict=False) if mass == 0)
            for start in range(0, part.counts[kind.number], BLOCK):
                number = min(BLOCK, part.counts[kind.number] - start)
                at = part.positions + 3 * real.itemsize * (before + start)
                positions = np.fromfile(part.path, real, 3 * number, offset=at).reshape(number, 3)
                masses = None
                if kind.mass is None:
                    at = part.masses + real.itemsize * (before_masses + start)
                    masses = np.fromfile(part.path, real, number, offset=at).astype(real.newbyteorder("="), copy=False)
                native = positions.astype(real.newbyteorder("="), copy=False)
                yield ParticleBlock(
                    file=part.path, key=f"positions of type {kind.number}", positions=native, masses=masses
                )


def is_gadget_binary(head: bytes) -> bool:
    """Whether a file begins like a snapshot of format 1 or 2, by its first bytes."""
    return _byte_order(head) is not None


def _byte_order(head: bytes) -> str | None:
    for order in "<>":
        length = struct.pack(order + "I", 256)
        if head.startswith(struct.pack(order + "I", 8) + b"HEAD") or (head[:4] == length and head[260:264] == length):
            return order
    return None


def read_volumes(path: Path, stated: StatedMetadata) -> Iterator[Volume]:
    """Yield a snapshot, painted on the mesh that the user states.

    Raises
    ------
    UnusableFileError
        As for `read_snapshot`; also if no mesh is stated.
    """
    yield painted(read_snapshot(path, stated), stated)


def read_snapshot(path: Path, stated: StatedMetadata | None = None) -> Snapshot:
    """Read the metadata of a snapshot from all its files.

    Parameters
    ----------
    path
        First file of the snapshot, or its only one.
    stated
        Metadata that the user states: types of particles, and unit of length.

    Raises
    ------
    UnusableFileError
        Files are missing, incomplete or not of one snapshot, the simulation is not cosmological, or the unit of length
        is not stated.
    """
    path, stated = Path(path), stated or StatedMetadata()
    first = _open(path)
    files = snapshot_files(path, max(1, int(first.header["NumFilesPerSnapshot"])))
    parts = (first, *(_open(file) for file in files[1:]))
    for part in parts:
        for name in ("NumPart_Total", "BoxSize", "Redshift", "MassTable"):
            if not np.array_equal(part.header[name], first.header[name]):
                reason = f"is {part.header[name]}, where the first file has {first.header[name]}: from another snapshot"
                raise UnusableFileError(part.path, name, reason)
    total = [int(a) + (int(b) << 32) for a, b in zip(*_numbers(first.header), strict=True)]
    table = first.header["MassTable"].tolist()
    present = [
        ParticleType(number=n, particles=total[n], mass=table[n] if table[n] > 0 else None)
        for n in range(6)
        if total[n]
    ]
    types = chosen_types(present, stated, path)
    for kind in types:
        found = sum(part.counts[kind.number] for part in parts)
        if found != kind.particles:
            reason = f"contains {found:,} of {kind.particles:,} particles of type {kind.number}: incomplete"
            raise UnusableFileError(path, "NumPart_Total", reason)
    particles = BinaryParticles(files=files, types=types, parts=parts)
    attributes = {name: float(first.header[name]) for name in _STATED}
    return snapshot_of(attributes, {}, particles, stated, path)


def _numbers(header: np.void) -> tuple[Sequence[int], Sequence[int]]:
    return header["NumPart_Total"].tolist(), header["NumPart_Total_HighWord"].tolist()


def _open(path: Path) -> BinaryFile:
    """Read the header of a file, and find its records; their lengths must be those that its particles need."""
    with path.open("rb") as raw:
        head = raw.read(HEAD)
    order = _byte_order(head)
    if order is None:
        raise UnusableFileError(path, "", "not a snapshot in Gadget's binary formats, unlike the first file")
    records = dict(_records(path, order, named=head[4:8] == b"HEAD"))
    offset, length = records.get("HEAD", (0, 0))
    if length != _HEADER.itemsize:
        reason = f"{length} bytes; expected {_HEADER.itemsize}, as in Gadget-2 and 3: convert the file to HDF5"
        raise UnusableFileError(path, "header", reason)
    header = np.fromfile(path, _HEADER.newbyteorder(cast(Literal["<", ">"], order)), 1, offset=offset)[0]
    counts = header["NumPart_ThisFile"].tolist()
    number, own = sum(counts), sum(n for n, mass in zip(counts, header["MassTable"], strict=True) if mass == 0)
    at, length = records.get("POS", (0, 0))
    real = next((kind for kind in ("f4", "f8") if length == 3 * number * int(kind[1])), None)
    if real is None:
        reason = f"{length:,} bytes for {number:,} particles; expected 12 or 24 for each: damaged"
        raise UnusableFileError(path, "positions", reason)
    masses_at, length = records.get("MASS", (0, 0))
    if own and length != own * int(real[1]):
        reason = f"{length:,} bytes for {own:,} particles without a mass in the header: damaged"
        raise UnusableFileError(path, "masses", reason)
    return BinaryFile(
        path=path, order=order, header=header, counts=tuple(counts), positions=at, masses=masses_at, real=real
    )


def _records(path: Path, order: str, *, named: bool) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield name, offset and length of each record [bytes]. Format 1 has no names, and a fixed order."""
    size, at, name = path.stat().st_size, 0, ""
    order_of_format_1 = iter(("HEAD", "POS", "VEL", "ID", "MASS"))
    with path.open("rb") as raw:

        def word(offset: int) -> int:
            raw.seek(offset)
            return struct.unpack(order + "I", raw.read(4))[0]

        for _ in range(_MAX_RECORDS):
            if at + 8 > size:
                return
            short = word(at)
            # the first length with a copy of itself behind it
            length = next((n for n in range(short, size - at - 7, 2**32) if word(at + 4 + n) == short), None)
            if length is None:
                reason = f"a record of {short:,} bytes at {at:,} of {size:,} is not complete: truncated or damaged"
                raise UnusableFileError(path, name, reason)
            if named and not name:
                raw.seek(at + 4)
                name = raw.read(4).decode("latin-1").strip()
            else:
                yield name or next(order_of_format_1, "more"), (at + 4, length)
                name = ""
            at += length + 8
