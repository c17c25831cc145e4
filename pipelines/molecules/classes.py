"""Classes of a target: whether its labels are classes or numbers, and which class a cell of a table means."""

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
"""Classes of a target, at most."""
MAX_DISTINCT_CELLS = 1000
"""Different cells of a column that are counted; a column of more is not one of classes."""
MAX_STRAY_FRACTION = 0.1
"""Largest fraction of a column's labels that may be words among numbers: typing errors, which are set aside."""

POSITIVE_WORDS = frozenset(
    ("active", "true", "yes", "positive", "pos", "toxic", "present", "on", "hit", "t", "y", "p", "+")
)
NEGATIVE_WORDS = frozenset(
    ("inactive", "false", "no", "negative", "neg", "nontoxic", "non-toxic", "absent", "off", "f", "n", "-")
)
"""Words whose meaning orders two classes, in lower case."""

_BINARY = ("0", "1")
_QUALIFIED = re.compile(r"^[<>~≤≥≈]|\d\s*(±|\+/?-)|^[-+]?inf(inity)?$", re.IGNORECASE)
"""Measurements that are bounds, have errors or are infinite: no numbers as they stand, and no classes."""


@dataclass(frozen=True)
class Classes:
    """Classes of one target, in the order of their codes: 0, 1, and so on."""

    names: tuple[str, ...]
    """Of two, the second is the positive class, whose probability is scored."""

    @cached_property
    def _codes(self) -> dict[str, float]:
        return {_key(name): float(code) for code, name in enumerate(self.names)}

    def code(self, cell: str) -> float:
        """Return the code of the class that a cell means, NaN for a missing label.

        Raises
        ------
        ValueError
            It means none of the classes.
        """
        text = cell.strip()
        if text.lower() in MISSING_VALUES:
            return math.nan
        try:
            return self._codes[_key(text)]
        except KeyError:
            raise ValueError(f"{text[:40]!r} is none of the classes {abbreviate_list(self.names)}") from None


def count_cell(cells: Counter[str], cell: str) -> None:
    """Count one cell of a target's column, unless the column has too many different ones to be of classes."""
    if cell in cells or len(cells) < MAX_DISTINCT_CELLS:
        cells[cell] += 1


def infer_classes(name: str, cells: Mapping[str, int], kind: Kind | None = None, *, measured: bool = False) -> Classes:
    """Return the classes of a target; none where its labels are numbers.

    Labels are classes where they take two values of any spelling (0 and 1, -1 and 1, active and inactive), or are
    words. Two classes are ordered by what they mean (no before yes), others by number or alphabet. Other numbers are
    classes only if the user says so.

    Parameters
    ----------
    name
        Of the target.
    cells
        How often each cell stands in its column, as `count_cell` counts.
    kind
        What the user said of the target, if anything.
    measured
        Whether the target is known to be a physical quantity, by its unit.

    Raises
    ------
    InputError
        Words and numbers stand in one column, or the labels are too many or too few for classes.
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
        found = (
            f"both words ({abbreviate_list(_commonest(words))}) and numbers ({abbreviate_list(_commonest(figures))})"
        )
        raise InputError(
            f"target {name}: its labels are {found}. Say which counts by kinds: "
            f"{{{key}: regression}} sets the words aside, {{{key}: classification}} makes a class of each label."
        )
    if kind is None and figures:
        two = len(values) == 2 and figures.total() > 2 and not measured
        if not two and not values <= set(_BINARY):
            return Classes(())
        words = Counter()
    if not words and values <= set(_BINARY):
        return Classes(_BINARY)
    found = sorted(values, key=float) + _words(name, words)
    if not 2 <= len(found) <= MAX_CLASSES:
        only = "only the label" if len(found) == 1 else f"{len(found)} different labels"
        raise InputError(
            f"target {name}: has {only} {abbreviate_list(found)}, and classes are 2 to {MAX_CLASSES}. Is it the right "
            "column?"
        )
    return Classes(tuple(_ordered(*found) if len(found) == 2 else found))


def parse_number(text: str) -> float | None:
    """Return the finite number that a text is, None where it is none."""
    try:
        return numbers.parse_number(text)
    except ValueError:
        return None


def ambiguous_missing_values(cells: Mapping[str, int]) -> dict[str, int]:
    """How often words that could be the name of a class stand for a missing label: none, null, NA."""
    return {cell.strip(): count for cell, count in cells.items() if cell.strip().lower() in ("none", "null", "na")}


def abbreviate_list(names) -> str:
    """Return the first few of some labels, for a message."""
    names = [str(name)[:40] for name in names]
    return ", ".join(names[:6]) + (", …" if len(names) > 6 else "")


def _key(text: str) -> str:
    """The same for all spellings of a label: 1, 1.0 and +1; Yes and YES."""
    value = parse_number(text)
    return text.casefold() if value is None else format(value + 0.0, ".15g")


def _words(name: str, words: Counter[str]) -> list[str]:
    """Words in alphabetical order, one for each class, as it is most often written."""
    spellings: dict[str, list[str]] = {}
    for word in _commonest(words):
        spellings.setdefault(_key(word), []).append(word)
    known = spellings.keys() & (POSITIVE_WORDS | NEGATIVE_WORDS)
    for key, alike in spellings.items():
        if len(alike) > 1 and key not in known:
            raise InputError(
                f"target {name}: labels {abbreviate_list(alike)} differ only in case. Write one class in one way."
            )
    if len(known) == len(spellings) > 2:
        raise InputError(
            f"target {name}: labels {abbreviate_list(sorted(known))} are several words for yes and no. Write each "
            "class alike."
        )
    return [spellings[key][0] for key in sorted(spellings)]


def _commonest(labels: Counter[str]) -> list[str]:
    return sorted(labels, key=lambda label: (-labels[label], label))


def _ordered(first: str, second: str) -> tuple[str, str]:
    """Return two classes, the negative one first where their words say which it is."""
    one, other = first.casefold(), second.casefold()
    swap = (
        (one in POSITIVE_WORDS and other not in POSITIVE_WORDS)
        or (other in NEGATIVE_WORDS and one not in NEGATIVE_WORDS)
        or (other.endswith(one) and other.removesuffix(one).strip(" -_") in ("non", "not", "no", "in", "un"))
        or (one.endswith("+") and other.endswith("-") and one[:-1] == other[:-1])
    )
    return (second, first) if swap else (first, second)
