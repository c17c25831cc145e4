"""Maps on disk, simulated or generated: one FITS cube per cosmology, with a header as LensTools writes it."""

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
"""Of parameters that are not called by their canonical name, in capitals."""


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
    """Write the maps of a cosmology, whole or not at all.

    Parameters
    ----------
    path
        Final name.
    kappa
        Convergence, shape (maps, N, N, sources). The image is (maps, N, N) of one source redshift, else
        (maps, sources, N, N).
    cosmology
        Their cosmology.
    side_deg
        Side of a map [degrees].
    sources
        Source redshifts: Z of one, else Z1, Z2, …
    trusted
        Least and largest multipole, as of `tenfold.pipelines.simulation.lensing.lens_planes.SimulatedPlanes`.
    seed
        Seed of the cosmology's boxes and maps.
    simulation
        Name that all maps of these boxes share.
    varied
        Names of the parameters that vary between cosmologies.
    config
        Configuration of the run, recorded as JSON.
    """
    header = header_of(
        {**asdict(cosmology), "omega_k": 0.0, "w_0": -1.0, "w_a": 0.0}, units="kappa", side_deg=side_deg,
        periodic=False, redshifts=sources, trusted=trusted, varied=varied, seed=seed,
    )  # fmt: skip
    header["SIMUL"] = simulation
    header["CONFIG"] = json.dumps(config, sort_keys=True)
    write_cube(path, kappa, header)


def header_of(
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
    """Say what maps are of, in LensTools' words.

    Parameters
    ----------
    parameters
        All that are known, by canonical name.
    units
        Of the pixels.
    side_deg
        Side of a map [degrees]; None where it has no angle.
    box_mpc_h
        Side of a map that has a length, and no angle [Mpc/h]: BOXMPCH, and SIDE [Mpc] where h is known.
    periodic
        Whether a map goes on at its opposite edge; None where that is not known.
    redshifts
        Of the sources, one for each channel; empty where they are not known.
    trusted
        Least and largest multipole at which C_ℓ, before shape noise, is trusted; None where that is not known.
    varied
        Names of the parameters that vary between cosmologies.
    seed
        Of the maps.
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
        header["PERIODIC"] = (periodic, "whether a map goes on at its opposite edge")
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
    header["VERSION"] = (version("tenfold"), "of tenfold")
    return header


def write_cube(path: Path, maps: np.ndarray, header: fits.Header) -> None:
    """Write maps, shape (maps, N, N, C), whole or not at all: as (maps, N, N) of one channel, else (maps, C, N, N)."""
    image = np.moveaxis(maps, -1, 1)
    with replacing(path) as temporary:
        data = np.ascontiguousarray(image[:, 0] if image.shape[1] == 1 else image, ">f4")
        fits.PrimaryHDU(data, header).writeto(temporary)


def recorded(path: Path) -> dict[str, Any]:
    """The configuration that a file of maps was made with.

    Raises
    ------
    InputError
        The file cannot be read, or is none of ours.
    """
    try:
        return json.loads(fits.getheader(path)["CONFIG"])
    except (OSError, KeyError, ValueError, TypeError) as error:
        message = f"{path}: no maps written by tenfold ({error}). Choose another folder."
        raise InputError(message) from error


def read_maps(path: Path) -> tuple[np.ndarray, fits.Header]:
    """Maps of a file, shape (maps, N, N, sources), float32, and their header."""
    with fits.open(path) as hdus:
        image, header = np.asarray(hdus[0].data, np.float32), hdus[0].header
    return np.ascontiguousarray(np.moveaxis(image if image.ndim == 4 else image[:, None], 1, -1)), header
