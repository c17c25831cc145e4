"""Random numbers that maps are made of, each map's by a key of its own: not by ranks, batches or interruptions."""

from collections.abc import Iterable

import numpy as np

from tenfold.emulators.gan import GAN

STREAM = 0x6C61
"""Keeps these keys apart from those of the augmentation, which begin with the same seed."""


def draw(shape: GAN, key: tuple[int, ...], places: Iterable[int]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Draw what maps are made of.

    Parameters
    ----------
    shape
        The generator's shape.
    key
        What the draw depends on, e.g. (seed, step); non-negative integers.
    places
        Place of each map, e.g. in the global batch: the same key and place give the same numbers.

    Returns
    -------
    inputs
        ``"latent"`` (n, latent) and, where the shape takes it, ``"noise"`` (n, noises): standard normal, float32.
    mix
        One number per map, uniform in [0, 1): shape (n,), float32.
    """
    places = list(places)
    numbers = np.empty((len(places), shape.latent + shape.noises), np.float32)
    mix = np.empty(len(places), np.float32)
    for row, place in enumerate(places):
        rng = np.random.default_rng((STREAM, *key, int(place)))
        mix[row] = rng.random(dtype=np.float32)
        rng.standard_normal(out=numbers[row], dtype=np.float32)
    inputs = {"latent": numbers[:, : shape.latent]}
    return (inputs | {"noise": numbers[:, shape.latent :]} if shape.noises else inputs), mix


def slerp(first: np.ndarray, second: np.ndarray, fractions: np.ndarray) -> np.ndarray:
    """Interpolate along the great circle between two vectors: what lies between has a normal vector's length too.

    Parameters
    ----------
    first, second
        Shape (d,) each.
    fractions
        0 for the first, 1 for the second: shape (n,).

    Returns
    -------
    np.ndarray
        Shape (n, d), dtype of ``first``.
    """
    a, b, t = first.astype(np.float64), second.astype(np.float64), np.asarray(fractions, np.float64)[:, None]
    cosine = np.clip(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)), -1, 1)
    angle = np.arccos(cosine)
    if np.sin(angle) < 1e-6:
        between = (1 - t) * a + t * b
    else:
        between = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)
    return between.astype(first.dtype)
