"""Cells of targets in tables: the label that one holds, or why it holds none."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tenfold.pipelines.molecules.classes import Classes, abbreviate_list
from tenfold.pipelines.readers.molecule_table import MISSING_VALUES
from tenfold.pipelines.readers.numbers import parse_number


class UnusableLabelError(ValueError):
    """A cell holds something that cannot be used as a label."""

    def __init__(self, text: str, reason: str):
        super().__init__(f"{text[:40]!r} {reason}")
        self.text, self.reason = text, reason


@dataclass(frozen=True, kw_only=True)
class IgnoredLabels:
    """Cells of a target's column that count as missing labels, although something stands in them."""

    target: str
    reason: str
    count: int
    first: str
    """Where the first one stands, and what it is."""

    def __str__(self) -> str:
        cells = "1 cell is" if self.count == 1 else f"{self.count:,} cells are"
        return f"{self.target}: {cells} left out as missing: {self.first} {self.reason}."


def merge_counts(blanked: Iterable[IgnoredLabels]) -> tuple[IgnoredLabels, ...]:
    """Count cells by target and reason."""
    found: dict[tuple[str, str], IgnoredLabels] = {}
    for each in blanked:
        key = (each.target, each.reason)
        found[key] = replace(found[key], count=found[key].count + each.count) if key in found else each
    return tuple(found.values())


def parse_label(cell: str, classes: Classes) -> float:
    """Return the number, or the code of the class, that a cell holds; NaN for a missing label.

    Raises
    ------
    NoLabelError
        Something else stands in it: a bound such as ``<5``, a value with its error, a word.
    """
    text = cell.strip()
    if text.lower() in MISSING_VALUES:
        return math.nan
    if classes.names:
        try:
            return classes.code(text)
        except ValueError:
            raise UnusableLabelError(text, f"is none of the classes {abbreviate_list(classes.names)}") from None
    try:
        return parse_number(text)
    except ValueError as error:
        raise UnusableLabelError(text, _what(text, str(error))) from None


def check_labels_agree(own: Mapping[str, str], table: Mapping[str, str], targets: Sequence[str], source: str) -> None:
    """Refuse labels that a molecule's file and a table beside it give differently.

    Raises
    ------
    ValueError
        They do: the message has both.
    """
    for name in targets:
        ours, theirs = own.get(name, "").strip(), table.get(name, "").strip()
        if ours == theirs or ours.lower() in MISSING_VALUES or theirs.lower() in MISSING_VALUES:
            continue
        try:
            same = math.isclose(parse_number(ours), parse_number(theirs), rel_tol=1e-6)
        except ValueError:
            same = False
        if not same:
            raise ValueError(f"{name}: {ours[:40]!r} in its own file, and {theirs[:40]!r} in {source}")


def _what(text: str, otherwise: str) -> str:
    """What a cell holds that is no number."""
    if text[0] in "<>≤≥":
        return "is a bound, not a value (censored)"
    if text[0] in "~≈":
        return "is approximate, not a value"
    if "±" in text or "+/-" in text or "+-" in text:
        return "is a value with its error"
    return otherwise.removeprefix(f"{text[:40]!r} ")
