"""Parsing of numbers in data files."""

import math


def parse_number(text: str) -> float:
    """Parse a finite number.

    Unlike `float`, it does not accept ``1_0``, digits of other scripts, ``nan`` or ``inf``.

    Raises
    ------
    ValueError
        The text is not a number, or not finite.
    """
    if "_" in text or not text.isascii():
        raise ValueError(f"{text.strip()[:40]!r} is not a number")
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text.strip()[:40]!r} is not a number") from None
    if not math.isfinite(value):
        raise ValueError(f"{text.strip()[:40]!r} is not finite")
    return value
