"""Invalid pixels: not finite, masked, or isolated outliers that may be fill values.

A volume or map with such pixels is rejected, and the reason names them. Of survey maps with a mask
(`tenfold.pipelines.volumes.masks`), only the observed pixels are checked.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np

from tenfold.pipelines.readers.volume import UnusableFileError, Volume
from tenfold.pipelines.volumes.masks import ADVICE, as_stored
from tenfold.pipelines.volumes.moments import Moments

_ROBUST = 1.4826
"""Standard deviation of a Gaussian in units of its median absolute deviation."""
_ISOLATED = 8.0
"""An outlier is at least this many times as far from the median as all other values on its side."""
SAMPLE = 1024
"""Size of the sample of a channel's values."""
_COMPLETE = "cut out parts without masked pixels, or fill them, and ingest again"


def check_finite(volume: Volume, slab: np.ndarray) -> None:
    """Check that a volume has no values that are NaN or infinite.

    Parameters
    ----------
    slab
        Some of its values; the others are read, for counting, only if one of these is not finite.

    Raises
    ------
    UnusableFileError
        Values are not finite; the message gives their number and the first position.
    """
    if slab.dtype.kind == "f" and not np.isfinite(slab).all():
        number, first = _count(volume, lambda values: ~np.isfinite(values))
        reason = f"{number:,} values are NaN or infinite, the first at {first}: masked, or damaged. {_advice(volume)}"
        raise UnusableFileError(volume.source, volume.key, reason)


def check_masked(volume: Volume, slab: np.ndarray, low: float, high: float, fill_values: tuple[float, ...]) -> None:
    """Check that a volume has no masked pixels.

    A value that the file states as its fill value (BLANK, ``_FillValue``, ``missing_value``) always marks masked
    pixels. A usual fill value does if no other value lies between it and half of it or, among real numbers, if it
    occurs more than once: a continuous field takes no value exactly twice.

    Parameters
    ----------
    slab
        Some of its values; the others are read only if a fill value is among these.
    low, high
        Minimum and maximum of `slab`.
    fill_values
        Usual fill values.

    Raises
    ------
    UnusableFileError
        Pixels are masked; the message gives their number, the value and the first position.
    """
    for value in volume.mask_values:
        if low <= value <= high and (slab == value).any():
            _refuse_masked(volume, value, "the fill value that the file states")
    for value in fill_values:
        own = as_stored(value, slab.dtype)
        if own is None or not low <= own <= high or not (slab == own).any():
            continue
        near, far = sorted((own / 2, own))
        between, _ = _count(volume, lambda values: (near <= values) & (values <= far) & (values != own))  # noqa: B023
        number, _ = _count(volume, lambda values: values == own)  # noqa: B023
        if not between or (slab.dtype.kind == "f" and number > 1):
            _refuse_masked(volume, own, "a usual fill value (if it is a valid value: --set ingest.fill_values=[])")


def check_deviation(
    volume: Volume,
    moments: Moments,
    sample: np.ndarray,
    largest: float,
    values: np.ndarray | None = None,
    mask: np.ndarray | None = None,
) -> None:
    """Check that a volume has no isolated outliers.

    With the median m and the robust standard deviation s = 1.4826 × MAD of a channel, values with |x − m| > `largest` s
    are outliers if they lie at least eight times as far from m as all other values on that side. Heavy tails of fields
    pass, however long they are, because they have no gap: peaks of the convergence, for example. For a field above 0
    everywhere, such as a density over many orders of magnitude, the logarithm is tested. Counts, and other integers of
    0 or more, are not tested, nor is a channel of which more than half has one value.

    Most volumes need not be sorted. An isolated outlier makes one side of a distribution very long in units of the
    standard deviation, or the other very short; in that case a sample gives m and s accurately enough to show that
    most tails have no gap.

    Parameters
    ----------
    moments
        Moments of all its values.
    sample
        Sample of its values, shape (n, channel).
    largest
        Threshold [s].
    values
        All its values, if available; otherwise they are read when needed.
    mask
        True where a map is observed, shape (Y, X); the other pixels are left out. None: all are observed.

    Raises
    ------
    UnusableFileError
        There are outliers; the message gives their number, values and the first position.
    """
    if not moments.std > 0 or (volume.dtype.kind in "iu" and moments.low >= 0):
        return
    below, above = (moments.mean - moments.low) / moments.std, (moments.high - moments.mean) / moments.std
    nearly_zero = 0 < moments.low < 1e-6 * moments.mean  # outliers in the logarithm alone
    if min(below, above) > 1.25 and max(below, above) < 7 and largest >= 50 and not nearly_zero:
        return
    measure = np.log if moments.low > 0 else np.asarray
    low, high = measure(moments.low), measure(moments.high)
    for channel, few in enumerate(sample.T):
        few = measure(few.astype(np.float64))
        median, spread = _robust(few)
        for side, furthest in ((1, high - median), (-1, median - low)):
            if not spread or furthest < largest / 2 * spread:
                continue
            deviation = side * (few - median)
            if furthest < _ISOLATED / 2 * deviation[deviation <= largest * spread].max():
                continue
            values = volume.read(0, volume.shape[0]) if values is None else values
            stored = values[..., channel].reshape(-1) if mask is None else values[mask, channel]
            field = measure(stored.astype(np.float64) if stored.dtype.kind in "iu" else stored)
            limit = 0.9 * largest * spread  # a sample gives s to some 4 %
            deviation = field - field.dtype.type(median) if side > 0 else field.dtype.type(median) - field
            far = deviation > limit
            if far.any() and deviation[far].min() >= _ISOLATED * np.where(far, 0, deviation).max():
                _refuse_isolated(volume, channel, stored.astype(np.float64), side, largest, mask)


def _refuse_isolated(
    volume: Volume, channel: int, field: np.ndarray, side: int, largest: float, mask: np.ndarray | None
) -> None:
    logarithm = field.min() > 0
    values = np.log(field) if logarithm else field
    median, spread = _robust(values)
    deviation = side * (values - median)
    far = deviation > largest * spread
    if not spread or not far.any():
        return
    nearest, rest = deviation[far].min() / spread, deviation[~far].max() / spread
    if nearest < _ISOLATED * rest:
        return
    index = int(far.argmax())
    place = np.unravel_index(index if mask is None else int(np.flatnonzero(mask)[index]), volume.shape[:-1])
    number, first = int(far.sum()), (*map(int, place), channel)
    raise UnusableFileError(
        volume.source, volume.key, f"{number:,} values lie {nearest:,.0f} robust standard deviations or more from the "
        f"median {np.exp(median) if logarithm else median:.6g}{' in the logarithm' if logarithm else ''}, and all "
        f"others on that side within {rest:.3g}; the first is {field[far.argmax()]:g} at {first}. "
        "A fill value or damage? Mend or remove the file; if such values are valid: "
        f"--set ingest.largest_deviation={math.ceil(deviation.max() / spread)}",
    )  # fmt: skip


def _robust(values: np.ndarray) -> tuple[float, float]:
    """Return the median and 1.4826 × MAD; for an even number of values, the upper of the two middle ones."""
    half = values.size // 2
    median = np.partition(values, half)[half]
    return float(median), _ROBUST * float(np.partition(np.abs(values - median), half)[half])


def _refuse_masked(volume: Volume, value: float, why: str) -> None:
    number, first = _count(volume, lambda values: values == value)
    pixels = math.prod(volume.shape)
    reason = f"{number:,} of {pixels:,} values are {value:.7g}, {why}: masked. The first is at {first}"
    raise UnusableFileError(volume.source, volume.key, f"{reason}. {_advice(volume)}")


def _advice(volume: Volume) -> str:
    """Return what to do about masked pixels; only maps may have them."""
    if len(volume.shape) == 4:
        return f"tenfold trains on complete volumes: {_COMPLETE}"
    return f"{ADVICE}. Otherwise {_COMPLETE}"


def _count(volume: Volume, test: Callable[[np.ndarray], np.ndarray]) -> tuple[int, tuple[int, ...] | None]:
    """Return how many values of a volume pass a test, and the position of the first."""
    number, first = 0, None
    for start, slab in _slabs(volume):
        passed = test(slab)
        here = int(np.count_nonzero(passed))
        if here and first is None:
            place = np.unravel_index(int(passed.argmax()), passed.shape)
            first = (int(place[0]) + start, *map(int, place[1:]))
        number += here
    return number, first


def _slabs(volume: Volume) -> Iterator[tuple[int, np.ndarray]]:
    thick = max(1, volume.shape[0] // 8)
    for start in range(0, volume.shape[0], thick):
        yield start, volume.read(start, min(start + thick, volume.shape[0]))
