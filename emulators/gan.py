"""Architecture of a generative adversarial network for convergence maps, as plain numbers.

``dcgan`` follows CosmoGAN (Mustafa et al. 2019, arXiv:1706.02390): maps from a latent vector alone. ``wgan-gp``: a
U-net (arXiv:1505.04597) transforms a Gaussian random field with the power spectrum of the training maps; the critic
follows Gulrajani et al. 2017 (arXiv:1704.00028), unless the training selects another loss and penalty. A conditional
network depends on cosmological parameters as in Perraudin et al. 2021 (arXiv:2004.08139). Before training, ``wgan-gp``
generates log-normal maps; it learns the difference from simulated ones.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from tenfold.emulators.sizes import MOST, check_size

CROP_MARGIN = 4
"""Pixels beyond each edge that a generator of cropped maps computes and discards, to hide the padding of kernels."""


@dataclass(frozen=True, kw_only=True)
class GAN:
    """Architecture of a generator and its discriminator (critic).

    Example
    -------
    >>> from tenfold.emulators.gan import GAN
    >>> GAN(size=64, boundary="cropped").margin
    4
    """

    RENAMED: ClassVar[dict[str, str]] = {
        "kernel": "kernel_size",
        "latent": "latent_dim",
        "style": "style_dim",
        "group": "group_size",
    }

    network: Literal["dcgan", "wgan-gp"] = "wgan-gp"
    """Family: maps from a latent vector with a discriminator that gives a probability (``dcgan``), or maps from a
    Gaussian random field with a critic that estimates a Wasserstein distance (``wgan-gp``), unless the training's
    ``loss`` selects otherwise."""
    size: int = 64
    """Pixels per side of a map."""
    channels: int = 1
    """Channels of a map (source redshifts)."""
    latent_dim: int = 16
    """Dimension of the latent vector."""
    filters: tuple[int, ...] = (8, 16, 32)
    """Filters of the generator. ``wgan-gp``: of each U-net level, finest first. ``dcgan``: of each level, coarsest
    first; the map itself is one level finer than the last."""
    critic_filters: tuple[int, ...] = (16, 32, 64, 128)
    """Filters of the discriminator; each level halves the map per side."""
    kernel_size: int = 4
    """Pixels per side of kernels with stride 2; a multiple of 2 avoids checkerboard artefacts (CosmoGAN: 5)."""
    style_dim: int = 32
    """``wgan-gp``: units of the style vector, which conditions each level on latent vector and parameters (FiLM)."""
    conditions: int = 0
    """Number of cosmological parameters that maps are conditioned on; 0 for an unconditional network."""
    boundary: Literal["periodic", "cropped"] = "periodic"
    """Whether maps are periodic, or cropped from larger fields."""
    transform: Literal["arcsinh", "linear"] = "arcsinh"
    """Intensity transform of κ inside the networks, fitted to the training split."""
    group_size: int = 8
    """Samples per group for minibatch standard deviation and ghost batch normalisation; it divides each rank's share of
    a batch."""
    spectral_norm: bool = False
    """Divide the kernels of the discriminator by their largest singular value."""

    def __post_init__(self):
        """Check that the networks can be built.

        Raises
        ------
        ValueError
            A value is out of its range or has no effect, or the map cannot be halved as often as there are levels.
        """
        for name in ("size", "channels", "latent_dim", "style_dim", "group_size", "filters", "critic_filters"):
            check_size(name, getattr(self, name))
        check_size("conditions", self.conditions, MOST)
        for name in ("channels", "latent_dim", "style_dim", "group_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: found {getattr(self, name)}, must be at least 1")
        halvings = len(self.filters) - (self.network == "wgan-gp")
        for name, levels in (("filters", halvings), ("critic_filters", len(self.critic_filters))):
            filters = getattr(self, name)
            if not filters or min(filters) < 1:
                raise ValueError(f"{name}: found {filters}, must name at least one level of at least 1 filter")
            if self.size % 2**levels or self.size // 2**levels < 2:
                raise ValueError(
                    f"size: {self.size} pixels cannot be halved {levels} times ({name}) down to 2 or more: "
                    f"take a multiple of {2**levels}, or fewer {name}"
                )
        if not 2 <= self.kernel_size <= 6:
            raise ValueError(f"kernel_size: found {self.kernel_size}, must be 2 to 6")
        if self.conditions < 0:
            raise ValueError(f"conditions: found {self.conditions}, must not be negative")
        if self.network == "dcgan" and self.style_dim != GAN.style_dim:
            raise ValueError(
                f"style_dim: found {self.style_dim}, which has no effect: only network wgan-gp reads it, "
                "and network is dcgan"
            )

    @property
    def margin(self) -> int:
        """Pixels beyond each edge that ``wgan-gp`` computes: at least `CROP_MARGIN`, divisible by the U-net's scale."""
        scale = 2 ** (len(self.filters) - 1)
        return 0 if self.boundary == "periodic" else -(-CROP_MARGIN // scale) * scale

    @property
    def noise_sides(self) -> tuple[int, ...]:
        """Pixels per side of each map of white noise: one per channel for the Gaussian field, one for the U-net."""
        if self.network == "dcgan":
            return ()
        field_side = self.size if self.boundary == "periodic" else 2 * self.size
        return (*(field_side,) * self.channels, self.size + 2 * self.margin)

    @property
    def noise_dim(self) -> int:
        """Random numbers per map besides the latent vector."""
        return sum(side**2 for side in self.noise_sides)


COSMOGAN = GAN(
    network="dcgan",
    size=256,
    latent_dim=64,
    kernel_size=5,
    filters=(512, 256, 128, 64),
    critic_filters=(64, 128, 256, 512),
)
"""CosmoGAN as published, except that edges are periodic unless cropped and that no tanh bounds κ."""
