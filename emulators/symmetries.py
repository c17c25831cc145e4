"""The 48 symmetries of the cube, and periodic shifts: the same universe, seen another way."""

from itertools import permutations, product

import numpy as np

SYMMETRIES = tuple((axes, flips) for axes in permutations((0, 1, 2)) for flips in product((False, True), repeat=3))
"""(order of the axes, which of them are reversed): 6 × 8 = 48; number 0 leaves a volume as it is."""


def transform(volume: np.ndarray, symmetry: int) -> np.ndarray:
    """Return a view of a volume (x, y, z, …) turned and mirrored by symmetry 0 … 47."""
    axes, flips = SYMMETRIES[symmetry]
    turned = volume.transpose(*axes, *range(3, volume.ndim))
    return turned[tuple(slice(None, None, -1) if flip else slice(None) for flip in flips)]


def augment(
    volumes: np.ndarray, epoch: int, indices: np.ndarray, *, seed: int, shift: bool, out: np.ndarray | None = None
) -> np.ndarray:
    """Turn each volume of a batch by a random symmetry and, if periodic, shift it by a random vector.

    What happens to a sample depends on (seed, epoch, its index) alone: not on ranks, batches or interruptions.

    Parameters
    ----------
    volumes
        Shape (batch, N, N, N, channel).
    epoch, indices
        Epoch, and index of each volume in the data set, shape (batch,).
    seed
        Seed of the augmentation.
    shift
        Shift periodically: only right for whole simulation boxes.

    Returns
    -------
    ndarray
        Shape and dtype of ``volumes``.
    """
    out = np.empty_like(volumes) if out is None else out
    size = volumes.shape[1]
    for sample, (volume, index) in enumerate(zip(volumes, indices, strict=True)):
        rng = np.random.default_rng((seed, epoch, int(index)))
        turned = transform(volume, int(rng.integers(len(SYMMETRIES))))
        out[sample] = np.roll(turned, rng.integers(size, size=3), axis=(0, 1, 2)) if shift else turned
    return out
