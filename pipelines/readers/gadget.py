"""HDF5 snapshots of Gadget-2, 3 and 4, AREPO and GIZMO.

Gadget-4, AREPO and GIZMO state their units in /Header, /Parameters or /Units, or as attributes of each dataset
(`a_scaling`, `h_scaling`, `to_cgs`); EAGLE's Gadget-3 as well, under other names.
"""

from collections.abc import Iterator
from pathlib import Path

import h5py

from tenfold.pipelines.readers.gadget_header import snapshot_of
from tenfold.pipelines.readers.hdf5_particles import HDF5Particles, find_particles, read_attributes
from tenfold.pipelines.readers.safe_hdf5 import open_hdf5
from tenfold.pipelines.readers.snapshot import Snapshot, painted
from tenfold.pipelines.readers.volume import StatedMetadata, Volume

_GROUPS = ("Header", "Parameters", "Units")


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
        Metadata that the user states: types of particles, and unit of length where the files have none.

    Raises
    ------
    UnusableFileError
        The files are unsafe, incomplete or not of one snapshot, the simulation is not cosmological, or the unit of
        length is unknown or contradicts the stated one.

    Example
    -------
    >>> from tenfold.pipelines.readers.gadget import read_snapshot
    >>> snapshot = read_snapshot("snap_004.0.hdf5")  # doctest: +SKIP
    >>> snapshot.paint(256, "cic").sum()  # doctest: +SKIP
    """
    path, stated = Path(path), stated or StatedMetadata()
    particles = find_particles(path, stated)
    with open_hdf5(path) as file:
        attributes = read_attributes(file, *_GROUPS)
        of_positions = _dataset_attributes(file, particles, "Coordinates")
    return snapshot_of(attributes, of_positions, particles, stated, path)


def _dataset_attributes(file: h5py.File, particles: HDF5Particles, name: str) -> dict[str, object]:
    """Return the attributes of the first dataset of this name that the file has."""
    names = [f"PartType{kind.number}/{name}" for kind in particles.types]
    return next((dict(file[key].attrs) for key in names if key in file), {})
