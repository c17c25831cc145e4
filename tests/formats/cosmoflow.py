"""Small faithful CosmoFlow files: whole boxes, and boxes split into sub-volumes."""

from pathlib import Path

import h5py
import numpy as np

NAMES = (b"Omega_m", b"sigma_8", b"N_spec", b"H_0")


def counts(side: int, channels: int, rng: np.random.Generator) -> np.ndarray:
    """Particle counts of side³ particles thrown at random, (N, N, N, C) int16: every channel keeps them all."""
    cells = side**3
    thrown = rng.multinomial(cells, np.full(cells, 1 / cells), size=channels)
    return np.moveaxis(thrown.reshape(channels, side, side, side), 0, -1).astype(np.int16)


def write_raw(path: Path, seed: int, *, side: int = 8, channels: int = 2, **changes) -> np.ndarray:
    """Write a box, and give its counts; changes replace datasets, or leave them out where None."""
    rng = np.random.default_rng(seed)
    full = counts(side, channels, rng)
    parts = {
        "full": full,
        "unitPar": rng.uniform(-1, 1, 4),
        "physPar": [rng.uniform(0.25, 0.35), rng.uniform(0.78, 0.95), 0.96, 70.0],
        "namePar": np.array(NAMES),
        "redshifts": np.arange(channels) * 0.5,
        **changes,
    }
    with h5py.File(path, "w") as file:
        for name, value in parts.items():
            if value is not None:
                file[name] = value
        file.attrs["dataset_tag"] = "a test"
        file.attrs["universe_tag"] = f"universe {seed}"
        file.attrs["seed9"] = seed
    return full


def write_split(path: Path, seed: int, *, side: int = 4, pieces: int = 3, y: np.ndarray | None = None) -> np.ndarray:
    """Write sub-volumes of one box, and give their counts (n, N, N, N, C)."""
    rng = np.random.default_rng(seed)
    x = np.stack([counts(side, 4, rng) for _ in range(pieces)])
    own = np.tile([rng.uniform(0.25, 0.35), rng.uniform(0.78, 0.95), 0.96, 70.0], (pieces, 1)).astype(np.float32)
    with h5py.File(path, "w") as file:
        file["x"] = x
        file["y"] = own if y is None else y
    return x
