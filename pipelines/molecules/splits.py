"""Splits of molecules: random, by scaffold, by cluster, or published; no molecule is in two splits."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

import numpy as np

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.storage.splits import SPLITS, Split, split_simulations

_SPLIT_NAMES: dict[str, Split] = {
    "train": "train", "training": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "testing": "test", "holdout": "test",
}  # fmt: skip


Method = Literal["random", "scaffold", "butina", "column"]
"""Split methods: random, by Bemis-Murcko scaffold, by Butina cluster, or published in a column or in file names."""
_COLUMNS = frozenset({"split", "fold", "folds", "cv_fold", "cvfold", "kfold", "partition", "subset", "set"})
"""Names of columns that may hold a published split, in lower case."""
_MAX_FOLDS = 20


@dataclass(frozen=True, kw_only=True)
class Folds:
    """Assignment of the values of a split column, such as fold numbers, to splits."""

    test: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()

    def split(self, text: str) -> Split:
        """Return the split that a value denotes; values of neither test nor validation are training.

        Raises
        ------
        ValueError
            The cell is empty or, if no folds are assigned, not the name of a split.
        """
        if not self.test and not self.validation:
            return parse_split(text)
        fold = _fold(text)
        if not fold:
            raise ValueError("no fold")
        return "test" if fold in self.test else "validation" if fold in self.validation else "train"


def parse_folds(test: Sequence[str | int], validation: Sequence[str | int]) -> Folds:
    """Return the folds of a configuration."""
    return Folds(
        test=tuple(_fold(str(fold)) for fold in test), validation=tuple(_fold(str(fold)) for fold in validation)
    )


def _fold(text: str) -> str:
    text = text.strip()
    return re.sub(r"\.0+$", "", text) if re.fullmatch(r"\d+\.0+", text) else text


def split_from_name(name: str) -> Split | Literal[""]:
    """Return the split in a file name, such as ``esol_train.csv``, or in its folder; empty if there is none, or two."""
    path = PurePosixPath(name)
    words = re.split("[^a-z]+", path.name.lower())
    named = {_SPLIT_NAMES[word] for word in words if word in _SPLIT_NAMES}
    named = named or {_SPLIT_NAMES.get(path.parent.name.lower(), "")}
    return named.pop() if len(named) == 1 else ""  # pyright: ignore[reportReturnType]


def find_split_columns(columns: Sequence[str]) -> list[str]:
    """Return the columns whose names suggest a published split."""
    return [column for column in columns if column.lower() in _COLUMNS]


def is_published_split(column: str, cells: Mapping[str, int], source: str) -> bool:
    """Whether a column whose name suggests a published split holds one.

    Raises
    ------
    InputError
        The column numbers folds, which the configuration must assign to splits.
    """
    words = {cell.strip() for cell in cells if cell.strip()}
    splits = {_SPLIT_NAMES.get(word.lower()) for word in words}
    if len(splits) > 1 and None not in splits:
        return True
    folds = {_fold(word) for word in words}
    if 1 < len(folds) <= _MAX_FOLDS and all(fold.isdecimal() for fold in folds) and column.lower() != "set":
        fold_names = ", ".join(sorted(folds, key=int))
        raise InputError(
            f"{source}: column {column!r} numbers folds ({fold_names}). Choose the test folds: --split column --set "
            f"ingest.split_column={column} --set ingest.test_folds=[{min(folds, key=int)}], and optionally "
            "validation_folds; or use --split random for a new split."
        )
    return False


def parse_split(text: str) -> Split:
    """Return the split that a cell names.

    Raises
    ------
    ValueError
        The cell does not name a split.
    """
    try:
        return _SPLIT_NAMES[text.strip().lower()]
    except KeyError:
        folds = "; set test_folds if the column numbers folds" if text.strip().isdecimal() else ""
        raise ValueError(f"split {text[:40]!r} is not train, validation or test{folds}") from None


def random_split(keys: Sequence[str], fractions: tuple[float, float, float], seed: int) -> np.ndarray:
    """Split molecules at random by a hash of their keys, so that added molecules do not move others between splits.

    Returns the index into SPLITS of each molecule, shape (n,), int8, as `group_split` does.

    Parameters
    ----------
    keys
        InChIKeys of the n molecules.
    fractions, seed
        Fractions of training, validation and test; seed of the split.

    Raises
    ------
    InputError
        There are fewer distinct molecules than requested splits.
    """
    requested = [name for name, fraction in zip(SPLITS, fractions, strict=True) if fraction > 0]
    distinct = len(set(keys))
    if distinct < len(requested):
        counted = "1 molecule" if distinct == 1 else f"{distinct} distinct molecules"
        geometries = " All geometries of a molecule stay in one split." if len(keys) > distinct else ""
        raise InputError(f"{counted} cannot be split into {', '.join(requested)}: each needs at least one.{geometries}")
    split = split_simulations(keys, fractions, seed)
    return np.array([SPLITS.index(split[key]) for key in keys], np.int8)


def group_split(
    groups: Sequence[str], keys: Sequence[str], fractions: tuple[float, float, float], seed: int
) -> np.ndarray:
    """Split molecules by group, as close to the fractions as the groups allow (balanced scaffold split).

    Groups that would fill more than half of the validation or test split go to training. The others are assigned in
    random order, to training until it is full, then to validation, then to test, as in MoleculeNet (arXiv:1703.00564)
    and its successors. Groups that share a key are merged.

    Parameters
    ----------
    groups
        Group of each molecule, such as its scaffold.
    keys
        InChIKeys.
    fractions
        Fractions of training, validation and test.
    seed
        Seed of the order of the groups.

    Returns
    -------
    np.ndarray
        Index into SPLITS of each molecule, shape (n,), int8.

    Raises
    ------
    InputError
        There are fewer groups than requested splits.
    """
    names = _merge_groups(groups, keys)
    sizes = Counter(names)
    requested = [split for split, fraction in enumerate(fractions) if fraction > 0]
    if len(sizes) < len(requested):
        splits = ", ".join(SPLITS[split] for split in requested)
        raise InputError(f"{len(sizes)} groups of molecules cannot be split into {splits}: use split random")
    capacity = [fraction * len(names) for fraction in fractions]
    smallest = min(capacity[split] for split in requested)
    order = sorted(sizes, key=lambda name: (sizes[name] <= smallest / 2, _random_key(name, seed)))
    filled, assigned = [0.0, 0.0, 0.0], {}
    for name in order:
        split = next((split for split in requested if filled[split] + sizes[name] <= capacity[split]), requested[-1])
        if sizes[name] > smallest / 2:
            split = 0
        assigned[name] = split
        filled[split] += sizes[name]
    for split in requested:
        if split not in assigned.values():  # move the smallest group whose split keeps another
            members = Counter(assigned.values())
            movable = (name for name in assigned if members[assigned[name]] > 1)
            assigned[min(movable, key=lambda name: (sizes[name], name))] = split
    return np.array([assigned[name] for name in names], np.int8)


def published_split(words: Sequence[Split], keys: Sequence[str]) -> np.ndarray:
    """Apply a published split; copies of test and validation molecules are excluded from the other splits.

    Returns
    -------
    np.ndarray
        Index into SPLITS of each molecule, -1 for excluded copies, shape (n,), int8.
    """
    published = np.array([SPLITS.index(word) for word in words], np.int8)
    last: dict[str, int] = {}
    for key, split in zip(keys, published.tolist(), strict=True):
        last[key] = max(split, last.get(key, 0))
    of_molecule = np.array([last[key] for key in keys], np.int8)
    return np.where(published == of_molecule, published, np.int8(-1))


def draw_validation(
    split: np.ndarray, keys: Sequence[str], fractions: tuple[float, float, float], seed: int
) -> np.ndarray:
    """Draw a validation split from the training molecules at random, if a published split has none.

    Parameters
    ----------
    split
        Split as returned by `published_split`.
    keys
        InChIKeys.
    fractions
        Fractions of training, validation and test; the ratio of the first two is used.
    seed
        Seed of the draw.

    Returns
    -------
    np.ndarray
        Index into SPLITS of each molecule, shape (n,), int8. It is unchanged if there is a validation split, if none
        is requested, or if there is only one training molecule.
    """
    training = np.flatnonzero(split == 0)
    training_keys = [keys[n] for n in training.tolist()]
    if (split == 1).any() or fractions[1] <= 0 or len(set(training_keys)) < 2:
        return split
    both = fractions[0] + fractions[1]
    drawn = split.copy()
    drawn[training] = random_split(training_keys, (fractions[0] / both, fractions[1] / both, 0.0), seed)
    return drawn


def _merge_groups(groups: Sequence[str], keys: Sequence[str]) -> list[str]:
    """Group of each molecule after merging groups that share a key (union-find)."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = name = parent[parent[name]]
        return name

    by_key: defaultdict[str, set[str]] = defaultdict(set)
    for group, key in zip(groups, keys, strict=True):
        by_key[key].add(group)
    for shared in by_key.values():
        first, *rest = sorted(map(root, shared))
        for name in rest:
            parent[root(name)] = root(first)
    return [root(group) for group in groups]


def _random_key(name: str, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed}\0{name}".encode(), digest_size=8).digest()
