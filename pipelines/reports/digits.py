"""Number formatting for reports: digits according to the uncertainty, powers of ten only for extreme sizes."""

import math
from numbers import Integral
from typing import SupportsFloat

MISSING = "–"
PLAIN_RANGE = 1e-4, 1e7
"""Numbers of this range of sizes are written without a power of ten."""
GROUPED_FROM = 10_000
"""Numbers from this size have their digits grouped in threes: 12,300."""
PRECISION = 15
"""Largest number of significant digits, that of a float64."""
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def format_number(value: SupportsFloat | None, significant: int = 3, *, zeros: bool = True) -> str:
    """Format a number of unknown uncertainty.

    Parameters
    ----------
    value
        Number to format. Integers are written in full, None and NaN as a dash.
    significant
        Number of significant digits.
    zeros
        Whether trailing zeros are kept, as for measured values; for settings they are not.

    Returns
    -------
    str
        `1230` for 1234.5, `0.0500` for 0.05 (`0.05` without zeros), `1.23 × 10⁸` for 1.234e8.
    """
    if isinstance(value, Integral):
        return _format_plain(int(value), 0)
    number = _finite(value)
    if isinstance(number, str):
        return number
    if not number:
        return "0"
    exponent = _exponent(number, significant)
    return _format_rounded(number, significant - 1 - exponent, abs(number), zeros)


def format_value(value: SupportsFloat | None, uncertainty: float | None, size: float = 0.0) -> str:
    """Format a value to two significant digits of its uncertainty.

    Parameters
    ----------
    value
        Value to format; None and NaN are written as a dash.
    uncertainty
        Uncertainty in the unit of the value: half the width of an interval, or a standard deviation. If it is None,
        zero or not finite, the value has four significant digits.
    size
        Largest of several numbers that are to share a format; by default the value.

    Returns
    -------
    str
        `0.0245` for 0.024512 ± 0.0021, `1230` for 1234.5 ± 310, `0.99970` for 0.9997 ± 0.00015.
    """
    finite = _finite(value)
    if isinstance(finite, str):
        return finite
    if uncertainty is None or not uncertainty > 0 or not math.isfinite(uncertainty):
        return format_number(finite, 4) if finite else "0.000"
    return _format_rounded(finite, 1 - _exponent(uncertainty, 2), max(abs(finite), uncertainty, size))


def format_interval(
    value: SupportsFloat | None, low: SupportsFloat | None, high: SupportsFloat | None
) -> tuple[str, str, str]:
    """Format a value and the bounds of its interval, all to two significant digits of half the width."""
    bounds = [math.nan if bound is None else float(bound) for bound in (low, high)]
    sizes = [abs(float(part)) for part in (value, *bounds) if part is not None and math.isfinite(float(part))]
    texts = [format_value(part, (bounds[1] - bounds[0]) / 2, max(sizes, default=0.0)) for part in (value, *bounds)]
    return texts[0], texts[1], texts[2]


def format_with_interval(value: SupportsFloat | None, low: SupportsFloat | None, high: SupportsFloat | None) -> str:
    """Format a value and its interval for running text: 1.70 (1.35 … 2.13)."""
    return "{} ({} … {})".format(*format_interval(value, low, high))


def format_with_uncertainty(value: SupportsFloat | None, sigma: float | None) -> str:
    """Format a value and its standard deviation, the latter to two digits: −5.90 ± 0.52."""
    size = abs(float(value)) if value is not None else 0.0
    return f"{format_value(value, sigma)} ± {format_value(sigma, sigma, size)}"


def _finite(value: SupportsFloat | None) -> float | str:
    """Return the number, or the text for a missing or infinite one."""
    number = math.nan if value is None else float(value)
    if math.isnan(number):
        return MISSING
    if math.isinf(number):
        return "∞" if number > 0 else "−∞"
    return number


def _exponent(value: float, significant: int) -> int:
    """Power of ten of the leading digit after rounding."""
    return int(f"{value:.{significant - 1}e}".split("e")[1])


def _format_rounded(value: float, decimals: int, size: float, zeros: bool = True) -> str:
    """Format a number of a given size with a number of decimals; negative ones round to tens, hundreds and so on."""
    exponent = _exponent(size, PRECISION)
    decimals = min(decimals, PRECISION - 1 - exponent)
    if PLAIN_RANGE[0] <= size < PLAIN_RANGE[1]:
        return _format_plain(value, decimals, zeros)
    mantissa = _format_plain(value / 10.0**exponent, max(decimals + exponent, 0), zeros)
    return f"{mantissa} × 10{str(exponent).translate(_SUPERSCRIPTS)}"


def _format_plain(value: float, decimals: int, zeros: bool = True) -> str:
    rounded = round(value, decimals)
    text = f"{abs(rounded):{',' if abs(rounded) >= GROUPED_FROM else ''}.{max(decimals, 0)}f}"
    if not zeros and "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"−{text}" if rounded < 0 else text
