"""Angular power spectra of maps in shards, complete or masked, as features of the regressions."""

import math

import numpy as np
from numpy.typing import NDArray

from tenfold.hpc.progress import progress
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.estimator.spectra import RECORDS_AT_ONCE, Spectra
from tenfold.pipelines.volumes.manifest import Manifest
from tenfold.pipelines.volumes.shards import Shards
from tenfold.stats.maps import angular_power
from tenfold.stats.masked_maps import pseudo_power

MOST_BINS = 40
"""Largest number of bins; with more, the regressions gain nothing and slow down."""


def measure_maps(shards: Shards, records: NDArray[np.int64]) -> Spectra:
    """Measure the angular power spectrum of every channel of maps.

    Complete square maps: the power of the periodic continuation, `tenfold.stats.maps.angular_power`. Other maps: the
    pseudo-C_ℓ divided by f_sky, `tenfold.stats.masked_maps.pseudo_power`. The coupling of its bins by the mask is not
    removed: it is the same for all maps, and a regression from coupled bins has the same information.

    Maps of non-negative values are divided by their means, as volumes are.

    Parameters
    ----------
    shards
        Opened shards of maps.
    records
        Indices of the records, shape (n,).

    Raises
    ------
    InputError
        The maps are smaller than 8 pixels per side, or the observed part of a map has mean 0.
    """
    manifest = shards.manifest
    height, width, channels = manifest.shape
    if min(height, width) < 8:
        raise InputError(
            f"{shards.path}: a power spectrum needs maps of 8 × 8 pixels or more, found {height} × {width}"
        )
    pixel_deg = _pixel_deg(manifest)
    edges = multipole_edges(height, width, pixel_deg)
    mask = shards.mask
    complete = mask is None and height == width
    weights = np.ones((height, width), bool) if mask is None else mask
    by_mean = manifest.units != "overdensity" and manifest.value.low >= 0
    mean = np.ones((len(records), channels))
    ell, modes, rows, f_sky = np.empty(0), np.empty(0), [], 1.0
    with progress("Power spectra", total=len(records), unit="record") as advance:
        for start in range(0, len(records), RECORDS_AT_ONCE):
            batch = records[start : start + RECORDS_AT_ONCE]
            maps = np.moveaxis(shards.read(batch), -1, 1).astype(np.float64)  # (batch, channel, y, x)
            if by_mean:
                means = maps[..., weights].mean(axis=-1)
                if not (means > 0).all():
                    empty = int(batch[np.flatnonzero(~(means > 0).all(axis=1))[0]])
                    raise InputError(f"{shards.path}, record {empty}: its mean is 0. Exclude it when ingesting.")
                mean[start : start + len(batch)] = means
                maps = maps / means[..., None, None] - 1
            flat = maps.reshape(-1, height, width)
            if complete:
                spectrum = angular_power(flat, height * pixel_deg, edges)
            else:
                spectrum = pseudo_power(flat, weights, pixel_deg, edges)
                f_sky = spectrum.f_sky
            ell, modes = spectrum.ell, spectrum.modes
            rows.append(spectrum.power.reshape(len(batch), channels, -1))
            advance(len(batch))
    power = np.concatenate(rows) if rows else np.empty((0, channels, len(ell)))
    return Spectra(ell, modes, power, mean, f_sky=f_sky)


def wavenumber_label(manifest: Manifest) -> str:
    """Return the label of `Spectra.k` of maps."""
    if manifest.pixel_arcmin is not None:
        return "multipole ℓ"
    return "k [h/Mpc]" if manifest.box_mpc_h is not None else "wavenumber [1/pixel]"


def _pixel_deg(manifest: Manifest) -> float:
    """Return the side of a pixel [degrees].

    Of maps with a length, it is the angle whose value in radians is that length in Mpc/h, so that ℓ is k [h/Mpc].
    """
    if manifest.pixel_arcmin is not None:
        return manifest.pixel_arcmin / 60
    return math.degrees(1.0 if manifest.box_mpc_h is None else manifest.box_mpc_h / manifest.shape[0])


def multipole_edges(height: int, width: int, pixel_deg: float) -> NDArray[np.float64]:
    """Return the edges of the bins, from half the fundamental mode of the shorter side to the Nyquist mode.

    Bins are one fundamental mode wide, or as wide as `MOST_BINS` of them must be: power is coupled within a fundamental
    mode, whatever the mask.
    """
    fundamental = 360 / (min(height, width) * pixel_deg)
    nyquist = 180 / pixel_deg
    bins = min(MOST_BINS, math.floor(nyquist / fundamental - 0.5))
    return np.linspace(0.5 * fundamental, nyquist, bins + 1)
