"""Headers of Gadget and its relatives: box, redshift, cosmology and units, in HDF5 and in the binary formats.

Lengths are comoving, in UnitLength/h, and masses in UnitMass/h. Gadget-4, AREPO and GIZMO state the units; Gadget-2 and
3 state none, and the user does. The usual kpc/h is not assumed, because Mpc/h is common as well.
"""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tenfold.pipelines.readers.cosmological_units import LENGTH_UNITS, in_mpc, in_msun
from tenfold.pipelines.readers.hdf5_particles import read_number
from tenfold.pipelines.readers.parameters import canonical_parameters
from tenfold.pipelines.readers.snapshot import Particles, Snapshot
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError

COSMOLOGY = {
    "Omega0": "Omega_m", "Omega_Matter": "Omega_m", "OmegaLambda": "Omega_L", "Omega_Lambda": "Omega_L",
    "OmegaBaryon": "Omega_b", "Omega_Baryon": "Omega_b", "HubbleParam": "h", "Sigma8": "sigma_8",
    "PrimordialIndex": "n_s",
}  # fmt: skip
"""Cosmological parameters by attribute: of Gadget and AREPO, of GIZMO, and of the initial conditions of Gadget-4."""
_OPTIONAL = ("Omega_b", "sigma_8", "n_s")
"""Parameters for which 0 means that the code did not use them."""
_A, _H, _CGS = ("a_scaling", "aexp-scale-exponent"), ("h_scaling", "h-scale-exponent"), ("to_cgs",)
_CRITICAL_DENSITY = 27.7536627
"""3 H₀² / 8πG [10¹⁰ Msun/h / (Mpc/h)³]."""
_BOXES_MPC_H = (0.5, 3e4)
"""Sides of boxes that are simulated [Mpc/h]."""


def snapshot_of(
    attributes: Mapping[str, object],
    of_positions: Mapping[str, object],
    particles: Particles,
    stated: StatedMetadata,
    path: Path,
) -> Snapshot:
    """Return a snapshot, by its header.

    Parameters
    ----------
    attributes
        Header, by the names that HDF5 files use.
    of_positions
        Attributes of the positions, with their unit; empty if they have none.
    particles, stated, path
        Its particles, the metadata that the user states, and its first file.

    Raises
    ------
    UnusableFileError
        The simulation is not cosmological, or the unit of length is unknown or contradicts the stated one.
    """
    box = read_number(attributes, ("BoxSize",), path)
    if box is None or not (math.isfinite(box) and box > 0):
        raise UnusableFileError(path, "Header/BoxSize", f"is {box}: only periodic boxes are painted")
    redshift = _redshift(attributes, path)
    parameters = _cosmology(attributes, path)
    unit_cm, a_exponent, h_exponent = _length_unit(attributes, of_positions, stated, path)
    if unit_cm is None:
        raise UnusableFileError(path, "Header", _suggestion(box, particles, parameters))
    scale = in_mpc(unit_cm) * (1 + redshift) ** (1 - a_exponent)
    if h_exponent != -1:
        scale *= _hubble(parameters, path) ** (h_exponent + 1)
    mass_g = read_number(attributes, ("UnitMass_in_g", "UnitMass_In_CGS"), path)
    return Snapshot(
        path=path,
        files=particles.files,
        box_mpc_h=box * scale,
        box=box,
        redshift=redshift,
        parameters=parameters,
        types=particles.types,
        mass_unit_msun_h=None if mass_g is None else in_msun(mass_g),
        blocks=particles.blocks,
    )


def _cosmology(attributes: Mapping[str, object], path: Path) -> dict[str, float]:
    """Return the cosmological parameters of a header by canonical name."""
    found: dict[str, float] = {}
    for attribute, name in COSMOLOGY.items():
        value = read_number(attributes, (attribute,), path)
        if value is not None and not (name in _OPTIONAL and value == 0):
            found.setdefault(name, value)
    return canonical_parameters(found, found.values(), path, "Header")


def _redshift(attributes: Mapping[str, object], path: Path) -> float:
    if read_number(attributes, ("ComovingIntegrationOn",), path) == 0:
        reason = "is 0: not a cosmological simulation, which has no comoving box"
        raise UnusableFileError(path, "Parameters/ComovingIntegrationOn", reason)
    redshift, time = (read_number(attributes, (name,), path) for name in ("Redshift", "Time"))
    if redshift is None:
        if time is None or not 0 < time <= 1:
            raise UnusableFileError(path, "Header/Redshift", "missing, and Header/Time is no scale factor")
        return 1 / time - 1
    if time is not None and not math.isclose(time * (1 + redshift), 1, rel_tol=1e-3):
        reason = f"is {redshift:g}, but Header/Time, the scale factor, is {time:g}: not a cosmological simulation?"
        raise UnusableFileError(path, "Header/Redshift", reason)
    return redshift


def _length_unit(
    attributes: Mapping[str, object], of_positions: Mapping[str, object], stated: StatedMetadata, path: Path
) -> tuple[float | None, float, float]:
    """Return the unit of length [cm], and the exponents of the scale factor and of h."""
    header_cm = read_number(attributes, ("UnitLength_in_cm", "UnitLength_In_CGS"), path)
    dataset_cm = read_number(of_positions, _CGS, path) or None  # AREPO writes 0 where a unit is unknown
    a_exponent, h_exponent = (read_number(of_positions, names, path) for names in (_A, _H))
    a, h = (1.0 if a_exponent is None else a_exponent), (-1.0 if h_exponent is None else h_exponent)
    unit_cm = header_cm if header_cm is not None else dataset_cm
    if unit_cm is not None and not (math.isfinite(unit_cm) and unit_cm > 0):
        raise UnusableFileError(path, "UnitLength_in_cm", f"is {unit_cm}: expected a length")
    if header_cm is not None and dataset_cm is not None and not math.isclose(header_cm, dataset_cm, rel_tol=1e-3):
        reason = f"is {header_cm:g}, but the coordinates' attribute to_cgs is {dataset_cm:g}: damaged"
        raise UnusableFileError(path, "UnitLength_in_cm", reason)
    if not stated.length_unit:
        return unit_cm, a, h
    stated_cm, stated_h = LENGTH_UNITS[stated.length_unit]
    known_h = h_exponent is not None or unit_cm is not None
    if (unit_cm is not None and not np.isclose(unit_cm, stated_cm, rtol=1e-3)) or (known_h and h != stated_h):
        in_file = f"{unit_cm if unit_cm is not None else float('nan'):g} cm × h^{h:g}"
        reason = f"the unit of length is {in_file} in the file, but ingest.length_unit is {stated.length_unit}"
        raise UnusableFileError(path, "Header", f"{reason}: leave it out, or correct it")
    return stated_cm, a, stated_h


def _hubble(parameters: Mapping[str, float], path: Path) -> float:
    if "h" not in parameters:
        raise UnusableFileError(path, "Header/HubbleParam", "missing, but lengths are not in units of 1/h")
    return parameters["h"]


def _suggestion(box: float, particles: Particles, parameters: Mapping[str, float]) -> str:
    """Return what the unit of length may be, by the side of the box and by the mean density."""
    masses = [kind.mass and kind.mass * kind.particles for kind in particles.types]
    total = sum(mass for mass in masses if mass) if None not in masses else None
    candidates, likely = [], []
    for unit, mpc in (("kpc/h", 1e-3), ("Mpc/h", 1.0)):
        side = box * mpc
        text = f"{unit} makes it {side:,.6g} Mpc/h"
        plausible = _BOXES_MPC_H[0] <= side <= _BOXES_MPC_H[1]
        if total:
            density = total / (_CRITICAL_DENSITY * side**3)
            text += f" with Ω = {density:.3g}, if masses are in 1e10 Msun/h"
            plausible = plausible and 0.5 < density / parameters.get("omega_m", 0.3) < 2
        candidates.append(text)
        likely += [unit] if plausible else []
    advice = f"--set ingest.length_unit={likely[0] if len(likely) == 1 else 'kpc/h or Mpc/h'}"
    return f"BoxSize is {box:g}, and no unit of length is stated: {'; '.join(candidates)}. State it: {advice}"
