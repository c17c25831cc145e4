"""Whether a network's logarithm is defined on all it will be given."""

import numpy as np

from tenfold.emulators.cnn import CNN
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.volumes.shards import Shards

_PART = 64
"""Records read at once."""
_REMEDY = (
    "Give fields of mean 0, such as δ = ρ/ρ̄ − 1, as 1 + δ and ingest them again, "
    "or take --set network.transform=identity"
)


def check_logarithm(data: Shards, shape: CNN) -> None:
    """Check that log(1 + x) is defined for the x that a network takes it of: sums over ``coarsen`` cells a side.

    A sum of overdensities above −1 may lie below −1. Where values are negative and cells are summed, every record of
    every split is read once.

    Raises
    ------
    InputError
        A value, or a sum of cells, is −1 or less.
    """
    if shape.transform != "log1p":
        return
    if data.manifest.log1p is None:
        raise InputError(f"the data hold values of −1 or below, which log1p is not defined for. {_REMEDY}")
    if shape.coarsen == 1 or data.manifest.value.low >= 0:
        return
    records = np.concatenate([data.split(split) for split in ("train", "validation", "test")])
    for start in range(0, len(records), _PART):
        part = records[start : start + _PART]
        sums = _block_sums(data.read(part), shape.coarsen).reshape(len(part), -1).min(axis=1)
        if sums.min() <= -1:
            worst = int(sums.argmin())
            name = data.simulation(part[worst : worst + 1])[0]
            cells = f"{shape.coarsen}{'²' if shape.dimensions == 2 else '³'}"
            raise InputError(
                f"log1p is taken of the sums over network.coarsen = {cells} cells, and one of simulation {name} is "
                f"{sums.min():.4g}: it is defined above −1 only, though every value by itself is. {_REMEDY}"
            )


def _block_sums(samples: np.ndarray, side: int) -> np.ndarray:
    """Sum samples (n, …, C) over blocks of `side` cells along each axis of space."""
    for axis in range(1, samples.ndim - 1):
        shape = (*samples.shape[:axis], samples.shape[axis] // side, side, *samples.shape[axis + 1 :])
        samples = samples.reshape(shape).sum(axis=axis + 1, dtype=np.float64)
    return samples
