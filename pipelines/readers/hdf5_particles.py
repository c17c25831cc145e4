"""Particles in HDF5 files of the layout that Gadget introduced: /Header, and /PartType0 … /PartType6.

Gadget, AREPO, GIZMO and SWIFT share this layout; their headers state units and cosmology in different ways.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from tenfold.pipelines.readers.hdf5 import read_scalar
from tenfold.pipelines.readers.safe_hdf5 import get_dataset, open_hdf5
from tenfold.pipelines.readers.snapshot import BLOCK, ParticleBlock, ParticleType, chosen_types
from tenfold.pipelines.readers.snapshot_files import snapshot_files
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError

MASS_NAMES = ("Masses", "DynamicalMasses")
"""Datasets of masses; SWIFT's black holes have the second."""
_MAX_CHUNK_BYTES = 2**30
_MAX_TYPES = 7


@dataclass(frozen=True, kw_only=True)
class HDF5Particles:
    """Where the chosen particles of a snapshot are."""

    files: tuple[Path, ...]
    types: tuple[ParticleType, ...]
    mass_keys: Mapping[int, str]
    """Dataset of the masses of each type whose particles have masses of their own."""
    counts: tuple[tuple[int, ...], ...]
    """Number of particles of each type in each file."""

    def blocks(self, kind: ParticleType) -> Iterator[ParticleBlock]:
        """Yield the particles of a type, in the order of the files."""
        key = f"PartType{kind.number}/Coordinates"
        masses_key = None if kind.mass is not None else self.mass_keys[kind.number]
        for path, counts in zip(self.files, self.counts, strict=True):
            if not counts[kind.number]:
                continue
            with open_hdf5(path) as file:
                positions = _particle_dataset(file, key, (counts[kind.number], 3), path)
                masses = None
                if masses_key is not None:
                    masses = _particle_dataset(file, masses_key, (counts[kind.number],), path)
                for start in range(0, len(positions), step := _step(positions, path)):
                    rows = slice(start, start + step)
                    yield ParticleBlock(
                        file=path,
                        key=key,
                        positions=_native(positions[rows]),
                        masses=None if masses is None else _native(masses[rows]),
                    )


def read_attributes(file: h5py.File, *groups: str) -> dict[str, object]:
    """Return the attributes of groups; those of the first take precedence."""
    merged: dict[str, object] = {}
    for group in reversed(groups):
        if group in file:
            merged.update(file[group].attrs)
    return merged


def read_number(attributes: Mapping[str, object], names: Sequence[str], path: Path) -> float | None:
    """Return the first attribute of one of these names, a scalar or an array of one element; None if there is none."""
    return next((read_scalar(attributes[name], name, path) for name in names if name in attributes), None)


def find_particles(path: Path, stated: StatedMetadata) -> HDF5Particles:
    """Find the particles of a snapshot in all its files.

    Parameters
    ----------
    path
        First file of the snapshot.
    stated
        Metadata that the user states, with the types of particles.

    Raises
    ------
    UnusableFileError
        Files are missing or are those of another snapshot, a type is missing, the number of particles differs from the
        header's, or a type has no masses.
    """
    with open_hdf5(path) as file:
        header = read_attributes(file, "Header")
        total = _totals(header, path)
        table = (
            _integers_or_reals(header, "MassTable", path, len(total)) if "MassTable" in header else [0.0] * len(total)
        )
        number = read_number(header, ("NumFilesPerSnapshot",), path)
    files = snapshot_files(path, 1 if number is None else int(number))
    counts = tuple(_counts(file, header, len(total)) for file in files)
    present = [
        ParticleType(number=n, particles=total[n], mass=table[n] if table[n] > 0 else None)
        for n in range(len(total))
        if total[n] and (n in stated.particle_types or _has_positions(files, counts, n))
    ]
    chosen = chosen_types(present, stated, path)
    mass_keys: dict[int, str] = {}
    for kind in chosen:
        found = sum(of_file[kind.number] for of_file in counts)
        if found != kind.particles:
            reason = (
                f"{'its files contain' if len(files) > 1 else 'contains'} {found:,} of {kind.particles:,} particles of "
                f"type {kind.number}: incomplete, or not written; others are chosen by ingest.particle_types"
            )
            raise UnusableFileError(path, "Header/NumPart_Total", reason)
        mass_keys |= _check_datasets(files, counts, kind)
    particles = HDF5Particles(files=files, types=chosen, mass_keys=mass_keys, counts=counts)
    types = tuple(kind if kind.mass is not None else _with_mass(particles, kind) for kind in chosen)
    return HDF5Particles(files=files, types=types, mass_keys=mass_keys, counts=counts)


def _totals(header: Mapping[str, object], path: Path) -> list[int]:
    """Return the number of particles of each type in all files; the high words count 2³²."""
    if "NumPart_Total" not in header:
        raise UnusableFileError(path, "Header/NumPart_Total", "missing: not a complete header of a snapshot")
    low = _integers_or_reals(header, "NumPart_Total", path)
    high = _integers_or_reals(header, "NumPart_Total_HighWord", path) if "NumPart_Total_HighWord" in header else []
    high += [0] * (len(low) - len(high))
    if len(low) > _MAX_TYPES or min([*low, *high], default=0) < 0:
        raise UnusableFileError(
            path, "Header/NumPart_Total", f"{low}: expected up to {_MAX_TYPES} numbers of particles"
        )
    return [int(a) + (int(b) << 32) for a, b in zip(low, high, strict=False)]


def _counts(path: Path, first: Mapping[str, object], types: int) -> tuple[int, ...]:
    """Return the number of particles of each type in a file, whose header must agree with the first file's."""
    with open_hdf5(path) as file:
        header = read_attributes(file, "Header")
    for name in ("NumPart_Total", "BoxSize", "Redshift", "Time"):
        if name in first and not np.array_equal(np.asarray(first[name]), np.asarray(header.get(name))):
            reason = f"is {header.get(name)}, where the first file has {first[name]}: from another snapshot"
            raise UnusableFileError(path, f"Header/{name}", reason)
    counts = _integers_or_reals(header, "NumPart_ThisFile", path, types)
    if min(counts) < 0:
        raise UnusableFileError(path, "Header/NumPart_ThisFile", f"{counts}: negative numbers of particles")
    return tuple(map(int, counts))


def _integers_or_reals(header: Mapping[str, object], name: str, path: Path, length: int | None = None) -> list:
    values = np.asarray(header.get(name, ()))
    if values.dtype.kind not in "iuf" or values.ndim != 1 or (length is not None and len(values) < length):
        reason = f"contains {values.dtype} {values.shape}; expected {length or 'some'} numbers, one for each type"
        raise UnusableFileError(path, f"Header/{name}", reason)
    return values.tolist()


def _has_positions(files: Sequence[Path], counts: Sequence[Sequence[int]], number: int) -> bool:
    """Whether the particles of a type have positions. Tracers of AREPO have none: they are not matter."""
    path = next((path for path, of_file in zip(files, counts, strict=True) if of_file[number]), None)
    if path is None:
        return True  # announced and not written: refused later
    with open_hdf5(path) as file:
        return f"PartType{number}/Coordinates" in file


def _check_datasets(files: Sequence[Path], counts: Sequence[Sequence[int]], kind: ParticleType) -> dict[int, str]:
    """Check the positions and masses of a type in all files, and return the dataset of the masses, if it has one."""
    keys: dict[int, str] = {}
    for path, of_file in zip(files, counts, strict=True):
        number = of_file[kind.number]
        if not number:
            continue
        group = f"PartType{kind.number}"
        with open_hdf5(path) as file:
            _particle_dataset(file, f"{group}/Coordinates", (number, 3), path)
            if kind.number == 6 and f"{group}/Weights" in file:
                reason = (
                    "neutrinos with weights of the δf method, which are not painted: choose the other types, such as "
                    "--set 'ingest.particle_types=[0, 1, 4, 5]'"
                )
                raise UnusableFileError(path, f"{group}/Weights", reason)
            if kind.mass is not None:
                continue
            name = next((name for name in MASS_NAMES if f"{group}/{name}" in file), None)
            if name is None:
                reason = (
                    f"particles of type {kind.number} have neither a mass in Header/MassTable nor {group}/Masses: "
                    "choose other types, ingest.particle_types"
                )
                raise UnusableFileError(path, group, reason)
            keys[kind.number] = f"{group}/{name}"
            _particle_dataset(file, keys[kind.number], (number,), path)
    return keys


def _with_mass(particles: HDF5Particles, kind: ParticleType) -> ParticleType:
    """Return a type with the mass that all its particles have, if it is the same for all; all masses are compared."""
    key, first = particles.mass_keys[kind.number], None
    for path, counts in zip(particles.files, particles.counts, strict=True):
        if not counts[kind.number]:
            continue
        with open_hdf5(path) as file:
            masses = get_dataset(file, key, path)
            step = _step(masses, path)
            for start in range(0, len(masses), step):
                block = masses[start : start + step]
                first = block[0] if first is None else first
                if not (block == first).all():
                    return kind
    mass = float(first) if first is not None else 0.0
    return ParticleType(number=kind.number, particles=kind.particles, mass=mass) if mass > 0 else kind


def _particle_dataset(file: h5py.File, key: str, shape: tuple[int, ...], path: Path) -> h5py.Dataset:
    array = get_dataset(file, key, path)
    if array.shape != shape or array.dtype.kind != "f" or array.dtype.itemsize not in (4, 8):
        reason = f"contains {array.dtype} {array.shape}; expected real numbers {shape}, by Header/NumPart_ThisFile"
        raise UnusableFileError(path, key, reason)
    return array


def _step(array: h5py.Dataset, path: Path) -> int:
    """Return the number of rows to read at a time: whole chunks, so that none is decompressed twice."""
    if not array.chunks:
        return BLOCK
    size = int(np.prod(array.chunks, dtype=np.int64)) * array.dtype.itemsize
    if size > _MAX_CHUNK_BYTES:
        reason = (
            f"chunks {array.chunks} of {size / 2**30:.1f} GiB: larger than memory should hold; rewrite it (h5repack)"
        )
        raise UnusableFileError(path, str(array.name), reason)
    return array.chunks[0] * max(1, BLOCK // array.chunks[0])


def _native(values: np.ndarray) -> np.ndarray:
    return values.astype(values.dtype.newbyteorder("="), copy=False)
