"""Power spectra of the records of a folder of shards."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenfold.hpc.progress import progress
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.volumes.shards import Shards
from tenfold.stats.power import overdensity, power_spectrum

BATCH = 16


@dataclass(frozen=True)
class Spectra:
    """Binned power spectra of n records of C channels, as they are: no window or shot noise taken out."""

    k: NDArray[np.float64]
    """(K,) mean wavenumber of the bins [h/Mpc]; [radians per record side] where the side is not known."""
    modes: NDArray[np.float64]
    """(K,) independent modes of the bins."""
    power: NDArray[np.float64]
    """(n, C, K) power [(Mpc/h)³]; [record volumes] where the side is not known."""
    mean: NDArray[np.float64]
    """(n, C) mean value of the voxels that made the overdensity; 1 where the records hold overdensities."""


def measure(shards: Shards, records: NDArray[np.int64]) -> Spectra:
    """Measure the power spectrum of every channel of some records.

    Counts become overdensities by their own mean, record by record. Where the shards' units are "overdensity", or
    values are negative, they are taken as they are.

    Parameters
    ----------
    shards
        Opened shards of cubic records.
    records
        (n,) indices.

    Raises
    ------
    InputError
        If the records are no cubes of at least 4 cells a side, or one is empty.
    """
    manifest = shards.manifest
    *sides, channels = manifest.shape
    if len(set(sides)) > 1 or sides[0] < 4:
        found = " × ".join(map(str, sides))
        raise InputError(f"{shards.path}: a power spectrum needs cubes of 4 cells a side or more, found {found}.")
    is_delta = manifest.units == "overdensity" or manifest.value.low < 0
    side = manifest.box_mpc_h or 1.0
    mean = np.ones((len(records), channels))
    k, modes = np.empty(0), np.empty(0)
    rows = []
    with progress("Power spectra", total=len(records), unit="record") as advance:
        for start in range(0, len(records), BATCH):
            some = records[start : start + BATCH]
            for place, volume in enumerate(shards.read(some)):
                row = []
                for channel in range(channels):
                    field = np.ascontiguousarray(volume[..., channel])
                    if not is_delta:
                        mean[start + place, channel] = field.mean(dtype=np.float64)
                        field = _overdensity(field, shards, int(some[place]))
                    spectrum = power_spectrum(field.astype(np.float32, copy=False), side)
                    k, modes = spectrum.k, spectrum.modes
                    row.append(spectrum.power)
                rows.append(row)
            advance(len(some))
    return Spectra(k, modes, np.array(rows).reshape(len(records), channels, -1), mean)


def _overdensity(field: NDArray, shards: Shards, record: int) -> NDArray:
    try:
        return overdensity(field)
    except ValueError as error:
        raise InputError(f"{shards.path}, record {record}: {error}. Leave its box out when ingesting.") from error
