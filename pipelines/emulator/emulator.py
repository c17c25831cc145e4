"""A trained emulator of maps: cosmological parameters in, maps out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
from numpy.typing import ArrayLike

from tenfold.emulators.gan import GAN
from tenfold.emulators.generator_inputs import draw_inputs, slerp
from tenfold.pipelines.emulator.config import GeneratorConfig
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.reports.notebook import html_table, plain_text
from tenfold.pipelines.training.bundle import LARGEST_GIB, Bundle
from tenfold.pipelines.volumes.provenance import FieldProperties

SAMPLING = 3
"""Key of the random stream of samples; training, validation and calibration have others."""
GENERATION_BATCH = 32
"""Maps generated per call of the network."""


@dataclass(frozen=True, kw_only=True)
class ParameterSpace:
    """Parameters of the maps that an emulator was trained on."""

    ranges: dict[str, tuple[float, float]]
    """Minimum and maximum of each parameter that varies."""
    fixed: dict[str, float]
    """Value of each known parameter that does not vary."""


@dataclass(frozen=True, repr=False)
class MassMapEmulator:
    """A trained generator of maps, for any cosmology within the range of its training maps.

    Example
    -------
    >>> from tenfold.pipelines import MassMapEmulator
    >>> emulator = MassMapEmulator.load("emulator")
    >>> maps = emulator.sample(4, seed=1, sigma_8=0.8)
    >>> maps.shape, maps.dtype
    ((4, 16, 16), dtype('float32'))
    """

    network: keras.Model
    architecture: GAN
    ranges: Mapping[str, tuple[float, float]]
    """Minimum and maximum of each parameter over the training maps."""
    side_deg: float | None = None
    """Side of a map [degrees]; None if unknown."""
    box_mpc_h: float | None = None
    """Side of a map that has a length instead of an angle [Mpc/h]; None if unknown."""
    units: str = "kappa"
    """Unit of a pixel."""
    redshifts: tuple[float, ...] = ()
    """Redshift of the sources of each channel; empty if unknown."""
    multipoles: tuple[float, float] | None = None
    """Range of multipoles in which the C_ℓ of the training maps is trusted; None if unknown."""
    fixed: Mapping[str, float] = field(default_factory=dict)
    """Parameters that all training maps have in common."""

    @classmethod
    def load(cls, path: Path | str, largest_gib: float = LARGEST_GIB) -> "MassMapEmulator":
        """Load a trained emulator from its bundle, or the folder of its run; nothing in the file is executed.

        Parameters
        ----------
        path, largest_gib
            Bundle or folder; limit on the unpacked size of the bundle [GiB].

        Raises
        ------
        InputError
            The bundle does not exist, is not that of an emulator, or is damaged; or the training has not finished.
        """
        return cls.from_bundle(Bundle.read(path, "emulator", largest_gib))

    @classmethod
    def from_bundle(cls, bundle: Bundle) -> "MassMapEmulator":
        """Rebuild an emulator from a bundle that has been read; see `load`."""
        fields = bundle.section("fields", FieldProperties)
        parameters = bundle.section("parameters", ParameterSpace)
        config, network = bundle.rebuild(GeneratorConfig)
        if config.architecture.conditions != len(parameters.ranges):
            raise InputError(
                f"{bundle.path}: parameters.ranges: found {len(parameters.ranges)}, the network takes "
                f"{config.architecture.conditions}. Train again."
            )
        return cls(
            network, config.architecture, parameters.ranges, fields.side_deg, box_mpc_h=fields.box_mpc_h,
            units=fields.units, redshifts=fields.redshifts, multipoles=fields.multipoles, fixed=parameters.fixed,
        )  # fmt: skip

    @property
    def periodic(self) -> bool:
        """Whether opposite edges of a map are adjacent."""
        return self.architecture.boundary == "periodic"

    @property
    def pixel_arcmin(self) -> float | None:
        """Side of a pixel [arcmin]; None if unknown."""
        return None if self.side_deg is None else 60 * self.side_deg / self.architecture.size

    def sample(self, n: int, *, seed: int, extrapolate: bool = False, **parameters: ArrayLike) -> np.ndarray:
        """Generate maps.

        Parameters
        ----------
        n
            Number of maps.
        seed
            Random seed. The same seed gives the same maps; a larger ``n`` adds maps at the end.
        extrapolate
            Allow parameters outside the ranges of the training maps.
        parameters
            Every parameter by name, in physical units: one number, or one for each map.

        Returns
        -------
        np.ndarray
            Maps in `units` (κ for convergence maps), float32, shape (n, N, N), or (n, N, N, C) with several channels.
            Their pixels are `pixel_arcmin` on a side.

        Raises
        ------
        InputError
            A parameter is missing, unknown, or outside the range of the training maps.
        """
        inputs, _ = draw_inputs(self.architecture, (SAMPLING, seed), range(n))
        return self._maps(inputs, self._conditions(n, parameters, extrapolate))

    def interpolate(
        self, n: int, *, seeds: tuple[int, int], extrapolate: bool = False, **parameters: ArrayLike
    ) -> np.ndarray:
        """Generate maps along the great circle in latent space between the first maps of two seeds.

        Parameters
        ----------
        n
            Number of maps.
        seeds
            Random seeds of the first and of the last map.
        extrapolate, parameters
            As for `sample`.

        Returns
        -------
        np.ndarray
            Maps, shape (n, N, N) or (n, N, N, C); the first and the last equal those of `sample`.

        Raises
        ------
        InputError
            As for `sample`.
        """
        (first, _), (last, _) = (draw_inputs(self.architecture, (SAMPLING, seed), range(1)) for seed in seeds)
        fractions = np.linspace(0, 1, n)
        inputs = {name: slerp(first[name][0], last[name][0], fractions) for name in first}
        return self._maps(inputs, self._conditions(n, parameters, extrapolate))

    def _maps(self, inputs: dict[str, np.ndarray], conditions: np.ndarray) -> np.ndarray:
        if self.architecture.conditions:
            inputs = inputs | {"parameters": conditions}
        count, size = len(conditions), self.architecture.size
        maps = np.empty((count, size, size, self.architecture.channels), np.float32)
        for start in range(0, count, GENERATION_BATCH):
            # a constant batch size, so that the last bit of a map does not depend on how many are requested
            rows = np.arange(start, start + GENERATION_BATCH)
            part = {name: values[np.minimum(rows, count - 1)] for name, values in inputs.items()}
            generated = np.asarray(self.network.predict_on_batch(part))
            maps[start : start + GENERATION_BATCH] = generated[: count - start]
        return maps[..., 0] if self.architecture.channels == 1 else maps

    def _conditions(self, n: int, parameters: Mapping[str, ArrayLike], extrapolate: bool) -> np.ndarray:
        """Return the parameters as an array of shape (n, P), or raise `InputError`."""
        if n < 1:
            raise InputError(f"n: found {n}, must be at least 1")
        names = ", ".join(self.ranges) or "none"
        for name in parameters:
            if name not in self.ranges:
                raise InputError(f"{name}: is not a parameter of this emulator, which takes {names}")
        columns = []
        for name, (low, high) in self.ranges.items():
            if name not in parameters:
                raise InputError(f"{name}: missing; this emulator takes {names}")
            try:
                values = np.broadcast_to(np.asarray(parameters[name], np.float64), (n,))
            except ValueError:
                raise InputError(f"{name}: must be one number, or one for each of {n} maps") from None
            outside = ~((values >= low) & (values <= high))
            if outside.any() and not (extrapolate and np.isfinite(values).all()):
                raise InputError(
                    f"{name}: found {values[outside][0]:g}, but the emulator was trained between {low:g} and {high:g}; "
                    "extrapolate=True (--extrapolate) generates maps regardless, without any guarantee"
                )
            columns.append(values)
        return np.array(columns, np.float32).reshape(len(columns), n).T

    def _properties(self) -> Iterator[tuple[str, object]]:
        ranges = ", ".join(f"{name} {low:g} … {high:g}" for name, (low, high) in self.ranges.items())
        yield "parameters", ranges or "none: one cosmology"
        yield "maps", f"{self.architecture.size}² × {self.architecture.channels}, {self.units}"
        if self.side_deg is not None:
            yield "side", f"{self.side_deg:g}° (pixels of {self.pixel_arcmin:.3g} arcmin)"
        if self.box_mpc_h is not None:
            yield "side", f"{self.box_mpc_h:g} Mpc/h"
        if self.redshifts:
            yield "redshifts", ", ".join(f"{z:g}" for z in self.redshifts)
        yield "weights", f"{self.network.count_params():,}"

    def __repr__(self) -> str:
        return plain_text("MassMapEmulator", self._properties())

    def _repr_html_(self) -> str:
        return html_table("Emulator of maps", self._properties())
