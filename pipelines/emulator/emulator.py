"""A trained emulator of mass maps: cosmological parameters in, maps out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import ArrayLike

from tenfold.emulators.gan import GAN
from tenfold.emulators.generator import build_generator
from tenfold.emulators.intensity import Intensity
from tenfold.emulators.latents import draw, slerp
from tenfold.emulators.lognormal import FirstGuess, terms
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.training.bundle import LARGEST_GIB, read_network
from tenfold.pipelines.training.run_folder import RunFolder

SAMPLE = 3
"""Keeps the random numbers of samples apart from those of the training."""
PART = 32
"""Maps made at once."""
LARGEST_FIELD = 2**28
"""Modes of the Gaussian field times knots of its spectrum, at most: 2 GiB of double precision while it is built."""

Row = tuple[float, ...]
Matrix = tuple[Row, ...]


@dataclass(frozen=True, kw_only=True)
class Learnt:
    """Everything that determines a generator besides its weights; see `FirstGuess` for what is measured on maps.

    T terms of a polynomial in the P parameters, C channels, K knots.
    """

    shape: GAN
    intensity: Intensity
    logarithmic: tuple[bool, ...]
    """Of which of the P parameters the logarithm is taken."""
    location: Row
    """Mean of the parameters, or of their logarithms, P values."""
    scale: Row
    """Standard deviation of the parameters, or of their logarithms, P values."""
    ln_spread: Matrix
    """Of the logarithm of the spread of κ, shape (T, C)."""
    mean: Matrix
    """Of the mean of the transformed maps, shape (T, C)."""
    knots: Row
    """Multiples of the map's fundamental mode, rising, K values."""
    ln_power: tuple[Matrix, ...]
    """Of ln P(k) at the knots, shape (T, K, C)."""
    mixing: tuple[Matrix, ...]
    """Lower triangles of the channels' correlations, shape (K, C, C)."""
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    """Keras dtype policy."""

    @classmethod
    def of(cls, shape: GAN, guess: FirstGuess, precision: Literal["float32", "mixed_bfloat16"]) -> "Learnt":
        """Keep of a first guess what a generator is built from."""
        arrays = {name: _tuples(getattr(guess, name)) for name in ("ln_spread", "mean", "knots", "ln_power", "mixing")}
        return cls(
            shape=shape, intensity=guess.intensity, logarithmic=guess.logarithmic, location=guess.location,
            scale=guess.scale, precision=precision, **arrays,
        )  # fmt: skip

    def __post_init__(self):
        """Check that the shapes agree, and that the field can be built."""
        channels, knots, count = self.shape.channels, len(self.knots), terms(len(self.location))
        wanted = {
            "ln_spread": (count, channels), "mean": (count, channels), "knots": (knots,),
            "ln_power": (count, knots, channels), "mixing": (knots, channels, channels),
        }  # fmt: skip
        for name, shape in wanted.items():
            if (found := np.shape(getattr(self, name))) != shape:
                raise ValueError(f"{name}: found shape {found}, must be {shape}")
        if knots < 2 or not (np.diff([0.0, *self.knots]) > 0).all():
            raise ValueError("knots: must be above 0 and rise")
        for name, values in vars(self.intensity).items():
            if len(values) != channels:
                raise ValueError(f"intensity.{name}: found {len(values)} values, must be {channels}")
        parameters = {len(self.logarithmic), len(self.location), len(self.scale)}
        if len(parameters) > 1 or self.shape.conditions not in (0, len(self.location)):
            raise ValueError(f"location, scale, logarithmic: found {sorted(parameters)} values")
        side = max(self.shape.noise_sides, default=0)
        if side**2 * knots > LARGEST_FIELD:
            raise ValueError(f"size: a field of {side}² modes is larger than can be built")

    def network(self, seed: int = 0) -> keras.Model:
        """Build the generator, its weights as they are before training."""
        guess = replace(
            FirstGuess.plain(self.shape.size, self.intensity, self.location, self.scale),
            logarithmic=self.logarithmic,
            **{name: np.array(getattr(self, name)) for name in ("ln_spread", "mean", "knots", "ln_power", "mixing")},
        )
        return build_generator(self.shape, guess, seed=seed, precision=self.precision)


def _tuples(values: Any) -> Any:
    """Nested tuples of plain numbers."""
    values = np.asarray(values)
    return tuple(map(_tuples, values)) if values.ndim > 1 else tuple(map(float, values))


@dataclass(frozen=True)
class MassMapEmulator:
    """A generator with the names and ranges of what it was trained on.

    Example
    -------
    >>> emulator = MassMapEmulator.load("runs/demo/massmaps/network")        # doctest: +SKIP
    >>> maps = emulator.sample(16, seed=1, omega_m=0.3, sigma_8=0.8)         # doctest: +SKIP
    """

    network: keras.Model
    shape: GAN
    ranges: Mapping[str, tuple[float, float]]
    """Least and greatest value of each parameter among the maps it was trained on."""
    side_deg: float | None = None
    """Side of a map [degrees]; None where the data did not say."""
    box_mpc_h: float | None = None
    """Side of a map that has no angle [Mpc/h]; None where the data did not say."""
    units: str = "kappa"
    """Of a map's pixels."""
    redshifts: tuple[float, ...] = ()
    """Of the sources, one for each channel; empty where the data did not say."""
    multipoles: tuple[float, float] | None = None
    """Least and largest multipole at which the C_ℓ of the maps it was trained on is trusted, where they said."""
    fixed: Mapping[str, float] = field(default_factory=dict)
    """Parameters that all maps it was trained on had in common."""

    @classmethod
    def load(cls, path: Path | str, largest_gib: float = LARGEST_GIB) -> "MassMapEmulator":
        """Load the emulator a run has trained, from the run's folder; nothing in it is executed.

        Parameters
        ----------
        path
            Folder of the run.
        largest_gib
            Largest size that the network's file may unpack to [GiB].

        Raises
        ------
        InputError
            No training has finished there, it was of something else, or its network cannot be read.
        """
        folder = RunFolder(Path(path))
        record = folder.read_record("emulator")
        ranges = dict(zip(record["names"], zip(record["low"], record["high"], strict=True), strict=True))
        _, learnt, network = read_network(folder.network, "massmaps", Learnt, largest_gib)
        multipoles = record.get("multipoles")
        return cls(
            network, learnt.shape, ranges, record["side_deg"],
            box_mpc_h=record.get("box_mpc_h"), units=record.get("units", "kappa"),
            redshifts=tuple(record.get("redshifts", ())), fixed=record.get("fixed", {}),
            multipoles=None if multipoles is None else (multipoles[0], multipoles[1]),
        )  # fmt: skip

    @property
    def periodic(self) -> bool:
        """Whether a map goes on at its opposite edge."""
        return self.shape.boundary == "periodic"

    @property
    def pixel_arcmin(self) -> float | None:
        """Side of a pixel [arcmin]; None where the data did not say."""
        return None if self.side_deg is None else 60 * self.side_deg / self.shape.size

    def sample(
        self, n: int, *, seed: int, extrapolate: bool = False, **parameters: ArrayLike
    ) -> np.ndarray:  # fmt: skip
        """Make maps.

        Parameters
        ----------
        n
            Number of maps.
        seed
            Seed: the same seed gives the same maps, and fewer of them give the first ones.
        extrapolate
            Allow parameters out of the trained ranges.
        parameters
            Every parameter by name, in physical units: one number, or one for each map.

        Returns
        -------
        np.ndarray
            In `units`: κ, of convergence maps; float32, shape (n, N, N), or (n, N, N, C) with several channels. Their
            pixels are `pixel_arcmin` a side.

        Raises
        ------
        InputError
            A parameter is missing, unknown, or out of the range the emulator was trained on.
        """
        inputs, _ = draw(self.shape, (SAMPLE, seed), range(n))
        return self._maps(inputs, self._conditions(n, parameters, extrapolate))

    def interpolate(
        self, n: int, *, seeds: tuple[int, int], extrapolate: bool = False, **parameters: ArrayLike
    ) -> np.ndarray:
        """Make maps along the great circle between the first maps of two seeds; arguments as for `sample`.

        Returns
        -------
        np.ndarray
            As of `sample`, shape (n, N, N) or (n, N, N, C): the first and last are the seeds' own maps.
        """
        (first, _), (second, _) = (draw(self.shape, (SAMPLE, seed), range(1)) for seed in seeds)
        way = np.linspace(0, 1, n)
        inputs = {name: slerp(first[name][0], second[name][0], way) for name in first}
        return self._maps(inputs, self._conditions(n, parameters, extrapolate))

    def _maps(self, inputs: dict[str, np.ndarray], conditions: np.ndarray) -> np.ndarray:
        if self.shape.conditions:
            inputs = inputs | {"parameters": conditions}
        count = len(conditions)
        maps = np.empty((count, self.shape.size, self.shape.size, self.shape.channels), np.float32)
        for first in range(0, count, PART):
            # always as many at once: a map does not depend, in its last bit, on how many are asked for
            rows = np.arange(first, first + PART)
            part = {name: values[np.minimum(rows, count - 1)] for name, values in inputs.items()}
            made = np.asarray(self.network.predict_on_batch(part))
            maps[first : first + PART] = made[: count - first]
        return maps[..., 0] if self.shape.channels == 1 else maps

    def _conditions(self, n: int, given: Mapping[str, ArrayLike], extrapolate: bool) -> np.ndarray:
        """Return the parameters as an array (n, P), or say what is wrong with them."""
        if n < 1:
            raise InputError(f"n: found {n}, at least one map must be asked for")
        names = ", ".join(self.ranges) or "none"
        for name in given:
            if name not in self.ranges:
                raise InputError(f"{name}: no parameter of this emulator, which takes {names}")
        columns = []
        for name, (low, high) in self.ranges.items():
            if name not in given:
                raise InputError(f"{name}: missing; this emulator takes {names}")
            try:
                values = np.broadcast_to(np.asarray(given[name], np.float64), (n,))
            except ValueError:
                raise InputError(f"{name}: one number, or one for each of {n} maps") from None
            outside = ~((values >= low) & (values <= high))
            if outside.any() and not (extrapolate and np.isfinite(values).all()):
                raise InputError(
                    f"{name}: found {values[outside][0]:g}, but the emulator was trained between {low:g} and {high:g}; "
                    "extrapolate=True (--extrapolate) makes maps all the same, which nothing vouches for"
                )
            columns.append(values)
        return np.array(columns, np.float32).reshape(len(columns), n).T
