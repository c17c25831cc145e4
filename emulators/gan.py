"""Generators of convergence maps and the networks that judge them; plain ``keras`` and ``keras.ops``.

``dcgan`` after CosmoGAN (Mustafa et al. 2019, arXiv:1706.02390), ``wgan-gp`` after Gulrajani et al. 2017
(arXiv:1704.00028), conditional as in Perraudin et al. 2021 (arXiv:2004.08139) on cosmological parameters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import keras

    from tenfold.emulators.intensity import Intensity

MARGIN = 2
"""Cells beyond each edge that every level of a cropped generator carries: what its kernels wrap ends within them."""


@dataclass(frozen=True, kw_only=True)
class GAN:
    """Shape of a pair of networks, one that makes maps and one that judges them."""

    network: Literal["dcgan", "wgan-gp"] = "wgan-gp"
    """The family: batch norm in both and a probability, or noise at every level and a Wasserstein distance."""
    size: int = 64
    """Pixels per side of a map."""
    channels: int = 1
    """Channels of a map (source redshifts)."""
    latent: int = 64
    """Numbers of the latent vector."""
    filters: tuple[int, ...] = (64, 64, 32, 32, 16)
    """Of the generator, from its coarsest level. ``dcgan``: the level after the last is the map itself."""
    critic_filters: tuple[int, ...] = (32, 64, 64, 128)
    """Of the discriminator; each level halves the map per side."""
    kernel: int = 4
    """Cells per side of kernels with stride 2; a multiple of 2 leaves no checkerboard (CosmoGAN: 5)."""
    style: int = 64
    """``wgan-gp``: units that say what latent vector and parameters do to each level (FiLM)."""
    conditions: int = 0
    """Cosmological parameters that a map is made for; 0: none."""
    boundary: Literal["periodic", "cropped"] = "periodic"
    """Whether maps continue at the opposite edge; cropped ones are cut from larger maps, level by level."""
    transform: Literal["arcsinh", "linear"] = "arcsinh"
    """How κ becomes a number of order one, inside the networks; fitted to the training split."""
    noise: bool = True
    """White noise into every level of the generator: small scales need not come from the latent vector."""
    group: int = 8
    """Samples whose spread the critic sees, or that batch norm takes together; divides every rank's share."""
    spectral_norm: bool = False
    """Divide the discriminator's kernels by their largest singular value."""

    def __post_init__(self):
        """Refuse shapes that cannot be built."""
        for name in ("channels", "latent", "style", "group"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: found {getattr(self, name)}, must be at least 1")
        for name, levels in (("filters", self.upsamplings), ("critic_filters", len(self.critic_filters))):
            given = getattr(self, name)
            if not given or min(given) < 1:
                raise ValueError(f"{name}: found {given}, must name at least one level of at least 1 filter")
            if self.size % 2**levels or self.size // 2**levels < 2:
                raise ValueError(
                    f"size: {self.size} pixels cannot be halved {levels} times ({name}) down to 2 or more: "
                    f"take a multiple of {2**levels}, or fewer {name}"
                )
        if not 2 <= self.kernel <= 6:
            raise ValueError(f"kernel: found {self.kernel}, must be 2 to 6")
        if self.conditions < 0:
            raise ValueError(f"conditions: found {self.conditions}, must not be negative")
        if self.network == "wgan-gp" and not self.noise:
            raise ValueError("noise: the generator of wgan-gp is made of it, only dcgan can do without")

    @property
    def upsamplings(self) -> int:
        """How often the generator doubles its grid."""
        return len(self.filters) - (self.network == "wgan-gp")

    @property
    def sides(self) -> tuple[int, ...]:
        """Cells per side of the generator's levels, coarsest first, margins included."""
        margin = 2 * MARGIN if self.boundary == "cropped" else 0
        return tuple(self.size // 2**level + margin for level in range(self.upsamplings, -1, -1))

    @property
    def noise_sides(self) -> tuple[int, ...]:
        """Cells per side of each map of noise; the first few make the coarsest level of ``wgan-gp``."""
        if not self.noise:
            return ()
        return self.sides[:-1] if self.network == "dcgan" else (self.sides[0],) * 3 + self.sides

    @property
    def noises(self) -> int:
        """Random numbers a map takes besides its latent vector."""
        return sum(side**2 for side in self.noise_sides)


COSMOGAN = GAN(
    network="dcgan", size=256, kernel=5, filters=(512, 256, 128, 64), critic_filters=(64, 128, 256, 512), noise=False,
)  # fmt: skip
"""As published, but for what our maps ask of it: edges wrap, and no tanh bounds κ."""


def _inputs(shape: GAN, first: dict) -> dict:
    import keras

    parameters = {"parameters": keras.Input((shape.conditions,), name="parameters")} if shape.conditions else {}
    return {**first, **parameters}


def build_generator(
    shape: GAN,
    intensity: "Intensity",
    *,
    location: Sequence[float] = (),
    scale: Sequence[float] = (),
    seed: int = 0,
    precision: str = "float32",
) -> "keras.Model":
    """Build an untrained generator.

    Parameters
    ----------
    shape
        The pair's shape.
    intensity
        Transform between κ and numbers of order one, from `tenfold.emulators.intensity.fit`.
    location, scale
        Mean and standard deviation of each parameter over the training split, physical units.
    seed
        Seed of the initial weights.
    precision
        Keras dtype policy: ``"float32"`` or ``"mixed_bfloat16"``.

    Returns
    -------
    keras.Model
        ``{"latent": (batch, latent), "noise": (batch, noises), "parameters": (batch, P)}``, the last two where the
        shape has them, to κ (batch, N, N, C). Parameters are in physical units, the other numbers standard normal.
    """
    import keras
    from keras import layers

    from tenfold.emulators import map_layers as own
    from tenfold.emulators.intensity import ToKappa

    seeds = count(seed * 1000 + 1)
    plain: dict[str, Any] = {"dtype": precision}
    inputs = {"latent": keras.Input((shape.latent,), name="latent")}
    if shape.noises:
        inputs["noise"] = keras.Input((shape.noises,), name="noise")
    inputs = _inputs(shape, inputs)
    levels = list(own.Levels(shape.noise_sides, name="levels")(inputs["noise"])) if shape.noise else []
    vector = inputs["latent"]
    if shape.conditions:
        units = own.Units(location, scale, name="units")(inputs["parameters"])
        vector = layers.Concatenate(name="vector")([vector, units])

    def dense(x, width, gain, name):
        initial = keras.initializers.RandomNormal(0.0, gain / x.shape[-1] ** 0.5, seed=next(seeds))
        return layers.Dense(width, kernel_initializer=initial, name=name, **plain)(x)

    def active(x, level):
        if shape.network == "dcgan":
            x = own.GroupBatchNormalization(shape.group, name=f"norm_{level}", **plain)(x)
        if shape.noise:
            x = own.Noise(seed=next(seeds), name=f"noise_{level}", **plain)([x, levels[level]])
        if shape.network == "dcgan":
            return layers.ReLU(name=f"active_{level}", **plain)(x)
        x = own.FiLM(seed=next(seeds), name=f"film_{level}", **plain)([x, vector])
        return layers.LeakyReLU(own.SLOPE, name=f"active_{level}", **plain)(x)

    side = shape.sides[0]
    if shape.network == "dcgan":
        x = layers.Reshape((side, side, shape.filters[0]))(dense(vector, side**2 * shape.filters[0], own.GAIN, "seed"))
    else:
        for index in range(2):
            vector = layers.LeakyReLU(own.SLOPE, **plain)(dense(vector, shape.style, own.GAIN, f"style_{index}"))
        x = layers.Concatenate(name="coarse")(levels[:3])
        levels = levels[3:]
        x = own.Convolution(shape.filters[0], 3, seed=next(seeds), name="seed", **plain)(x)
    x = active(x, 0)
    for level, filters in enumerate(shape.filters[1:], 1):
        x = own.TransposedConvolution(
            filters, shape.kernel, 2, seed=next(seeds), name=f"up_{level}", **plain
        )(x)  # fmt: skip
        if shape.boundary == "cropped":
            x = layers.Cropping2D(MARGIN, name=f"cut_{level}", **plain)(x)
        x = active(x, level)
    last = {"gain": 1.0, "seed": next(seeds), "name": "map", **plain}
    if shape.network == "dcgan":
        x = own.TransposedConvolution(shape.channels, shape.kernel, 2, **last)(x)
        if shape.boundary == "cropped":
            x = layers.Cropping2D(MARGIN, name="cut", **plain)(x)
    else:
        x = own.Convolution(shape.channels, 3, **last)(x)
    if shape.boundary == "cropped":
        x = layers.Cropping2D(MARGIN, name="cut_map", **plain)(x)
    kappa = ToKappa(**vars(intensity), name="kappa")(x)
    return keras.Model(inputs, kappa, name="generator")


def build_discriminator(
    shape: GAN,
    intensity: "Intensity",
    *,
    location: Sequence[float] = (),
    scale: Sequence[float] = (),
    seed: int = 0,
    precision: str = "float32",
) -> "keras.Model":
    """Build an untrained discriminator (``dcgan``) or critic (``wgan-gp``).

    Parameters
    ----------
    shape, intensity, location, scale, seed, precision
        As for `build_generator`.

    Returns
    -------
    keras.Model
        ``{"map": κ (batch, N, N, C), "parameters": (batch, P)}`` to a score (batch,), higher for maps that look
        simulated. Its layer "intensity" takes κ to numbers of order one, and its layer "body" judges those.
    """
    import keras
    from keras import layers, ops

    from tenfold.emulators import map_layers as own
    from tenfold.emulators.intensity import FromKappa

    seeds = count(seed * 1000 + 501)
    plain: dict[str, Any] = {"dtype": precision}
    periodic = shape.boundary == "periodic"

    def dense(x, width, gain, name, bias=True):
        initial = keras.initializers.RandomNormal(0.0, gain / x.shape[-1] ** 0.5, seed=next(seeds))
        return layers.Dense(width, kernel_initializer=initial, use_bias=bias, name=name, dtype="float32")(x)

    inputs = _inputs(shape, {"map": keras.Input((shape.size, shape.size, shape.channels), name="map")})
    x, units = inputs["map"], None
    if shape.conditions:
        units = own.Units(location, scale, name="units")(inputs["parameters"])
    if units is not None and shape.network == "dcgan":
        x = ops.concatenate([x, ops.ones_like(x[..., :1]) * units[:, None, None]], axis=-1)
    seen = []
    for level, filters in enumerate(shape.critic_filters):
        x = own.Convolution(
            filters, shape.kernel, 2, periodic, shape.spectral_norm, seed=next(seeds), name=f"convolution_{level}",
            **plain,
        )(x)  # fmt: skip
        if shape.network == "dcgan" and level and not shape.spectral_norm:
            x = own.GroupBatchNormalization(shape.group, name=f"norm_{level}", **plain)(x)
        x = layers.LeakyReLU(own.SLOPE, name=f"active_{level}", **plain)(x)
        seen.append(ops.mean(ops.cast(x, "float32"), axis=(1, 2)))
    x = layers.Flatten(dtype="float32")(x)
    if shape.network == "dcgan":
        score = dense(x, 1, 1.0, "score")
    else:
        # means over the map of what each level sees are statistics of a stationary field, and what they vary from map
        # to map is its cosmic variance: a generator that repeats itself is found out
        means = own.GroupDeviation(shape.group, name="deviation")(layers.Concatenate(name="means")(seen))
        x = layers.Concatenate(name="features")([means, dense(x, shape.style, own.GAIN, "layout")])
        if units is not None:
            x = layers.Concatenate(name="conditioned")([x, units])
        x = layers.LeakyReLU(own.SLOPE, name="hidden")(dense(x, 2 * shape.style, own.GAIN, "features_hidden"))
        score = dense(x, 1, 1.0, "score")
        if units is not None:  # projection (Miyato & Koyama 2018, arXiv:1802.05637), of numbers instead of classes
            wanted = layers.LeakyReLU(own.SLOPE, name="wanted")(dense(units, shape.style, own.GAIN, "wanted_hidden"))
            wanted = dense(wanted, 2 * shape.style, 1.0, "embedding", bias=False)
            score = score + ops.sum(wanted * x, axis=-1, keepdims=True) / (2 * shape.style) ** 0.5
    body = keras.Model(inputs, score[:, 0], name="body")
    outer = _inputs(shape, {"map": keras.Input((shape.size, shape.size, shape.channels), name="map")})
    judged = {**outer, "map": FromKappa(**vars(intensity), name="intensity")(outer["map"])}
    return keras.Model(outer, body(judged), name="discriminator")
