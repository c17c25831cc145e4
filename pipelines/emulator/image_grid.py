"""Image of sample maps that a training writes after each epoch."""

import matplotlib
import numpy as np

GRID_SIDE = 4
"""Maps per side of the image."""


def image_grid(tiles: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Return up to 16 maps as an image of 4 × 4 tiles.

    Parameters
    ----------
    tiles
        Maps, shape (n, N, N).
    limits
        Ends of the colour scale, in the unit of the maps.

    Returns
    -------
    np.ndarray
        RGB, uint8, shape (4 N, 4 N, 3).
    """
    count, side, _ = tiles.shape
    padded = np.zeros((GRID_SIDE**2, side, side), tiles.dtype)
    padded[:count] = tiles
    grid = padded.reshape(GRID_SIDE, GRID_SIDE, side, side).transpose(0, 2, 1, 3)
    grid = grid.reshape(GRID_SIDE * side, GRID_SIDE * side)
    scaled = np.clip((grid - limits[0]) / (limits[1] - limits[0]), 0, 1)
    return matplotlib.colormaps["inferno"](scaled, bytes=True)[..., :3]
