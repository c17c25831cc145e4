"""Trained emulator of mass maps: from cosmological parameters to maps."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import ArrayLike

from tenfold.emulators.gan import GAN
from tenfold.emulators.generator import build_generator
from tenfold.emulators.generator_inputs import draw_inputs, slerp
from tenfold.emulators.intensity import IntensityTransform
from tenfold.emulators.lognormal import LognormalModel, n_polynomial_terms
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.training.bundle import LARGEST_GIB, read_network
from tenfold.pipelines.training.run_folder import RunFolder

SAMPLING = 3
"""Key that separates the random streams of samples from those of the training."""
GENERATION_BATCH = 32
"""Maps generated at once."""
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


@dataclass(frozen=True)
class MassMapEmulator:
    """Trained generator of mass maps, with names and ranges of the parameters it was trained on.

    Example
    -------
    >>> emulator = MassMapEmulator.load("runs/demo/massmaps/network")        # doctest: +SKIP
    >>> maps = emulator.sample(16, seed=1, omega_m=0.3, sigma_8=0.8)         # doctest: +SKIP
    """

    network: keras.Model
    architecture: GAN
    ranges: Mapping[str, tuple[float, float]]
    """Range of each parameter in the training maps."""
    side_deg: float | None = None
    """Side of a map [degrees]; None if unknown."""
    box_mpc_h: float | None = None
    """Side of a map without angular size [Mpc/h]; None if unknown."""
    units: str = "kappa"
    """Unit of the pixels."""
    redshifts: tuple[float, ...] = ()
    """Source redshift of each channel; empty if unknown."""
    multipoles: tuple[float, float] | None = None
    """Range of multipoles in which the C_ℓ of the training maps is trusted; None if unknown."""
    fixed: Mapping[str, float] = field(default_factory=dict)
    """Parameters with the same value in all training maps."""

    @classmethod
    def load(cls, path: Path | str, largest_gib: float = LARGEST_GIB) -> "MassMapEmulator":
        """Load a trained emulator from the folder of its run. No code in the folder is executed.

        Parameters
        ----------
        path
            Folder of the run.
        largest_gib
            Largest unpacked size of the network's file [GiB].

        Raises
        ------
        InputError
            The folder holds no finished training, or one of another kind, or its network cannot be read.
        """
        folder = RunFolder(Path(path))
        record = folder.read_record("emulator")
        ranges = dict(zip(record["names"], zip(record["low"], record["high"], strict=True), strict=True))
        _, config, network = read_network(folder.network, "massmaps", GeneratorConfig, largest_gib)
        multipoles = record.get("multipoles")
        return cls(
            network, config.architecture, ranges, record["side_deg"],
            box_mpc_h=record.get("box_mpc_h"), units=record.get("units", "kappa"),
            redshifts=tuple(record.get("redshifts", ())), fixed=record.get("fixed", {}),
            multipoles=None if multipoles is None else (multipoles[0], multipoles[1]),
        )  # fmt: skip

    @property
    def periodic(self) -> bool:
        """Whether maps are periodic."""
        return self.architecture.boundary == "periodic"

    @property
    def pixel_arcmin(self) -> float | None:
        """Side of a pixel [arcmin]; None if unknown."""
        return None if self.side_deg is None else 60 * self.side_deg / self.architecture.size

    def sample(
        self, n: int, *, seed: int, extrapolate: bool = False, **parameters: ArrayLike
    ) -> np.ndarray:  # fmt: skip
        """Generate maps.

        Parameters
        ----------
        n
            Number of maps.
        seed
            Random seed. The same seed gives the same maps; a smaller n gives the first n of them.
        extrapolate
            Allow parameters outside the trained ranges.
        parameters
            Value of each parameter by name, in physical units: one number, or one per map.

        Returns
        -------
        np.ndarray
            Maps in `units` (κ for convergence), float32, shape (n, N, N), or (n, N, N, C) with several channels.

        Raises
        ------
        InputError
            A parameter is missing, unknown, or outside the trained range.
        """
        inputs, _ = draw_inputs(self.architecture, (SAMPLING, seed), range(n))
        return self._generate(inputs, self._checked(n, parameters, extrapolate))

    def interpolate(
        self, n: int, *, seeds: tuple[int, int], extrapolate: bool = False, **parameters: ArrayLike
    ) -> np.ndarray:
        """Interpolate between the first maps of two seeds, along a great circle in the space of random inputs.

        Parameters
        ----------
        n
            Number of maps.
        seeds
            Random seeds of the first and the last map.
        extrapolate, parameters
            As for `sample`.

        Returns
        -------
        np.ndarray
            As for `sample`; the first and the last are the maps of the two seeds.
        """
        (first, _), (second, _) = (draw_inputs(self.architecture, (SAMPLING, seed), range(1)) for seed in seeds)
        fractions = np.linspace(0, 1, n)
        inputs = {name: slerp(first[name][0], second[name][0], fractions) for name in first}
        return self._generate(inputs, self._checked(n, parameters, extrapolate))

    def _generate(self, inputs: dict[str, np.ndarray], parameters: np.ndarray) -> np.ndarray:
        if self.architecture.conditions:
            inputs = inputs | {"parameters": parameters}
        count = len(parameters)
        maps = np.empty((count, self.architecture.size, self.architecture.size, self.architecture.channels), np.float32)
        for first in range(0, count, GENERATION_BATCH):
            # full batches only: the last bits of a map depend on the size of its batch
            rows = np.arange(first, first + GENERATION_BATCH)
            batch = {name: values[np.minimum(rows, count - 1)] for name, values in inputs.items()}
            generated = np.asarray(self.network.predict_on_batch(batch))
            maps[first : first + GENERATION_BATCH] = generated[: count - first]
        return maps[..., 0] if self.architecture.channels == 1 else maps

    def _checked(self, n: int, parameters: Mapping[str, ArrayLike], extrapolate: bool) -> np.ndarray:
        """Check the parameters and return them as an array (n, P)."""
        if n < 1:
            raise InputError(f"n: found {n}, must be at least 1")
        names = ", ".join(self.ranges) or "none"
        for name in parameters:
            if name not in self.ranges:
                raise InputError(f"{name}: not a parameter of this emulator, which takes {names}")
        columns = []
        for name, (low, high) in self.ranges.items():
            if name not in parameters:
                raise InputError(f"{name}: missing; this emulator takes {names}")
            try:
                values = np.broadcast_to(np.asarray(parameters[name], np.float64), (n,))
            except ValueError:
                raise InputError(f"{name}: expected one number, or one for each of {n} maps") from None
            outside = ~((values >= low) & (values <= high))
            if outside.any() and not (extrapolate and np.isfinite(values).all()):
                raise InputError(
                    f"{name}: found {values[outside][0]:g}, but the emulator was trained between {low:g} and {high:g}; "
                    "extrapolate=True (--extrapolate) generates maps all the same, which have not been validated"
                )
            columns.append(values)
        return np.array(columns, np.float32).reshape(len(columns), n).T
