"""Input that an ingest cannot use: its list, and the threshold above which the ingest stops."""

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.files.spreadsheet import as_text

REJECTED = "rejected.csv"
"""Name of the list in a folder of shards."""


def write_rejected(out: Path, columns: Sequence[str], rows: Iterable[Sequence[str | int]]) -> Path:
    """Write the list of rejected input; cells that a spreadsheet would run as a formula become text.

    Parameters
    ----------
    out
        Folder of the shards.
    columns
        Names of the columns.
    rows
        One for each rejected input.
    """
    path = out / REJECTED
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(columns)
        table.writerows([as_text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return path


def check_rejected(
    rejected: int, total: int, threshold: float, *, noun: str, first: str, write: Callable[[], Path]
) -> None:
    """Stop an ingest that rejects too much of its input, or all of it.

    Parameters
    ----------
    rejected, total
        Numbers of rejected inputs, and of all.
    threshold
        Largest fraction that may be rejected.
    noun
        What the inputs are, such as ``"files"``.
    first
        The first rejected input, with its reason.
    write
        Writes the list of all, and returns its path; called before the error is raised.

    Raises
    ------
    InputError
        More than the threshold allows are rejected, or all.
    """
    if rejected and (rejected > threshold * total or rejected == total):
        raise InputError(
            f"{rejected} of {total} {noun} cannot be used, more than rejected_threshold {threshold:g} allows. The "
            f"first: {first}. All are listed in {write()}: mend or remove them, or raise the threshold."
        )
