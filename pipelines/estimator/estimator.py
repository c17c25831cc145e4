"""A trained parameter estimator: volumes or maps in, parameters with uncertainties out."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from tenfold.emulators.layers import Standardise  # and with it every layer that a saved network is made of
from tenfold.emulators.symmetries import SQUARE, SYMMETRIES, transform
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.run_folder import RunFolder


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
        ways = spread(views, len(SQUARE if volumes.ndim == 4 else SYMMETRIES))
        estimates = np.mean([self._estimate(volumes, symmetry) for symmetry in ways], axis=0)
        return estimates[..., 0], estimates[..., 1] * self.sigma_factor

    def _estimate(self, volumes: np.ndarray, symmetry: int) -> np.ndarray:
        """Estimate in one orientation, in calls of one shape: (n, P, 2)."""
        count = len(volumes)
        rows = []
        for first in range(0, count, self.batch):
            part = np.stack([transform(v, symmetry, v.ndim - 1) for v in volumes[first : first + self.batch]])
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


def load(run: Path, batch: int = 8) -> Estimator:
    """Load the estimator a run has trained.

    Raises
    ------
    InputError
        No training of an estimator has finished there, or its network cannot be read.
    """
    folder = RunFolder(run)
    record = folder.read_record()
    if "sigma_factor" not in record:
        raise InputError(f"{run}: is a training of {record.get('what', 'something else')}, not of an estimator")
    try:
        network = keras.saving.load_model(folder.network, compile=False)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{folder.network}: cannot be read ({error}). Train again.") from error
    return Estimator(network, tuple(record["names"]), np.array(record["sigma_factor"]), batch)
