"""HDF5 snapshots of SWIFT: units in /Units, and exponents of the scale factor and of h with each dataset.

Lengths have no h in them, positions are comoving unless a dataset states otherwise, and scalars are arrays of one
element (https://swift.strw.leidenuniv.nl/docs/Snapshots).
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from tenfold.pipelines.readers.cosmological_units import in_mpc, in_msun
from tenfold.pipelines.readers.hdf5_particles import (
    MASS_NAMES,
    HDF5Particles,
    find_particles,
    read_attributes,
    read_number,
)
from tenfold.pipelines.readers.parameters import canonical_parameters
from tenfold.pipelines.readers.safe_hdf5 import as_text, open_hdf5
from tenfold.pipelines.readers.snapshot import Snapshot, painted
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError, Volume

_COSMOLOGY = {"Omega_m": "Omega_m", "Omega_b": "Omega_b", "h": "h", "w_0": "w_0", "w_a": "w_a"}
_LENGTH, _MASS = "Unit length in cgs (U_L)", "Unit mass in cgs (U_M)"


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
        Metadata that the user states: types of particles.

    Raises
    ------
    UnusableFileError
        The files are unsafe, incomplete or not of one snapshot, or the simulation is not a cosmological one in a cubic
        periodic box.
    """
    path, stated = Path(path), stated or StatedMetadata()
    particles = find_particles(path, stated)
    with open_hdf5(path) as file:
        header, units = read_attributes(file, "Header"), read_attributes(file, "Units")
        parameters, scale_factor = _cosmology(read_attributes(file, "Cosmology"), header, path)
        subsampled = as_text(header.get("OutputType", "FullVolume"))
    if subsampled != "FullVolume" and len(particles.types) > 1:
        reason = f"is {subsampled}: the types may be sampled differently; choose one, ingest.particle_types"
        raise UnusableFileError(path, "Header/OutputType", reason)
    if stated.length_unit:
        reason = "states its units of length: leave out ingest.length_unit"
        raise UnusableFileError(path, "Units", reason)
    unit_cm, unit_g = (read_number(units, (name,), path) for name in (_LENGTH, _MASS))
    if unit_cm is None or unit_g is None:
        raise UnusableFileError(path, "Units", f"has no {_LENGTH if unit_cm is None else _MASS!r}: damaged")
    box = _side(header, path)
    h = parameters["h"]
    of_positions, of_masses = _dataset_attributes(particles)
    # positions × comoving = comoving positions without h, as the side of the box is; both × h are in Mpc/h
    comoving = _factor(of_positions, scale_factor, h, path, usual_exponent=1) / scale_factor
    return Snapshot(
        path=path,
        files=particles.files,
        box_mpc_h=box * in_mpc(unit_cm) * h,
        box=box / comoving,
        redshift=1 / scale_factor - 1,
        parameters=parameters,
        types=particles.types,
        mass_unit_msun_h=in_msun(unit_g) * _factor(of_masses, scale_factor, h, path) * h,
        blocks=particles.blocks,
    )


def _cosmology(
    cosmology: Mapping[str, object], header: Mapping[str, object], path: Path
) -> tuple[dict[str, float], float]:
    """Return the cosmological parameters and the scale factor."""
    if read_number(cosmology, ("Cosmological run",), path) == 0:
        raise UnusableFileError(path, "Cosmology/Cosmological run", "is 0: not a cosmological simulation")
    names = dict(_COSMOLOGY)
    # Ω_k is what remains besides radiation and neutrinos, which 1 − Ω_m − Ω_Λ would count as curvature
    names["Omega_k" if "Omega_k" in cosmology else "Omega_lambda"] = "Omega_k" if "Omega_k" in cosmology else "Omega_L"
    values = {new: read_number(cosmology, (old,), path) for old, new in names.items()}
    found = {name: value for name, value in values.items() if value is not None and (name != "Omega_b" or value > 0)}
    parameters = canonical_parameters(found, found.values(), path, "Cosmology")
    if "h" not in parameters:
        raise UnusableFileError(path, "Cosmology/h", "missing: lengths cannot be converted to Mpc/h")
    scale_factor = read_number(cosmology, ("Scale-factor",), path) or read_number(header, ("Scale-factor",), path)
    if scale_factor is None:
        redshift = read_number(header, ("Redshift",), path)
        scale_factor = 0.0 if redshift is None else 1 / (1 + redshift)
    if not 0 < scale_factor <= 1.001:
        raise UnusableFileError(path, "Header/Scale-factor", f"is {scale_factor}: expected 0 to 1")
    return parameters, scale_factor


def _side(header: Mapping[str, object], path: Path) -> float:
    """Return the side of the box, which SWIFT writes for each axis."""
    sides = np.asarray(header.get("BoxSize", ())).reshape(-1)
    if sides.dtype.kind != "f" or sides.size not in (1, 3) or not (np.isfinite(sides).all() and (sides > 0).all()):
        raise UnusableFileError(path, "Header/BoxSize", f"is {sides.tolist()}: expected the sides of a box")
    if not math.isclose(sides.min(), sides.max(), rel_tol=1e-6):
        raise UnusableFileError(path, "Header/BoxSize", f"is {sides.tolist()}: only cubic boxes are painted")
    return float(sides[0])


def _dataset_attributes(particles: HDF5Particles) -> tuple[dict[str, object], dict[str, object]]:
    """Return the attributes of the first type's positions and masses, from the first file that has them."""
    for path, counts in zip(particles.files, particles.counts, strict=True):
        for kind in particles.types:
            if counts[kind.number]:
                with open_hdf5(path) as file:
                    group = file[f"PartType{kind.number}"]
                    masses = next((dict(group[name].attrs) for name in MASS_NAMES if name in group), {})
                    return dict(group["Coordinates"].attrs), masses
    return {}, {}


def _factor(
    attributes: Mapping[str, object], scale_factor: float, h: float, path: Path, *, usual_exponent: int = 0
) -> float:
    """Return physical values / stored values, without units: a^p h^q, or h^q where physical values are stored."""
    a_exponent = read_number(attributes, ("a-scale exponent",), path)
    a_exponent = usual_exponent if a_exponent is None else a_exponent
    h_exponent = read_number(attributes, ("h-scale exponent",), path) or 0.0
    physical = read_number(attributes, ("Value stored as physical",), path) == 1
    return (1.0 if physical else scale_factor**a_exponent) * h**h_exponent
