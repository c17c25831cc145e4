"""Check that the log1p transform of a network is defined for all of its data."""

import numpy as np

from tenfold.emulators.cnn import CNN
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.volumes.shards import Shards

_RECORDS_AT_ONCE = 64
_REMEDY = (
    "Convert fields of mean 0, such as δ = ρ/ρ̄ − 1, to 1 + δ and ingest them again, "
    "or use --set network.transform=identity"
)


def check_logarithm(data: Shards, architecture: CNN) -> None:
    """Check that log(1 + x) is defined for the input x of the transform: sums over ``coarsen`` cells per side.

    A sum of overdensities above −1 can be below −1. If there are negative values and cells are summed, every record of
    every split is read once.

    Raises
    ------
    InputError
        A value, or a sum of cells, is −1 or less.
    """
    if architecture.transform != "log1p":
        return
    if data.manifest.log1p is None:
        raise InputError(f"the data contain values of −1 or below, for which log1p is not defined. {_REMEDY}")
    if architecture.coarsen == 1 or data.manifest.value.low >= 0:
        return
    if architecture.weighted:  # sums are scaled up where cells are only partly observed
        raise InputError(
            f"log1p of sums over network.coarsen = {architecture.coarsen}² pixels of masked maps with negative values "
            "may not be defined: --set network.transform=identity"
        )
    records = np.concatenate([data.split(split) for split in ("train", "validation", "test")])
    for start in range(0, len(records), _RECORDS_AT_ONCE):
        batch = records[start : start + _RECORDS_AT_ONCE]
        sums = _block_sums(data.read(batch), architecture.coarsen).reshape(len(batch), -1).min(axis=1)
        if sums.min() <= -1:
            worst = int(sums.argmin())
            name = data.simulation(batch[worst : worst + 1])[0]
            cells = f"{architecture.coarsen}{'²' if architecture.dimensions == 2 else '³'}"
            raise InputError(
                f"log1p is applied to sums over network.coarsen = {cells} cells, and a sum of simulation {name} is "
                f"{sums.min():.4g}: log1p is defined above −1 only. {_REMEDY}"
            )


def _block_sums(samples: np.ndarray, side: int) -> np.ndarray:
    """Sum samples (n, …, C) over blocks of `side` cells along each spatial axis."""
    for axis in range(1, samples.ndim - 1):
        shape = (*samples.shape[:axis], samples.shape[axis] // side, side, *samples.shape[axis + 1 :])
        samples = samples.reshape(shape).sum(axis=axis + 1, dtype=np.float64)
    return samples
