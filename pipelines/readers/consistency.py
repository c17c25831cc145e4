"""Consistency of the metadata in a file with those that the user states: neither overrides the other."""

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
    """Whether two numbers are equal to the precision of float32, or to the printed digits of the shorter one.

    Three digits or more are compared: 0.309 agrees with 0.3089, and 0.3 does not.
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
    """Return the value of a property that the file, the user, or both give.

    Parameters
    ----------
    name
        Name of the property in the file.
    own, stated
        Values of the file and of the user; None or empty if not given.
    path, key
        File and key, for messages.
    setting
        Configuration key of the stated value; by default ``ingest.NAME``.

    Raises
    ------
    UnusableFileError
        The two values contradict each other.
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
    """Return the parameters of a file, completed by those of a table, by canonical name.

    Raises
    ------
    UnusableFileError
        The table contradicts the file.
    """
    for name, value in stated.parameters.items():
        if name in own and not values_agree(own[name], value):
            raise UnusableFileError(
                path, key, f"{name} is {own[name]:.8g} in the file, and {value:.8g} in the table of parameters "
                "(ingest.table): correct one of them",
            )  # fmt: skip
    both = {**stated.parameters, **own}
    return {name: both[name] for name in PARAMETERS if name in both}
