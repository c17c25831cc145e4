"""Class labels of a target: whether its labels are classes or numbers, and the class that a table cell denotes."""

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.molecules.config import Kind
from tenfold.pipelines.readers import numbers
from tenfold.pipelines.readers.molecule_table import MISSING_VALUES

MAX_CLASSES = 20
"""Largest number of classes of a target."""
MAX_DISTINCT_CELLS = 1000
"""Largest number of distinct cells that are counted; a column with more does not hold classes."""
MAX_STRAY_FRACTION = 0.1
"""Largest fraction of words among the numbers of a column: they count as typing errors and are ignored."""

POSITIVE_WORDS = frozenset(
    ("active", "true", "yes", "positive", "pos", "toxic", "present", "on", "hit", "t", "y", "p", "+")
)
NEGATIVE_WORDS = frozenset(
    ("inactive", "false", "no", "negative", "neg", "nontoxic", "non-toxic", "absent", "off", "f", "n", "-")
)
"""Words that identify the positive and the negative of two classes, in lower case."""

_BINARY = ("0", "1")
_QUALIFIED = re.compile(r"^[<>~≤≥≈]|\d\s*(±|\+/?-)|^[-+]?inf(inity)?$", re.IGNORECASE)
"""Censored, uncertain or infinite measurements: neither plain numbers nor classes."""


@dataclass(frozen=True)
class Classes:
    """Classes of one target, in the order of their codes: 0, 1, and so on."""

    names: tuple[str, ...]
    """Names of the classes. Of two classes, the second is the positive one, whose probability is scored."""

    @cached_property
    def _codes(self) -> dict[str, float]:
        return {_key(name): float(code) for code, name in enumerate(self.names)}

    def code(self, cell: str) -> float:
        """Return the code of the class that a cell denotes, NaN for a missing label.

        Raises
        ------
        ValueError
            The cell denotes none of the classes.
        """
        text = cell.strip()
        if text.lower() in MISSING_VALUES:
            return math.nan
        try:
            return self._codes[_key(text)]
        except KeyError:
            raise ValueError(f"{text[:40]!r} is not one of the classes {abbreviate_list(self.names)}") from None


def count_cell(cells: Counter[str], cell: str) -> None:
    """Count a cell of a target column, unless the column has too many distinct cells to hold classes."""
    if cell in cells or len(cells) < MAX_DISTINCT_CELLS:
        cells[cell] += 1


def infer_classes(name: str, cells: Mapping[str, int], kind: Kind | None = None, *, measured: bool = False) -> Classes:
    """Infer the classes of a target; empty if its labels are numbers.

    Labels are classes if they take two values in any spelling (0 and 1, -1 and 1, active and inactive), or are words.
    Two classes are ordered by meaning (no before yes), others numerically or alphabetically. Other numbers are classes
    only if the configuration says so.

    Parameters
    ----------
    name
        Name of the target, for messages.
    cells
        Number of occurrences of each cell in the column, from `count_cell`.
    kind
        Kind of the target in the configuration, if given.
    measured
        Whether the target is known to be a physical quantity, because it has a unit.

    Raises
    ------
    InputError
        A column mixes words and numbers, or there are too many or too few distinct labels for classes.
    """
    figures: Counter[str] = Counter()
    words: Counter[str] = Counter()
    for cell, count in cells.items():
        text = cell.strip()
        if text.lower() not in MISSING_VALUES and (kind == "classification" or not _QUALIFIED.search(text)):
            (words if parse_number(text) is None else figures)[text] += count
    values = {_key(text) for text in figures}
    if kind == "regression":
        return Classes(())
    if kind is None and figures and words.total() > MAX_STRAY_FRACTION * (words.total() + figures.total()):
        key = json.dumps(name, ensure_ascii=False)
        texts, numeric = abbreviate_list(_most_frequent(words)), abbreviate_list(_most_frequent(figures))
        raise InputError(
            f"target {name}: its labels are both words ({texts}) and numbers ({numeric}). Choose by kinds: "
            f"{{{key}: regression}} ignores the words, {{{key}: classification}} makes each label a class."
        )
    if kind is None and figures:
        binary = len(values) == 2 and figures.total() > 2 and not measured
        if not binary and not values <= set(_BINARY):
            return Classes(())
        words = Counter()
    if not words and values <= set(_BINARY):
        return Classes(_BINARY)
    names = sorted(values, key=float) + _words(name, words)
    if not 2 <= len(names) <= MAX_CLASSES:
        count = "only the label" if len(names) == 1 else f"{len(names)} different labels"
        raise InputError(
            f"target {name}: has {count} {abbreviate_list(names)}; a target has 2 to {MAX_CLASSES} classes. Is it the "
            "right column?"
        )
    return Classes(tuple(_ordered(*names) if len(names) == 2 else names))


def parse_number(text: str) -> float | None:
    """Return the finite number that a text denotes, or None."""
    try:
        return numbers.parse_number(text)
    except ValueError:
        return None


def ambiguous_missing_values(cells: Mapping[str, int]) -> dict[str, int]:
    """Count the missing values that could also be the name of a class: none, null, NA."""
    return {cell.strip(): count for cell, count in cells.items() if cell.strip().lower() in ("none", "null", "na")}


def abbreviate_list(names) -> str:
    """Join the first few names, for a message."""
    names = [str(name)[:40] for name in names]
    return ", ".join(names[:6]) + (", …" if len(names) > 6 else "")


def _key(text: str) -> str:
    """Key that is equal for all spellings of a label: 1, 1.0 and +1; Yes and YES."""
    value = parse_number(text)
    return text.casefold() if value is None else format(value + 0.0, ".15g")


def _words(name: str, words: Counter[str]) -> list[str]:
    """One name for each class, in alphabetical order, in its most frequent spelling."""
    spellings: dict[str, list[str]] = {}
    for word in _most_frequent(words):
        spellings.setdefault(_key(word), []).append(word)
    known = spellings.keys() & (POSITIVE_WORDS | NEGATIVE_WORDS)
    for key, variants in spellings.items():
        if len(variants) > 1 and key not in known:
            raise InputError(
                f"target {name}: labels {abbreviate_list(variants)} differ only in case. Spell each class in one way."
            )
    if len(known) == len(spellings) > 2:
        raise InputError(
            f"target {name}: labels {abbreviate_list(sorted(known))} are different words for yes and no. Spell each "
            "class in one way."
        )
    return [spellings[key][0] for key in sorted(spellings)]


def _most_frequent(labels: Counter[str]) -> list[str]:
    return sorted(labels, key=lambda label: (-labels[label], label))


def _ordered(first: str, second: str) -> tuple[str, str]:
    """Order two classes, the negative one first if the words identify it."""
    first_lower, second_lower = first.casefold(), second.casefold()
    swap = (
        (first_lower in POSITIVE_WORDS and second_lower not in POSITIVE_WORDS)
        or (second_lower in NEGATIVE_WORDS and first_lower not in NEGATIVE_WORDS)
        or (
            second_lower.endswith(first_lower)
            and second_lower.removesuffix(first_lower).strip(" -_") in ("non", "not", "no", "in", "un")
        )
        or (first_lower.endswith("+") and second_lower.endswith("-") and first_lower[:-1] == second_lower[:-1])
    )
    return (second, first) if swap else (first, second)
