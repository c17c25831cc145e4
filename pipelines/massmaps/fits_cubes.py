"""Simulated maps on disk: one FITS cube per cosmology, with a header as LensTools writes it."""

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files import replacing
from tenfold.pipelines.simulation.cosmology import Cosmology


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
        Least and largest multipole at which the maps' mean C_ℓ is that of theory.
    seed
        Seed of the cosmology's boxes and maps.
    simulation
        Name that all maps of these boxes share.
    varied
        Names of the parameters that vary between cosmologies.
    config
        Configuration of the run, recorded as JSON.
    """
    image = np.moveaxis(kappa, -1, 1)
    header = fits.Header()
    header["BUNIT"] = ("kappa", "convergence")
    header["ANGLE"] = (side_deg, "side of a map [degrees]")
    header["H0"] = (100 * cosmology.h, "[km/s/Mpc]")
    header["OMEGA_M"] = cosmology.omega_m
    header["OMEGA_L"] = 1 - cosmology.omega_m
    header["W0"] = -1.0
    header["WA"] = 0.0
    header["SIGMA_8"] = cosmology.sigma_8
    header["NS"] = cosmology.n_s
    header["OMEGA_B"] = cosmology.omega_b
    if len(sources) == 1:
        header["Z"] = (sources[0], "source redshift")
    for n, source in enumerate(sources if len(sources) > 1 else (), start=1):
        header[f"Z{n}"] = (source, f"source redshift of channel {n}")
    header["LMIN"] = (trusted[0], "C_l is trusted from this multipole")
    header["LMAX"] = (trusted[1], "C_l is trusted up to this multipole")
    header["SEED"] = seed
    header["SIMUL"] = simulation
    header["VARIED"] = " ".join(varied)
    header["VERSION"] = (version("tenfold"), "of tenfold")
    header["CONFIG"] = json.dumps(config, sort_keys=True)
    with replacing(path) as temporary:
        data = np.ascontiguousarray(image[:, 0] if len(sources) == 1 else image, ">f4")
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
        message = f"{path}: no maps written by tenfold ({error}). Remove the file, or choose another folder."
        raise InputError(message) from error


def read_maps(path: Path) -> tuple[np.ndarray, fits.Header]:
    """Maps of a file, shape (maps, N, N, sources), float32, and their header."""
    with fits.open(path) as hdus:
        image, header = np.asarray(hdus[0].data, np.float32), hdus[0].header
    return np.ascontiguousarray(np.moveaxis(image if image.ndim == 4 else image[:, None], 1, -1)), header
