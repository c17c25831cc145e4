"""Upper bounds on the sizes in an architecture, far above those of real networks."""

WIDEST = 65_536
"""Maximum number of units of a layer, or of cells per side."""
MOST = 100
"""Maximum number of layers, steps, or members of an ensemble."""


def check_size(name: str, value: int | tuple[int, ...], most: int = WIDEST) -> None:
    """Check that a number, or each of a tuple, is at most ``most``, and that a tuple has at most `MOST` entries.

    Raises
    ------
    ValueError
        A number or the tuple is too large; the message begins with ``name``.
    """
    values = value if isinstance(value, tuple) else (value,)
    if len(values) > MOST:
        raise ValueError(f"{name}: found {len(values)} layers, must be at most {MOST}")
    if max(values, default=0) > most:
        raise ValueError(f"{name}: found {max(values)}, must be at most {most:,}")
