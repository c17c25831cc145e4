"""Pixels that are no measurement: not finite, masked, or so far from all others that they may be a fill value.

Training takes no masks: a volume, or map, with such pixels is refused, with what was found.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np

from tenfold.pipelines.readers.volume import UnusableFileError, Volume
from tenfold.pipelines.volumes.moments import Moments

_ROBUST = 1.4826
"""Standard deviation of a Gaussian in units of its median absolute deviation."""
_ISOLATED = 8.0
"""A value is cut off from the others if it lies so many times as far from the median as the furthest of them."""
SAMPLE = 1024
"""Values of a channel that are enough of a sample."""
_NEEDS = "tenfold trains on whole fields: cut out parts without masked pixels, or fill them, and ingest again"


def check_finite(volume: Volume, slab: np.ndarray) -> None:
    """Refuse a volume with values that are NaN or infinite.

    Parameters
    ----------
    slab
        Some of its values; the others are read only to count where one of these is not finite.

    Raises
    ------
    UnusableFileError
        A value is not finite: how many are, and where the first is.
    """
    if slab.dtype.kind == "f" and not np.isfinite(slab).all():
        number, first = _count(volume, lambda values: ~np.isfinite(values))
        reason = f"{number:,} values are NaN or infinite, the first at {first}: masked, or damaged. {_NEEDS}"
        raise UnusableFileError(volume.source, volume.key, reason)


def check_masked(volume: Volume, slab: np.ndarray, low: float, high: float, fill_values: tuple[float, ...]) -> None:
    """Refuse a volume with masked pixels.

    A value that the file itself names (BLANK, ``_FillValue``, ``missing_value``) is a mask wherever it stands. Another
    of the usual fill values is one if no other value lies between it and half of it, or, among real numbers, if it
    stands there more than once: a field that is continuous there gives no value exactly twice.

    Parameters
    ----------
    slab
        Some of its values; the others are read only where a fill value is among these.
    low, high
        Least and largest of `slab`.
    fill_values
        The usual ones.

    Raises
    ------
    UnusableFileError
        Pixels are masked: how many, by which value, and where the first is.
    """
    for value in volume.mask_values:
        if low <= value <= high and (slab == value).any():
            _refuse_masked(volume, value, "which the file names as its fill value")
    for value in fill_values:
        own = _as(value, slab.dtype)
        if own is None or not low <= own <= high or not (slab == own).any():
            continue
        near, far = sorted((own / 2, own))
        between, _ = _count(volume, lambda values: (near <= values) & (values <= far) & (values != own))  # noqa: B023
        number, _ = _count(volume, lambda values: values == own)  # noqa: B023
        if not between or (slab.dtype.kind == "f" and number > 1):
            _refuse_masked(volume, own, "a usual fill value (if it is meant: --set ingest.fill_values=[])")


def check_deviation(
    volume: Volume, moments: Moments, some: np.ndarray, largest: float, whole: np.ndarray | None = None
) -> None:
    """Refuse a volume with values that are far out and cut off from all others, unless the user says they are meant.

    With the median m and the robust standard deviation s = 1.4826 × MAD of a channel, values with |x − m| > `largest` s
    are asked about if they lie at least eight times as far from m as all other values on that side. So the heavy tails
    of fields pass, however long they are, because they have no gap: peaks of the convergence, for example. Of a field
    above 0 everywhere, such as a density over many orders of magnitude, the logarithm is judged. Counts, and other
    integers of 0 or more, are not, nor is a channel of which more than half has one value.

    Most volumes are spared the sorting. An isolated value that far out makes one side of a distribution very long in
    units of the plain standard deviation, or the other very short; where that is so, a sample tells m and s closely
    enough to see most tails go on without a gap.

    Parameters
    ----------
    moments
        Of all its values.
    some
        A sample of its values, shape (n, channel).
    largest
        [s].
    whole
        All its values, where they are at hand; else they are read where they are needed.

    Raises
    ------
    UnusableFileError
        Values are far out: how many, which, and where the first is.
    """
    if not moments.std > 0 or (volume.dtype.kind in "iu" and moments.low >= 0):
        return
    below, above = (moments.mean - moments.low) / moments.std, (moments.high - moments.mean) / moments.std
    nearly_zero = 0 < moments.low < 1e-6 * moments.mean  # far out in the logarithm alone
    if min(below, above) > 1.25 and max(below, above) < 7 and largest >= 50 and not nearly_zero:
        return
    measure = np.log if moments.low > 0 else np.asarray
    low, high = measure(moments.low), measure(moments.high)
    for channel, sample in enumerate(some.T):
        sample = measure(sample.astype(np.float64))
        median, spread = _robust(sample)
        for side, furthest in ((1, high - median), (-1, median - low)):
            if not spread or furthest < largest / 2 * spread:
                continue
            apart = side * (sample - median)
            if furthest < _ISOLATED / 2 * apart[apart <= largest * spread].max():
                continue
            whole = volume.read(0, volume.shape[0]) if whole is None else whole
            values = whole[..., channel].reshape(-1)
            values = measure(values.astype(np.float64) if values.dtype.kind in "iu" else values)
            limit = 0.9 * largest * spread  # a sample knows s to some 4 %
            apart = values - values.dtype.type(median) if side > 0 else values.dtype.type(median) - values
            far = apart > limit
            if far.any() and apart[far].min() >= _ISOLATED * np.where(far, 0, apart).max():
                _refuse_isolated(volume, channel, whole[..., channel].reshape(-1).astype(np.float64), side, largest)


def _refuse_isolated(volume: Volume, channel: int, field: np.ndarray, side: int, largest: float) -> None:
    logarithm = field.min() > 0
    values = np.log(field) if logarithm else field
    median, spread = _robust(values)
    apart = side * (values - median)
    far = apart > largest * spread
    if not spread or not far.any():
        return
    nearest, rest = apart[far].min() / spread, apart[~far].max() / spread
    if nearest < _ISOLATED * rest:
        return
    place = np.unravel_index(int(far.argmax()), volume.shape[:-1])
    number, first = int(far.sum()), (*map(int, place), channel)
    raise UnusableFileError(
        volume.source, volume.key, f"{number:,} values lie {nearest:,.0f} robust standard deviations or more from the "
        f"median {np.exp(median) if logarithm else median:.6g}{' in the logarithm' if logarithm else ''}, and all "
        f"others on that side within {rest:.3g}; the first is {field[far.argmax()]:g} at {first}. "
        "A fill value or damage? Mend or remove the file; if such values are meant: "
        f"--set ingest.largest_deviation={math.ceil(apart.max() / spread)}",
    )  # fmt: skip


def _robust(values: np.ndarray) -> tuple[float, float]:
    """Median and 1.4826 × MAD of values; of an even number of them, the upper of the two in the middle."""
    half = values.size // 2
    median = np.partition(values, half)[half]
    return float(median), _ROBUST * float(np.partition(np.abs(values - median), half)[half])


def _as(value: float, dtype: np.dtype) -> float | int | None:
    """A value as an array of a type holds it; None where it cannot."""
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return int(value) if value == int(value) and limits.min <= value <= limits.max else None
    return float(dtype.type(value)) if abs(value) <= np.finfo(dtype).max else None


def _refuse_masked(volume: Volume, value: float, why: str) -> None:
    number, first = _count(volume, lambda values: values == value)
    pixels = math.prod(volume.shape)
    reason = f"{number:,} of {pixels:,} values are {value:.7g}, {why}: masked. The first is at {first}. {_NEEDS}"
    raise UnusableFileError(volume.source, volume.key, reason)


def _count(volume: Volume, test: Callable[[np.ndarray], np.ndarray]) -> tuple[int, tuple[int, ...] | None]:
    """How many values of a volume pass a test, and the place of the first."""
    number, first = 0, None
    for start, slab in _slabs(volume):
        found = test(slab)
        here = int(np.count_nonzero(found))
        if here and first is None:
            place = np.unravel_index(int(found.argmax()), found.shape)
            first = (int(place[0]) + start, *map(int, place[1:]))
        number += here
    return number, first


def _slabs(volume: Volume) -> Iterator[tuple[int, np.ndarray]]:
    thick = max(1, volume.shape[0] // 8)
    for start in range(0, volume.shape[0], thick):
        yield start, volume.read(start, min(start + thick, volume.shape[0]))
