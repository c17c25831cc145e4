"""Small faithful density fields of Quijote, in the folders of its documentation."""

from pathlib import Path

import numpy as np


def write_field(path: Path, seed: int, *, side: int = 8, mean: float = 0.0) -> np.ndarray:
    """Write an overdensity δ, plus `mean`, (N, N, N) float32, and return it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).lognormal(size=(side, side, side))
    field = (values / values.mean() - 1 + mean).astype(np.float32)
    np.save(path, field)
    return field
