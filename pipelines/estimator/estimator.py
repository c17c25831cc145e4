"""Trained parameter estimator: volumes or maps in, parameters with uncertainties out."""

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
class EstimatorConfig:
    """Configuration of an estimator: everything but its weights that is needed to rebuild the network.

    P parameters, C channels after `Standardise`.
    """

    architecture: CNN
    names: tuple[str, ...]
    """Names of the P parameters."""
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
    """Calibration factor of each parameter's standard deviation, P values; empty until the training has finished."""

    def __post_init__(self):
        """Check that the lengths agree and that the factors are positive."""
        counts = {len(self.names), len(self.location), len(self.scale), len(self.sigma_factor) or len(self.names)}
        if len(counts) > 1 or not self.names:
            raise ValueError(f"names, location, scale and sigma_factor: found {sorted(counts)} values")
        channels = self.architecture.channels * self.architecture.moments
        if not len(self.mean) == len(self.std) == channels:
            raise ValueError(f"mean, std: found {len(self.mean)} and {len(self.std)} values, must be {channels}")
        if not all(factor > 0 for factor in self.sigma_factor):
            raise ValueError(f"sigma_factor: found {self.sigma_factor}, must be above 0")

    def network(self, seed: int = 0) -> keras.Model:
        """Build the untrained network."""
        return build(
            self.architecture, location=self.location, scale=self.scale, mean=self.mean, std=self.std, seed=seed,
            precision=self.precision,
        )  # fmt: skip


@dataclass(frozen=True)
class Estimator:
    """Trained network with the names of the parameters that it estimates."""

    network: keras.Model
    names: tuple[str, ...]
    """Names of the P parameters."""
    sigma_factor: np.ndarray
    """Calibration factor of each parameter's standard deviation, fitted on the validation split, shape (P,)."""
    batch_size: int = 8
    """Volumes or maps per call of the network."""

    @property
    def input_layer(self) -> Standardise:
        """First layer, which coarsens, transforms and standardises the raw values."""
        return self.network.get_layer("standardise")

    def predict(self, volumes: np.ndarray, views: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Estimate the parameters of volumes or maps.

        Parameters
        ----------
        volumes
            Raw values as stored in the shards, shape (n, N, N, N, channel) or (n, N, N, channel).
        views
            Number of orientations to average over, 1 to 48 for volumes and 1 to 8 for maps.

        Returns
        -------
        mean, sigma
            Estimates and their standard deviations in physical units, shape (n, P) each.
        """
        orientations = select_orientations(views, len(SQUARE_SYMMETRIES if volumes.ndim == 4 else CUBE_SYMMETRIES))
        estimates = np.mean([self._estimate(volumes, symmetry) for symmetry in orientations], axis=0)
        return estimates[..., 0], estimates[..., 1] * self.sigma_factor

    def _estimate(self, volumes: np.ndarray, symmetry: int) -> np.ndarray:
        """Estimate in one orientation, shape (n, P, 2); the last batch is padded so that only one shape is traced."""
        count = len(volumes)
        rows = []
        for first in range(0, count, self.batch_size):
            batch = np.stack(
                [apply_symmetry(v, symmetry, v.ndim - 1) for v in volumes[first : first + self.batch_size]]
            )
            missing = self.batch_size - len(batch)
            if missing:
                batch = np.concatenate([batch, np.repeat(batch[:1], missing, axis=0)])
            rows.append(np.asarray(self.network.predict_on_batch(batch)))
        return np.concatenate(rows)[:count] if rows else np.empty((0, len(self.names), 2))


def select_orientations(views: int, count: int) -> list[int]:
    """Return the indices of ``views`` orientations, evenly spaced among all ``count``."""
    if not 1 <= views <= count:
        raise ValueError(f"views: found {views}, must be 1 to {count}")
    return [round(i * count / views) for i in range(views)]


def load(run: Path, batch_size: int = 8, largest_gib: float = LARGEST_GIB) -> Estimator:
    """Load a trained estimator. Nothing in its folder is executed.

    Parameters
    ----------
    run
        Folder of the run.
    batch_size
        Volumes or maps per call of the network.
    largest_gib
        Largest size that the network's file may unpack to [GiB].

    Raises
    ------
    InputError
        The folder holds no finished training of an estimator, or its network cannot be read.
    """
    folder = RunFolder(run)
    folder.read_record("estimator")
    _, config, network = read_network(folder.network, "estimator", EstimatorConfig, largest_gib)
    return Estimator(network, config.names, np.array(config.sigma_factor or np.ones(len(config.names))), batch_size)
