"""Generators of convergence maps and the networks that judge them; plain ``keras`` and ``keras.ops``.

``dcgan`` after CosmoGAN (Mustafa et al. 2019, arXiv:1706.02390), from a latent vector alone. ``wgan-gp``: a Gaussian
field of the training maps' own spectrum, which a U-net (arXiv:1505.04597) makes into a map, judged as by Gulrajani et
al. 2017 (arXiv:1704.00028) and, where it is conditional, as in Perraudin et al. 2021 (arXiv:2004.08139), on
cosmological parameters. Untrained it paints a log-normal universe; what it learns is what that misses.
"""

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

from tenfold.emulators.first_guess import FirstGuess

if TYPE_CHECKING:
    import keras

MARGIN = 4
"""Cells beyond each edge that a cropped generator carries, so that its kernels' own edges are not seen."""
THRESHOLDS = (-1.5, -0.5, 0.5, 1.5, 2.5, 3.5)
"""Of the maps' values in standard deviations: the critic is told how much of a map exceeds each."""


@dataclass(frozen=True, kw_only=True)
class GAN:
    """Shape of a pair of networks, one that makes maps and one that judges them."""

    network: Literal["dcgan", "wgan-gp"] = "wgan-gp"
    """The family: a latent vector and a probability, or a Gaussian field and a Wasserstein distance."""
    size: int = 64
    """Pixels per side of a map."""
    channels: int = 1
    """Channels of a map (source redshifts)."""
    latent: int = 16
    """Numbers of the latent vector."""
    filters: tuple[int, ...] = (12, 24, 32)
    """Of the generator. ``wgan-gp``: of the U-net's levels, finest first. ``dcgan``: from the coarsest level; the one
    after the last is the map itself."""
    critic_filters: tuple[int, ...] = (16, 32, 64, 128)
    """Of the discriminator; each level halves the map per side."""
    kernel: int = 4
    """Cells per side of kernels with stride 2; a multiple of 2 leaves no checkerboard (CosmoGAN: 5)."""
    style: int = 32
    """``wgan-gp``: units that say what latent vector and parameters do to each level (FiLM)."""
    conditions: int = 0
    """Cosmological parameters that a map is made for; 0: none."""
    boundary: Literal["periodic", "cropped"] = "periodic"
    """Whether maps continue at the opposite edge; cropped ones are cut out of larger skies."""
    transform: Literal["arcsinh", "linear"] = "arcsinh"
    """How κ becomes a number of order one, inside the networks; fitted to the training split."""
    group: int = 8
    """Samples whose spread the critic sees, or that batch norm takes together; divides every rank's share."""
    spectral_norm: bool = False
    """Divide the discriminator's kernels by their largest singular value."""

    def __post_init__(self):
        """Refuse shapes that cannot be built."""
        for name in ("channels", "latent", "style", "group"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: found {getattr(self, name)}, must be at least 1")
        halvings = len(self.filters) - (self.network == "wgan-gp")
        for name, levels in (("filters", halvings), ("critic_filters", len(self.critic_filters))):
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

    @property
    def margin(self) -> int:
        """Cells beyond each edge that ``wgan-gp`` carries: as many as its U-net can halve."""
        whole = 2 ** (len(self.filters) - 1)
        return 0 if self.boundary == "periodic" else -(-MARGIN // whole) * whole

    @property
    def noise_sides(self) -> tuple[int, ...]:
        """Cells per side of each map of white noise: one per channel for the field, and one for what it lacks."""
        if self.network == "dcgan":
            return ()
        sky = self.size if self.boundary == "periodic" else 2 * self.size
        return (*(sky,) * self.channels, self.size + 2 * self.margin)

    @property
    def noises(self) -> int:
        """Random numbers a map takes besides its latent vector."""
        return sum(side**2 for side in self.noise_sides)


COSMOGAN = GAN(
    network="dcgan", size=256, latent=64, kernel=5, filters=(512, 256, 128, 64), critic_filters=(64, 128, 256, 512)
)
"""As published, but for what our maps ask of it: edges wrap, and no tanh bounds κ."""


def _inputs(shape: GAN, first: dict) -> dict:
    import keras

    parameters = {"parameters": keras.Input((shape.conditions,), name="parameters")} if shape.conditions else {}
    return {**first, **parameters}


def _spread(shape: GAN, guess: FirstGuess, inputs: dict, sign: int):
    """σ of each map's cosmology, or 1/σ: shape (batch, 1, 1, C)."""
    from keras import ops

    from tenfold.emulators.gaussian_field import Polynomial

    layer = Polynomial(guess.location, guess.scale, sign * guess.ln_spread, name="ln_spread", trainable=False)
    return ops.exp(layer(_points(shape, inputs)))[:, None, None]


def _points(shape: GAN, inputs: dict):
    """Parameters (batch, P), P = 0 for an unconditional network."""
    if shape.conditions:
        return inputs["parameters"]
    some = inputs["latent"] if "latent" in inputs else inputs["map"][:, 0, 0]
    return some[:, :0]


def build_generator(
    shape: GAN, guess: FirstGuess, *, seed: int = 0, precision: str = "float32"
) -> "keras.Model":  # fmt: skip
    """Build an untrained generator.

    Parameters
    ----------
    shape
        The pair's shape.
    guess
        What is known of the maps, from `tenfold.pipelines.massmaps.first_guess`.
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

    from tenfold.emulators.intensity import ToKappa

    inputs = {"latent": keras.Input((shape.latent,), name="latent")}
    if shape.noises:
        inputs["noise"] = keras.Input((shape.noises,), name="noise")
    inputs = _inputs(shape, inputs)
    made = (_published if shape.network == "dcgan" else _painted)(shape, guess, inputs, seed, {"dtype": precision})
    kappa = ToKappa(**vars(guess.intensity), name="kappa")(made) * _spread(shape, guess, inputs, 1)
    return keras.Model(inputs, kappa, name="generator")


def _vector(shape: GAN, guess: FirstGuess, inputs: dict):
    """Latent vector and parameters in units of their spread."""
    from keras import layers

    from tenfold.emulators import map_layers as own

    if not shape.conditions:
        return inputs["latent"]
    units = own.Units(guess.location, guess.scale, name="units")(inputs["parameters"])
    return layers.Concatenate(name="vector")([inputs["latent"], units])


def _dense(x, width: int, gain: float, seed: int, name: str, bias: bool = True, dtype: str = "float32"):
    import keras

    initial = keras.initializers.RandomNormal(0.0, gain / x.shape[-1] ** 0.5, seed=seed)
    return keras.layers.Dense(width, kernel_initializer=initial, use_bias=bias, name=name, dtype=dtype)(x)


def _published(shape: GAN, guess: FirstGuess, inputs: dict, seed: int, plain: dict[str, Any]):
    """CosmoGAN's generator: a latent vector, then transposed convolutions."""
    from keras import layers

    from tenfold.emulators import map_layers as own

    seeds = count(seed * 1000 + 1)
    edge = 2 if shape.boundary == "cropped" else 0
    side = shape.size // 2 ** len(shape.filters) + 2 * edge
    start = _dense(
        _vector(shape, guess, inputs), side**2 * shape.filters[0], own.GAIN, next(seeds), "seed", dtype=plain["dtype"]
    )
    x = layers.Reshape((side, side, shape.filters[0]))(start)
    for level, filters in enumerate((*shape.filters[1:], shape.channels), 1):
        x = own.GroupBatchNormalization(shape.group, name=f"norm_{level}", **plain)(x)
        x = layers.ReLU(name=f"active_{level}", **plain)(x)
        last = level == len(shape.filters)
        x = own.TransposedConvolution(
            filters, shape.kernel, 2, periodic=not edge, gain=1.0 if last else own.GAIN, seed=next(seeds),
            name="map" if last else f"up_{level}", **plain,
        )(x)  # fmt: skip
        if edge:
            x = layers.Cropping2D(2 * edge if last else edge, name=f"cut_{level}", **plain)(x)
    return x


def _painted(shape: GAN, guess: FirstGuess, inputs: dict, seed: int, plain: dict[str, Any]):
    """Our generator: a Gaussian field, and what a U-net adds to it; before any training, nothing."""
    from keras import layers, ops

    from tenfold.emulators import map_layers as own
    from tenfold.emulators.gaussian_field import GaussianField, Polynomial

    seeds = count(seed * 1000 + 1)
    periodic = shape.boundary == "periodic"
    points, vector = _points(shape, inputs), _vector(shape, guess, inputs)
    units = {"location": guess.location, "scale": guess.scale}
    for index in range(2):
        vector = _dense(vector, shape.style, own.GAIN, next(seeds), f"style_{index}", dtype=plain["dtype"])
        vector = layers.LeakyReLU(own.SLOPE, **plain)(vector)
    sky, side = shape.noise_sides[0], shape.noise_sides[-1]
    white = ops.reshape(inputs["noise"][:, : shape.channels * sky**2], (-1, shape.channels, sky, sky))
    other = ops.reshape(inputs["noise"][:, shape.channels * sky**2 :], (-1, side, side, 1))
    ln_power = Polynomial(
        **units, coefficients=guess.ln_power.reshape(len(guess.ln_power), -1), name="ln_power"
    )(points)  # fmt: skip
    field = GaussianField(shape.size, side, guess.knots, guess.mixing, name="field")(
        [ops.transpose(white, (0, 2, 3, 1)), ln_power]
    )

    def active(x, name):
        x = own.FiLM(seed=next(seeds), name=f"film_{name}", **plain)([x, vector])
        return layers.LeakyReLU(own.SLOPE, name=f"active_{name}", **plain)(x)

    def convolved(x, filters, name, gain=own.GAIN):
        return own.Convolution(
            filters, 3, periodic=periodic, gain=gain, seed=next(seeds), name=name, **plain
        )(x)  # fmt: skip

    strided = {"kernel": shape.kernel, "stride": 2, "periodic": periodic, **plain}
    x = active(convolved(layers.Concatenate(name="start", **plain)([field, other]), shape.filters[0], "level_0"), "0")
    passed = [x]
    for level, filters in enumerate(shape.filters[1:], 1):
        x = active(own.Convolution(filters, seed=next(seeds), name=f"down_{level}", **strided)(x), f"down_{level}")
        x = active(convolved(x, filters, f"level_{level}"), f"{level}")
        passed.append(x)
    for level in range(len(shape.filters) - 2, -1, -1):
        filters = shape.filters[level]
        x = own.TransposedConvolution(filters, seed=next(seeds), name=f"up_{level}", **strided)(x)
        x = active(layers.Add(name=f"joined_{level}", **plain)([x, passed[level]]), f"up_{level}")
        x = active(convolved(x, filters, f"out_{level}"), f"out_{level}")
    added = ops.cast(convolved(x, shape.channels, "map", gain=0.0), "float32")
    mean = Polynomial(**units, coefficients=guess.mean, name="mean")(points)[:, None, None]
    made = field + mean + added
    return layers.Cropping2D(shape.margin, name="cut")(made) if shape.margin else made


def build_discriminator(
    shape: GAN, guess: FirstGuess, *, seed: int = 0, precision: str = "float32"
) -> "keras.Model":  # fmt: skip
    """Build an untrained discriminator (``dcgan``) or critic (``wgan-gp``).

    Parameters
    ----------
    shape, guess, seed, precision
        As for `build_generator`.

    Returns
    -------
    keras.Model
        ``{"map": κ (batch, N, N, C), "parameters": (batch, P)}`` to a score (batch,), higher for maps that look
        simulated. Its layer "intensity" takes the same to numbers of order one, and its layer "body" judges those.
    """
    import keras
    from keras import layers, ops

    from tenfold.emulators import map_layers as own
    from tenfold.emulators.gaussian_field import Summary
    from tenfold.emulators.intensity import FromKappa

    seeds = count(seed * 1000 + 501)
    plain: dict[str, Any] = {"dtype": precision}
    periodic = shape.boundary == "periodic"
    inputs = _inputs(shape, {"map": keras.Input((shape.size, shape.size, shape.channels), name="map")})
    x, units = inputs["map"], None
    if shape.conditions:
        units = own.Units(guess.location, guess.scale, name="units")(inputs["parameters"])
    if units is not None and shape.network == "dcgan":
        x = ops.concatenate([x, ops.ones_like(x[..., :1]) * units[:, None, None]], axis=-1)
    seen = [] if shape.network == "dcgan" else [Summary(guess.band_edges, guess.band_means, THRESHOLDS, name="told")(x)]
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
        score = _dense(x, 1, 1.0, next(seeds), "score")
    else:
        # means over the map of what each level sees are statistics of a stationary field, and what they vary from map
        # to map is its cosmic variance: a generator that repeats itself is found out
        means = own.GroupDeviation(shape.group, name="deviation")(layers.Concatenate(name="means")(seen))
        layout = _dense(x, shape.style, own.GAIN, next(seeds), "layout")
        x = layers.Concatenate(name="features")([means, layout])
        if units is not None:
            x = layers.Concatenate(name="conditioned")([x, units])
        x = layers.LeakyReLU(own.SLOPE, name="hidden")(
            _dense(x, 2 * shape.style, own.GAIN, next(seeds), "features_hidden")
        )
        score = _dense(x, 1, 1.0, next(seeds), "score")
        if units is not None:  # projection (Miyato & Koyama 2018, arXiv:1802.05637), of numbers instead of classes
            wanted = _dense(units, shape.style, own.GAIN, next(seeds), "wanted_hidden")
            wanted = _dense(
                layers.LeakyReLU(own.SLOPE, name="wanted")(wanted),
                2 * shape.style,
                1.0,
                next(seeds),
                "embedding",
                False,
            )
            score = score + ops.sum(wanted * x, axis=-1, keepdims=True) / (2 * shape.style) ** 0.5
    body = keras.Model(inputs, score[:, 0], name="body")
    given = _inputs(shape, {"map": keras.Input((shape.size, shape.size, shape.channels), name="map")})
    bent = FromKappa(**vars(guess.intensity), name="bent")(given["map"] * _spread(shape, guess, given, -1))
    intensity = keras.Model(given, bent, name="intensity")
    outer = _inputs(shape, {"map": keras.Input((shape.size, shape.size, shape.channels), name="map")})
    judged = {**outer, "map": intensity(outer)}
    return keras.Model(outer, body(judged), name="discriminator")
