"""The symmetries of cube and square, and periodic shifts: the same universe, seen another way."""

from itertools import permutations, product

import numpy as np


def _symmetries(dimensions: int) -> tuple[tuple[tuple[int, ...], tuple[bool, ...]], ...]:
    orders, reversals = permutations(range(dimensions)), list(product((False, True), repeat=dimensions))
    return tuple((axes, flips) for axes in orders for flips in reversals)


SYMMETRIES = _symmetries(3)
"""(order of the axes, which of them are reversed): 6 × 8 = 48; number 0 leaves a volume as it is."""
SQUARE = _symmetries(2)
"""The same of a map: 2 × 4 = 8."""


def transform(field: np.ndarray, symmetry: int, dimensions: int = 3) -> np.ndarray:
    """Return a view of a volume (x, y, z, …) turned and mirrored by symmetry 0 … 47, or of a map (y, x, …), 0 … 7."""
    axes, flips = (SQUARE if dimensions == 2 else SYMMETRIES)[symmetry]
    turned = field.transpose(*axes, *range(dimensions, field.ndim))
    return turned[tuple(slice(None, None, -1) if flip else slice(None) for flip in flips)]


def augment(
    fields: np.ndarray, epoch: int, indices: np.ndarray, *, seed: int, shift: bool, out: np.ndarray | None = None
) -> np.ndarray:
    """Turn each volume or map of a batch by a random symmetry and, if periodic, shift it by a random vector.

    What happens to a sample depends on (seed, epoch, its index) alone: not on ranks, batches or interruptions.

    Parameters
    ----------
    fields
        Volumes of shape (batch, N, N, N, channel), or maps of shape (batch, N, N, channel).
    epoch, indices
        Epoch, and index of each field in the data set, shape (batch,).
    seed
        Seed of the augmentation.
    shift
        Shift periodically: only right for whole simulation boxes and periodic maps.

    Returns
    -------
    ndarray
        Shape and dtype of ``fields``.
    """
    out = np.empty_like(fields) if out is None else out
    size, dimensions = fields.shape[1], fields.ndim - 2
    ways, axes = len(SQUARE if dimensions == 2 else SYMMETRIES), tuple(range(dimensions))
    for sample, (field, index) in enumerate(zip(fields, indices, strict=True)):
        rng = np.random.default_rng((seed, epoch, int(index)))
        turned = transform(field, int(rng.integers(ways)), dimensions)
        out[sample] = np.roll(turned, rng.integers(size, size=dimensions), axis=axes) if shift else turned
    return out
