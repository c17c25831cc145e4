"""FITS cubes of simulated or generated maps, one per cosmology, with the header keywords of LensTools."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.simulation.cosmology import Cosmology

KEYWORDS = {"n_s": "NS", "w_0": "W0", "w_a": "WA", "omega_cdm": "OMEGA_C"}
"""FITS keywords of parameters whose keyword is not their name in capitals."""


def write_maps(
    path: Path,
    kappa: np.ndarray,
    *,
    cosmology: Cosmology,
    side_deg: float,
    sources: tuple[float, ...],
    trusted: tuple[float, float],
    seed: int,
    simulation: str,
    varied: tuple[str, ...],
    config: Mapping[str, Any],
) -> None:
    """Write the maps of a cosmology. The file appears complete or not at all.

    Parameters
    ----------
    path
        Path of the file.
    kappa
        Convergence, shape (maps, N, N, sources). The FITS image has shape (maps, N, N) for one source redshift, else
        (maps, sources, N, N).
    cosmology
        Cosmology of the maps.
    side_deg
        Side of a map [degrees].
    sources
        Source redshifts, written as Z, or Z1, Z2, … for several.
    trusted
        Range of trusted multipoles; see `tenfold.pipelines.simulation.lensing.lens_planes.SimulatedPlanes`.
    seed
        Seed of the cosmology's boxes and maps.
    simulation
        Name of the simulation, shared by all maps of these boxes.
    varied
        Names of the varied parameters.
    config
        Configuration of the simulation, recorded as JSON.
    """
    header = make_header(
        {**asdict(cosmology), "omega_k": 0.0, "w_0": -1.0, "w_a": 0.0}, units="kappa", side_deg=side_deg,
        periodic=False, redshifts=sources, trusted=trusted, varied=varied, seed=seed,
    )  # fmt: skip
    header["SIMUL"] = simulation
    header["CONFIG"] = json.dumps(config, sort_keys=True)
    write_cube(path, kappa, header)


def make_header(
    parameters: Mapping[str, float],
    *,
    units: str,
    side_deg: float | None,
    box_mpc_h: float | None = None,
    periodic: bool | None,
    redshifts: tuple[float, ...],
    trusted: tuple[float, float] | None,
    varied: tuple[str, ...],
    seed: int,
) -> fits.Header:
    """Build the FITS header of maps, with the keywords of LensTools.

    Parameters
    ----------
    parameters
        All known parameters, by canonical name.
    units
        Unit of the pixels.
    side_deg
        Side of a map [degrees]; None for maps without an angular size.
    box_mpc_h
        Side of a map without an angular size [Mpc/h], written as BOXMPCH, and as SIDE [Mpc] where h is known.
    periodic
        Whether maps are periodic; None where unknown.
    redshifts
        Source redshift of each channel; empty where unknown.
    trusted
        Range of multipoles at which C_ℓ before shape noise is trusted; None where unknown.
    varied
        Names of the varied parameters.
    seed
        Seed of the maps.
    """
    header = fits.Header()
    header["BUNIT"] = (units, "convergence") if units == "kappa" else units
    if side_deg is not None:
        header["ANGLE"] = (side_deg, "side of a map [degrees]")
    elif box_mpc_h is not None:
        header["BOXMPCH"] = (box_mpc_h, "side of a map [Mpc/h]")
        if "h" in parameters:
            header["SIDE"] = (box_mpc_h / parameters["h"], "side of a map [Mpc]")
    if periodic is not None:
        header["PERIODIC"] = (periodic, "whether a map is periodic")
    for name, value in parameters.items():
        if name == "h":
            header["H0"] = (round(100 * value, 12), "[km/s/Mpc]")  # 57, not 56.99999999999999
        else:
            header[KEYWORDS.get(name, name.upper())] = value
    if {"omega_m", "omega_k"} <= set(parameters):
        header["OMEGA_L"] = 1 - parameters["omega_m"] - parameters["omega_k"]
    if len(redshifts) == 1:
        header["Z"] = (redshifts[0], "source redshift")
    for n, source in enumerate(redshifts if len(redshifts) > 1 else (), start=1):
        header[f"Z{n}"] = (source, f"source redshift of channel {n}")
    if trusted is not None:
        header["LMIN"] = (trusted[0], "C_l before noise is trusted from here")
        header["LMAX"] = (trusted[1], "C_l before noise is trusted up to here")
    header["SEED"] = seed
    header["VARIED"] = " ".join(varied)
    header["VERSION"] = (version("tenfold"), "version of tenfold")
    return header


def write_cube(path: Path, maps: np.ndarray, header: fits.Header) -> None:
    """Write maps, shape (maps, N, N, C), as (maps, N, N) for one channel, else (maps, C, N, N).

    The file appears complete or not at all.
    """
    image = np.moveaxis(maps, -1, 1)
    with replacing(path) as temporary:
        data = np.ascontiguousarray(image[:, 0] if image.shape[1] == 1 else image, ">f4")
        fits.PrimaryHDU(data, header).writeto(temporary)


def read_config(path: Path) -> dict[str, Any]:
    """Read the configuration of the simulation from a file of maps.

    Raises
    ------
    InputError
        The file cannot be read, or was not written by tenfold.
    """
    try:
        return json.loads(fits.getheader(path)["CONFIG"])
    except (OSError, KeyError, ValueError, TypeError) as error:
        message = f"{path}: no maps written by tenfold ({error}). Choose another folder."
        raise InputError(message) from error


def read_maps(path: Path) -> tuple[np.ndarray, fits.Header]:
    """Read maps, float32, shape (maps, N, N, sources), and their header."""
    with fits.open(path) as hdus:
        image, header = np.asarray(hdus[0].data, np.float32), hdus[0].header
    return np.ascontiguousarray(np.moveaxis(image if image.ndim == 4 else image[:, None], 1, -1)), header
