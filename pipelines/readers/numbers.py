"""Numbers as data files write them."""

import math


def parse_number(text: str) -> float:
    """Return the finite number that a text is.

    Python alone would read more than a data file means: ``1_0`` as 10, digits of other scripts, ``nan`` and ``inf``.

    Raises
    ------
    ValueError
        It is no number, or not finite.
    """
    if "_" in text or not text.isascii():
        raise ValueError(f"{text.strip()[:40]!r} is no number")
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text.strip()[:40]!r} is no number") from None
    if not math.isfinite(value):
        raise ValueError(f"{text.strip()[:40]!r} is not finite")
    return value
