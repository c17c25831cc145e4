"""The shape of a pair of networks that make and judge convergence maps; plain numbers.

``dcgan`` after CosmoGAN (Mustafa et al. 2019, arXiv:1706.02390), from a latent vector alone. ``wgan-gp``: a Gaussian
field of the training maps' own spectrum, which a U-net (arXiv:1505.04597) makes into a map, judged as by Gulrajani et
al. 2017 (arXiv:1704.00028), unless its training names another loss and penalty, and, where it is conditional, as in
Perraudin et al. 2021 (arXiv:2004.08139), on cosmological parameters. Untrained it paints a log-normal universe; what it
learns is what that misses.
"""

from dataclasses import dataclass
from typing import Literal

from tenfold.emulators.sizes import MOST, check_size

MARGIN = 4
"""Cells beyond each edge that a cropped generator carries, so that its kernels' own edges are not seen."""


@dataclass(frozen=True, kw_only=True)
class GAN:
    """Shape of a pair of networks, one that makes maps and one that judges them."""

    network: Literal["dcgan", "wgan-gp"] = "wgan-gp"
    """The family: made from a latent vector, or from a Gaussian field; judged by a probability, or by a Wasserstein
    distance, unless the training's ``loss`` says otherwise."""
    size: int = 64
    """Pixels per side of a map."""
    channels: int = 1
    """Channels of a map (source redshifts)."""
    latent: int = 16
    """Numbers of the latent vector."""
    filters: tuple[int, ...] = (8, 16, 32)
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
        for name in ("size", "channels", "latent", "style", "group", "filters", "critic_filters"):
            check_size(name, getattr(self, name))
        check_size("conditions", self.conditions, MOST)
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
"""As published, but that edges wrap, unless cropped, and that no tanh bounds κ."""
