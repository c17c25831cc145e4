"""Ingest of maps: its configuration and its function."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from tenfold.pipelines.quantities import convert_quantities
from tenfold.pipelines.readers.formats import MapFormat
from tenfold.pipelines.readers.masks import read_mask
from tenfold.pipelines.readers.volume import StatedMetadata
from tenfold.pipelines.volumes.config import Ingest, digest
from tenfold.pipelines.volumes.ingest import IngestSummary, ingest_volumes

_FORMATS = ("auto", "fits", "healpix", "camels", "ktng", "hdf5", "packed")
_PATCH_DEG, _PATCH_PIXELS = (0.1, 60.0), (4, 8192)


@dataclass(frozen=True, kw_only=True)
class MassMapIngest(Ingest):
    """Configuration of the ingest of maps; a record is a map (Y, X, C).

    Example
    -------
    >>> from tenfold.pipelines import MassMapIngest
    >>> from astropy import units
    >>> MassMapIngest(side_deg=90 * units.arcmin).side_deg
    1.5
    """

    DIMENSIONS: ClassVar[int] = 2

    format: MapFormat = "auto"  # pyright: ignore[reportIncompatibleVariableOverride]
    """Format of the files; auto: detected from their content."""
    side_deg: float | None = None
    """Side of a square map [degrees], where the files do not state it."""
    pixel_arcmin: float | None = None
    """Side of a pixel [arcmin], where the files do not state it; for maps that are not square, in place of side_deg."""
    mask: str = ""
    """Mask file of all maps: NPY, or FITS with one image, of a map's shape; True or 1 where maps are observed."""
    mask_threshold: float | None = None
    """Weight above which a pixel is observed, for a mask file of weights, such as an apodised mask."""
    masked_values: bool = False
    """Whether NaN and fill values mark masked pixels, the same in all maps; otherwise such maps are rejected."""
    patch_deg: float | None = None
    """Side of the flat patches that HEALPix maps are cut into [degrees]; needed for these alone."""
    patch_pixels: int | None = None
    """Pixels per side of these patches; not finer than those of the map."""
    records_per_shard: int = 4096
    """Minimum number of records per shard; simulations are not divided between shards."""

    def __post_init__(self):
        """Check that every value is in its range."""
        convert_quantities(self, side_deg="deg", pixel_arcmin="arcmin", patch_deg="deg")
        super().__post_init__()
        if self.format not in _FORMATS:
            raise ValueError(f"format: found {self.format!r}, valid are {', '.join(_FORMATS)}")
        for name in ("mesh", "particle_types", "length_unit"):
            if value := getattr(self, name):
                raise ValueError(
                    f"{name}: found {value!r}, which has no effect: only volumes are painted from particles"
                )
        for name in ("side_deg", "pixel_arcmin"):
            if (length := getattr(self, name)) is not None and not length > 0:
                raise ValueError(f"{name}: found {length}, valid is above 0")
        if self.mask and self.masked_values:
            raise ValueError("mask, masked_values: give a mask file, or take the mask from the values, not both")
        if self.mask_threshold is not None and not (self.mask and math.isfinite(self.mask_threshold)):
            raise ValueError(f"mask_threshold: found {self.mask_threshold}, valid is a number, with a mask file")
        if (self.mask or self.masked_values) and self.patches_per_side > 1:
            raise ValueError("patches_per_side: must be 1 for maps with a mask, of which each part would have another")
        for name, (low, high) in (("patch_deg", _PATCH_DEG), ("patch_pixels", _PATCH_PIXELS)):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ValueError(f"{name}: found {value}, valid is {low:g} to {high:g}")
        if (self.patch_deg is None) != (self.patch_pixels is None):
            raise ValueError("patch_deg and patch_pixels: found only one of them; patches need both")

    def stated(self) -> StatedMetadata:
        """Return the user's metadata of the files."""
        return replace(
            super().stated(), side_deg=self.side_deg, pixel_arcmin=self.pixel_arcmin, patch_deg=self.patch_deg,
            patch_pixels=self.patch_pixels,
            mask=str(Path(self.mask).absolute()) if self.mask else "", mask_threshold=self.mask_threshold,
        )  # fmt: skip

    @property
    def beside_data(self) -> tuple[str, ...]:
        """Files that describe the maps, and are not maps themselves."""
        return (*super().beside_data, self.mask)

    @property
    def mask_in_values(self) -> bool:
        """Whether NaN and fill values mark masked pixels."""
        return self.masked_values

    def mask_in_file(self) -> np.ndarray | None:
        """Return the mask of the mask file, shape (Y, X), None if none is given.

        Raises
        ------
        InputError
            The file cannot be read, or is not a mask.
        """
        return read_mask(self.mask, self.mask_threshold) if self.mask else None

    def recorded(self) -> dict:
        """Return the part of the configuration that determines the result, as a manifest records it."""
        config = super().recorded()
        mask = config.pop("mask")
        return {**config, "mask_sha256": digest(Path(mask)) if mask else ""}


def ingest_massmaps(paths: Iterable[Path | str], out: Path | str, config: MassMapIngest) -> IngestSummary:
    """Pack maps into shards: `tenfold.pipelines.volumes.ingest.ingest_volumes`, for maps.

    Maps are split by simulation, never by map. `Shards.open(out)` reads them.

    Raises
    ------
    InputError
        There are no files, too many are rejected, or ``out`` cannot be written or holds something else.

    Example
    -------
    >>> from tenfold.pipelines import MassMapIngest, ingest_massmaps
    >>> ingest_massmaps(["maps"], "map_data", MassMapIngest(fractions=(0.5, 0.25, 0.25), processes=1)).records
    64
    """
    return ingest_volumes(paths, out, config)
