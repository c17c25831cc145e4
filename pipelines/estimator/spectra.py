"""Power spectra of records in shards."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenfold.hpc.progress import progress
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.volumes.shards import Shards
from tenfold.stats.power import overdensity, power_spectrum

RECORDS_AT_ONCE = 16


@dataclass(frozen=True)
class Spectra:
    """Binned power spectra of n records with C channels, without correction for window or shot noise."""

    k: NDArray[np.float64]
    """(K,) mean wavenumber of the bins [h/Mpc], [radians per record side] if the side is not known; of maps, see
    `tenfold.pipelines.estimator.map_spectra.wavenumber_label`."""
    modes: NDArray[np.float64]
    """(K,) number of independent modes in the bins."""
    power: NDArray[np.float64]
    """(n, C, K) power [(Mpc/h)³], [record volumes] if the side is not known; of maps, C_ℓ [unit² sr], or pseudo-C_ℓ
    divided by `f_sky` if they are not complete squares."""
    mean: NDArray[np.float64]
    """(n, C) mean voxel value used for the overdensity; 1 if the records are overdensities."""
    f_sky: float = 1.0
    """Fraction of the rectangle of a map that is observed."""


def measure(shards: Shards, records: NDArray[np.int64]) -> Spectra:
    """Measure the power spectrum of every channel of records.

    Counts are converted to overdensities with the mean of each record. Values in units of "overdensity", and fields
    with negative values, are used unchanged.

    Parameters
    ----------
    shards
        Opened shards of cubic records.
    records
        Indices of the records, shape (n,).

    Raises
    ------
    InputError
        The records are not cubes of at least 4 cells per side, or one is empty.
    """
    manifest = shards.manifest
    *sides, channels = manifest.shape
    if len(set(sides)) > 1 or sides[0] < 4:
        cells = " × ".join(map(str, sides))
        raise InputError(f"{shards.path}: a power spectrum needs cubes of at least 4 cells per side, found {cells}.")
    is_delta = manifest.units == "overdensity" or manifest.value.low < 0
    side = manifest.box_mpc_h or 1.0
    mean = np.ones((len(records), channels))
    k, modes = np.empty(0), np.empty(0)
    rows = []
    with progress("Power spectra", total=len(records), unit="record") as advance:
        for start in range(0, len(records), RECORDS_AT_ONCE):
            batch = records[start : start + RECORDS_AT_ONCE]
            for i, volume in enumerate(shards.read(batch)):
                row = []
                for channel in range(channels):
                    field = np.ascontiguousarray(volume[..., channel])
                    if not is_delta:
                        mean[start + i, channel] = field.mean(dtype=np.float64)
                        field = _overdensity(field, shards, int(batch[i]))
                    spectrum = power_spectrum(field.astype(np.float32, copy=False), side)
                    k, modes = spectrum.k, spectrum.modes
                    row.append(spectrum.power)
                rows.append(row)
            advance(len(batch))
    return Spectra(k, modes, np.array(rows).reshape(len(records), channels, -1), mean)


def _overdensity(field: NDArray, shards: Shards, record: int) -> NDArray:
    try:
        return overdensity(field)
    except ValueError as error:
        raise InputError(f"{shards.path}, record {record}: {error}. Exclude its box when ingesting.") from error
