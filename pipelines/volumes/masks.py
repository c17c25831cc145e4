"""The mask that all maps of a data set share: found in an ingest, applied to maps, and kept as text."""

import base64
import binascii
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from tenfold.hpc.isolated import ProcessDied, run_isolated
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers.formats import read_volumes
from tenfold.pipelines.readers.volume import Layout, StatedMetadata, UnusableFileError, Volume
from tenfold.pipelines.storage.manifest import Count, Entry

HEADER_TIMEOUT_S = 300.0
"""A file that takes longer to read than this is rejected [s]."""
ADVICE = (
    "If masked pixels are to be kept as such: --set ingest.mask=FILE, with 1 where maps are observed, or, if the same "
    "pixels are masked in all maps, --set ingest.masked_values=true"
)


@dataclass(frozen=True, kw_only=True)
class Mask(Entry):
    """A mask as text: its shape, and its bits in C order, packed, compressed by zlib, in base64.

    Example
    -------
    >>> import numpy as np
    >>> from tenfold.pipelines.volumes.masks import Mask
    >>> mask = Mask.of(np.array([[True, False], [True, True]]))
    >>> mask.observed, mask.array.tolist()
    (3, [[True, False], [True, True]])
    """

    height: Count
    width: Count
    observed: Count
    """Number of observed pixels."""
    bits: str

    @classmethod
    def of(cls, mask: np.ndarray) -> Self:
        """Return the text of a mask: True where maps are observed, shape (Y, X)."""
        packed = zlib.compress(np.packbits(mask).tobytes(), 9)
        height, width = mask.shape
        return cls(
            height=height, width=width, observed=int(np.count_nonzero(mask)), bits=base64.b64encode(packed).decode()
        )

    @property
    def array(self) -> np.ndarray:
        """The mask: True where maps are observed, shape (Y, X).

        Raises `ValueError` if the text is damaged, or does not have the stated shape or number of observed pixels.
        """
        count = self.height * self.width
        size = -(-count // 8)
        try:
            stream = zlib.decompressobj()
            packed = stream.decompress(base64.b64decode(self.bits, validate=True), size + 1)
        except (binascii.Error, zlib.error) as error:
            raise ValueError(f"mask: its bits are damaged ({error})") from error
        if len(packed) != size or stream.unconsumed_tail or not stream.eof:
            raise ValueError(f"mask: its bits are not those of {self.height} × {self.width} pixels")
        mask = np.unpackbits(np.frombuffer(packed, np.uint8), count=count).astype(bool).reshape(self.height, self.width)
        if np.count_nonzero(mask) != self.observed or not self.observed:
            raise ValueError(f"mask: {np.count_nonzero(mask):,} pixels are observed, {self.observed:,} are stated")
        return mask

    @property
    def fraction(self) -> float:
        """Fraction of the pixels that is observed."""
        return self.observed / max(1, self.height * self.width)


def masked_by_value(volume: Volume, fill_values: Sequence[float]) -> np.ndarray:
    """Return the mask of a map in its values: False where a channel is NaN or has a fill value, shape (Y, X).

    Fill values are those that the file states (``BLANK``, ``_FillValue``, ``missing_value``); `fill_values` if it
    states none.
    """
    values = volume.read(0, volume.shape[0])
    masked = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
    for fill in volume.mask_values or fill_values:
        if (own := as_stored(fill, values.dtype)) is not None:
            masked |= values == own
    return np.asarray(~masked.any(axis=-1))


def first_mask(task: tuple[Path, StatedMetadata]) -> np.ndarray | UnusableFileError:
    """Return the mask in the values of the first map of a file, or why there is none."""
    path, stated = task
    try:
        for volume in read_volumes(path, stated):
            mask = masked_by_value(volume, stated.fill_values)
            return mask if mask.any() else UnusableFileError(volume.source, volume.key, "all pixels are masked")
    except UnusableFileError as error:
        return error
    return UnusableFileError(path, "", "holds no map")


def common_mask(
    path: Path, stated: StatedMetadata, layout: Layout, *, in_file: np.ndarray | None, in_values: bool
) -> Mask | None:
    """Return the mask of a data set, None if all pixels are observed.

    Parameters
    ----------
    path, stated
        First file of maps, and its metadata.
    layout
        Layout of all maps.
    in_file
        Mask of the mask file, if there is one.
    in_values
        Whether the mask is that of the values of the first map.

    Raises
    ------
    InputError
        The mask has another shape than the maps, or the values of the first map cannot be read.
    """
    mask = in_file
    if in_values:
        (mask,) = run_isolated(first_mask, [(path, stated)], HEADER_TIMEOUT_S)
    if isinstance(mask, UnusableFileError):
        raise mask
    if isinstance(mask, ProcessDied):
        raise UnusableFileError(path, "", f"damaged: reading it {mask.reason}")
    if mask is None:
        return None
    if mask.shape != layout.shape[:-1]:
        sides = [" × ".join(map(str, shape)) for shape in (mask.shape, layout.shape[:-1])]
        raise InputError(f"ingest.mask: the mask has {sides[0]} pixels, the maps have {sides[1]}, as {path}")
    return None if mask.all() else Mask.of(mask)


def check_same_mask(volume: Volume, mask: np.ndarray | None, fill_values: Sequence[float]) -> None:
    """Check that a map masks the same pixels as the first one does.

    Raises
    ------
    UnusableFileError
        It masks others.
    """
    own = masked_by_value(volume, fill_values)
    differ = np.count_nonzero(~own if mask is None else own != mask)
    if differ:
        place = tuple(map(int, np.argwhere(~own if mask is None else own != mask)[0]))
        raise UnusableFileError(
            volume.source, volume.key, f"{differ:,} pixels are masked here and not in the first map, or the reverse, "
            f"the first at {place}. A data set has one mask: give the pixels that are observed in all maps as a file, "
            "--set ingest.mask=FILE, in place of ingest.masked_values",
        )  # fmt: skip


def zero_masked(volume: Volume, mask: np.ndarray) -> Volume:
    """Return a map whose masked pixels are 0."""

    def read(start: int, stop: int) -> np.ndarray:
        slab = np.array(volume.read(start, stop))
        slab[~mask[start:stop]] = 0
        return slab

    return replace(volume, read=read)


def with_mask(maps: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Return maps (n, Y, X, C) with the mask as a further channel, 1 where observed: (n, Y, X, C + 1).

    Without a mask, maps are returned unchanged.
    """
    if mask is None:
        return maps
    channel = np.broadcast_to(mask[..., None].astype(maps.dtype), (*maps.shape[:-1], 1))
    return np.concatenate([maps, channel], axis=-1)


def as_stored(value: float, dtype: np.dtype) -> float | int | None:
    """Return a value as represented by a dtype, None where it is out of range."""
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        whole = math.isfinite(value) and value == int(value)
        return int(value) if whole and limits.min <= value <= limits.max else None
    return float(dtype.type(value)) if abs(value) <= float(np.finfo(dtype).max) else None
