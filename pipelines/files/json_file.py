"""Reading of small JSON files that tenfold has written."""

import json
import math
from pathlib import Path
from typing import Any

from tenfold.pipelines.errors import InputError

LONGEST = 2**26
"""Longest file that is read [bytes]."""


def read_json(path: Path, advice: str = "Remove it, then run again.") -> dict[str, Any]:
    """Return the object that a JSON file holds.

    Parameters
    ----------
    path
        UTF-8.
    advice
        What to do about a damaged file.

    Raises
    ------
    InputError
        It cannot be read, is longer than `LONGEST`, damaged, or does not hold one object.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(LONGEST + 1)
        if len(raw) > LONGEST:
            raise ValueError(f"longer than {LONGEST:,} bytes")
        values = json.loads(raw)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}). {advice}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: damaged, not valid JSON ({error}). {advice}") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: damaged, found {type(values).__name__}, expected an object. {advice}")
    return values


def read_numbers(path: Path, advice: str = "Remove it, then run again.") -> dict[str, float]:
    """Return the finite numbers in a JSON file by name, {} if there is no file; see `read_json`.

    Raises
    ------
    InputError
        It is damaged, or one of its values is not a finite number.
    """
    values = read_json(path, advice) if path.exists() else {}
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not -math.inf < value < math.inf:
            raise InputError(f"{path}: {name}: found {str(value)[:80]}, expected a number. {advice}")
    return values
