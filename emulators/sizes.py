"""Bounds on the numbers that a network's shape is made of: far beyond what is trained, and still quick to refuse."""

WIDEST = 65_536
"""Units of a layer, or cells per side, at most."""
MOST = 100
"""Layers one after another, steps, or members of an ensemble, at most."""


def check_size(name: str, value: int | tuple[int, ...], most: int = WIDEST) -> None:
    """Check that a number, or each of a tuple, is at most ``most``, and that a tuple has at most `MOST` of them.

    Raises
    ------
    ValueError
        It is larger; the message begins with ``name``.
    """
    values = value if isinstance(value, tuple) else (value,)
    if len(values) > MOST:
        raise ValueError(f"{name}: found {len(values)} layers, must be at most {MOST}")
    if max(values, default=0) > most:
        raise ValueError(f"{name}: found {max(values)}, must be at most {most:,}")
