"""Whether a generator repeats what it was trained on: are its maps nearer to that than maps it never saw."""

from dataclasses import dataclass

import numpy as np
import scipy.fft
from scipy.stats import mannwhitneyu

PART = 64
"""Training maps compared at once."""


@dataclass(frozen=True, kw_only=True)
class Memorisation:
    """Distances to the nearest training map, as fractions of the typical distance between two maps.

    Attributes
    ----------
    generated, unseen
        Of the generated maps, and of simulated maps that were not trained on, shapes (m,) and (n,).
    p_value
        Of generated maps being no nearer than unseen ones (Mann-Whitney, one-sided).
    ratio
        Median of the generated maps' over that of the unseen ones.
    nearest
        Training map nearest to each generated map, shape (m,).
    """

    generated: np.ndarray
    unseen: np.ndarray
    p_value: float
    ratio: float
    nearest: np.ndarray

    def passed(self, significance: float = 0.01, tolerance: float = 0.05) -> bool:
        """Whether the generated maps are not nearer, beyond chance and by more than the tolerance."""
        return self.p_value >= significance or self.ratio > 1 - tolerance


def memorisation(generated: np.ndarray, training: np.ndarray, unseen: np.ndarray, *, periodic: bool) -> Memorisation:
    """Compare distances to the training maps, whatever their orientation.

    Parameters
    ----------
    generated, training, unseen
        Maps, shapes (m, N, N), (t, N, N), (n, N, N).
    periodic
        Whether maps wrap around: then a shifted copy is a copy, too.

    Raises
    ------
    ValueError
        The maps are not square, or not of one size.
    """
    sides = {maps.shape[1:] for maps in (generated, training, unseen)}
    if len(sides) != 1 or len(set(sides.copy().pop())) != 1:
        raise ValueError(f"square maps of one size are needed, found {sorted(sides)}")
    near, which = _nearest(generated, training, periodic)
    far, _ = _nearest(unseen, training, periodic)
    typical = np.sqrt(2 * np.mean([np.var(one) for one in training]))
    return Memorisation(
        generated=near / typical, unseen=far / typical,
        p_value=float(mannwhitneyu(near, far, alternative="less").pvalue),
        ratio=float(np.median(near) / np.median(far)), nearest=which,
    )  # fmt: skip


def _nearest(maps: np.ndarray, training: np.ndarray, periodic: bool) -> tuple[np.ndarray, np.ndarray]:
    """Root mean square difference to the nearest training map, in any orientation (and shift), and which it is."""
    centred = [_centred(each) for each in (maps, training)]
    power = [np.mean(each**2, axis=(1, 2)) for each in centred]
    best, which = np.full(len(maps), np.inf), np.zeros(len(maps), np.int64)
    side = maps.shape[1]
    modes = scipy.fft.rfft2(centred[0]) if periodic else None
    for turn in range(8):
        turned = np.rot90(centred[1], turn % 4, axes=(1, 2))
        turned = turned.transpose(0, 2, 1) if turn >= 4 else turned
        for start in range(0, len(training), PART):
            part = turned[start : start + PART]
            if modes is None:
                overlap = np.einsum("axy,bxy->ab", centred[0], part, optimize=True) / side**2
            else:
                theirs = scipy.fft.rfft2(part)
                overlap = np.stack([
                    scipy.fft.irfft2(one * theirs.conj(), s=(side, side)).max(axis=(1, 2)) for one in modes
                ]) / side**2  # fmt: skip
            distance = power[0][:, None] + power[1][start : start + PART] - 2 * overlap
            nearest = distance.argmin(axis=1)
            found = np.take_along_axis(distance, nearest[:, None], 1)[:, 0]
            which = np.where(found < best, nearest + start, which)
            best = np.minimum(best, found)
    return np.sqrt(np.maximum(best, 0)), which


def _centred(maps: np.ndarray) -> np.ndarray:
    maps = np.asarray(maps, np.float32)
    return maps - maps.mean(axis=(1, 2), keepdims=True)
