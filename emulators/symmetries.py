"""Symmetries of the cube and the square, and periodic shifts: augmentation of volumes and maps."""

from itertools import permutations, product

import numpy as np


def _symmetries(dimensions: int) -> tuple[tuple[tuple[int, ...], tuple[bool, ...]], ...]:
    orders, reversals = permutations(range(dimensions)), list(product((False, True), repeat=dimensions))
    return tuple((axes, flips) for axes in orders for flips in reversals)


CUBE_SYMMETRIES = _symmetries(3)
"""Symmetries of the cube as (order of the axes, which are reversed): 6 × 8 = 48; number 0 is the identity."""
SQUARE_SYMMETRIES = _symmetries(2)
"""Symmetries of the square: 2 × 4 = 8; number 0 is the identity, and 0 … 3 keep the axes in their order."""
RECTANGLE_SYMMETRIES = SQUARE_SYMMETRIES[:4]
"""Symmetries of a rectangle that is not square: reversals of its axes."""


def symmetries_of(sides: tuple[int, ...]) -> tuple[tuple[tuple[int, ...], tuple[bool, ...]], ...]:
    """Return the symmetries of a field with these sides: of a cube, a square or a rectangle."""
    if len(sides) == 3:
        return CUBE_SYMMETRIES
    return SQUARE_SYMMETRIES if sides[0] == sides[1] else RECTANGLE_SYMMETRIES


def apply_symmetry(field: np.ndarray, symmetry: int, dimensions: int = 3) -> np.ndarray:
    """Return a view of a volume (x, y, z, …) under symmetry 0 … 47, or of a map (y, x, …) under 0 … 7.

    Parameters
    ----------
    field
        Volume or map; further axes, such as channels, stay in place.
    symmetry
        Index into `CUBE_SYMMETRIES` or `SQUARE_SYMMETRIES`.
    dimensions
        Spatial axes: 3 for volumes, 2 for maps.
    """
    axes, flips = (SQUARE_SYMMETRIES if dimensions == 2 else CUBE_SYMMETRIES)[symmetry]
    permuted = field.transpose(*axes, *range(dimensions, field.ndim))
    return permuted[tuple(slice(None, None, -1) if flip else slice(None) for flip in flips)]


def augment(
    fields: np.ndarray, epoch: int, indices: np.ndarray, *, seed: int, shift: bool, out: np.ndarray | None = None
) -> np.ndarray:
    """Apply a random symmetry and, if periodic, a random shift to each volume or map of a batch.

    The augmentation of a sample depends only on (seed, epoch, index of the sample), not on ranks, batches or
    interruptions.

    Parameters
    ----------
    fields
        Volumes of shape (batch, N, N, N, channel), or maps of shape (batch, Y, X, channel). A mask is a channel. Maps
        that are not square are only reflected.
    epoch
        Number of the epoch.
    indices
        Index of each field in the data set, shape (batch,).
    seed
        Seed of the augmentation.
    shift
        Whether to shift periodically; valid for whole simulation boxes and periodic square maps only.
    out
        Array to write to, shape and dtype of ``fields``; a new one if None.

    Returns
    -------
    np.ndarray
        Shape and dtype of ``fields``.
    """
    out = np.empty_like(fields) if out is None else out
    size, dimensions = fields.shape[1], fields.ndim - 2
    count, axes = len(symmetries_of(fields.shape[1:-1])), tuple(range(dimensions))
    for sample, (field, index) in enumerate(zip(fields, indices, strict=True)):
        rng = np.random.default_rng((seed, epoch, int(index)))
        oriented = apply_symmetry(field, int(rng.integers(count)), dimensions)
        out[sample] = np.roll(oriented, rng.integers(size, size=dimensions), axis=axes) if shift else oriented
    return out
