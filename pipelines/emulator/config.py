"""Configuration of a generator of maps: all that determines it besides its weights."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import keras
import numpy as np

from tenfold.emulators.gan import GAN
from tenfold.emulators.generator import build_generator
from tenfold.emulators.intensity import IntensityTransform
from tenfold.emulators.lognormal import LognormalModel, n_polynomial_terms

MAX_FIELD_ELEMENTS = 2**28
"""Modes of the Gaussian field times knots of its spectrum, at most: 2 GiB in double precision while it is built."""

Row = tuple[float, ...]
Matrix = tuple[Row, ...]


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig:
    """Everything that determines a generator except its weights; see `LognormalModel` for the measured quantities.

    Dimensions: T terms of a polynomial in the P parameters, C channels, K knots.
    """

    architecture: GAN
    intensity: IntensityTransform
    logarithmic: tuple[bool, ...]
    """Which of the P parameters enter the polynomials as logarithms."""
    location: Row
    """Mean of the parameters, or of their logarithms, P values."""
    scale: Row
    """Standard deviation of the parameters, or of their logarithms, P values."""
    ln_sigma: Matrix
    """Coefficients of ln σ of κ, shape (T, C)."""
    mean: Matrix
    """Coefficients of the mean of transformed maps, shape (T, C)."""
    knots: Row
    """Wavenumbers in units of the map's fundamental mode, increasing, K values."""
    ln_power: tuple[Matrix, ...]
    """Coefficients of ln P(k) at the knots, shape (T, K, C)."""
    mixing: tuple[Matrix, ...]
    """Lower Cholesky factors of the channels' correlation matrices, shape (K, C, C)."""
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    """Keras dtype policy."""

    @classmethod
    def from_lognormal_model(
        cls, architecture: GAN, model: LognormalModel, precision: Literal["float32", "mixed_bfloat16"]
    ) -> "GeneratorConfig":
        """Take the part of a log-normal model that the generator is built from."""
        arrays = {name: _tuples(getattr(model, name)) for name in ("ln_sigma", "mean", "knots", "ln_power", "mixing")}
        return cls(
            architecture=architecture, intensity=model.intensity, logarithmic=model.logarithmic,
            location=model.location, scale=model.scale, precision=precision, **arrays,
        )  # fmt: skip

    def __post_init__(self):
        """Check that shapes agree, and that the Gaussian field is small enough to be built.

        Raises
        ------
        ValueError
            An array has a wrong shape, the knots do not increase, or the field is too large.
        """
        channels, knots, terms = self.architecture.channels, len(self.knots), n_polynomial_terms(len(self.location))
        expected_shapes = {
            "ln_sigma": (terms, channels), "mean": (terms, channels), "knots": (knots,),
            "ln_power": (terms, knots, channels), "mixing": (knots, channels, channels),
        }  # fmt: skip
        for name, expected in expected_shapes.items():
            if (shape := np.shape(getattr(self, name))) != expected:
                raise ValueError(f"{name}: found shape {shape}, must be {expected}")
        if knots < 2 or not (np.diff([0.0, *self.knots]) > 0).all():
            raise ValueError("knots: must be at least 2, above 0 and increasing")
        for name, values in vars(self.intensity).items():
            if len(values) != channels:
                raise ValueError(f"intensity.{name}: found {len(values)} values, must be {channels}")
        lengths = {len(self.logarithmic), len(self.location), len(self.scale)}
        if len(lengths) > 1 or self.architecture.conditions not in (0, len(self.location)):
            raise ValueError(f"location, scale, logarithmic: found {sorted(lengths)} values")
        side = max(self.architecture.noise_sides, default=0)
        if side**2 * knots > MAX_FIELD_ELEMENTS:
            raise ValueError(f"size: a field of {side}² modes is larger than can be built")

    def network(self, seed: int = 0) -> keras.Model:
        """Build the generator with untrained weights."""
        model = replace(
            LognormalModel.white_noise(self.architecture.size, self.intensity, self.location, self.scale),
            logarithmic=self.logarithmic,
            **{name: np.array(getattr(self, name)) for name in ("ln_sigma", "mean", "knots", "ln_power", "mixing")},
        )
        return build_generator(self.architecture, model, seed=seed, precision=self.precision)


def _tuples(values: Any) -> Any:
    """Convert an array to nested tuples of plain numbers."""
    values = np.asarray(values)
    return tuple(map(_tuples, values)) if values.ndim > 1 else tuple(map(float, values))
