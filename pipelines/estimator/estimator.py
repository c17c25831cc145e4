"""A trained parameter estimator: volumes or maps in, parameters with uncertainties out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import keras
import numpy as np

from tenfold.emulators.cnn import CNN, build
from tenfold.emulators.layers import Standardise
from tenfold.emulators.symmetries import CUBE_SYMMETRIES, SQUARE_SYMMETRIES, apply_symmetry
from tenfold.pipelines.training.bundle import LARGEST_GIB, read_network
from tenfold.pipelines.training.run_folder import RunFolder


@dataclass(frozen=True, kw_only=True)
class Learnt:
    """Everything that determines an estimator besides its weights; P parameters, C channels after `Standardise`."""

    shape: CNN
    names: tuple[str, ...]
    """The P parameters."""
    location: tuple[float, ...]
    """Mean of each parameter over the training split, physical units."""
    scale: tuple[float, ...]
    """Standard deviation of each parameter over the training split, physical units."""
    mean: tuple[float, ...]
    """Mean of each channel after coarsening and transform, C values."""
    std: tuple[float, ...]
    """Standard deviation of each channel after coarsening and transform, C values."""
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    """Keras dtype policy."""
    sigma_factor: tuple[float, ...] = ()
    """What the network's standard deviations are multiplied by, P values; empty before the training has ended."""

    def __post_init__(self):
        """Check that the numbers of values agree."""
        counts = {len(self.names), len(self.location), len(self.scale), len(self.sigma_factor) or len(self.names)}
        if len(counts) > 1 or not self.names:
            raise ValueError(f"names, location, scale and sigma_factor: found {sorted(counts)} values")
        channels = self.shape.channels * self.shape.moments
        if not len(self.mean) == len(self.std) == channels:
            raise ValueError(f"mean, std: found {len(self.mean)} and {len(self.std)} values, must be {channels}")
        if not all(factor > 0 for factor in self.sigma_factor):
            raise ValueError(f"sigma_factor: found {self.sigma_factor}, must be above 0")

    def network(self, seed: int = 0) -> keras.Model:
        """Build the network, its weights as they are before training."""
        return build(
            self.shape, location=self.location, scale=self.scale, mean=self.mean, std=self.std, seed=seed,
            precision=self.precision,
        )  # fmt: skip


@dataclass(frozen=True)
class Estimator:
    """A network with the names of what it estimates."""

    network: keras.Model
    names: tuple[str, ...]
    """The P parameters."""
    sigma_factor: np.ndarray
    """What the network's standard deviations are multiplied by, fitted on the validation split: shape (P,)."""
    batch: int = 8
    """Volumes per call."""

    @property
    def entrance(self) -> Standardise:
        """The layer that raw values enter by: it coarsens and transforms them."""
        return self.network.get_layer("standardise")

    def predict(self, volumes: np.ndarray, views: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Estimate the parameters of volumes or maps.

        Parameters
        ----------
        volumes
            Raw values as in the shards, shape (n, N, N, N, channel) or (n, N, N, channel).
        views
            Orientations to average over, 1 … 48 of the cube, 1 … 8 of the square.

        Returns
        -------
        mean, sigma
            Physical units, shape (n, P) each.
        """
        ways = spread(views, len(SQUARE_SYMMETRIES if volumes.ndim == 4 else CUBE_SYMMETRIES))
        estimates = np.mean([self._estimate(volumes, symmetry) for symmetry in ways], axis=0)
        return estimates[..., 0], estimates[..., 1] * self.sigma_factor

    def _estimate(self, volumes: np.ndarray, symmetry: int) -> np.ndarray:
        """Estimate in one orientation, in calls of one shape: (n, P, 2)."""
        count = len(volumes)
        rows = []
        for first in range(0, count, self.batch):
            part = np.stack([apply_symmetry(v, symmetry, v.ndim - 1) for v in volumes[first : first + self.batch]])
            short = self.batch - len(part)
            if short:
                part = np.concatenate([part, np.repeat(part[:1], short, axis=0)])
            rows.append(np.asarray(self.network.predict_on_batch(part)))
        return np.concatenate(rows)[:count] if rows else np.empty((0, len(self.names), 2))


def spread(views: int, ways: int) -> list[int]:
    """Return the numbers of ``views`` orientations spread over all ``ways``."""
    if not 1 <= views <= ways:
        raise ValueError(f"views: found {views}, must be 1 to {ways}")
    return [round(i * ways / views) for i in range(views)]


def load(run: Path, batch: int = 8, largest_gib: float = LARGEST_GIB) -> Estimator:
    """Load the estimator a run has trained; nothing in its folder is executed.

    Parameters
    ----------
    run
        Folder of the run.
    batch
        Volumes per call.
    largest_gib
        Largest size that the network's file may unpack to [GiB].

    Raises
    ------
    InputError
        No training of an estimator has finished there, or its network cannot be read.
    """
    folder = RunFolder(run)
    folder.read_record("estimator")
    _, learnt, network = read_network(folder.network, "estimator", Learnt, largest_gib)
    return Estimator(network, learnt.names, np.array(learnt.sigma_factor or np.ones(len(learnt.names))), batch)
