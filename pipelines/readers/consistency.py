"""What a file says of itself, held against what the user states of it: neither overrules the other."""

import math
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from tenfold.pipelines.readers.parameters import PARAMETERS
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError

Fact = TypeVar("Fact")
_FLOAT32 = 1e-6
_DIGITS = 3


def values_agree(one: float, other: float) -> bool:
    """Whether two numbers are the same one: to the rounding of float32, or to the digits of the one with fewer.

    Digits count from three on: 0.309 is 0.3089, and 0.3 is not.
    """
    if math.isclose(one, other, rel_tol=_FLOAT32, abs_tol=1e-12):
        return True
    for short, long in ((one, other), (other, one)):
        printed = Decimal(repr(float(short))).normalize().as_tuple()
        if not isinstance(printed.exponent, int) or len(printed.digits) < _DIGITS:
            continue
        if abs(long - short) <= 0.5 * 10.0**printed.exponent * (1 + _FLOAT32):
            return True
    return False


def reconcile(name: str, own: Fact | None, stated: Fact | None, path: Path, key: str, setting: str = "") -> Fact | None:
    """The value of a fact that a file or the user gives, or both alike.

    Parameters
    ----------
    name
        Of the fact, as the file calls it.
    own, stated
        What the file and the user say; None, or nothing in them, where they do not.
    path, key
        Where it stands, for the message.
    setting
        The key of the configuration that states it; by default ``ingest.NAME``.

    Raises
    ------
    UnusableFileError
        They contradict each other.
    """
    if own is None or own == () or own == "":
        return stated
    if stated is None or stated == () or stated == "":
        return own
    if not _same(own, stated):
        setting = setting or f"ingest.{name}"
        reason = f"{name} is {_shown(own)} in the file, and {setting} says {_shown(stated)}: correct one of them"
        raise UnusableFileError(path, key, reason)
    return own


def _same(one: object, other: object) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return values_agree(one, other)
    return one == other


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_shown, value))})"
    return f"{value:.8g}" if isinstance(value, float) else str(value)


def merge_parameters(own: Mapping[str, float], stated: StatedMetadata, path: Path, key: str) -> dict[str, float]:
    """Parameters that a file has, and those that a table adds to them, by canonical name.

    Raises
    ------
    UnusableFileError
        The table has another value than the file.
    """
    for name, value in stated.parameters.items():
        if name in own and not values_agree(own[name], value):
            raise UnusableFileError(
                path, key, f"{name} is {own[name]:.8g} in the file, and {value:.8g} in the table of parameters "
                "(ingest.table): correct one of them",
            )  # fmt: skip
    both = {**stated.parameters, **own}
    return {name: both[name] for name in PARAMETERS if name in both}
