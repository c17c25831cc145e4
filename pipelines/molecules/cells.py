"""Cells of target columns: the label in a cell, or the reason why it holds none."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tenfold.pipelines.molecules.classes import Classes, abbreviate_list
from tenfold.pipelines.readers.molecule_table import MISSING_VALUES
from tenfold.pipelines.readers.numbers import parse_number


class UnusableLabelError(ValueError):
    """The content of a cell cannot be used as a label."""

    def __init__(self, text: str, reason: str):
        super().__init__(f"{text[:40]!r} {reason}")
        self.text, self.reason = text, reason


@dataclass(frozen=True, kw_only=True)
class IgnoredLabels:
    """Non-empty cells of a target column that count as missing labels, for one reason."""

    target: str
    reason: str
    count: int
    first: str
    """Location and content of the first such cell."""

    def __str__(self) -> str:
        cells = "1 cell is" if self.count == 1 else f"{self.count:,} cells are"
        return f"{self.target}: {cells} treated as missing: {self.first} {self.reason}."


def merge_counts(cells: Iterable[IgnoredLabels]) -> tuple[IgnoredLabels, ...]:
    """Add up the counts of ignored labels with equal target and reason."""
    merged: dict[tuple[str, str], IgnoredLabels] = {}
    for ignored in cells:
        key = (ignored.target, ignored.reason)
        merged[key] = replace(merged[key], count=merged[key].count + ignored.count) if key in merged else ignored
    return tuple(merged.values())


def parse_label(cell: str, classes: Classes) -> float:
    """Parse the label in a cell: a number, or the code of a class; NaN if it is missing.

    Raises
    ------
    UnusableLabelError
        The cell holds something else: a censored value such as ``<5``, a value with its uncertainty, a word.
    """
    text = cell.strip()
    if text.lower() in MISSING_VALUES:
        return math.nan
    if classes.names:
        try:
            return classes.code(text)
        except ValueError:
            raise UnusableLabelError(text, f"is not one of the classes {abbreviate_list(classes.names)}") from None
    try:
        return parse_number(text)
    except ValueError as error:
        raise UnusableLabelError(text, _reason(text, str(error))) from None


def check_labels_agree(own: Mapping[str, str], table: Mapping[str, str], targets: Sequence[str], source: str) -> None:
    """Check that the labels in the file of a molecule agree with those in a separate table.

    Raises
    ------
    ValueError
        They differ; the message quotes both.
    """
    for name in targets:
        in_file, in_table = own.get(name, "").strip(), table.get(name, "").strip()
        if in_file == in_table or in_file.lower() in MISSING_VALUES or in_table.lower() in MISSING_VALUES:
            continue
        try:
            same = math.isclose(parse_number(in_file), parse_number(in_table), rel_tol=1e-6)
        except ValueError:
            same = False
        if not same:
            raise ValueError(f"{name}: {in_file[:40]!r} in its own file, but {in_table[:40]!r} in {source}")


def _reason(text: str, otherwise: str) -> str:
    """Reason why a cell is not a number."""
    if text[0] in "<>≤≥":
        return "is a censored value, only a bound"
    if text[0] in "~≈":
        return "is an approximate value"
    if "±" in text or "+/-" in text or "+-" in text:
        return "is a value with its uncertainty"
    return otherwise.removeprefix(f"{text[:40]!r} ")
