"""Figures in words: the digits that their interval allows, and no scientific notation for ordinary sizes."""

import math
from numbers import Integral
from typing import SupportsFloat

MISSING = "–"
ORDINARY = 1e-4, 1e7
"""Sizes from the first up to the second are written without a power of ten."""
GROUPED = 10_000
"""From here on digits are grouped in threes: 12,300."""
PRECISION = 15
"""Significant digits of a float64, at most."""
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def figure(value: SupportsFloat | None, significant: int = 3, *, zeros: bool = True) -> str:
    """Write a figure whose interval is not known.

    Parameters
    ----------
    value
        The figure; integers are written whole. None and NaN are written as a dash.
    significant
        Digits.
    zeros
        Whether zeros at the end are kept, as for what is measured; for settings they are not.

    Returns
    -------
    str
        `1230` for 1234.5, `0.0500` for 0.05 (`0.05` without zeros), `1.23 × 10⁸` for 1.234e8.
    """
    if isinstance(value, Integral):
        return _plain(int(value), 0)
    number = _finite(value)
    if isinstance(number, str):
        return number
    if not number:
        return "0"
    exponent = _exponent(number, significant)
    return _written(number, significant - 1 - exponent, abs(number), zeros)


def number(value: SupportsFloat | None, spread: float | None, size: float = 0.0) -> str:
    """Write a value with two significant figures of its spread.

    Parameters
    ----------
    value
        None and NaN are written as a dash.
    spread
        Half the width of an interval, or a standard deviation, in the value's unit. Without any (None, zero, not
        finite) the value is written with four significant figures.
    size
        The largest of the numbers that are to be written alike; by default the value.

    Returns
    -------
    str
        `0.0245` for 0.024512 ± 0.0021, `1230` for 1234.5 ± 310, `0.99970` for 0.9997 ± 0.00015.
    """
    found = _finite(value)
    if isinstance(found, str):
        return found
    if spread is None or not spread > 0 or not math.isfinite(spread):
        return figure(found, 4) if found else "0.000"
    return _written(found, 1 - _exponent(spread, 2), max(abs(found), spread, size))


def interval(
    value: SupportsFloat | None, low: SupportsFloat | None, high: SupportsFloat | None
) -> tuple[str, str, str]:
    """Write a value and the ends of its interval, all with two significant figures of half the interval's width."""
    ends = [math.nan if each is None else float(each) for each in (low, high)]
    known = [abs(float(each)) for each in (value, *ends) if each is not None and math.isfinite(float(each))]
    written = [number(each, (ends[1] - ends[0]) / 2, max(known, default=0.0)) for each in (value, *ends)]
    return written[0], written[1], written[2]


def inline(value: SupportsFloat | None, low: SupportsFloat | None, high: SupportsFloat | None) -> str:
    """Write a value and its interval for a sentence: 1.70 (1.35 … 2.13)."""
    return "{} ({} … {})".format(*interval(value, low, high))


def measured(value: SupportsFloat | None, sigma: float | None) -> str:
    """Write a value and its standard deviation for a sentence, two figures of the latter: −5.90 ± 0.52."""
    size = abs(float(value)) if value is not None else 0.0
    return f"{number(value, sigma)} ± {number(sigma, sigma, size)}"


def _finite(value: SupportsFloat | None) -> float | str:
    """Return the number, or what is written where there is none."""
    found = math.nan if value is None else float(value)
    if math.isnan(found):
        return MISSING
    if math.isinf(found):
        return "∞" if found > 0 else "−∞"
    return found


def _exponent(value: float, significant: int) -> int:
    """Power of ten of the leading digit, once rounded."""
    return int(f"{value:.{significant - 1}e}".split("e")[1])


def _written(value: float, places: int, size: float, zeros: bool = True) -> str:
    """Write a number with so many decimals (fewer than none: rounded to tens, hundreds …), as numbers of a size are."""
    exponent = _exponent(size, PRECISION)
    places = min(places, PRECISION - 1 - exponent)
    if ORDINARY[0] <= size < ORDINARY[1]:
        return _plain(value, places, zeros)
    mantissa = _plain(value / 10.0**exponent, max(places + exponent, 0), zeros)
    return f"{mantissa} × 10{str(exponent).translate(_RAISED)}"


def _plain(value: float, places: int, zeros: bool = True) -> str:
    rounded = round(value, places)
    written = f"{abs(rounded):{',' if abs(rounded) >= GROUPED else ''}.{max(places, 0)}f}"
    if not zeros and "." in written:
        written = written.rstrip("0").rstrip(".")
    return f"−{written}" if rounded < 0 else written
