"""Consistency of the metadata in a file with those that the user states: neither overrides the other."""

import math
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from tenfold.pipelines.readers.parameters import in_order
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError

Value = TypeVar("Value")
_FLOAT32_PRECISION = 1e-6
_MIN_DIGITS = 3


def values_agree(first: float, second: float) -> bool:
    """Whether two numbers are equal to the precision of float32, or to the printed digits of the shorter one.

    Three digits or more are compared: 0.309 agrees with 0.3089, and 0.3 does not.
    """
    if math.isclose(first, second, rel_tol=_FLOAT32_PRECISION, abs_tol=1e-12):
        return True
    for short, long in ((first, second), (second, first)):
        printed = Decimal(repr(float(short))).normalize().as_tuple()
        if not isinstance(printed.exponent, int) or len(printed.digits) < _MIN_DIGITS:
            continue
        if abs(long - short) <= 0.5 * 10.0**printed.exponent * (1 + _FLOAT32_PRECISION):
            return True
    return False


def reconcile(
    name: str, in_file: Value | None, stated: Value | None, path: Path, key: str, setting: str = ""
) -> Value | None:
    """Return the value of a property that the file, the user, or both give.

    Parameters
    ----------
    name
        Name of the property in the file.
    in_file, stated
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
    if in_file is None or in_file == () or in_file == "":
        return stated
    if stated is None or stated == () or stated == "":
        return in_file
    if not _same(in_file, stated):
        setting = setting or f"ingest.{name}"
        reason = f"{name} is {_format(in_file)} in the file, but {setting} is {_format(stated)}: correct one of them"
        raise UnusableFileError(path, key, reason)
    return in_file


def _same(first: object, second: object) -> bool:
    if isinstance(first, tuple) and isinstance(second, tuple):
        return len(first) == len(second) and all(map(_same, first, second))
    if isinstance(first, float) and isinstance(second, float):
        return values_agree(first, second)
    return first == second


def _format(value: object) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_format, value))})"
    return f"{value:.8g}" if isinstance(value, float) else str(value)


def merge_parameters(in_file: Mapping[str, float], stated: StatedMetadata, path: Path, key: str) -> dict[str, float]:
    """Return the parameters of a file, completed by those of a table, by canonical name.

    Raises
    ------
    UnusableFileError
        The table contradicts the file.
    """
    for name, value in stated.parameters.items():
        if name in in_file and not values_agree(in_file[name], value):
            raise UnusableFileError(
                path, key, f"{name} is {in_file[name]:.8g} in the file, but {value:.8g} in the table of parameters "
                "(ingest.table): correct one of them",
            )  # fmt: skip
    return in_order({**stated.parameters, **in_file})
