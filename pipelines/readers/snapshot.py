"""Particle snapshots: metadata that is known before any particle is read, and their mass on a mesh."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from tenfold.pipelines.readers.consistency import merge_parameters, reconcile
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError, Volume, check_array, file_stem
from tenfold.stats.painting import add_particles

BLOCK = 2**20
"""Particles that are read at a time, or a few chunks of a compressed dataset."""
TYPE_NAMES = ("gas", "dark matter", "type 2", "type 3", "stars", "black holes", "neutrinos")
_MASS_ERROR = 1e-4
"""Largest relative difference of the mass on the mesh, in single precision, from that of the particles."""


@dataclass(frozen=True, kw_only=True)
class ParticleType:
    """The particles of one type."""

    number: int
    """Number of the type: 0 gas, 1 dark matter, 4 stars, 5 black holes; others differ between codes."""
    particles: int
    """Number of particles in all files."""
    mass: float | None
    """Mass of each particle, in the unit of the snapshot's masses; None if they differ."""


@dataclass(frozen=True, kw_only=True)
class ParticleBlock:
    """Some particles of one type."""

    file: Path
    key: str
    positions: np.ndarray
    """Shape (particles, 3), float32 or float64, in the unit of `Snapshot.box`."""
    masses: np.ndarray | None
    """Shape (particles,), in the unit of the snapshot's masses; None if all particles of the type have one mass."""


class Particles(Protocol):
    """Particles of a snapshot, in files of one format."""

    @property
    def files(self) -> tuple[Path, ...]:
        """All files, the first of the snapshot first."""
        ...

    @property
    def types(self) -> tuple[ParticleType, ...]:
        """The chosen types."""
        ...

    def blocks(self, kind: ParticleType) -> Iterator[ParticleBlock]:
        """Yield the particles of a type, in the order of the files."""
        ...


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """All particles of a simulation at one redshift. They are read block by block."""

    path: Path
    """Its first file."""
    files: tuple[Path, ...]
    box_mpc_h: float
    """Side of the periodic box, comoving [Mpc/h]."""
    box: float
    """The same in the unit of the positions."""
    redshift: float
    parameters: dict[str, float]
    """Cosmological parameters that the header states, by canonical name."""
    types: tuple[ParticleType, ...]
    """The chosen types, with at least one particle each."""
    mass_unit_msun_h: float | None
    """Unit of the masses [Msun/h]; None if the header does not state it."""
    blocks: Callable[[ParticleType], Iterator[ParticleBlock]] = field(repr=False, compare=False)
    """``blocks(type)``: the particles of a type, in the order of the files."""

    @property
    def particles(self) -> int:
        """Number of particles of the chosen types."""
        return sum(kind.particles for kind in self.types)

    @property
    def equal_masses(self) -> bool:
        """Whether all particles have one mass, so that their number is as good as their mass."""
        masses = {kind.mass for kind in self.types}
        return len(masses) == 1 and None not in masses

    def paint(self, mesh: int, assignment: str, *, masses: bool | None = None, shift: float = 0.0) -> np.ndarray:
        """Assign the particles to a mesh, one block at a time.

        Parameters
        ----------
        mesh
            Cells per side.
        assignment
            "ngp", "cic", "tsc" or "pcs": see `tenfold.stats.painting`.
        masses
            Whether the mesh holds mass, or else the number of particles; by default mass if masses differ.
        shift
            Added to all positions along each axis [cells]; ½ for the second mesh of an interlaced pair.

        Returns
        -------
        np.ndarray
            Shape (mesh, mesh, mesh). Numbers: int32 (int64 for more than 2³¹ particles) for "ngp", else float32.
            Mass: float32, in `mass_unit_msun_h`. The sum is that of the particles: exactly for "ngp" of numbers, else
            to single precision.

        Raises
        ------
        UnusableFileError
            A position is not finite, or lies more than a box side outside the box; the file is named.
        """
        weighted = not self.equal_masses if masses is None else masses
        field = np.zeros((mesh,) * 3, mesh_type(assignment, weighted, self.particles))
        total = 0.0
        for kind in self.types:
            for block in self.blocks(kind):
                weights = self._weights(kind, block) if weighted else None
                invalid = add_particles(field, block.positions, assignment, box=self.box, masses=weights, shift=shift)
                if invalid:
                    self._refuse(block)
                total += len(block.positions) if weights is None else float(weights.sum(dtype=np.float64))
        painted = float(field.sum(dtype=np.float64))
        if not math.isclose(painted, total, rel_tol=0 if field.dtype.kind == "i" else _MASS_ERROR, abs_tol=0):
            reason = (
                f"the mesh holds {painted:,.7g} of {total:,.7g}: a cell holds more than single precision "
                "counts. Take a finer mesh (ingest.mesh), or ingest.assignment=ngp"
            )
            raise UnusableFileError(self.path, "", reason)
        return field

    def _weights(self, kind: ParticleType, block: ParticleBlock) -> np.ndarray:
        if block.masses is None:
            return np.full(len(block.positions), kind.mass, np.float32)
        if not (np.isfinite(block.masses).all() and (block.masses >= 0).all()):
            raise UnusableFileError(block.file, block.key, "masses are negative, or not finite: damaged")
        return block.masses

    def _refuse(self, block: ParticleBlock) -> None:
        x = block.positions
        finite = np.isfinite(x).all(axis=1)
        if not finite.all():
            number, first = int((~finite).sum()), int((~finite).argmax())
            reason = f"{number:,} positions are NaN or infinite, such as {_numbers(x[first])}: damaged"
            raise UnusableFileError(block.file, block.key, reason)
        outside = ((x < -self.box) | (x >= 2 * self.box)).any(axis=1)
        number, first = int(outside.sum()), int(outside.argmax())
        reason = (
            f"{number:,} positions, such as {_numbers(x[first])}, are more than a box side outside the box of "
            f"{self.box:g}: in another unit than the box, or damaged"
        )
        raise UnusableFileError(block.file, block.key, reason)


def mesh_type(assignment: str, weighted: bool, particles: int) -> np.dtype:
    """Return the type of a mesh: integers for counts of particles, else float32."""
    if assignment != "ngp" or weighted:
        return np.dtype(np.float32)
    return np.dtype(np.int32 if particles < 2**31 else np.int64)


def painted(snapshot: Snapshot, stated: StatedMetadata) -> Volume:
    """Return a snapshot as a volume. Its particles are read when its first cells are.

    Parameters
    ----------
    snapshot
        Snapshot.
    stated
        Metadata that the user states, with the mesh and the assignment.

    Raises
    ------
    UnusableFileError
        No mesh is stated, the mesh is too large, or the stated metadata contradict the file.
    """
    path = snapshot.path
    if stated.mesh is None:
        cells = 2 ** max(3, round(math.log2(max(snapshot.particles, 8)) / 3))
        listed = ", ".join(
            f"{kind.particles:,} of type {kind.number} ({TYPE_NAMES[kind.number]})" for kind in snapshot.types
        )
        reason = f"particles ({listed}): state the cells per side to paint them on, such as --set ingest.mesh={cells}"
        raise UnusableFileError(path, "", reason)
    weighted = not snapshot.equal_masses
    dtype = mesh_type(stated.assignment, weighted, snapshot.particles)
    shape = (stated.mesh,) * 3 + (1,)
    check_array(shape, dtype, stated.largest_gib, path, "")
    if weighted:
        unit = "Msun/h" if snapshot.mass_unit_msun_h is not None else ""
        units = reconcile("units", unit, stated.units, path, "")
        if not units:
            reason = (
                "the particles differ in mass, and the header states no unit of mass: name it, such as "
                "--set 'ingest.units=1e10 Msun/h', or take types of one mass, ingest.particle_types"
            )
            raise UnusableFileError(path, "Header", reason)
    else:
        units = reconcile("units", "counts" if dtype.kind == "i" else "particles", stated.units, path, "")
    parameters = merge_parameters(snapshot.parameters, stated, path, "Header")
    if not parameters:
        reason = "no cosmological parameters in the header: give a table, --set ingest.table=FILE"
        raise UnusableFileError(path, "Header", reason)
    redshifts = (round(snapshot.redshift, 3) + 0.0,)  # time steps end at slightly different redshifts; no −0
    cells: np.ndarray | None = None
    stem = file_stem(path)

    def read(start: int, stop: int) -> np.ndarray:
        nonlocal cells
        if cells is None:
            cells = snapshot.paint(stated.mesh or 0, stated.assignment)[..., None]
            if weighted and snapshot.mass_unit_msun_h is not None:
                cells *= np.float32(snapshot.mass_unit_msun_h)
        return cells[start:stop]

    return Volume(
        simulation=stated.simulation or (stem.removesuffix(".0") if len(snapshot.files) > 1 else stem),
        source=path,
        key="",
        shape=shape,
        dtype=dtype,
        parameters=parameters,
        varied=(),
        redshifts=reconcile("redshifts", redshifts, stated.redshifts, path, "Header/Redshift") or (),
        box_mpc_h=reconcile("box_mpc_h", snapshot.box_mpc_h, stated.box_mpc_h, path, "Header/BoxSize"),
        periodic=reconcile("periodic", True, stated.periodic, path, ""),
        units=units or "",
        expected_total=None if weighted else float(snapshot.particles),
        read=read,
    )  # fmt: skip


def chosen_types(present: Sequence[ParticleType], stated: StatedMetadata, path: Path) -> tuple[ParticleType, ...]:
    """Return the types that the user asks for; by default all that are present.

    Raises
    ------
    UnusableFileError
        A type has no particles.
    """
    by_number = {kind.number: kind for kind in present}
    missing = [number for number in stated.particle_types if number not in by_number]
    if missing or not present:
        listed = ", ".join(f"{kind.number} ({kind.particles:,})" for kind in present) or "none"
        wanted = f"no particles of type {missing[0]}" if missing else "no particles"
        raise UnusableFileError(path, "Header/NumPart_Total", f"{wanted} (ingest.particle_types); it has {listed}")
    return tuple(by_number[number] for number in sorted(set(stated.particle_types) or by_number))


def _numbers(position: np.ndarray) -> str:
    return f"({', '.join(f'{x:g}' for x in position)})"
