"""Random inputs of the generator: latent vectors and white noise, reproducible map by map.

Every map has a random stream of its own, so that its inputs do not depend on ranks, batches or interruptions.
"""

from collections.abc import Iterable

import numpy as np

from tenfold.emulators.gan import GAN

STREAM = 0x6C61
"""Prefix of the keys, which separates these streams from those of the augmentation: both start with the same seed."""


def draw_inputs(
    architecture: GAN, key: tuple[int, ...], indices: Iterable[int]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Draw the random inputs of maps.

    Parameters
    ----------
    architecture
        Architecture of the generator.
    key
        Key of the random streams, e.g. (seed, step); non-negative integers.
    indices
        Index of each map, e.g. within the global batch. The same key and index give the same numbers.

    Returns
    -------
    inputs
        ``"latent"`` (n, latent_dim) and, where the architecture takes it, ``"noise"`` (n, noise_dim): standard normal,
        float32.
    interpolation
        One number per map, uniform in [0, 1), for the gradient penalty: shape (n,), float32.
    """
    indices = list(indices)
    normal = np.empty((len(indices), architecture.latent_dim + architecture.noise_dim), np.float32)
    interpolation = np.empty(len(indices), np.float32)
    for row, index in enumerate(indices):
        rng = np.random.default_rng((STREAM, *key, int(index)))
        interpolation[row] = rng.random(dtype=np.float32)
        rng.standard_normal(out=normal[row], dtype=np.float32)
    inputs = {"latent": normal[:, : architecture.latent_dim]}
    if architecture.noise_dim:
        inputs["noise"] = normal[:, architecture.latent_dim :]
    return inputs, interpolation


def slerp(first: np.ndarray, second: np.ndarray, fractions: np.ndarray) -> np.ndarray:
    """Interpolate spherically between two vectors, along a great circle.

    Unlike on a straight line, the length stays typical of a standard normal vector.

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
