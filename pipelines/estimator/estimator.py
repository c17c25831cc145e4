"""A trained parameter estimator: volumes or maps in, parameters with uncertainties out."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import keras
import numpy as np

from tenfold.emulators.cnn import CNN, build
from tenfold.emulators.layers import Standardise
from tenfold.emulators.symmetries import apply_symmetry, symmetries_of
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.reports.notebook import html_table, plain_text
from tenfold.pipelines.training.bundle import LARGEST_GIB, Bundle
from tenfold.pipelines.volumes.masks import with_mask
from tenfold.pipelines.volumes.provenance import FieldProperties

if TYPE_CHECKING:
    from tenfold.pipelines.estimator.saliency import Saliency


@dataclass(frozen=True, kw_only=True)
class EstimatorConfig:
    """Configuration of an estimator: all that determines it besides its weights.

    P parameters, C channels after `tenfold.emulators.layers.Standardise`.
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
    """Calibration factor of each predicted standard deviation, P values; empty until the training has finished."""

    def __post_init__(self):
        """Check that the numbers of values agree."""
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


@dataclass(frozen=True, repr=False)
class Estimator:
    """A trained network that estimates cosmological parameters from boxes or maps.

    Example
    -------
    >>> from tenfold.pipelines import Estimator, Shards
    >>> estimator = Estimator.load("estimator")
    >>> estimator.names
    ('omega_m', 'sigma_8')
    >>> with Shards.open("data") as shards:
    ...     mean, sigma = estimator.predict(shards.read(shards.split("test")))
    >>> mean.shape, sigma.shape
    ((3, 2), (3, 2))
    """

    network: keras.Model
    names: tuple[str, ...]
    """Names of the P parameters."""
    sigma_factor: np.ndarray
    """Calibration factor of each predicted standard deviation, fitted on the validation split, shape (P,)."""
    batch_size: int = 8
    """Boxes or maps per call of the network."""
    fields: FieldProperties | None = None
    """Units and geometry of the fields it was trained on."""
    mask: np.ndarray | None = None
    """Mask of the maps it was trained on, True where they are observed, shape (Y, X)."""

    @classmethod
    def load(cls, path: Path | str, batch_size: int = 8, largest_gib: float = LARGEST_GIB) -> "Estimator":
        """Load a trained estimator from its bundle, or the folder of its run; nothing in the file is executed.

        Parameters
        ----------
        path, batch_size, largest_gib
            Bundle or folder; boxes or maps per call of the network; limit on the unpacked size of the bundle [GiB].

        Raises
        ------
        InputError
            The bundle does not exist, is not that of an estimator, or is damaged; or the training has not finished.
        """
        return cls.from_bundle(Bundle.read(path, "estimator", largest_gib), batch_size)

    @classmethod
    def from_bundle(cls, bundle: Bundle, batch_size: int = 8) -> "Estimator":
        """Rebuild an estimator from a bundle that has been read; see `load`."""
        fields = bundle.section("fields", FieldProperties)
        config, network = bundle.rebuild(EstimatorConfig)
        return cls(
            network, config.names, np.array(config.sigma_factor or np.ones(len(config.names))), batch_size, fields,
            None if fields.mask is None else fields.mask.array,
        )  # fmt: skip

    @property
    def input_layer(self) -> Standardise:
        """First layer of the network: it coarsens and transforms the raw values."""
        return self.network.get_layer("standardise")

    def predict(self, volumes: np.ndarray, views: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Estimate the parameters of boxes or maps.

        Parameters
        ----------
        volumes
            Raw values as in the shards, shape (n, N, N, N, channel) or (n, Y, X, channel). Masked maps are observed
            where those of the training were, unless a further channel is their mask, 1 where they are observed.
        views
            Orientations to average over, 1 … 48 of the cube, 1 … 8 of the square, 1 … 4 of other maps.

        Returns
        -------
        mean, sigma
            Estimate and standard deviation in physical units, shape (n, P) each.
        """
        volumes = self.inputs(volumes)
        orientations = select_orientations(views, len(symmetries_of(volumes.shape[1:-1])))
        estimates = np.mean([self._estimate(volumes, symmetry) for symmetry in orientations], axis=0)
        return estimates[..., 0], estimates[..., 1] * self.sigma_factor

    def explain(self, volumes: np.ndarray, *, method: str = "integrated-gradients", seed: int = 0) -> "Saliency":
        """Attribute estimates to cells of the input, with sanity checks against randomised weights.

        Parameters
        ----------
        volumes
            Raw values as in the shards, shape (n, N, N, N, channel) or (n, N, N, channel).
        method
            ``"integrated-gradients"`` (integrated gradients from the mean field, arXiv:1703.01365), ``"gradient"`` or
            ``"smoothgrad"`` (arXiv:1706.03825).
        seed
            Seed of the randomised weights, of SmoothGrad's noise and of the random shifts.

        Returns
        -------
        Saliency
            Attributions, shape (n, P, M, M) or (n, P, M, M, M), and the checks.

        Raises
        ------
        InputError
            The method is unknown, or the estimator was not loaded from a bundle, so that the mean field is unknown.
        """
        from tenfold.pipelines.estimator.saliency import measure

        if self.fields is None:
            raise InputError("the mean field is unknown: load the estimator from its bundle")
        mean, options = self.fields.mean, {"method": method, "periodic": self.fields.periodic, "seed": seed}
        return measure(self, volumes, mean, **options)  # pyright: ignore[reportArgumentType] (sees the file twice)

    def inputs(self, volumes: np.ndarray) -> np.ndarray:
        """Return the input of the network: raw values, and the mask as a further channel if there is one."""
        missing = self.network.input_shape[-1] - volumes.shape[-1]
        return with_mask(volumes, self.mask) if missing == 1 else volumes

    def _estimate(self, volumes: np.ndarray, symmetry: int) -> np.ndarray:
        """Estimate in one orientation, in calls of one shape: (n, P, 2)."""
        count = len(volumes)
        rows = []
        for first in range(0, count, self.batch_size):
            part = np.stack([apply_symmetry(v, symmetry, v.ndim - 1) for v in volumes[first : first + self.batch_size]])
            missing = self.batch_size - len(part)
            if missing:
                part = np.concatenate([part, np.repeat(part[:1], missing, axis=0)])
            rows.append(np.asarray(self.network.predict_on_batch(part)))
        return np.concatenate(rows)[:count] if rows else np.empty((0, len(self.names), 2))

    def _properties(self) -> Iterator[tuple[str, object]]:
        yield "parameters", ", ".join(self.names)
        yield "input", " × ".join(map(str, self.network.input_shape[1:]))
        if self.fields is not None:
            yield "units", self.fields.units
            if self.fields.box_mpc_h is not None:
                yield "side", f"{self.fields.box_mpc_h:g} Mpc/h"
            if self.fields.side_deg is not None:
                yield "side", f"{self.fields.side_deg:g}°"
            elif self.fields.pixel_arcmin is not None:
                yield "pixel", f"{self.fields.pixel_arcmin:.4g} arcmin"
            if self.fields.mask is not None:
                yield "observed", f"{100 * self.fields.mask.fraction:.1f} % of the pixels"
        yield "weights", f"{self.network.count_params():,}"

    def __repr__(self) -> str:
        return plain_text("Estimator", self._properties())

    def _repr_html_(self) -> str:
        return html_table("Estimator", self._properties())


def select_orientations(views: int, orientations: int) -> list[int]:
    """Return the indices of ``views`` orientations, evenly spaced among all ``orientations``."""
    if not 1 <= views <= orientations:
        raise ValueError(f"views: found {views}, must be 1 to {orientations}")
    return [round(i * orientations / views) for i in range(views)]
